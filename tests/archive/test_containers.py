"""ZIP and TAR archives: members read where they lie, and what is made to do harm left out or refused."""

import io
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from pneumoscope import PneumoscopeError
from pneumoscope.archive import containers, manifest_building, manifest_table, sources
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.errors import ArchiveError, ChangedSourceError, MissingSourceError, RefusedSourceError
from pneumoscope.archive.manifest_building import Built
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source
from pneumoscope.radiograph.errors import TooLargeError, UnreadableFileError
from tests.archive.web_server import Site, serving


def manifest_of(*inputs: object) -> tuple[Built, dict[str, Row]]:
    out = Path(f"{inputs[0]}-manifest.parquet")
    built = manifest_building.build([str(one) for one in inputs], str(out))
    return built, {row.name: row for row in manifest_table.open_manifest(str(out)).rows()}


def zipped(file: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def tarred(file: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]  # any mode
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar")])
def test_members_are_rows_and_are_read_where_they_lie(tmp_path, pack, suffix) -> None:
    file = pack(tmp_path / f"images{suffix}", {"p1/a.dcm": b"first", "p2/b": b"second", "readme.txt": b"text"})
    built, rows = manifest_of(file)
    assert {name: content_of(row.source) for name, row in rows.items()} == {
        f"images{suffix}/p1/a.dcm": b"first",
        f"images{suffix}/p2/b": b"second",
    }
    assert built.left_out == {"text": 1}
    assert sorted(file.parent.iterdir()) == [file, tmp_path / f"images{suffix}-manifest.parquet"]


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar")])
def test_members_are_read_from_a_web_server_by_ranges(tmp_path, pack, suffix) -> None:
    file = pack(tmp_path / f"images{suffix}", {"a.dcm": b"first", "b.dcm": bytes(3_000_000), "c.dcm": b"third"})
    with serving(Site({f"/images{suffix}": file.read_bytes()})) as site:
        built = manifest_building.build([f"{site.url}/images{suffix}"], str(tmp_path / "m.parquet"))
        rows = [*manifest_table.open_manifest(str(tmp_path / "m.parquet")).rows()]
        assert built.rows == 3
        assert [content_of(row.source) for row in rows] == [b"first", bytes(3_000_000), b"third"]


def test_what_else_a_medium_holds_is_left_out_by_its_name(tmp_path) -> None:
    """Reports and a viewer, which media and exports of a PACS hold; each would be an error in the results."""
    members = [
        "a.dcm",
        "1.2.840.99",
        "REPORT.PDF",
        "letter.docx",
        "VIEWER.EXE",
        "lib.dll",
        "AUTORUN.INF",
        "setup.ini",
        "index.htm",
    ]
    built, rows = manifest_of(zipped(tmp_path / "x.zip", dict.fromkeys(members, b"1")))
    assert [*rows] == ["x.zip/1.2.840.99", "x.zip/a.dcm"]
    assert built.left_out == {"program": 2, "text": 2, "PDF": 1, "document": 1, "HTML": 1}


def test_archives_in_a_folder_are_opened(tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    zipped(folder / "x.zip", {"a.png": b"zip"})
    tarred(folder / "y.tar", {"a.png": b"tar"})
    _, rows = manifest_of(folder)
    assert [*rows] == ["x.zip/a.png", "y.tar/a.png"]


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "..\\a.png", "C:/a.png", "a\x1b[2J.png"])
def test_members_whose_names_lead_elsewhere_are_left_out(tmp_path, name) -> None:
    built, rows = manifest_of(zipped(tmp_path / "x.zip", {name: b"evil", "good.png": b"good"}))
    assert ([*rows], built.left_out) == (["x.zip/good.png"], {"unsafe name in an archive": 1})
    built, rows = manifest_of(tarred(tmp_path / "x.tar", {name: b"evil", "good.png": b"good"}))
    assert ([*rows], built.left_out) == (["x.tar/good.png"], {"unsafe name in an archive": 1})


def test_nested_encrypted_and_linked_members_are_left_out_and_counted(tmp_path) -> None:
    file = zipped(tmp_path / "x.zip", {"in.zip": b"PK", "in.tar.gz": b"", "good.png": b"good", "secret.png": b"s"})
    content = file.read_bytes()
    at = content.rindex(b"PK\1\2")  # the directory's entry of the last member: general purpose flag, bit 0
    file.write_bytes(content[: at + 8] + struct.pack("<H", 1) + content[at + 10 :])
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    built, rows = manifest_of(file)
    assert [*rows] == ["x.zip/good.png"]
    assert built.left_out == {"nested archive": 2, "encrypted member": 1, "link in an archive": 1}
    with pytest.raises(RefusedSourceError, match="is encrypted"):
        containers.content(Source(str(file), "secret.png"))


def test_links_and_devices_of_a_tar_are_left_out(tmp_path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("good.png"))
    built, rows = manifest_of(tmp_path / "x.tar")
    assert ([*rows], built.left_out) == (["x.tar/good.png"], {"link or special file in an archive": 4})


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(containers, "_FREE_BYTES", 2**20)
    file = zipped(tmp_path / "bomb.zip", {f"{k}.png": bytes(2**20) for k in range(3)})
    with pytest.raises(
        ArchiveError, match=r"no radiograph lies below .*would unpack.*1 archive that could not be opened"
    ) as error:
        manifest_of(file)
    assert f"the ZIP archive of {file.stat().st_size:,} bytes would unpack to 3,145,728" in str(error.value)


def test_a_member_that_states_a_smaller_size_than_it_has_is_damaged(tmp_path) -> None:
    file = zipped(tmp_path / "x.zip", {"a.png": bytes(10_000)})
    content = file.read_bytes()
    at = content.rindex(b"PK\1\2")
    file.write_bytes(content[: at + 24] + struct.pack("<I", 10) + content[at + 28 :])
    _, rows = manifest_of(file)
    with pytest.raises(UnreadableFileError, match="member of the archive is damaged"):
        content_of(rows["x.zip/a.png"].source)


def test_a_member_larger_than_a_radiograph_is_not_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(containers, "MAX_FILE_BYTES", 5)
    file = zipped(tmp_path / "x.zip", {"a.png": b"content"})
    with pytest.raises(TooLargeError, match="the member has 7 bytes"):
        containers.content(Source(str(file), "a.png"))


@pytest.mark.parametrize(("mode", "suffix"), [("w:gz", ".tar.gz"), ("w:xz", ".txz")])
def test_a_compressed_tar_is_refused_with_the_way_out(tmp_path, mode, suffix) -> None:
    with pytest.raises(ArchiveError, match=r"decompress it to \.tar, or pack it as \.zip"):
        manifest_of(tarred(tmp_path / f"x{suffix}", {"a.png": b"a"}, mode))


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_damaged_archive_is_a_note_and_the_rest_is_listed(tmp_path, suffix) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"x{suffix}").write_bytes(b"no archive at all" * 100)
    (folder / "good.png").write_bytes(b"good")
    built, rows = manifest_of(folder)
    assert [*rows] == ["good.png"]
    assert built.left_out == {"archive that could not be opened": 1}
    assert "is damaged or no" in built.notes[0]


def test_an_archive_that_was_replaced_is_changed_and_a_lost_member_missing(tmp_path) -> None:
    file = zipped(tmp_path / "x.zip", {"a.png": b"first"})
    _, rows = manifest_of(file)
    source = rows["x.zip/a.png"].source
    assert content_of(source) == b"first"
    zipped(file, {"b.png": b"another"})
    with pytest.raises(ChangedSourceError, match="changed after the manifest was built"):
        content_of(source)
    with pytest.raises(MissingSourceError, match="no such member"):
        content_of(Source(str(file), "a.png", etag=sources.stored(str(file)).etag))


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar")])
def test_damaged_archives_raise_no_error_of_a_library(tmp_path, pack, suffix) -> None:
    """Bytes are changed at random, mostly in what is read first and last; the seed is fixed."""
    random = Random(20)
    content = pack(tmp_path / f"x{suffix}", {"a.dcm": bytes(500), "b/c.dcm": random.randbytes(500)}).read_bytes()
    file = tmp_path / f"damaged{suffix}"
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(random.randint(1, 4)):
            at = random.randrange(random.choice((len(content), min(1200, len(content)))))
            damaged[at] = random.randrange(256)
        file.write_bytes(damaged[: random.choice((len(damaged), random.randrange(len(damaged))))])
        source = Source(str(file), size=file.stat().st_size)
        with suppress(PneumoscopeError):
            for member in [member for member in containers.members(source) if not member.kind]:
                content_of(Source(str(file), member.name, member.offset, member.size))


def cut_in_the_second_header(content: bytes) -> bytes:
    return content[:1100]


def cut_behind_the_first_member(content: bytes) -> bytes:
    return content[:1024]


def with_a_damaged_second_header(content: bytes) -> bytes:
    return content[:1124] + b"\xff" * 30 + content[1154:]


def followed_by_another_archive(content: bytes) -> bytes:
    return content + content


@pytest.mark.parametrize(
    "damage",
    [cut_in_the_second_header, cut_behind_the_first_member, with_a_damaged_second_header, followed_by_another_archive],
)
def test_a_tar_that_does_not_end_behind_its_last_member_is_named_and_listed_so_far(tmp_path, damage) -> None:
    """`tarfile` takes all of these for the end of the archive."""
    file = tarred(tmp_path / "x.tar", {"a.png": b"first", "b.png": b"second"})
    file.write_bytes(damage(file.read_bytes()))
    built, rows = manifest_of(file)
    assert content_of(rows["x.tar/a.png"].source) == b"first"
    assert built.left_out == {"archive that could not be read to the end": 1}
    assert built.notes[0].startswith("'x.tar': the TAR archive ")
    assert built.notes[0].endswith(f"; fetch it again (members listed: {len(rows)})")


@pytest.mark.parametrize("zeros", [100, 512, 1024, 20_480])
def test_any_number_of_zeros_ends_a_tar(tmp_path, zeros) -> None:
    file = tarred(tmp_path / "x.tar", {"a.png": b"first"})
    file.write_bytes(file.read_bytes()[:1024] + bytes(zeros))
    built, rows = manifest_of(file)
    assert ([*rows], built.left_out, built.notes) == (["x.tar/a.png"], {}, ())


def test_a_member_that_a_tar_holds_in_part_has_a_row_that_says_so(tmp_path) -> None:
    file = tarred(tmp_path / "x.tar", {"a.png": b"first", "b.png": bytes(2000)})
    file.write_bytes(file.read_bytes()[: 1024 + 512 + 1000])
    built, rows = manifest_of(file)
    assert built.left_out == {"archive that could not be read to the end": 1}
    with pytest.raises(UnreadableFileError, match=r"holds 1,000 of the 2,000 bytes of this member; fetch the archive again, and"):
        content_of(rows["x.tar/b.png"].source)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", [b"other", b"longer content"])
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_of_members_of_one_name_the_last_counts_as_when_unpacked(tmp_path, suffix, second) -> None:
    file = tmp_path / f"x{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for content in (b"first", b"second", second):
                archive.writestr("a.png", content)
    else:
        for content in (b"first", b"second", second):
            tarred(file, {"a.png": content}, "a")
    for inputs in ([file], [file, file]):
        built, rows = manifest_of(*inputs)
        assert content_of(rows[f"x{suffix}/a.png"].source) == second
        assert (built.rows, built.left_out["repeated name in an archive"]) == (1, 2 if len(inputs) == 1 else 5)
        Path(f"{file}-manifest.parquet").unlink()
