"""The phone's decoder gives what the Python reader gives, to the bit: pixels, tables, facts, and the sentences of refusals."""

import io
import json
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

import pneumoscope
from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import RadiographError, review

pytestmark = pytest.mark.browser

STATIC = Path(pneumoscope.__file__).parent / "web" / "static"
SCRIPT = Path(__file__).with_name("decode_in_node.mjs")
FACTS = ("file_format", "grey_source", "modality", "view_position", "body_part", "intent", "age_years", "age_stated")


def in_node(folder: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Decode files in Node.js; the answers by name."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    ran = subprocess.run(["node", SCRIPT, STATIC, folder], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


def differences(folder: Path, files: Mapping[str, bytes], exact: bool = True) -> list[str]:
    """Where the phone's decoder and the Python reader differ; each file with what differs."""
    answers = in_node(folder, files)
    return [text for name, content in files.items() for text in compared(folder, name, content, answers[name], exact)]


def compared(folder: Path, name: str, content: bytes, answer: Mapping[str, Any], exact: bool) -> list[str]:
    try:
        film = radiograph.read_film(content)
        cautions = [caution.value for caution in review(film.radiograph)]
    except RadiographError as error:
        expected = {"kind": type(error).__name__, "message": str(error)}
        return [] if answer.get("error") == expected else [f"{name}: {answer.get('error')} is not {expected}"]
    if "error" in answer:
        return [f"{name}: {answer['error']} where Python reads it"]
    image = film.radiograph
    different = [f"{fact}: {answer[fact]!r} is not {getattr(image, fact)!r}" for fact in FACTS if answer[fact] != getattr(image, fact)]
    if answer["cautions"] != cautions or tuple(answer["contradictions"]) != image.contradictions:
        different.append(f"cautions: {answer['cautions']} {answer['contradictions']}")
    arrays = {"pixels": image.pixels, "levels": film.levels, "shown": film.shown, "values": film.values.astype(np.float32),
              "padding": film.padding.astype(np.uint8)}  # fmt: skip
    different += [
        f"{kind}: {problem}"
        for kind, array in arrays.items()
        if (problem := unequal(np.fromfile(folder / f"{name}.{kind}", array.dtype), array.ravel(), exact))
    ]
    return [f"{name}: {text}" for text in different + of_film(answer, film)]


def unequal(one: np.ndarray, other: np.ndarray, exact: bool) -> str:
    if one.shape != other.shape:
        return f"{one.shape} values, not {other.shape}"
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    bound = 0.0 if exact else float(np.finfo(np.float32).eps)
    return "" if (apart <= bound * np.maximum(1, np.abs(other))).all() else f"up to {apart.max():.2e} apart at {int((apart > 0).sum())}"


def of_film(answer: Mapping[str, Any], film: Any) -> list[str]:
    spacing, window, turn = film.radiograph.spacing, film.window, film.radiograph.orientation
    expected = {
        "inverse": film.inverse,
        "lossy": film.lossy,
        "aspect": pytest.approx(film.aspect),
        "window": window and {"centre": window.centre, "width": window.width, "function": window.function},
        "spacing": spacing and {"row_mm": spacing.row_mm, "col_mm": spacing.col_mm, "kind": spacing.kind},
    }
    different = [f"{key}: {answer[key]!r} is not {value!r}" for key, value in expected.items() if answer[key] != value]
    told = answer["orientation"]
    if (told["transposed"], (told["flip_rows"], told["flip_cols"])) != (turn.transposed, turn.flipped):
        different.append(f"orientation: {told}")
    return different


def dicom(content: bytes, change: Callable[[Dataset], None]) -> bytes:
    """A DICOM file with changed elements."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        change(dataset)
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def as_chest(dataset: Dataset) -> None:
    """Make any image a frontal chest radiograph, so that its pixels are decoded."""
    dataset.Modality = "DX"
    for keyword in ("BodyPartExamined", "PatientOrientation", "ViewPosition", "PatientAge", "PresentationLUTShape"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.PatientOrientation = ["L", "F"]


def grey_files() -> dict[str, bytes]:
    """Every grey image of one frame of pydicom's test data, as a chest radiograph."""
    files = {}
    for path in map(Path, sorted(get_testdata_files())):
        if not path.is_file() or path.stat().st_size > 8_000_000:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path, force=True)
                if "PixelData" not in dataset or not str(dataset.PhotometricInterpretation).startswith("MONO"):
                    continue
                files[path.name.replace(" ", "_")] = dicom(path.read_bytes(), as_chest)
        except (AttributeError, KeyError, ValueError, TypeError):  # files that pydicom itself does not write
            continue
    return files


def test_pydicom_data_to_the_bit(tmp_path):
    files = grey_files()
    assert len(files) > 30
    assert differences(tmp_path, files) == []
