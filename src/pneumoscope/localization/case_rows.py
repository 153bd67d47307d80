"""The measures of one case: each a function of one `LocalizationCase`, whose few numbers are kept for the statistics."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.localization import burned_in, figures, pooled_pixels
from pneumoscope.localization.case import LocalizationCase, Map, Mask
from pneumoscope.localization.map_marks import marks
from pneumoscope.localization.packed import Packed
from pneumoscope.reference.lesion_matching import match
from pneumoscope.statistics.metrics import Array

THRESHOLDS = np.linspace(0.05, 0.95, 19)
"""Thresholds that are tried, in units of the heat map's full scale."""
PIXEL_EDGES = pooled_pixels.pixel_edges(2.0, 2001)
"""Bins of the pooled histogram: steps of 0.001 of the map's full scale, as in the code of Choe et al. 2020, up to twice the full
scale. The edges are the same for every data set, so that a histogram can be made when a case is read."""
NAN = float("nan")


@dataclass(frozen=True)
class Compared:
    """The figures that the model's map and every uninformed baseline are compared by; see `pneumoscope.localization.figures`."""

    hit: float
    pixel_ap: float
    energy_inside: float


@dataclass(frozen=True, eq=False)
class RegionRow:
    """The figures of one case against its reference regions.

    Parameters
    ----------
    compared
        Hit, pixel average precision and energy inside of the model's map.
    area
        Share of the image that is reference, in [0, 1].
    energy_over_area, iou, iobb
        As `pneumoscope.localization.figures` defines them; the latter two at the threshold of the map.
    largest, every
        IoU of the largest detected part, and the best of all parts, with the reference boxes at each of `THRESHOLDS`, (19,);
        None without a box.
    histogram
        Number of reference pixels and of other pixels in the bins of `PIXEL_EDGES`, (2, bins), compressed.
    """

    compared: Compared
    area: float
    energy_over_area: float
    iou: float
    iobb: float
    largest: Array | None
    every: Array | None
    histogram: Packed[np.uint32]


@dataclass(frozen=True)
class AnatomyRow:
    """Where the map of one case lies, by shares of its sum in [0, 1]; NaN where undefined.

    Parameters
    ----------
    peak_in_lungs
        1.0 if the highest pixel lies in the lungs, else 0.0.
    energy_in_lungs, border_energy, text_energy
        Share of the map's sum in the lungs, in the outer tenth of the image, and on burned-in text.
    lung_share
        Share of the image that is lung.
    laterality
        1.0 if the map prefers the lung that holds the reference, else 0.0.
    """

    peak_in_lungs: float
    energy_in_lungs: float
    lung_share: float
    laterality: float
    border_energy: float
    text_energy: float


@dataclass(frozen=True, eq=False)
class MarkRow:
    """The marks of one case, matched with its reference boxes.

    Parameters
    ----------
    lesions
        Rating of the highest mark in each reference box, −∞ for a miss, (n_boxes,).
    false
        Ratings of the marks outside all boxes, (k,).
    """

    lesions: Array
    false: Array


def compared(values: Map, mask: Mask) -> Compared:
    """Compute the figures by which maps are compared with uninformed baselines.

    Parameters
    ----------
    values
        A map, float32 (rows, cols) ≥ 0.
    mask
        Reference regions, bool (rows, cols).

    Returns
    -------
    Compared
        NaN in all three for an empty reference.
    """
    return Compared(figures.hit(values, mask), figures.pixel_average_precision(values, mask), figures.energy_inside(values, mask))


def compared_by_rule(maps: Mapping[str, Map], mask: Mask) -> dict[str, Compared]:
    """Compute the compared figures of several maps of one case.

    Parameters
    ----------
    maps
        Maps by name, each float32 (rows, cols) ≥ 0.
    mask
        Reference regions, bool (rows, cols).

    Returns
    -------
    dict of str to Compared
        By the same names.
    """
    return {rule: compared(values, mask) for rule, values in maps.items()}


def region_row(case: LocalizationCase, threshold: float) -> RegionRow:
    """Measure the heat map of a case against its reference regions.

    Parameters
    ----------
    case
        A case whose `mask` is not None.
    threshold
        Threshold of the heat map, in units of its full scale.

    Returns
    -------
    RegionRow
        The figures of the case.
    """
    values, mask = case.values, case.mask
    assert mask is not None
    curves: dict[figures.Parts, Array | None] = {"largest": None, "all": None}
    if case.boxes:
        curves = {parts: figures.box_iou_curve(values, case.boxes, THRESHOLDS, parts) for parts in curves}
    histogram = np.stack(pooled_pixels.pixel_histogram(values, mask, PIXEL_EDGES)).astype(np.uint32)
    return RegionRow(
        compared=compared(values, mask),
        area=float(mask.mean()),
        energy_over_area=figures.energy_over_area(values, mask),
        iou=figures.iou(values, mask, threshold),
        iobb=figures.iobb(values, mask, threshold),
        largest=curves["largest"],
        every=curves["all"],
        histogram=Packed.of(histogram),
    )


def iou_row(case: LocalizationCase) -> NDArray[np.float64]:
    """Compute the IoU of a case with its reference regions at each of `THRESHOLDS`.

    Parameters
    ----------
    case
        A case whose `mask` is not None.

    Returns
    -------
    ndarray
        float64 (19,) in [0, 1]; NaN for an empty reference.
    """
    assert case.mask is not None
    return np.array([figures.iou(case.values, case.mask, threshold) for threshold in THRESHOLDS])


def anatomy_row(case: LocalizationCase) -> AnatomyRow:
    """Measure where the heat map of a case lies, before anything is masked.

    Parameters
    ----------
    case
        Any case; figures of lungs are NaN where no lungs are known.

    Returns
    -------
    AnatomyRow
        The shares of the case.
    """
    values, lungs = case.values, case.lungs
    known = bool(lungs.any())
    return AnatomyRow(
        peak_in_lungs=figures.hit(values, lungs) if known else NAN,
        energy_in_lungs=figures.energy_inside(values, lungs) if known else NAN,
        lung_share=float(lungs.mean()) if known else NAN,
        laterality=NAN if case.mask is None else figures.laterality(values, case.right, case.left, case.mask),
        border_energy=figures.energy_in_border(values),
        text_energy=burned_in.energy(values, case.pixels, lungs),
    )


def mark_row(case: LocalizationCase) -> MarkRow:
    """Match the local maxima of a case's heat map with its reference boxes.

    Parameters
    ----------
    case
        A case with boxes, or one on which nothing is drawn.

    Returns
    -------
    MarkRow
        Ratings of the boxes and of the false marks.
    """
    return MarkRow(*match(marks(case.values, case.probability), case.boxes))
