"""The cache of prepared squares: what a reading sees, keyed by all that matters, there whole or not at all."""

import errno
from pathlib import Path

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared import default_cache, squares

WHOLE = Preprocessing(32)


def test_training_sees_what_a_reading_sees_on_256_levels(cohort, tmp_path):
    cases = cohort.cases[:6]

    trained_on = squares(cohort, cases, WHOLE, tmp_path).astype(np.float32) / np.float32(255)

    for square, case in zip(trained_on, cases, strict=True):
        read = prepare(radiograph.read(cohort.file(case)), WHOLE).pixels
        assert np.abs(square - read).max() <= 0.5 / 255 + 1e-6


def test_squares_are_in_the_order_of_their_cases(cohort, tmp_path):
    cases = cohort.cases[:6]

    forward, backward = squares(cohort, cases, WHOLE, tmp_path), squares(cohort, cases[::-1], WHOLE, tmp_path)

    assert (forward != backward).any()
    assert np.array_equal(forward, backward[::-1])


def test_the_cache_is_not_kept_in_memory_and_cannot_be_written_to(cohort, tmp_path):
    prepared = squares(cohort, cohort.cases[:6], WHOLE, tmp_path)

    with pytest.raises(ValueError, match="read-only"):
        prepared[0] = 0


def test_a_full_disk_leaves_no_file_and_the_next_run_prepares_all(cohort, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array_header_2_0", full)
        with pytest.raises(OSError, match="No space left"):
            squares(cohort, cohort.cases, WHOLE, tmp_path)
    assert list(tmp_path.iterdir()) == []

    assert squares(cohort, cohort.cases, WHOLE, tmp_path).shape == (60, 1, 32, 32)


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "pneumoscope"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "pneumoscope"


@pytest.mark.parametrize("left", [0, 20, 4000])
def test_a_damaged_cache_is_told_with_what_to_do(cohort, tmp_path, left):
    cases = cohort.cases[:6]
    squares(cohort, cases, WHOLE, tmp_path)
    (file,) = tmp_path.glob("*.npy")
    file.write_bytes(file.read_bytes()[:left])

    with pytest.raises(TrainingError, match="damaged; delete the file"):
        squares(cohort, cases, WHOLE, tmp_path)
