"""The nouns `ReadCase` and `LocalizationCase`: a radiograph that a model read, with what radiologists drew on it.

Every file is opened and read once: `read_cases` streams the cases, and every measure is a function of one `ReadCase`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier import Preprocessing
from pneumoscope.classifier.preprocessing import ModelInput, place
from pneumoscope.cohort import Case, Cohort
from pneumoscope.localization.figures import block_mean, reduction_factor
from pneumoscope.lung_fields import LungFields
from pneumoscope.ordered_map import ordered_map
from pneumoscope.radiograph import Orientation, Radiograph, Region
from pneumoscope.readings import ModelReading
from pneumoscope.reference.regions import ReferenceRegions

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
LungMaskOf = Callable[[str, tuple[int, int]], Mask | None]
"""Path of a case and (rows, cols) of its radiograph to its reference lung mask, bool (rows, cols), or None without one."""
WORKERS = 2
"""Threads that read by default: one radiograph is decoded while the graph runs on another."""


class Reads(Protocol):
    """Reads one radiograph, as `pneumoscope.reader.Reader` does."""

    def read(self, radiograph: Radiograph) -> ModelReading:
        """Read a radiograph."""
        ...


@dataclass(frozen=True, eq=False)
class ReadCase:
    """A case of a cohort with its decoded radiograph, the model's reading and the reference.

    Parameters
    ----------
    case
        The case of the cohort.
    radiograph
        Its decoded radiograph.
    reading
        What the model answers for it.
    regions
        What radiologists drew on it, on the grid of the radiograph; None where nothing is drawn.
    lung_mask
        Reference mask of both lungs, bool (rows, cols); None where there is none.
    """

    case: Case
    radiograph: Radiograph
    reading: ModelReading
    regions: ReferenceRegions | None = None
    lung_mask: Mask | None = None

    def model_input(self, preprocessing: Preprocessing) -> ModelInput:
        """Resample the radiograph to the square that the model looks at, around the lungs that the reading found.

        Parameters
        ----------
        preprocessing
            The preprocessing of the model's card.

        Returns
        -------
        ModelInput
            The square, float32 (channels, size_px, size_px) in [0, 1], with the way back.
        """
        return place(self.radiograph, preprocessing, self.reading.lung_fields)

    @cached_property
    def reduced(self) -> "LocalizationCase":
        """The case on a grid of at most 320 × 320 blocks, as `reduced_case` makes it."""
        return reduced_case(self)


@dataclass(frozen=True, eq=False)
class LocalizationCase:
    """A case on a grid of at most 320 × 320 blocks of whole pixels.

    Parameters
    ----------
    path, patient_id, reference
        As in the cohort's `Case`.
    probability
        The model's calibrated probability of the target, in [0, 1].
    positive
        The decision at the model's operating point.
    values
        Heat map for the target, block means, float32 (rows, cols) ≥ 0; 1.0 is the full scale of the map.
    pixels
        The radiograph, block means, float32 (rows, cols) in [0, 1].
    mask
        Reference regions on this grid, bool (rows, cols); None where nothing is drawn.
    boxes
        Reference boxes in blocks of this grid; empty where nothing is drawn.
    right, left
        The patient's right and left lung on this grid, bool (rows, cols): the reference lung mask where there is one, else the
        lungs that the reader found; empty unless it found both.
    lung_box
        The region that the reader looked at, in blocks of this grid: the box around both lungs, or its fallback.
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
        """Both lungs, bool (rows, cols)."""
        return np.asarray(self.right | self.left)

    @property
    def abnormal(self) -> bool:
        """Whether the case has the target by its reference standard, or a reference region."""
        return bool(self.reference) or self.mask is not None


def read_cases(
    reader: Reads,
    cohort: Cohort,
    cases: Sequence[Case],
    regions: Mapping[str, ReferenceRegions] | None = None,
    lung_mask_of: LungMaskOf | None = None,
    *,
    workers: int = WORKERS,
    show_progress: bool = False,
) -> Iterator[ReadCase]:
    """Decode and read each case once, in order, in memory that does not grow with their number.

    Parameters
    ----------
    reader
        The model.
    cohort
        The cohort that the cases belong to.
    cases
        The cases to read.
    regions
        Reference regions by path of the case; a case without a key has none. A mapping that draws on demand, such as
        `pneumoscope.reference.regions.ReferenceSet`, keeps memory flat.
    lung_mask_of
        Returns the reference lung mask of a case, on the grid of its radiograph.
    workers
        Number of threads that decode and read, ≥ 1.
    show_progress
        Show a progress bar on a terminal.

    Yields
    ------
    ReadCase
        One a case, in the order of `cases`.

    Raises
    ------
    RadiographError
        If a file cannot be decoded, or the reader does not accept it.
    OSError
        If a file cannot be opened.
    """

    def read(case: Case) -> ReadCase:
        image = radiograph.read(cohort.file(case))
        lungs = lung_mask_of(case.path, (image.rows, image.cols)) if lung_mask_of else None
        return ReadCase(case, image, reader.read(image), (regions or {}).get(case.path), lungs)

    progress = tqdm(total=len(cases), desc="reading", unit="image", disable=None if show_progress else True)
    with progress:
        for one in ordered_map(read, cases, workers):
            progress.update()
            yield one


def reduced_case(read: ReadCase) -> LocalizationCase:
    """Reduce a case to a grid of at most 320 × 320 blocks, so that many pixels can be ranked in little time.

    Map and radiograph become block means. A block belongs to a mask if at least half of it does; if no block is half covered,
    every block with a pixel of the mask does. A reference mask of both lungs is divided into right and left halfway between the
    lungs that the reader found, or in the middle of the image where it did not find both.

    Parameters
    ----------
    read
        The case as it was read.

    Returns
    -------
    LocalizationCase
        The case on the reduced grid.

    Notes
    -----
    Does not show: a structure narrower than a block at its full height.
    """
    case, reading = read.case, read.reading
    factor = reduction_factor(read.radiograph.pixels.shape)
    right, left = _lungs_of(reading.lung_fields)
    if read.lung_mask is not None:
        right, left = _divided(read.lung_mask, right, left, read.radiograph.orientation)
    box = reading.lung_fields.box
    values = block_mean(reading.heatmap.values, factor)
    rows, cols = values.shape
    regions = read.regions
    return LocalizationCase(
        path=case.path,
        patient_id=case.patient_id,
        reference=case.reference,
        probability=reading.score.probability,
        positive=reading.decision == "positive",
        values=values,
        pixels=block_mean(read.radiograph.pixels, factor),
        mask=None if regions is None else _block_mask(regions.mask, factor),
        boxes=() if regions is None else tuple(_in_blocks(b, factor) for b in regions.boxes),
        right=_block_mask(right, factor),
        left=_block_mask(left, factor),
        lung_box=Region(box.top / factor, box.left / factor, min(box.bottom / factor, rows), min(box.right / factor, cols)),
    )


def _lungs_of(fields: LungFields) -> tuple[Mask, Mask]:
    """Both lungs, or two empty masks: lungs that the finder itself is not sure of say nothing about a map."""
    if fields.state == "found":
        return fields.right, fields.left
    return np.zeros_like(fields.right), np.zeros_like(fields.left)


def _block_mask(mask: Mask, factor: int) -> Mask:
    share = block_mean(mask.astype(np.float32), factor)
    return np.asarray(share >= 0.5 if (share >= 0.5).any() else share > 0)


def _in_blocks(box: Region, factor: int) -> Region:
    return Region(box.top / factor, box.left / factor, box.bottom / factor, box.right / factor)


def _divided(lungs: Mask, right: Mask, left: Mask, orientation: Orientation) -> tuple[Mask, Mask]:
    """Right and left part of a mask of both lungs, all on the stored grid; in the displayed order the right lung comes first."""
    shown, shown_right, shown_left = (orientation.to_display(mask) for mask in (lungs, right, left))
    cols = np.arange(shown.shape[1])
    middle = shown.shape[1] / 2
    if right.any() and left.any():
        middle = (np.nonzero(shown_right)[1].mean() + np.nonzero(shown_left)[1].mean()) / 2
    return orientation.to_stored(shown & (cols < middle)), orientation.to_stored(shown & (cols >= middle))
