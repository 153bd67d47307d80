"""What made the overlays of an aid, as ``pneumoscope read`` has written it beside them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.reader_study.definition import Aid
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.protocol import StudyCase

RUN_FILE, READINGS_FILE = "run.json", "readings.jsonl"


@dataclass(frozen=True)
class AidOrigin:
    """The run of ``pneumoscope read`` that made overlays.

    Parameters
    ----------
    bundle_sha256 : str
        Identity of the model bundle.
    readings : mapping of str to mapping
        Lines of the readings by the path of the radiograph.
    """

    bundle_sha256: str
    readings: Mapping[str, Mapping[str, Any]]


def origin_of(folder: Path) -> AidOrigin | None:
    """Find the run of ``pneumoscope read`` that made the overlays of a folder.

    Parameters
    ----------
    folder : Path
        Folder of the overlays: that of the run, or one in it.

    Returns
    -------
    AidOrigin or None
        None for overlays that were made in another way.

    Raises
    ------
    InvalidStudyError
        If the files of the run cannot be understood.
    """
    run = next((place for place in (folder, folder.parent) if (place / RUN_FILE).is_file()), None)
    if run is None or not (run / READINGS_FILE).is_file():
        return None
    try:
        sha256 = str(json.loads((run / RUN_FILE).read_text(encoding="utf-8"))["model"]["sha256"])
        with (run / READINGS_FILE).open(encoding="utf-8") as lines:
            readings = {str(line["path"]): line for line in map(json.loads, lines)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidStudyError(
            f"'{RUN_FILE}' or '{READINGS_FILE}' beside the overlays is not what pneumoscope read writes; make the overlays again"
        ) from error
    return AidOrigin(sha256, readings)


def identity(aid: Aid, origin: AidOrigin | None, case: StudyCase) -> tuple[str, float | None, float | None]:
    """Find out which bundle, at which operating point, made the overlay of a case.

    Parameters
    ----------
    aid : Aid
        The aid as the study file describes it.
    origin : AidOrigin, optional
        The run that made the overlays; None where they were made in another way.
    case : StudyCase
        The case.

    Returns
    -------
    bundle_sha256 : str
        Empty where neither the run nor the study file states it.
    threshold : float or None
        Operating point for this case, which may depend on the patient's population.
    map_threshold : float or None
        Value from which the model counts a place of its heat map as a finding; None where the run does not state it.

    Raises
    ------
    InvalidStudyError
        If the run contradicts the study file, or the overlay was made of another file.
    """
    reading = origin.readings.get(case.name) if origin else None
    if origin is None or reading is None:
        return aid.bundle_sha256, aid.threshold, None
    if reading.get("file_sha256") != case.sha256:
        raise InvalidStudyError(f"the overlay of '{case.name}' was made of another file; make it again with pneumoscope read")
    point = reading.get("operating_point") or {}
    _agree("bundle_sha256", aid.bundle_sha256 or None, origin.bundle_sha256)
    _agree("threshold", aid.threshold, point.get("threshold"))
    return origin.bundle_sha256, point.get("threshold"), (reading.get("map") or {}).get("threshold")


def _agree(name: str, stated: str | float | None, of_run: str | float | None) -> None:
    if stated is not None and stated != of_run:
        raise InvalidStudyError(
            f"study.toml states the {name} {stated} of an aid whose overlays were made with {of_run}; leave it out of "
            "study.toml: it is taken from the files beside the overlays"
        )
