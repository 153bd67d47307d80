"""The noun `LocalizationCase`: one radiograph as a model read it, beside what radiologists marked, small enough to keep many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.localization.figures import block_mean, reduction_factor
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Radiograph, Region
from pneumoscope.readings import ModelReading
from pneumoscope.reference.regions import ReferenceRegions

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Reads(Protocol):
    """What reads a radiograph: a `Reader`."""

    def read(self, radiograph: Radiograph) -> ModelReading: ...


@dataclass(frozen=True, eq=False)
class LocalizationCase:
    """A case on a grid of at most 320 pixels a side: whole blocks of the radiograph's own.

    Attributes
    ----------
    values: heat map for the target, block means, float32 (rows, cols) ≥ 0.
    pixels: the radiograph, block means, float32 (rows, cols) in [0, 1].
    probability, positive: the reading's score and decision.
    mask, boxes: the reference regions on this grid; None and empty where nothing was marked.
    right, left: lung fields on this grid: those that were given, else those that the reader found; empty unless it found both.
    lung_box: what the reader looked at: around both, or its fallback.
    """

    path: str
    patient_id: str
    reference: int
    probability: float
    positive: bool
    values: Map
    pixels: Map
    mask: Mask | None
    boxes: tuple[Region, ...]
    right: Mask
    left: Mask
    lung_box: Region

    @property
    def lungs(self) -> Mask:
        return np.asarray(self.right | self.left)


def locate(
    reader: Reads,
    cohort: Cohort,
    cases: Sequence[Case],
    regions: Mapping[str, ReferenceRegions],
    lung_masks: Mapping[str, Mask],
    *,
    show_progress: bool = False,
) -> list[LocalizationCase]:
    """Read every case; `regions` and `lung_masks` are by path, on the radiograph's grid, and may lack cases.

    A given lung mask is parted into right and left by the found lungs' sides.
    """
    found = []
    for case in tqdm(cases, desc="reading", unit="image", disable=None if show_progress else True):
        image = radiograph.read(cohort.file(case))
        found.append(_located(case, image, reader.read(image), regions.get(case.path), lung_masks.get(case.path)))
    return found


def _located(
    case: Case, image: Radiograph, reading: ModelReading, region: ReferenceRegions | None, lungs: Mask | None
) -> LocalizationCase:
    factor = reduction_factor(image.pixels.shape)
    fields = reading.lung_fields
    right, left = _found(fields) if lungs is None else _parted(lungs, *_found(fields))
    box = fields.box
    values = block_mean(reading.heatmap.values, factor)
    rows, cols = values.shape
    return LocalizationCase(
        case.path,
        case.patient_id,
        case.reference,
        reading.score.probability,
        reading.decision == "positive",
        values,
        block_mean(image.pixels, factor),
        None if region is None else _sampled(region.mask, factor),
        () if region is None else tuple(_shrunk(b, factor) for b in region.boxes),
        _sampled(right, factor),
        _sampled(left, factor),
        Region(box.top / factor, box.left / factor, min(box.bottom / factor, rows), min(box.right / factor, cols)),
    )


def _found(fields: LungFields) -> tuple[Mask, Mask]:
    """Both lungs, or two empty masks: lungs that the finder itself is not sure of say nothing about a map."""
    if fields.state == "found":
        return fields.right, fields.left
    return np.zeros_like(fields.right), np.zeros_like(fields.left)


def _sampled(mask: Mask, factor: int) -> Mask:
    """Blocks of which at least half is marked; if that leaves none, every block with a mark."""
    share = block_mean(mask.astype(np.float32), factor)
    return np.asarray(share >= 0.5 if (share >= 0.5).any() else share > 0)


def _shrunk(box: Region, factor: int) -> Region:
    return Region(box.top / factor, box.left / factor, box.bottom / factor, box.right / factor)


def _parted(lungs: Mask, right: Mask, left: Mask) -> tuple[Mask, Mask]:
    """Right and left part of a mask of both lungs: at the column halfway between the found lungs, or the image's middle."""
    cols = np.arange(lungs.shape[1])
    middle = lungs.shape[1] / 2
    if right.any() and left.any():
        middle = (np.nonzero(right)[1].mean() + np.nonzero(left)[1].mean()) / 2
    return np.asarray(lungs & (cols < middle)), np.asarray(lungs & (cols >= middle))
