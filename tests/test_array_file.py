"""Arrays as files: read back as they were, and the error of a full disk."""

import errno
from pathlib import Path

import numpy as np
import pytest

from pneumoscope.array_file import write_array


@pytest.mark.parametrize("values", [np.eye(3, dtype=np.float32), np.arange(6).reshape(2, 3).T, np.zeros((0, 2)), np.float64(3.5)])
def test_an_array_is_read_back(tmp_path, values):
    with (tmp_path / "a.npy").open("wb") as stream:
        write_array(stream, np.asarray(values))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_an_error_with_its_number():
    with pytest.raises(OSError, match="No space left") as refused, open("/dev/full", "wb", buffering=0) as stream:  # noqa: PTH123
        write_array(stream, np.zeros((100, 100)))
    assert refused.value.errno == errno.ENOSPC
