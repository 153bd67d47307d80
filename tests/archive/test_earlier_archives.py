"""Updates of a manifest: archives whose version did not change are not opened again."""

import os
import shutil
from pathlib import Path

import pytest

from pneumoscope.archive import containers, earlier_archives, manifest_building, manifest_table, sorted_entries
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.earlier_archives import LeftOut
from pneumoscope.archive.errors import ArchiveError, ChangedSourceError
from pneumoscope.archive.manifest_building import Built
from pneumoscope.archive.manifest_table import Row
from tests.archive.test_containers import tarred, zipped

MEMBERS = {"p1/a.dcm": b"first", "p2/b": b"second", "readme.txt": b"text", "../evil.png": b"evil"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    zipped(folder / "x.zip", MEMBERS)
    tarred(folder / "y.tar", MEMBERS)
    (folder / "loose.png").write_bytes(b"1")
    return folder


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the archives that are listed."""
    names, members = [], containers.members
    monkeypatch.setattr(containers, "members", lambda source: (names.append(Path(source.location).name), members(source))[1])
    return names


def build(folder: Path, **options: bool) -> Built:
    manifest = folder.parent / "m.parquet"
    return manifest_building.build([str(folder)], str(manifest), update=manifest.exists(), rows_a_shard=2, **options)


def rows(folder: Path) -> list[Row]:
    return [*manifest_table.open_manifest(str(folder.parent / "m.parquet")).rows()]


def test_an_archive_that_did_not_change_is_not_listed_again(folder: Path, listed: list[str]) -> None:
    first = build(folder)
    assert (first.rows, first.left_out) == (5, {"text": 2, "unsafe name in an archive": 2})
    before = rows(folder)
    assert sorted(listed) == ["x.zip", "y.tar"]
    for _ in range(2):  # what is noted for the next update is noted by each
        listed.clear()
        again = build(folder)
        assert (listed, again.kept, again.rows, again.left_out) == ([], 5, 5, first.left_out)
    assert [(row.name, row.source, row.modified) for row in rows(folder)] == [
        (row.name, row.source, row.modified) for row in before
    ]


def test_an_archive_of_another_version_or_place_is_listed(folder: Path, listed: list[str]) -> None:
    build(folder)
    listed.clear()
    zipped(folder / "x.zip", MEMBERS | {"p3/c.dcm": b"third"})
    shutil.copy2(folder / "y.tar", folder / "z.tar")
    assert build(folder).new == 3
    assert sorted(listed) == ["x.zip", "z.tar"]


@pytest.mark.parametrize("members", [{"DICOMDIR": b"damaged", "a.dcm": b"1"}, {"a.csv": b"1"}])
def test_an_archive_with_a_dicomdir_or_without_a_radiograph_is_listed_again(tmp_path, listed, members) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "loose.png").write_bytes(b"1")
    zipped(folder / "x.zip", members)
    first = build(folder)
    again = build(folder)
    assert (listed, again.left_out, again.notes) == (["x.zip"] * 2, first.left_out, first.notes)


def test_counts_do_not_grow_with_the_updates_where_an_archive_is_named_twice(folder: Path) -> None:
    manifest, twice = str(folder.parent / "m.parquet"), [str(folder), str(folder)]
    first = manifest_building.build(twice, manifest)
    for _ in range(2):
        assert manifest_building.build(twice, manifest, update=True).left_out == first.left_out


def test_a_manifest_that_notes_no_archive_or_not_all_has_them_listed(folder: Path, listed, monkeypatch) -> None:
    monkeypatch.setattr(sorted_entries, "MOST_NOTED", 1)
    first = build(folder)
    listed.clear()
    assert build(folder).left_out == first.left_out
    assert listed == ["y.tar"]
    with (folder.parent / "m.parquet").open("r+b") as stream:
        before = rows(folder)
        manifest_table.write(before, stream, first.left_out, 2)
        stream.truncate()
    listed.clear()
    assert build(folder).left_out == first.left_out
    assert sorted(listed) == ["x.zip", "y.tar"]


@pytest.mark.parametrize("name", ["x.zip", "y.tar"])
def test_other_content_of_the_same_size_and_time_is_refused_where_the_manifest_has_hashes(folder, name, monkeypatch) -> None:
    """The version of a file on a disk is its size and the time of its last change, which a program can set back."""
    build(folder, hashed=True)
    pack, file = (zipped if name == "x.zip" else tarred), folder / name
    before = file.stat()
    pack(file, MEMBERS | {"p1/a.dcm": b"other"})
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert build(folder).kept == 5
    monkeypatch.setattr(containers, "_open_archives", containers._OpenArchives())  # as in another process
    (row,) = (row for row in rows(folder) if row.name == f"{name}/p1/a.dcm")
    with pytest.raises(
        ChangedSourceError, match=r"another SHA-256 .* an update does not notice it: .* touch it, and update .* --hash"
    ):
        content_of(row.source)
    file.touch()
    assert build(folder, hashed=True).changed == 2
    (row,) = (row for row in rows(folder) if row.name == f"{name}/p1/a.dcm")
    assert content_of(row.source) == b"other"


@pytest.mark.parametrize("text", [b"", b"no base 64", b"AAAA"])
def test_damaged_notes_have_every_archive_listed(text: bytes) -> None:
    assert earlier_archives.decoded(text) == LeftOut({}, whole=False)


def test_notes_are_read_as_they_were_written() -> None:
    noted = LeftOut({"5-1f /in/x.zip": {"text": 2}}, whole=False)
    assert earlier_archives.decoded(earlier_archives.encoded(noted).encode()) == noted


@pytest.mark.parametrize("of_notes", [100_000, 0])
def test_an_update_names_a_damaged_archive_again(folder: Path, listed: list[str], monkeypatch, of_notes: int) -> None:
    monkeypatch.setattr(sorted_entries, "MOST_NOTED", of_notes)
    file = folder / "y.tar"
    file.write_bytes(file.read_bytes()[:1100])
    (folder / "z.zip").write_bytes(b"no archive")
    first = build(folder)
    said = {"archive that could not be read to the end": 1, "archive that could not be opened": 1}
    assert first.left_out.items() >= said.items()
    assert len(first.notes) == 2
    for _ in range(2):
        listed.clear()
        again = build(folder)
        assert {"y.tar", "z.zip"} <= {*listed}
        assert (again.kept, again.rows, again.left_out, again.notes) == (first.rows, first.rows, first.left_out, first.notes)


def test_archives_of_a_manifest_that_does_not_note_cut_ones_are_listed(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(manifest_table, "_ARCHIVES_KEY", b"pneumoscope.archives")
    build(folder)
    monkeypatch.undo()
    names, members = [], containers.members
    monkeypatch.setattr(containers, "members", lambda source: (names.append(Path(source.location).name), members(source))[1])
    assert (build(folder).kept, sorted(names)) == (5, ["x.zip", "y.tar"])


def test_an_update_from_an_archive_that_was_cut_since_is_refused(folder: Path) -> None:
    build(folder)
    before, file = (folder.parent / "m.parquet").read_bytes(), folder / "y.tar"
    file.write_bytes(file.read_bytes()[:1024])
    with pytest.raises(ArchiveError, match=r"1 files of the manifest .* cannot be read now, 1 of them in 'y\.tar'"):
        build(folder)
    assert (folder.parent / "m.parquet").read_bytes() == before
