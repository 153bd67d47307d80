"""The noun `MarkedCohort`: what radiologists marked on a test side, to measure every network's heat maps against."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.cohort import Cohort
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.experiment.plan import ComparisonError
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.regions import ReferenceRegions


@dataclass(frozen=True, eq=False)
class MarkedCohort:
    """A cohort on whose test side radiologists marked opacities.

    `regions` are by path of the case; `told` says in words what they are, `sha256` is a hash of all that was asked for.
    """

    cohort: Cohort
    regions: Mapping[str, ReferenceRegions]
    told: str
    sha256: str


def read(
    source: Path, cohort: Cohort, name: str, only: RowFilter, trained_on: Iterable[Cohort], box_space: BoxSpace | None = None
) -> MarkedCohort:
    """What is marked on the test side of a split cohort, by its name; `only` as `evaluation.regions.read` takes it.

    ComparisonError where that is nothing, or where a radiograph is on a train or tune side of the cohorts that are trained on.
    """
    cases = cohort.on("test")
    found = regions.read(source, cohort, cases, only=only, box_space=box_space)
    if not found:
        raise ComparisonError(f"nothing in '{source}' is marked on the {len(cases)} test radiographs of {name}; give other marks")
    seen = {case.image for split in trained_on for case in split.cases if case.split != "test"}
    if both := sum(case.image in seen for case in cases):
        raise ComparisonError(
            f"{both} of the {len(cases)} radiographs to measure heat maps on are on a train or tune side; split the cohorts alike"
        )
    assert cohort.partition is not None
    digest = hashlib.sha256(f"{cohort.partition.sha256} {only} {box_space}\n".encode())
    for path, region in found.items():
        digest.update(f"{path} {region.mask.shape} {region.boxes}".encode() + region.mask.tobytes())
    told = f"{len(found)} of the {len(cases)} radiographs of the test side of {name} are marked"
    return MarkedCohort(cohort, found, told, digest.hexdigest())
