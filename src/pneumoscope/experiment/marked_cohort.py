"""The noun `MarkedCohort`: a cohort with reference regions on its test split, to measure every network's heat maps against."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pneumoscope.cohort import Cohort
from pneumoscope.cohort.fingerprint import fingerprint, overlap
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.regions import ReferenceRegions


@dataclass(frozen=True)
class RegionSource:
    """Where reference regions come from.

    Parameters
    ----------
    source
        A table of boxes, a JSON file or a folder of masks, as `reference.regions.read` takes it.
    cohort
        The split cohort whose test split is marked.
    name
        Name of that cohort, for the report.
    only
        The rows or annotations that are taken.
    box_space
        Pixel grid of boxes whose table does not state the size of each image.
    """

    source: Path
    cohort: Cohort
    name: str
    only: RowFilter = field(default_factory=RowFilter)
    box_space: BoxSpace | None = None


@dataclass(frozen=True, eq=False)
class MarkedCohort:
    """A cohort with reference regions on its test split.

    Parameters
    ----------
    cohort
        The split cohort.
    regions
        Reference regions by the path of the case.
    description
        How many radiographs of which cohort are marked, in words.
    sha256
        Hash of the cohort's split and of all regions.
    training_cases
        Number of test cases that are of patients, or are images, that the experiment trains on.
    """

    cohort: Cohort
    regions: Mapping[str, ReferenceRegions]
    description: str
    sha256: str
    training_cases: int = 0


def read(asked: RegionSource, trained_on: Iterable[Cohort], *, allow_training_patients: bool = False) -> MarkedCohort:
    """Read the reference regions of a test split.

    Parameters
    ----------
    asked
        Where they come from.
    trained_on
        The split cohorts that the experiment trains on.
    allow_training_patients
        Whether test cases of patients that the experiment trains or tunes on are taken; the result counts them.

    Returns
    -------
    MarkedCohort
        The cohort with its regions.

    Raises
    ------
    ComparisonError
        If nothing is marked, or if a test case is of a patient, or is an image, that the experiment trains or tunes on.
    """
    cases = asked.cohort.on("test")
    by_path = regions.read(asked.source, asked.cohort, cases, only=asked.only, box_space=asked.box_space)
    if not by_path:
        raise ComparisonError(
            f"nothing in '{asked.source}' is marked on the {len(cases)} test radiographs of {asked.name}; give other regions"
        )
    known = fingerprint(case for cohort in trained_on for case in cohort.cases if case.split != "test")
    seen = overlap(known, cases)
    if seen and not allow_training_patients:
        raise ComparisonError(
            f"{len(seen.cases)} of the {len(cases)} radiographs to measure heat maps on are of a train or tune side "
            f"({seen.n_patients} patients, {seen.n_images} identical images); split the cohorts alike, or mark the report with "
            "--allow-training-patients"
        )
    assert asked.cohort.partition is not None
    digest = hashlib.sha256(f"{asked.cohort.partition.sha256} {asked.only} {asked.box_space}\n".encode())
    for path, region in by_path.items():
        digest.update(f"{path} {region.mask.shape} {region.boxes}".encode() + region.mask.tobytes())
    description = f"{len(by_path)} of the {len(cases)} radiographs of the test side of {asked.name} are marked"
    if seen:
        description += f"; {len(seen.cases)} of them are of patients that the networks were trained or tuned on"
    return MarkedCohort(asked.cohort, by_path, description, digest.hexdigest(), len(seen.cases))
