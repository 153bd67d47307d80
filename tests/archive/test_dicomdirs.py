"""DICOM media: the medium of pydicom's test files, whose DICOMDIR lists CR, CT and MR images."""

import shutil
import zipfile
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pneumoscope.archive import dicomdirs, manifest_building, manifest_table
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.errors import MissingSourceError
from pneumoscope.archive.manifest_building import Built
from pneumoscope.archive.manifest_table import Row

MEDIUM = Path(str(get_testdata_file("dicomdirtests/DICOMDIR"))).parent


def built_of(folder: Path) -> tuple[Built, dict[str, Row]]:
    out = folder.parent / "m.parquet"
    return manifest_building.build([str(folder)], str(out)), {
        row.name: row for row in manifest_table.open_manifest(str(out)).rows()
    }


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """The three CR images of the medium, with its DICOMDIR, which lists 31 images."""
    folder = tmp_path / "medium"
    shutil.copytree(MEDIUM / "77654033", folder / "77654033", ignore=shutil.ignore_patterns("CT*", "MR*"))
    shutil.copy(MEDIUM / "DICOMDIR", folder)
    return folder


def test_the_images_of_a_dicomdir_are_those_that_dcmdump_lists() -> None:
    images = dicomdirs.images_of((MEDIUM / "DICOMDIR").read_bytes())
    assert len(images) == 31
    assert images[0] == "77654033/CR1/6154"


def test_missing_files_are_named_and_are_rows_that_say_so(medium: Path) -> None:
    built, rows = built_of(medium)
    assert built.left_out == {"DICOMDIR": 1}
    assert built.rows == 31
    assert built.notes[0].startswith("'DICOMDIR' lists 28 image(s) that are missing: 77654033/CT2/17106, ")
    with pytest.raises(MissingSourceError, match="is not there"):
        content_of(rows["77654033/CT2/17106"].source)


def test_names_are_compared_without_case(medium: Path) -> None:
    (medium / "77654033/CR1").rename(medium / "77654033/cr1")
    built, rows = built_of(medium)
    assert built.rows == 31
    assert "77654033/cr1/6154" in rows
    assert "77654033/CR1/6154" not in rows


def test_files_that_a_dicomdir_does_not_list_are_counted_and_read(medium: Path) -> None:
    shutil.copy(medium / "77654033/CR1/6154", medium / "EXTRA")
    built, rows = built_of(medium)
    assert "EXTRA" in rows
    assert built.notes[1] == "'DICOMDIR' does not list 1 radiograph(s) of its folder; they are read all the same"


def test_a_medium_in_a_zip_is_read_as_one_in_a_folder(medium: Path) -> None:
    folder = medium.parent / "zipped"
    folder.mkdir()
    with zipfile.ZipFile(folder / "cd.zip", "w") as archive:
        for file in medium.rglob("*"):
            archive.write(file, file.relative_to(medium))
    built, rows = built_of(folder)
    assert built.rows == 31
    assert rows["cd.zip/77654033/CR1/6154"].source.member == "77654033/CR1/6154"
    with pytest.raises(MissingSourceError, match="no such member"):
        content_of(rows["cd.zip/77654033/CT2/17106"].source)


def test_a_damaged_dicomdir_is_a_note_and_its_folder_is_searched(medium: Path) -> None:
    (medium / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
    built, _ = built_of(medium)
    assert built.rows == 3
    assert built.notes == ("'DICOMDIR': the DICOMDIR is damaged; its folder was searched without it",)


def test_references_that_lead_out_of_the_medium_are_left_out() -> None:
    content = (MEDIUM / "DICOMDIR").read_bytes().replace(b"77654033\\CR1\\6154", b"..\\..\\..\\etc\\pass")
    assert len(dicomdirs.images_of(content)) == 30
