"""Export the quality sample: a folder from which a reader study is made, and the model's readings apart from it."""

import hashlib
import io
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from pydicom import dcmread

from pneumoscope import DISCLAIMER, PneumoscopeError, atomic_files, csv_cells
from pneumoscope.dicom_objects.deidentification import deidentified
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.ledger import Ledger, Reading
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.receive.header import Header, read_header
from pneumoscope.readings import form

STUDY, APART = "study", "not-for-readers"
"""Folders of an export: what readers see, and what they must not see."""
RADIOGRAPHS, LABELS, STUDY_FILE = "radiographs", "labels.csv", "study.toml"
KEY, READINGS, LIST = "deidentification.key", "readings.jsonl", "images.csv"
_CHANGED: Mapping[str, str] = MappingProxyType(
    {'cohort = "cohort.parquet"': 'cohort = "cohort.csv"', 'split = "test"': 'split = "all" '}
)
"""Lines of the template of a study that are another here: no model was trained on these patients."""
_README = f"""A quality sample of a node of Pneumoscope. {DISCLAIMER}

{STUDY}/{RADIOGRAPHS}   de-identified radiographs (pixels are not touched: look for burned-in names before anybody reads them)
{STUDY}/{LABELS}   write the reference standard into the column 'label' of each row: PNEUMONIA or NORMAL
{STUDY}/{STUDY_FILE}   the study; name the readers
{APART}/   what the model said, and the secret of the de-identification: keep this folder away from readers

    pneumoscope cohort build {STUDY}/{LABELS} --root {STUDY}/{RADIOGRAPHS} -o {STUDY}/cohort.csv
    pneumoscope read {STUDY}/{RADIOGRAPHS} -o {STUDY}/aid --maps      (heat maps for the aided arm)
    pneumoscope study check {STUDY} --contact-sheets sheets
    pneumoscope study launch {STUDY}
    pneumoscope study serve {STUDY}
"""


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Parameters
    ----------
    radiographs : int
        Number of radiographs.
    left_out : tuple of str
        One sentence for each radiograph that could not be exported, with its pseudonym.
    files : tuple of Path
        Files of the sample that were exported.
    """

    radiographs: int
    left_out: tuple[str, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Case:
    """An exported radiograph."""

    name: str
    patient: str
    content: bytes
    shown: str
    week: str
    readings: Sequence[Reading]


def export(config: NodeConfig, ledger: Ledger, files: Sequence[Path], out: Path) -> Exported:
    """Export radiographs of the quality sample, de-identified.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger, for the readings.
    files : sequence of Path
        Radiographs, as `pneumoscope.pacs.quality_sample.sampled` lists them.
    out : Path
        A folder that does not exist, or is empty.

    Returns
    -------
    Exported
        What was exported.

    Raises
    ------
    NodeError
        If there is nothing to export, or the folder is not empty.
    OSError
        If a file cannot be read or written.
    """
    if not files:
        raise NodeError("the quality sample has no radiograph to export; [quality_sample] in node.toml says which ones are kept")
    if out.exists() and any(out.iterdir()):
        raise NodeError(f"the folder '{out}' is not empty; name a new one, so that two samples do not mix")
    key, made, left_out, done = secrets.token_hex(32), [], [], []
    for file in files:
        try:
            made.append(_case(config, ledger, file, key))
            done.append(file)
        except PneumoscopeError as error:
            left_out.append(f"{file.stem[:12]}: {error}")
    _write(out, sorted(made, key=lambda case: case.name), key)
    return Exported(len(made), tuple(left_out), tuple(done))


def _case(config: NodeConfig, ledger: Ledger, file: Path, key: str) -> _Case:
    content, header = deidentified(file.read_bytes(), key), read_header(file)
    name = hashlib.sha256(f"{key}\n{header.sop_instance_uid}\n{header.sha256}".encode()).hexdigest()[:12]
    week = file.relative_to(config.spool_folder).parts[1]
    shown = pseudonym(config.salt, header.sop_instance_uid)
    return _Case(f"{name}.dcm", _patient_of(content), content, shown, week, _readings(ledger, header))


def _readings(ledger: Ledger, header: Header) -> Sequence[Reading]:
    instance = ledger.find_instance(header.sop_instance_uid, header.sha256)
    return ledger.readings_of(instance.id) if instance else ()


def _write(out: Path, cases: Sequence[_Case], key: str) -> None:
    """Write an export; its folder appears whole."""
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name, content in _files(cases, key):
        with atomic_files.binary(unfinished / name) as stream:
            stream.write(content)
    if out.exists():
        out.rmdir()
    unfinished.rename(out)


def _files(cases: Sequence[_Case], key: str) -> Iterator[tuple[Path, bytes]]:
    study, apart = Path(STUDY), Path(APART)
    for case in cases:
        yield study / RADIOGRAPHS / case.name, case.content
    yield study / LABELS, _csv(("path", "label", "patient_id"), [(one.name, "", one.patient) for one in cases])
    yield study / STUDY_FILE, _study_file().encode()
    yield apart / LIST, _csv(("path", "image", "week"), [(one.name, one.shown, one.week) for one in cases])
    yield apart / READINGS, "".join(_line(one, reading) for one in cases for reading in one.readings).encode()
    yield apart / KEY, f"{key}\n".encode()
    yield Path("README.txt"), _README.encode()


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv_cells.write_rows(text, (head, *rows))
    return text.getvalue().encode()


def _study_file() -> str:
    # Without the modules of reader_study, which need packages that a node does not have.
    text = (resources.files("pneumoscope.reader_study") / "study.template.toml").read_text(encoding="utf-8")
    for there, here in _CHANGED.items():
        text = text.replace(there, here)
    return text


def _line(case: _Case, reading: Reading) -> str:
    """The model's reading under the name that the radiograph has in the study."""
    line = replace(form.parse_line(reading.line), path=case.name, file_sha256=hashlib.sha256(case.content).hexdigest())
    return f"{form.to_json(line)}\n"


def _patient_of(content: bytes) -> str:
    """Pseudonym of the patient of a de-identified file."""
    return str(dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=["PatientID"]).PatientID)
