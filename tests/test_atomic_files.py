"""Files are there whole or not at all."""

import pytest

from pneumoscope import atomic_files


def test_content_appears_under_its_name_with_its_folders(tmp_path):
    with atomic_files.text(tmp_path / "a" / "b.txt") as stream:
        stream.write("à\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\xc3\xa0\n"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_exception_leaves_the_earlier_file_and_no_other(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    with pytest.raises(type(error)), atomic_files.binary(path) as stream:
        stream.write(b"half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"earlier"
