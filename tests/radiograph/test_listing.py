"""`list_folder`: radiographs by content or suffix, everything else counted by kind."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumoscope.radiograph import list_folder
from tests.radiograph.builders import cr, jpeg, png, without_meta, written

PIXELS = np.arange(64).reshape(8, 8)
BARE = {
    syntax.keyword: without_meta(cr(PIXELS, syntax=syntax))
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
}


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def put(folder: Path, **files: bytes) -> Path:
    """Write files; in a name `__` stands for a folder and `_` for a dot."""
    for name, content in files.items():
        file = folder / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def names(folder: Path, **options) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in list_folder(folder, **options).files]


@pytest.mark.parametrize("content", [png(PIXELS), jpeg(PIXELS), written(cr(PIXELS)), written(cr(PIXELS))[132:], *BARE.values()])
@pytest.mark.parametrize("name", ["a", "a.jfif", "a.jpe", "a.1.2.840", "a.txt", "IM0001", "a.tmp"])
def test_a_radiograph_is_found_by_its_content(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)

    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.png", "a.DCM", "a.Jpe", "a.jfif", "a.jpeg", "a.dicom"])
def test_a_damaged_file_with_the_suffix_of_a_radiograph_is_listed_so_that_it_is_reported(name, tmp_path):
    (tmp_path / name).write_bytes(b"damaged")

    assert names(tmp_path) == [name]


def test_what_is_left_out_is_counted_by_kind(tmp_path):
    put(
        tmp_path,
        a_png=png(PIXELS), b_csv=b"path,label\n", c_csv=b"a,b\n", notes_txt=b"text", report_pdf=b"%PDF-1.7",
        scan_tif=picture("TIFF"), scan2=picture("TIFF"), x_gif=picture("GIF"), x_bmp=picture("BMP"), y_zip=b"PK\x03\x04",
        empty=b"", odd_4711=b"odd",
        _hidden_png=png(PIXELS), DICOMDIR=bytes(128) + b"DICM", _folder__a_png=png(PIXELS),
    )  # fmt: skip
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "b.png").write_bytes(png(PIXELS))
    os.mkfifo(tmp_path / "pipe")

    found = list_folder(tmp_path)

    assert [file.name for file in found.files] == ["a.png"]
    assert dict(found.left_out) == {
        "CSV": 2, "TIFF": 2, "text": 1, "PDF": 1, "GIF": 1, "BMP": 1, "zip archive": 1, "empty": 1, "other": 1, "hidden": 1,
        "DICOMDIR": 1, "hidden folder": 2, "no regular file": 1,
    }  # fmt: skip
    assert found.unlisted == 0
    assert str(found).startswith("left out: 2 CSV, ")


def test_nothing_left_out_is_nothing_to_say(tmp_path):
    assert str(list_folder(put(tmp_path, a_png=png(PIXELS)))) == ""


def test_a_folder_that_cannot_be_listed_is_counted(tmp_path, monkeypatch):
    put(tmp_path, a__x_png=png(PIXELS), b__y_png=png(PIXELS))
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list_folder(tmp_path)

    assert (names(tmp_path), found.unlisted) == (["b/y.png"], 1)
    assert str(found) == "left out: 1 folder(s) that could not be listed"


def test_linked_folders_are_followed_once_and_links_to_themselves_end_nothing(tmp_path):
    put(tmp_path, a__x_png=png(PIXELS))
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")

    found = list_folder(tmp_path)

    assert names(tmp_path) == ["loop.png", "a/x.png"]
    assert dict(found.left_out) == {"unreadable": 2}


def test_a_pipe_with_the_suffix_of_a_radiograph_is_listed_so_that_it_is_reported(tmp_path):
    os.mkfifo(tmp_path / "x.png")

    assert names(tmp_path) == ["x.png"]


def test_folders_that_are_named_are_passed_over(tmp_path):
    put(tmp_path, a__x_png=png(PIXELS), out__y_png=png(PIXELS))

    assert names(tmp_path, without={(tmp_path / "out").resolve()}) == ["a/x.png"]


def test_the_order_is_that_of_folders_and_names(tmp_path):
    put(tmp_path, b_png=png(PIXELS), a_png=png(PIXELS), b__a_png=png(PIXELS), a__b_png=png(PIXELS))

    assert names(tmp_path) == ["a.png", "b.png", "a/b.png", "b/a.png"]
