"""The noun `OpenedFile`: the facts of a radiograph's file that a cohort keeps, without its pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort.demographics import view_term
from pneumoscope.ordered_map import ordered_map
from pneumoscope.radiograph import AcceptancePolicy, Caution, Radiograph, review
from pneumoscope.radiograph.terms import Sex


@dataclass(frozen=True)
class OpenedFile:
    """The facts of a file that was opened once.

    Parameters
    ----------
    path
        Path below the root.
    rows, cols
        Size in pixels.
    file_bytes
        Size of the file in bytes.
    pixel_sha256
        Hash of the grey levels, see `pixel_sha256`.
    patient_id, sop_instance_uid
        Values of the DICOM header; empty for PNG and JPEG.
    age_years
        Patient's Age of the DICOM header in years; None where unknown.
    sex, view_position
        Patient's Sex and View Position of the DICOM header; empty where unknown.
    cautions
        Cautions under which the policy accepts the radiograph.
    error
        Why the file could not be read or is refused; empty for an accepted one.
    """

    path: str
    rows: int = 0
    cols: int = 0
    file_bytes: int = 0
    pixel_sha256: str = ""
    patient_id: str = ""
    sop_instance_uid: str = ""
    age_years: float | None = None
    sex: Sex | Literal[""] = ""
    view_position: str = ""
    cautions: tuple[Caution, ...] = ()
    error: str = ""


def open_files(
    root: Path, paths: Sequence[str], policy: AcceptancePolicy, *, workers: int, show_progress: bool = False
) -> list[OpenedFile]:
    """Open every file once, several at a time.

    Parameters
    ----------
    root
        Folder that the paths start from.
    paths
        Paths of the files.
    policy
        Which radiographs are refused or accepted with a caution.
    workers
        Number of threads.
    show_progress
        Whether a progress bar is shown.

    Returns
    -------
    list of OpenedFile
        The facts of each file, in the order of the paths.
    """
    opened = ordered_map(partial(_open, root, policy), paths, workers)
    return list(tqdm(opened, desc="reading", unit="file", total=len(paths), disable=None if show_progress else True))


def pixel_sha256(image: Radiograph) -> str:
    """Hash the grey levels of a radiograph.

    Parameters
    ----------
    image
        The radiograph.

    Returns
    -------
    str
        SHA-256 of the float32 grey levels in row order, followed by the shape as text: 64 hexadecimal digits.
    """
    return hashlib.sha256(image.pixels.tobytes() + str(image.pixels.shape).encode()).hexdigest()


def _open(root: Path, policy: AcceptancePolicy, path: str) -> OpenedFile:
    try:
        image = radiograph.read(root / path)
    except radiograph.RadiographError as error:
        return OpenedFile(path, error=str(error))
    except OSError as error:
        reason = (error.strerror or "the file cannot be opened").lower()
        return OpenedFile(path, error=f"{reason}; check the path and its permissions")
    try:
        cautions = review(image, policy)
    except radiograph.RadiographError as error:
        return OpenedFile(path, sop_instance_uid=image.identity.sop_instance_uid, error=str(error))
    return OpenedFile(
        path=path,
        rows=image.rows,
        cols=image.cols,
        file_bytes=(root / path).stat().st_size,
        pixel_sha256=pixel_sha256(image),
        patient_id=image.identity.patient_id,
        sop_instance_uid=image.identity.sop_instance_uid,
        age_years=image.age_years,
        sex=image.sex,
        view_position=view_term(image.view_position),
        cautions=cautions,
    )
