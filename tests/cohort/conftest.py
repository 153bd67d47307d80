"""Cohorts made in memory, and trees of small images on disk."""

from pathlib import Path

import numpy as np
from hypothesis import settings
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.build import build
from pneumoscope.cohort.label_rules import LabelRules
from pneumoscope.cohort.label_table import LabelWords
from pneumoscope.cohort.layouts import LayoutOptions, folders

property_test = settings(max_examples=50, deadline=None, derandomize=True)


def case(path: str, patient: str, label: str = "NORMAL", **values) -> Case:
    """A case whose pixels are its own."""
    return Case(path, label, int(label == "PNEUMONIA"), patient, **{"pixel_sha256": f"pixels of {path}", **values})


def cohort(*cases: Case, root: Path = Path("images"), **values) -> Cohort:
    return Cohort(root, cases, **values)


def sides(split: Cohort) -> dict[str, str]:
    """The side of each path."""
    return {c.path: c.split for c in split.cases}


def field(seed: int, rows: int = 96, cols: int = 80) -> np.ndarray:
    """A random picture, float (rows, cols) in [30, 220]: twenty cosines each way that fade with frequency, as anatomy does."""
    n = np.arange(20)
    waves = np.random.default_rng(seed).normal(size=(20, 20)) / (1 + n[:, None] + n)
    down, across = (np.cos(np.pi * n * (np.arange(size)[:, None] + 0.5) / size) for size in (rows, cols))
    pixels = down @ waves @ across.T
    return 30 + 190 * (pixels - pixels.min()) / np.ptp(pixels)


def picture(path: Path, pixels, **options) -> Path:
    """Write a PNG or JPEG, as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(path, **options)
    return path


def from_folders(root: Path, *, positive=(), negative=("*",), **options) -> Cohort:
    """A cohort of folders of classes, where a class may be absent."""
    rules = LabelRules(LabelWords(tuple(positive), tuple(negative)), allow_no_positive=True)
    return build(folders.read(root, LayoutOptions(**options)), rules).cohort


def tree(root: Path, *names: str) -> Path:
    """Files of these names, each with pixels of its own."""
    for seed, name in enumerate(names):
        picture(root / name, field(seed, 24, 20))
    return root


def dicom(path: Path, pixels, uid: str, patient: str, **attributes) -> Path:
    """The smallest eight-bit CR instance, with attributes by their keywords."""
    values = np.rint(pixels).astype(np.uint8)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.PatientID, dataset.Modality = patient, "CR"
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.add_new("PixelData", "OB", values.tobytes())
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path
