"""Manifests: what is in one, and that bringing one up to date equals building it from scratch."""

import hashlib
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.archive import ArchiveError, manifest_building, manifest_table, sources
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source

NAMES = st.sampled_from(
    [f"{folder}{name}" for folder in ("", "a/", "a-b/", "ä/") for name in ("1.png", "2.dcm", "Z.jpg", "x.csv")]
)
CHANGES = st.lists(st.dictionaries(NAMES, st.sampled_from(["write", "touch", "remove"]), max_size=6), min_size=1, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def without_waiting_for_the_disk():
    """Hundreds of small manifests are written, and none of them has to outlast a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def rows_of(manifest: Path) -> list[Row]:
    return [*manifest_table.open_manifest(str(manifest)).rows()]


@settings(max_examples=25, deadline=None)
@given(changes=CHANGES, rows_a_shard=st.integers(1, 4))
def test_any_sequence_of_updates_equals_a_manifest_from_scratch(tmp_path_factory, changes, rows_a_shard) -> None:
    base = tmp_path_factory.mktemp("manifest")
    folder, updated, scratch = base / "in", base / "updated.parquet", base / "scratch.parquet"
    folder.mkdir()
    (folder / "always.png").write_bytes(b"0")
    manifest_building.build([str(folder)], str(updated), rows_a_shard=rows_a_shard, hashed=True)
    before = {row.name: row for row in rows_of(updated)}
    for number, change in enumerate(changes):
        for name, action in change.items():
            apply(folder / name, action, number)
        built = manifest_building.build([str(folder)], str(updated), rows_a_shard=rows_a_shard, hashed=True, update=True)
        scratch.unlink(missing_ok=True)
        manifest_building.build([str(folder)], str(scratch), rows_a_shard=rows_a_shard, hashed=True)
        after = {row.name: row for row in rows_of(updated)}
        assert [replace(row, status="new") for row in after.values()] == rows_of(scratch)
        assert manifest_table.open_manifest(str(updated)).sha256 == manifest_table.open_manifest(str(scratch)).sha256
        assert {name for name, row in after.items() if row.status == "kept"} == {
            name for name, row in after.items() if name in before and row.source == before[name].source
        }
        assert (built.rows, built.removed) == (len(after), len(before.keys() - after.keys()))
        assert built.new + built.changed + built.kept == built.rows
        before = after


def apply(file: Path, action: str, number: int) -> None:
    if action == "remove":
        file.unlink(missing_ok=True)
    elif action == "write" or file.exists():
        file.parent.mkdir(exist_ok=True)
        if action == "write":
            file.write_bytes(f"content {number}".encode())
        os.utime(file, ns=(0, (number + 1) * 10**9))


def test_rows_are_in_the_order_of_their_names_as_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("a/1.png", "a-b/1.png", "B.png", "é.png", "z.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"1")
    manifest_building.build([str(folder)], str(tmp_path / "m.parquet"))
    names = [row.name for row in rows_of(tmp_path / "m.parquet")]
    assert names == sorted(names, key=str.encode) == ["B.png", "a-b/1.png", "a/1.png", "z.png", "é.png"]


def test_a_change_of_one_file_changes_its_shard_alone(tmp_path: Path) -> None:
    """Shards are cut by the names, so that an added file does not move the rows of all shards after it."""
    rows = [Row(f"{k:05}.png", Source(f"/in/{k:05}.png", size=k, etag=str(k))) for k in range(0, 4000, 2)]

    def shards(of: list[Row]) -> set[str]:
        file = tmp_path / "m.parquet"
        with file.open("wb") as stream:
            manifest_table.write(of, stream, {}, 16)
        return {*manifest_table.open_manifest(str(file)).shards}

    before = shards(rows)
    assert 60 < len(before) < 250
    added = Row("02001.png", Source("/in/02001.png"))
    changed = [*rows[:1000], added, *rows[1000:]]
    assert len(shards(changed) - before) <= 3
    assert len(shards([*rows[:700], *rows[701:]]) - before) <= 3


def many_rows(count: int) -> list[Row]:
    return [Row(f"{k:05}.png", Source(f"/in/{k:05}.png", size=k, etag=str(k))) for k in range(count)]


def test_the_footer_of_a_manifest_does_not_list_the_columns_of_every_shard(tmp_path: Path) -> None:
    """Each process holds the footer: one of a row group a shard took 30 MiB of the driver at a million files."""
    rows, file = many_rows(20_000), tmp_path / "m.parquet"
    with file.open("wb") as stream:
        assert manifest_table.write(rows, stream, {}, 8) == len(rows)
    table = manifest_table.open_manifest(str(file))
    assert len(table.shards) > 2000
    assert pq.read_metadata(file).num_row_groups == 3
    assert [*table.rows()] == rows
    for index in (0, 1, len(table.shards) // 2, len(table.shards) - 1):
        first = sum(table.rows_of_shard[:index])
        assert table.shard(index) == rows[first : first + table.rows_of_shard[index]]


def test_a_manifest_of_version_1_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    """Version 1 had a row group for each shard, and no numbers of rows in its metadata."""
    folder, new, old = tmp_path / "in", tmp_path / "new.parquet", tmp_path / "old.parquet"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.png").write_bytes(b"1")
    manifest_building.build([str(folder)], str(new), rows_a_shard=2)
    table, content = manifest_table.open_manifest(str(new)), pq.read_table(new)
    with pq.ParquetWriter(old, manifest_table.SCHEMA) as writer:
        for count in table.rows_of_shard:
            writer.write_table(content.slice(0, count), row_group_size=count)
            content = content.slice(count)
        said = dict(pq.read_metadata(new).metadata) | {b"pneumoscope.manifest": b"1"}
        del said[b"pneumoscope.rows_of_shard"], said[b"ARROW:schema"]
        writer.add_key_value_metadata(said)
    earlier = manifest_table.open_manifest(str(old))
    assert (earlier.shards, earlier.rows_of_shard, earlier.sha256) == (table.shards, table.rows_of_shard, table.sha256)
    assert len(earlier.rows_of_group) == len(earlier.shards) > 2
    assert [row for index in range(len(earlier.shards)) for row in earlier.shard(index)] == [*table.rows()] == [*earlier.rows()]
    assert manifest_building.build([str(folder)], str(old), update=True).kept == 12
    assert manifest_table.open_manifest(str(old)).sha256 == table.sha256


@pytest.mark.parametrize("name", ["m.parquet", "urls.csv", "a"])
def test_a_manifest_is_not_written_over_what_is_there(tmp_path: Path, name: str) -> None:
    """Neither over a manifest that results rest on, nor over the table that it is built from, nor over a folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"1")
    (tmp_path / "urls.csv").write_text(f"url\n{tmp_path}/a/1.png\n")
    manifest_building.build([str(tmp_path / "a")], str(tmp_path / "m.parquet"))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ArchiveError, match=f"{name}' is there: bring a manifest up to date with --update, or name another"):
        manifest_building.build([str(tmp_path / "urls.csv")], str(tmp_path / name))
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_an_update_from_another_folder_is_refused(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"1")
    manifest = tmp_path / "m.parquet"
    manifest_building.build([str(tmp_path / "a")], str(manifest))
    before = manifest.read_bytes()
    with pytest.raises(ArchiveError, match=r"none of the 1 files of the manifest .* lies in these sources"):
        manifest_building.build([str(tmp_path / "b")], str(manifest), update=True)
    assert manifest.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "m.parquet"]


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_an_update_from_what_cannot_be_read_now_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A share that is not mounted, a folder without permission, an archive that is being copied: nothing of it was removed."""
    folder, manifest = tmp_path / "in", tmp_path / "m.parquet"
    (folder / "a").mkdir(parents=True)
    for name in ("a/1.png", "a/2.png", "b.png"):
        (folder / name).write_bytes(b"1")
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("3.png", b"1")
    manifest_building.build([str(folder)], str(manifest))
    before, scandir = manifest.read_bytes(), os.scandir
    if kind == "archive":
        (folder / "x.zip").write_bytes(b"PK\3\4 half of it")
        said = r"1 files of the manifest .* lie in folders or archives that cannot be read now, 1 of them in 'x\.zip'"
    else:
        said = r"2 files of the manifest .* lie in folders or archives that cannot be read now, 2 of them in 'a'"

        def refuse(path: str) -> object:
            if os.fspath(path).endswith("/a"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ArchiveError, match=said):
        manifest_building.build([str(folder)], str(manifest), update=True)
    assert manifest.read_bytes() == before
    monkeypatch.undo()
    (folder / "x.zip").unlink()
    shutil.rmtree(folder / "a")
    assert manifest_building.build([str(folder)], str(manifest), update=True).removed == 3


def test_an_update_keeps_the_size_of_the_shards(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(b"1")
    manifest = str(tmp_path / "m.parquet")
    manifest_building.build([str(tmp_path)], manifest, rows_a_shard=2)
    before = manifest_table.open_manifest(manifest)
    manifest_building.build([str(tmp_path)], manifest, update=True)
    assert manifest_table.open_manifest(manifest).shards == before.shards
    assert len(before.shards) > 2


@pytest.mark.parametrize(("name", "problem"), [("nowhere.parquet", "is not there"), ("a", "is a folder, not a manifest")])
def test_what_is_no_file_is_named_with_what_to_do(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ArchiveError, match=f"{name}' {problem}; build a manifest with  pneumoscope archive manifest SOURCES"):
        manifest_table.open_manifest(str(tmp_path / name))


def test_hashes_are_noted_on_request_and_kept(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "m.parquet"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"content")
    manifest_building.build([str(folder)], str(out), hashed=True)
    manifest_building.build([str(folder)], str(out), update=True)
    (row,) = rows_of(out)
    assert (row.source.sha256, row.status) == (hashlib.sha256(b"content").hexdigest(), "kept")


def test_a_table_of_urls_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"content")
    sha256 = hashlib.sha256(b"content").hexdigest()
    (tmp_path / "urls.csv").write_text(
        "url,size,sha256,name,other\n"
        f"https://user:secret@host.example/x/a%20b.dcm?sig=secret,12,{sha256},,1\n"
        f"b.png,7,{sha256},second,2\n"
    )
    manifest_building.build([str(tmp_path / "urls.csv")], str(tmp_path / "m.parquet"))
    first, second = rows_of(tmp_path / "m.parquet")
    assert (first.name, first.source.size, first.source.sha256) == ("host.example/x/a b.dcm", 12, sha256)
    assert second == Row("second", Source(str(tmp_path / "b.png"), size=7, sha256=sha256))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("link,size\nx,1\n", "it has no column url"),
        ("url,size\n,1\n", "row 2 has no URL"),
        ("url,size\na.png,big\n", "row 2 of .* has no valid size or sha256"),
        ("url,sha256\na.png,abc\n", "row 2 of .* has no valid size or sha256"),
    ],
)
def test_a_table_without_meaning_is_refused(tmp_path: Path, table: str, problem: str) -> None:
    (tmp_path / "urls.csv").write_text(table)
    with pytest.raises(ArchiveError, match=problem):
        manifest_building.build([str(tmp_path / "urls.csv")], str(tmp_path / "m.parquet"))


def test_two_files_of_one_name_are_refused_and_one_that_is_named_twice_is_one(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"1")
    assert manifest_building.build([str(tmp_path / "a")] * 2, str(tmp_path / "m.parquet")).rows == 1
    with pytest.raises(ArchiveError, match=r"two files would both be called '1\.png'"):
        manifest_building.build([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "n.parquet"))


def test_another_file_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ArchiveError, match="is no intact Parquet file"):
        manifest_table.open_manifest(str(tmp_path / "a.parquet"))
    pq.write_table(manifest_table.SCHEMA.empty_table(), tmp_path / "b.parquet")
    with pytest.raises(ArchiveError, match="is no manifest of this version"):
        manifest_table.open_manifest(str(tmp_path / "b.parquet"))
    with pytest.raises(sources.MissingSourceError, match="is not there"):
        manifest_table.open_manifest(str(tmp_path / "c.parquet"))


def test_a_manifest_with_any_flipped_byte_is_read_as_it_was_or_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"1")
    manifest = tmp_path / "m.parquet"
    manifest_building.build([str(tmp_path)], str(manifest))
    content, before = manifest.read_bytes(), rows_of(manifest)
    refused = 0
    for place in range(0, len(content), 5):
        manifest.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            table = manifest_table.open_manifest(str(manifest))
            assert [*table.rows()] == before
            assert table.shard(0) == before
        except ArchiveError:
            refused += 1
    assert refused > len(content) // 20


def test_a_manifest_that_was_cut_in_the_middle_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tmp_path / "in", tmp_path / "m.parquet"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"1")
    manifest_building.build([str(folder)], str(out))
    before = out.read_bytes()
    monkeypatch.setattr(manifest_table, "_record", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        manifest_building.build([str(folder)], str(out), update=True)
    assert out.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [folder, out]


def test_shards_are_read_from_the_file_that_is_there_when_only_the_status_changed(tmp_path: Path) -> None:
    """The rows of an updated manifest may be the same and lie elsewhere in the file."""
    folder, out = tmp_path / "in", tmp_path / "m.parquet"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.png").write_bytes(b"1")
    manifest_building.build([str(folder)], str(out), rows_a_shard=8)
    before = manifest_table.open_manifest(str(out))
    rows = [before.shard(index) for index in range(len(before.shards))]
    manifest_building.build([str(folder)], str(out), rows_a_shard=8, update=True)
    after = [before.shard(index) for index in range(len(before.shards))]
    assert [row.source for shard in after for row in shard] == [row.source for shard in rows for row in shard]
    assert {row.status for shard in after for row in shard} == {"kept"}


def test_results_of_an_earlier_read_are_left_out_and_counted(tmp_path):
    earlier = tmp_path / "in" / "earlier"
    (earlier / "overlays").mkdir(parents=True)
    (tmp_path / "in" / "a.png").write_bytes(b"0")
    (earlier / "overlays" / "a.png.png").write_bytes(b"1")
    (earlier / "readings.jsonl").write_text("{}\n")
    (earlier / "run.json").write_text('{"model": {"name": "m", "sha256": "ab"}, "options": {}, "form": 4}')
    built = manifest_building.build([str(tmp_path / "in")], str(tmp_path / "m.parquet"))
    assert [row.name for row in rows_of(tmp_path / "m.parquet")] == ["a.png"]
    assert built.left_out == {"folder of earlier results": 1, "JSON": 2}


@pytest.mark.skipif(os.name != "posix", reason="names are Unicode elsewhere")
def test_names_that_differ_by_bytes_that_are_no_utf_8_are_two(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for letter in (b"\xfc", b"\xf6"):
        (folder / os.fsdecode(b"Mu" + letter + b"ller.png")).write_bytes(letter)
    manifest_building.build([str(folder)], str(tmp_path / "m.parquet"))
    assert {row.name: content_of(row.source) for row in rows_of(tmp_path / "m.parquet")} == {
        "Mu\\xfcller.png": b"\xfc",
        "Mu\\xf6ller.png": b"\xf6",
    }
    manifest_building.build([str(file) for file in folder.iterdir()], str(tmp_path / "n.parquet"))
    assert len(rows_of(tmp_path / "n.parquet")) == 2


def test_two_files_of_one_name_in_a_table_are_refused_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "urls.csv").write_text("url,name,sha256\n/a/1.png,x," + "0" * 64 + "\n/b/1.png,x," + "0" * 64 + "\n")
    with pytest.raises(ArchiveError, match=r"both be called 'x', '/a/1\.png' and '/b/1\.png'; rename one, .* in a table"):
        manifest_building.build([str(tmp_path / "urls.csv")], str(tmp_path / "m.parquet"))
