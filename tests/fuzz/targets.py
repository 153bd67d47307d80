"""What is fuzzed: for each parser, valid inputs, how they are changed, and what has to hold of the result."""

import atexit
import contextlib
import functools
import hashlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from pneumoscope import radiograph
from pneumoscope.radiograph import Film, Radiograph
from pneumoscope.radiograph.placement import on_whole
from tests.fuzz import samples, text_changes
from tests.fuzz.mutations import BYTES, changed, changed_dicom, changed_jpeg, changed_png

Change = Callable[[bytes, bytes, random.Random], bytes]


class ViolationError(AssertionError):
    """A result that must not be."""


@dataclass(frozen=True)
class Target:
    """One parser under test.

    Parameters
    ----------
    samples : callable
        Gives valid inputs by name.
    change : callable
        Changes a valid input; its second argument is another valid input.
    check : callable
        Parses one input; it raises `PneumoscopeError` for an input that is refused, and `ViolationError` for a result that must
        not be.
    share : int
        How many inputs of a thousand are this target's.
    has_patients : bool
        Whether no message may quote an identifier; a card and a configuration hold none and may be quoted.
    """

    samples: Callable[[], Mapping[str, bytes]]
    change: Change
    check: Callable[[bytes], None]
    share: int
    has_patients: bool = True

    def input(self, chance: random.Random) -> bytes:
        """Make an input."""
        valid = list(self.samples().values())
        return self.change(chance.choice(valid), chance.choice(valid), chance)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ViolationError(what)


# Radiographs


def proper(image: Radiograph) -> None:
    """Require grey levels in [0, 1]."""
    _require(image.pixels.dtype == np.float32 and bool(np.isfinite(image.pixels).all()), "pixels that are no finite float32")
    _require(0 <= image.pixels.min() < image.pixels.max() <= 1, "pixels outside of [0, 1], or of one level")


def _radiograph(content: bytes) -> None:
    proper(radiograph.read(content))
    radiograph.container_of(content)
    radiograph.burned_in_of(content)


def _film(content: bytes) -> None:
    film: Film = radiograph.read_film(content)
    proper(film.radiograph)
    _require(film.levels.shape == film.radiograph.pixels.shape, "levels of another shape than the pixels")
    _require(bool(np.isfinite(film.shown).all()) and film.shown.min() >= 0 and film.shown.max() <= 1, "shown outside of [0, 1]")
    _require(film.levels.min() >= 0 and int(film.levels.max()) < film.shown.size, "a level without a grey value")


SEEN_PX = 10
"""Edge of a square that is small enough for the samples to be decoded at a reduced scale."""


def _reduced(content: bytes) -> None:
    """A file is refused, or not, however it is decoded; a reduced one keeps its grid."""
    image = radiograph.read(content, SEEN_PX)
    seen = on_whole(image, SEEN_PX).pixels_to_square(image)
    _require(bool(np.isfinite(seen).all()) and seen.min() >= 0 and seen.max() <= 1, "a square outside of [0, 1]")
    _require(radiograph.read(content).shape == image.shape, "another grid than in full")


def _pictures() -> dict[str, bytes]:
    return samples.jpeg_files() | {f"{name} PNG": content for name, content in samples.png_files().items()}


def _changed_picture(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return (changed_png if content.startswith(b"\x89PNG") else changed_jpeg)(content, other, chance)


# Readings


@functools.cache
def _glass() -> Any:
    from pneumoscope.reader import Reader  # noqa: PLC0415 - a worker loads what its target needs
    from tests.reader.builders import glass_bundle  # noqa: PLC0415 - the same

    return Reader.load(glass_bundle(folder() / "glass"), threads=1)


@functools.cache
def folder() -> Path:
    """A folder of this process, which goes with it."""
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def _reading(content: bytes) -> None:
    from pneumoscope.readings import CaseKey, form  # noqa: PLC0415

    reading = _glass().read(content)
    _require(0 <= reading.score.probability <= 1 and np.isfinite(reading.score.log_odds), "a probability outside of [0, 1]")
    values = reading.heatmap.values
    _require(bool(np.isfinite(values).all()) and values.min() >= 0 and values.max() <= 1, "a heat map outside of [0, 1]")
    _require(all(0 <= finding.rating <= 1 for finding in reading.findings), "a rating outside of [0, 1]")
    line = form.line_of(CaseKey("a.dcm", hashlib.sha256(content).hexdigest()), reading)
    _require(form.parse_line(form.to_json(line)) == line, "a line that is not read back")
    _require(not _planted(form.to_json(line)), "an identifier in a line")


def _planted(text: str) -> list[str]:
    return [word for word in samples.PLANTED if word in text.upper()]


def _all_files() -> dict[str, bytes]:
    return samples.dicom_files() | _pictures()


def _changed_file(content: bytes, other: bytes, chance: random.Random) -> bytes:
    if content.startswith((b"\x89PNG", b"\xff\xd8")):
        return _changed_picture(content, other, chance)
    return changed_dicom(content, other, chance)


# DICOM objects


def _source_image(content: bytes) -> None:
    from pneumoscope.dicom_objects import source_image  # noqa: PLC0415

    source_image(content)


def _objects(content: bytes) -> None:
    from pneumoscope.dicom_objects import Profile, write_objects  # noqa: PLC0415
    from tests.dicom_objects.builders import CREATED  # noqa: PLC0415

    image = radiograph.read(content)
    reading = _glass().read(image)
    kinds = ("sr", "seg", "pm", "sc", "gsps")
    for made in write_objects(content, image, reading, kinds, Profile.OHIF, CREATED):
        pydicom.dcmread(io.BytesIO(made.content))


def _deidentified(content: bytes) -> None:
    from pneumoscope.dicom_objects.deidentification import deidentified  # noqa: PLC0415

    deidentified(content, "a key")  # a change may have moved a name into an attribute that the profile keeps


def _received(content: bytes) -> None:
    from pneumoscope.pacs.receive.header import read_header  # noqa: PLC0415

    file = folder() / "received.dcm"
    file.write_bytes(content)
    read_header(file)


# Text forms


@functools.cache
def _lines() -> dict[str, bytes]:
    from pneumoscope.readings import CaseKey, form  # noqa: PLC0415
    from tests.dicom_objects.builders import reading  # noqa: PLC0415

    line = form.line_of(CaseKey("patients/a.dcm", "ab" * 32), reading())
    failed = form.error_line(CaseKey("b.png"), "pneumonia", reading().model, "UnreadableFileError", "the file is damaged")
    human = b'{"schema": 5, "reader": "R1", "case": {"path": "a.png"}, "target": "pneumonia", "rating": 3}'
    return {"line": form.to_json(line).encode(), "error": form.to_json(failed).encode(), "human": human}


def _line(content: bytes) -> None:
    from pneumoscope.readings import form  # noqa: PLC0415
    from pneumoscope.readings.line import Line  # noqa: PLC0415

    line = form.parse(content)
    if isinstance(line, Line) and line.probability is not None:
        _require(0 <= line.probability <= 1, "a probability outside of [0, 1]")
    _require(form.parse(form.to_json(line)) == line, "a line that is not read back")


@functools.cache
def _cards() -> dict[str, bytes]:
    bundles = Path(radiograph.__file__).parent.parent / "reader" / "bundles"
    return {str(card): card.read_bytes() for card in sorted(bundles.rglob("card.json"))} | {"glass": _glass_files()["card.json"]}


@functools.cache
def _glass_files() -> dict[str, bytes]:
    _glass()
    return {path.name: path.read_bytes() for path in (folder() / "glass").iterdir()}


def _card(content: bytes) -> None:
    from pneumoscope.reader import Reader  # noqa: PLC0415

    place = folder() / "changed"
    place.mkdir(exist_ok=True)
    (place / "model.onnx").write_bytes(_glass_files()["model.onnx"])
    (place / "card.json").write_bytes(content)
    reading = Reader.load(place, threads=1).read(_quadrant())
    _require(0 <= reading.score.probability <= 1, "a probability outside of [0, 1]")


def _quadrant() -> bytes:
    return samples.png_files()["grey"]


@functools.cache
def _graphs() -> dict[str, bytes]:
    return {"glass": _glass_files()["model.onnx"]}


def _graph(content: bytes) -> None:
    """A damaged graph under its own card is refused by its hash, whatever ONNX Runtime would do with it."""
    from pneumoscope.reader import Reader  # noqa: PLC0415

    place = folder() / "damaged"
    place.mkdir(exist_ok=True)
    (place / "card.json").write_bytes(_glass_files()["card.json"])
    (place / "model.onnx").write_bytes(content)
    Reader.load(place, threads=1)
    _require(content == _glass_files()["model.onnx"], "a damaged graph that was loaded")


# Tables


def _cohort() -> Any:
    from pneumoscope.cohort import Case, Cohort  # noqa: PLC0415

    cases = tuple(
        Case(f"p{k}/a.png", "PNEUMONIA", 1, f"{samples.IDENTITY['PatientID']}-{k}", rows=8, cols=9, age_years=4.5 + k, sex="F")
        for k in range(3)
    )
    return Cohort(Path("radiographs"), cases, source="test")


@functools.cache
def _cohort_files(suffix: str) -> dict[str, bytes]:
    from pneumoscope.cohort import table  # noqa: PLC0415

    path = folder() / f"cohort{suffix}"
    table.write(_cohort(), path)
    return {"cohort": path.read_bytes()}


def _csv_cohort(content: bytes) -> None:
    from pneumoscope.cohort import table  # noqa: PLC0415

    _cohort_files(".csv")  # writes the head beside the table
    (folder() / "cohort.csv").write_bytes(content)
    table.read(folder() / "cohort.csv")


def _parquet_cohort(content: bytes) -> None:
    from pneumoscope.cohort import table  # noqa: PLC0415

    (folder() / "changed.parquet").write_bytes(content)
    table.read(folder() / "changed.parquet")


@functools.cache
def _predictions() -> dict[str, bytes]:
    from pneumoscope.classifier import OperatingPoint  # noqa: PLC0415
    from pneumoscope.evaluation import prediction_files  # noqa: PLC0415
    from pneumoscope.evaluation.predictions import Prediction, Predictions  # noqa: PLC0415

    rows = tuple(Prediction(f"{k}.png", f"QX4711QX-{k}", "PNEUMONIA", "", k % 2, 0.5 - k, 0.5, 4.0, "F") for k in range(3))
    points = (OperatingPoint(0.5, "youden", "tune", "ab"),)
    prediction_files.write(Predictions(rows, "test", "ab", "glass", points), folder() / "predictions.csv")
    return {"csv": (folder() / "predictions.csv").read_bytes(), "json": (folder() / "predictions.json").read_bytes()}


def _changed_predictions(content: bytes, other: bytes, chance: random.Random) -> bytes:
    text_change = text_changes.changed_json if content.startswith(b"{") else text_changes.changed_csv
    return text_change(content, content, chance)


def _predictions_pair(content: bytes) -> None:
    from pneumoscope.evaluation import prediction_files  # noqa: PLC0415

    place = folder() / "predictions"
    place.mkdir(exist_ok=True)
    valid = _predictions()
    is_head = content.lstrip()[:1] == b"{"
    table = valid["csv"] if is_head else content
    head = content if is_head else json.dumps(
        json.loads(valid["json"]) | {"csv_sha256": hashlib.sha256(table).hexdigest()}
    ).encode()  # fmt: skip
    (place / "predictions.csv").write_bytes(table)
    (place / "predictions.json").write_bytes(head)
    found = prediction_files.read(place / "predictions.csv")
    _require(all(0 <= row.probability <= 1 and row.reference in (0, 1) for row in found.rows), "a value outside of its range")


def _labels() -> dict[str, bytes]:
    rows = "".join(f"{k}.png,PNEUMONIA,QX4711QX-{k},{40 + k},F\n" for k in range(4))
    return {"labels": f"file,label,patient_id,age,sex\n{rows}".encode()}


def _label_table(content: bytes) -> None:
    from pneumoscope.cohort.layouts.tables import columns_of, read_rows  # noqa: PLC0415

    file = folder() / "labels.csv"
    file.write_bytes(content)
    columns_of(file)
    for row in read_rows(file, ["file", "label"])[0]:
        row.text("file")


# References and readers

NAMES = ("in/a.png", "in/b.png", "c.dcm")
_ZONES = """path,reader,right_upper,right_mid,right_lower,left_upper,left_mid,left_lower
in/a.png,R1,0,1,2,3,0,1
in/a.png,R2,1,1,2,2,,1
c.dcm,R1,3,3,3,3,3,3
"""
_BOXES = """path,x,y,w,h,image_width,image_height
in/a.png,1,2,30,40,100,90
in/b.png,0,0,5.5,7,100,90
"""
_COCO = {
    "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 90}],
    "categories": [{"id": 1, "name": "opacity"}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 1200}],
}
_RUN_LENGTHS = {"size": [90, 100], "counts": [1000, 50, 7950]}
_MASKS = {**_COCO, "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": _RUN_LENGTHS}]}
_CHEXLOCALIZE = {"a": {"Lung Opacity": _RUN_LENGTHS, "Edema": {**_RUN_LENGTHS, "counts": "Xo0b1^h7"}}}
_CONTOURS = {"a": {"img_size": [90, 100], "Lung Opacity": [[[20, 8], [60, 8], [60, 24]]]}}
_RATINGS = "reader,case,modality,truth,rating\n" + "".join(
    f"R{r},QX4711QX-{c},m{m},{c % 2},{r + c + m}\n" for r in range(2) for c in range(4) for m in range(2)
)


def _changed_table(content: bytes, other: bytes, chance: random.Random) -> bytes:
    text_change = text_changes.changed_json if content.startswith(b"{") else text_changes.changed_csv
    return text_change(content, content, chance)


def _zones(content: bytes) -> None:
    from pneumoscope.reference import zone_tables  # noqa: PLC0415

    file = folder() / "zones.csv"
    file.write_bytes(content)
    scores = zone_tables.read(file, NAMES)
    for values in scores.scores.values():
        _require(not ((values < 0) | (values > scores.highest)).any(), "a zone score outside of its range")


def _regions(content: bytes) -> None:
    from pneumoscope.cohort.row_filter import RowFilter  # noqa: PLC0415
    from pneumoscope.reference.annotation import RunLengths  # noqa: PLC0415
    from pneumoscope.reference.mask_files import decoded  # noqa: PLC0415
    from pneumoscope.reference.sources import annotations_of  # noqa: PLC0415

    file = folder() / "regions.txt"
    file.write_bytes(content)
    for annotation in annotations_of(file, folder(), NAMES, RowFilter(), None):
        if isinstance(annotation.content, RunLengths):
            decoded(annotation.content, annotation.where)


def _region_files() -> Mapping[str, bytes]:
    documents = {"coco": _COCO, "masks": _MASKS, "chexlocalize": _CHEXLOCALIZE, "contours": _CONTOURS}
    return {"csv": _BOXES.encode(), **{name: json.dumps(value).encode() for name, value in documents.items()}}


def _ratings(content: bytes) -> None:
    from pneumoscope.reader_study import formats  # noqa: PLC0415

    file = folder() / "ratings.csv"
    file.write_bytes(content)
    formats.read(file)


@functools.cache
def _reports() -> dict[str, bytes]:
    from pneumoscope.dicom_objects import structured_report  # noqa: PLC0415
    from tests.dicom_objects.builders import SOURCES, result_of  # noqa: PLC0415

    return {name: structured_report.write(result_of(source)).content for name, source in SOURCES.items()}


def _report(content: bytes) -> None:
    from pneumoscope.dicom_objects import report_reading  # noqa: PLC0415

    line = report_reading.read(content)
    _require(line.probability is None or 0 <= line.probability <= 1, "a probability outside of [0, 1]")


# Studies and nodes


def _study_files() -> dict[str, bytes]:
    from tests.reader_study.study_files import study_toml  # noqa: PLC0415

    return {mode: study_toml(mode).encode() for mode in ("sequential", "crossover", "split-plot")}


def _study(content: bytes) -> None:
    from pneumoscope.reader_study import definition  # noqa: PLC0415
    from pneumoscope.reader_study.design_check import check_definition  # noqa: PLC0415

    file = folder() / "study.toml"
    file.write_bytes(content)
    check_definition(definition.read(file))


@functools.cache
def _node_files() -> dict[str, bytes]:
    from tests.pacs.test_config import BASE  # noqa: PLC0415

    more = '[receive]\nport = 11112\n[receive.tls]\nauthority = "ca.pem"\ncertificate = "node.pem"\nkey = "node.key"\n'
    return {"base": BASE.encode(), "more": (BASE + more).encode()}


def _node(content: bytes) -> None:
    from pneumoscope.pacs import config  # noqa: PLC0415

    file = folder() / "node.toml"
    file.write_bytes(content)
    config.read(file)


@functools.cache
def _parts() -> dict[str, bytes]:
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + samples.dicom_files()["implicit"][:400] + b"\r\n--x--\r\n"
    return {"one": body, "two": body.replace(b"--x--\r\n", b"") + body}


def _multipart(content: bytes) -> None:
    from pneumoscope.web.dicomweb.multipart import MultipartError, parse  # noqa: PLC0415

    with contextlib.suppress(MultipartError):  # both callers answer it
        parse('multipart/related; type="application/dicom"; boundary=x', content)


def _changed_bytes(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return changed(content, other, chance, BYTES)


TARGETS: Mapping[str, Target] = {
    "dicom": Target(samples.dicom_files, changed_dicom, _radiograph, 420),
    "pictures": Target(_pictures, _changed_picture, _radiograph, 150),
    "reduced": Target(samples.reducible_files, changed_dicom, _reduced, 40),
    "film": Target(_all_files, _changed_file, _film, 80),
    "reading": Target(_all_files, _changed_file, _reading, 80),
    "source": Target(samples.dicom_files, changed_dicom, _source_image, 50),
    "objects": Target(samples.dicom_files, changed_dicom, _objects, 10),
    "deidentified": Target(samples.dicom_files, changed_dicom, _deidentified, 10),
    "received": Target(samples.dicom_files, changed_dicom, _received, 30),
    "line": Target(_lines, text_changes.changed_json, _line, 40),
    "card": Target(_cards, text_changes.changed_json, _card, 20, has_patients=False),
    "graph": Target(_graphs, _changed_bytes, _graph, 10),
    "cohort": Target(lambda: _cohort_files(".csv"), text_changes.changed_csv, _csv_cohort, 20),
    "parquet": Target(lambda: _cohort_files(".parquet"), _changed_bytes, _parquet_cohort, 20),
    "predictions": Target(_predictions, _changed_predictions, _predictions_pair, 15),
    "labels": Target(_labels, text_changes.changed_csv, _label_table, 10),
    "zones": Target(lambda: {"zones": _ZONES.encode()}, text_changes.changed_csv, _zones, 10),
    "regions": Target(_region_files, _changed_table, _regions, 15),
    "ratings": Target(lambda: {"ratings": _RATINGS.encode()}, text_changes.changed_csv, _ratings, 10),
    "report": Target(_reports, changed_dicom, _report, 10),
    "study": Target(_study_files, text_changes.changed_toml, _study, 15, has_patients=False),
    "node": Target(_node_files, text_changes.changed_toml, _node, 10, has_patients=False),
    "multipart": Target(_parts, _changed_bytes, _multipart, 10),
}
