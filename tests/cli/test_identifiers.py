"""A patient's name planted in every text attribute of DICOM files reaches no output of any command, no file and no message."""

import csv
import warnings

import pyarrow.parquet
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.uid import generate_uid

from tests.cli.run import run
from tests.radiograph.builders import cr, written
from tests.reader.builders import quadrant, spot

SECRET = "XDOEX^JANEX"
"""Valid as Code String, Person Name and every other text, so that a file writer lets it pass."""
TEXT_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}
FILE_NAMES = ("SpecificCharacterSet",)
"""Decides how text is decoded; a file with a name there is no DICOM text at all."""
ATTRIBUTES = sorted(
    keyword
    for tag, (vr, *_) in DicomDictionary.items()
    if vr in TEXT_VRS and tag >> 16 in (0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0032, 0x0040, 0x2050)
    if (keyword := keyword_for_tag(tag)) and keyword not in FILE_NAMES
)
DECIDING = (
    "BodyPartExamined", "FieldOfViewHorizontalFlip", "Modality", "PatientOrientation", "PhotometricInterpretation",
    "PixelIntensityRelationship", "PresentationIntentType", "PresentationLUTShape", "VOILUTFunction", "ViewPosition",
    "ImageType", "ConversionType",
)  # fmt: skip
"""Attributes that say whether and how a file is read: each is planted alone, so that each is reached."""
MARK = ("--lateral", "--raw", "--contradiction", "--modality", "--body-part")
EVERYTHING_MARKED = [word for option in MARK for word in (option, "mark")]


def named(dataset: pydicom.Dataset, keywords) -> pydicom.Dataset:
    """The instance with the secret in the attributes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword in keywords:
            setattr(dataset, keyword, SECRET)
    return dataset


def planted(everywhere: pydicom.Dataset, k: int, keywords) -> bytes:
    """A chest radiograph with the secret in every attribute of a data set, and in some more."""
    pixels = (quadrant() // 2, spot() // 2)[k % 2] + k
    dataset = cr(pixels, bits=8, PatientOrientation=["L", "F"], BodyPartExamined="CHEST", ViewPosition="PA")
    dataset.update({element.tag: element for element in everywhere})
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(k)])
    dataset.PatientID, dataset.PatientName = f"{SECRET} 4711", SECRET
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return written(named(dataset, keywords))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Radiographs with the secret in every attribute that does not decide, and one for each that does; two of each patient."""
    folder = tmp_path_factory.mktemp("planted")
    everywhere = named(pydicom.Dataset(), [keyword for keyword in ATTRIBUTES if keyword not in DECIDING])
    for k, keywords in enumerate([*((keyword,) for keyword in DECIDING), *[()] * 12]):
        (folder / f"{k:02}.dcm").write_bytes(planted(everywhere, k, keywords))
    return folder


def everything(folder, *said) -> str:
    """All that a command wrote and said, as text; tables also with their compressed values."""
    parts = [text.encode() for ran in said for text in (ran.out, ran.err)]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts.append(path.read_bytes())
        if path.suffix == ".parquet":
            table = pyarrow.parquet.read_table(path)
            parts.append(str([table.to_pydict(), table.schema.metadata]).encode())
    return b"\n".join(parts).decode("latin-1")


def assert_hidden(text: str) -> None:
    found = [word for word in ("XDOEX", "JANEX", "4711") if word in text.upper()]
    assert not found, text[max(0, text.upper().find(found[0]) - 200) :][:400]


def test_the_secret_is_in_the_files(files):
    content = (files / "00.dcm").read_bytes()
    assert content.count(SECRET.encode()) > 300
    assert pydicom.dcmread(files / "02.dcm").Modality == SECRET


@pytest.mark.parametrize("policy", [[], EVERYTHING_MARKED], ids=["refused", "marked"])
def test_reading_tells_nobody_whose_radiographs_they_are(files, glass, tmp_path, policy):
    ran = run("read", files, "-o", tmp_path / "out", "--model", glass, "--maps", "--format", "csv", *policy)
    assert ran.code in (0, 1)
    assert "radiographs read" in ran.out
    assert_hidden(everything(tmp_path, ran))


@pytest.fixture(scope="module")
def cohort(files, tmp_path_factory):
    """A split cohort of the files, with what its commands said."""
    folder = tmp_path_factory.mktemp("cohort")
    key, labels = tmp_path_factory.mktemp("secret") / "key", tmp_path_factory.mktemp("labels") / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sop_instance_uid", "label", "patient_id"])
        for k, file in enumerate(sorted(files.glob("*.dcm"))):
            uid = pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID
            writer.writerow([uid, ("PNEUMONIA", "NORMAL")[k % 2], f"{SECRET} {k // 2}"])
    said = [
        run("cohort", "build", files, "-o", folder / "c.parquet", "--layout", "dicom", "--labels", labels,
            "--negative", "NORMAL", "--patient-key", key, *EVERYTHING_MARKED),
        run("cohort", "split", folder / "c.parquet", "--ratios", "60/20/20"),
        run("cohort", "audit", folder / "c.parquet", "-o", folder / "audit.json", "--draws", 5),
    ]  # fmt: skip
    assert [ran.code in (0, 1) for ran in said] == [True] * 3, said
    return folder, said


def test_a_cohort_tells_nobody_who_its_patients_are(cohort):
    folder, said = cohort
    assert_hidden(everything(folder, *said))


def test_measuring_tells_nobody_who_the_patients_are(cohort, glass, tmp_path):
    table = cohort[0] / "c.parquet"
    said = [
        run("evaluate", glass, "--cohort", table, "--side", "train", "-o", tmp_path / "evaluated", "--draws", 5),
        run("localize", glass, "--cohort", table, "--side", "all", "-o", tmp_path / "localized", "--draws", 5),
    ]
    assert [ran.code for ran in said] == [0, 0], said
    assert_hidden(everything(tmp_path, *said))
