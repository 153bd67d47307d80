"""Files are there whole or not at all."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

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


def test_the_content_is_on_the_disk_before_the_rename_and_the_new_name_before_the_end(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: steps.append("rename") or replace(self, target))
    with atomic_files.text(tmp_path / "file") as stream:
        stream.write("all of it")
    assert steps == ["file", "rename", "folder"]


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path):
    longest = tmp_path / ("x" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    with atomic_files.binary(longest) as stream:
        stream.write(b"content")
    assert longest.read_bytes() == b"content"


def test_the_temporary_files_of_killed_writers_are_removed_and_no_others(tmp_path):
    names = [".0123456789ab.part", "sub/.ffffffffffff.part", ".mine.part", "0123456789ab.part", "sub/.0123456789ab.part.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    atomic_files.remove_partial(tmp_path, below=False)
    assert [name for name in names if not (tmp_path / name).exists()] == names[:1]
    atomic_files.remove_partial(tmp_path, below=True)
    assert [name for name in names if not (tmp_path / name).exists()] == names[:2]
    atomic_files.remove_partial(tmp_path / "gone", below=True)


WRITER = """
import sys, time
from pathlib import Path
from pneumoscope import atomic_files

with atomic_files.binary(Path(sys.argv[1])) as stream:
    print("writing", flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of a file."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "other"], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def age(folder):
    for part in folder.glob(".*.part"):
        os.utime(part, (time.time() - 3600,) * 2)


def write(file):
    """Write a file as a process does that has not written before."""
    atomic_files._sweep_once.cache_clear()
    with atomic_files.binary(file) as stream:
        stream.write(b"content")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file from being removed itself")
def test_a_killed_writers_temporary_file_is_swept_by_the_next_and_a_living_ones_is_not(tmp_path, writer):
    age(tmp_path)
    write(tmp_path / "file")
    assert len([*tmp_path.glob(".*.part")]) == 1
    writer.kill()
    writer.wait()
    write(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_temporary_file_that_was_just_created_and_is_not_locked_yet_is_left(tmp_path):
    part = tmp_path / ".0123456789ab.part"
    part.touch()
    write(tmp_path / "file")
    assert part.exists()
    age(tmp_path)
    write(tmp_path / "file")
    assert not part.exists()
