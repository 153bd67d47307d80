"""How well one heat map agrees with the reference regions of one radiograph, and how a data set is summarized.

Unless said otherwise ``values`` is a heat map, float32 (rows, cols) ≥ 0 on the radiograph's grid in units of its fixed scale;
``reference`` is bool of the same shape; ``boxes`` are the reference rectangles on that grid. NaN means undefined: a radiograph
without a region has no place to be right about. A value of 0 is no evidence and is never a detection, at any threshold.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import average_precision_score

from pneumoscope.radiograph import Region
from pneumoscope.statistics.metrics import Array

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Parts = Literal["largest", "all"]

MAX_BLOCKS = 320
"""Blocks along the longer side to which maps are reduced where every pixel is ranked."""
ONE_SIDED = 0.95
"""Share of a reference, among both lungs, that must lie in one lung for the case to be one-sided."""
BORDER_SHARE = 0.1
"""Width of the outer frame, as a share of each side."""
_V1_LEVELS, _V2_LEVELS = (0.5,), (0.3, 0.5, 0.7)


def reduction_factor(shape: tuple[int, ...], max_blocks: int = MAX_BLOCKS) -> int:
    """Return the smallest whole number of pixels per block that leaves at most `max_blocks` blocks on the longer side.

    Parameters
    ----------
    shape
        (rows, cols) of the radiograph, in pixels.
    max_blocks
        Largest number of blocks along a side, ≥ 1.

    Returns
    -------
    int
        Edge of a block, in pixels.

    Examples
    --------
    >>> reduction_factor((700, 900))
    3
    """
    return -(-max(shape) // max_blocks)


def _blocks(length: int, factor: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Starts and widths of the blocks along one side; the last block may be narrower."""
    starts = np.arange(0, length, factor)
    return starts, np.diff(starts, append=length)


def block_mean(values: Map, factor: int) -> Map:
    """Average over blocks of `factor` × `factor` pixels.

    Parameters
    ----------
    values
        float32 (rows, cols).
    factor
        Edge of a block, in pixels, ≥ 1.

    Returns
    -------
    ndarray
        float32 (⌈rows / factor⌉, ⌈cols / factor⌉); the last blocks may be narrower.

    Notes
    -----
    Does not show: a peak narrower than a block at its full height.
    """
    (rows, heights), (cols, widths) = (_blocks(length, factor) for length in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, 0), cols, 1)
    # Back to float32, so that the rounding of a sum does not break ties between pixels.
    return (sums / np.outer(heights, widths)).astype(np.float32)


def reduced(values: Map, reference: Mask, max_blocks: int = MAX_BLOCKS) -> tuple[Map, Mask]:
    """Reduce a map by block means, and its reference by the pixel nearest the centre of each block.

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.
    max_blocks
        Largest number of blocks along a side, ≥ 1.

    Returns
    -------
    tuple of ndarray
        Map and reference with at most `max_blocks` along the longer side; a pair that is small enough comes back as it is.

    Notes
    -----
    Does not show: a reference narrower than a block, which may vanish.
    """
    factor = reduction_factor(values.shape, max_blocks)
    if factor == 1:
        return values, reference
    centres = [starts + widths // 2 for starts, widths in (_blocks(length, factor) for length in values.shape)]
    return block_mean(values, factor), reference[np.ix_(*centres)]


def _detected(values: Map, threshold: float) -> Mask:
    # A map is ≥ 0 everywhere, so at threshold 0 even a map of zeros would otherwise be detected as a whole.
    return (values >= threshold) & (values > 0)


def _energy(values: Map, mask: Mask | None = None) -> float:
    return float((values if mask is None else values[mask]).sum(dtype=np.float64))


def hit(values: Map, reference: Mask) -> float:
    """Decide whether the highest pixel of a map lies in the reference (pointing game, strict).

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.

    Returns
    -------
    float
        1.0 or 0.0. Of several highest pixels all must lie inside. A flat map points nowhere and is a miss, even where the
        reference is everything. NaN for an empty reference (which Quantus counts as a hit).

    Notes
    -----
    Source: Zhang et al. 2018 (IJCV, excitation backprop), without their tolerance of 15 pixels.

    Does not show: how far off a miss is, or anything but the peak.
    """
    if not reference.any():
        return float("nan")
    highest = values.max()
    if highest <= 0 or highest == values.min():
        return 0.0
    return float(reference[values == highest].all())


def energy_inside(values: Map, reference: Mask) -> float:
    """Compute the share of the map's sum that lies in the reference (energy-based pointing game).

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.

    Returns
    -------
    float
        In [0, 1]; 0.0 for a map of zeros, NaN for an empty reference.

    Notes
    -----
    Source: Wang et al. 2020 (Score-CAM, CVPR workshops).

    Does not show: agreement beyond chance, as a large reference holds much of any map (see `energy_over_area`).
    """
    if not reference.any():
        return float("nan")
    whole = _energy(values)
    return _energy(values, reference) / whole if whole > 0 else 0.0


def energy_over_area(values: Map, reference: Mask) -> float:
    """Divide `energy_inside` by the reference's share of the pixels.

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.

    Returns
    -------
    float
        ≥ 0; 1 is what a uniform map gets. NaN for an empty reference.

    Notes
    -----
    Does not show: figures that compare across areas, as the highest possible value is one over the reference's share.
    """
    return energy_inside(values, reference) / float(reference.mean()) if reference.any() else float("nan")


def iou(values: Map, reference: Mask, threshold: float) -> float:
    """Compute the intersection over union of the pixels at or above a threshold and the reference.

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.
    threshold
        In units of the map's scale.

    Returns
    -------
    float
        In [0, 1]; 0.0 where nothing is detected, NaN for an empty reference.

    Notes
    -----
    Source: Jaccard 1901.

    Does not show: whether too much or too little was detected.
    """
    if not reference.any():
        return float("nan")
    detected = _detected(values, threshold)
    return float((detected & reference).sum() / (detected | reference).sum())


def iobb(values: Map, reference: Mask, threshold: float) -> float:
    """Compute the share of the detection's bounding box that is reference (IoBB).

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.
    threshold
        In units of the map's scale; one box is drawn around all pixels at or above it.

    Returns
    -------
    float
        In [0, 1]; 0.0 where nothing is detected, NaN for an empty reference.

    Notes
    -----
    Source: Wang et al. 2017 (ChestX-ray8, CVPR).

    Does not show: how much of the reference was missed: a single pixel inside it gets 1.
    """
    if not reference.any():
        return float("nan")
    rows, cols = np.nonzero(_detected(values, threshold))
    return float(reference[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1].mean()) if rows.size else 0.0


def _box_iou(a: Array, b: Array) -> Array:
    """Intersection over union of rectangles (top, left, bottom, right): (n, 4) and (m, 4) give (n, m)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(-1) for box in (a, b))
    return np.asarray(common / (area_a[:, None] + area_b[None, :] - common), np.float64)


def _part_iou(detected: Mask, boxes: Array, parts: Parts) -> float:
    labels, count = ndimage.label(detected, np.ones((3, 3)))
    if not count:
        return 0.0
    drawn = np.array([(r.start, c.start, r.stop, c.stop) for r, c in ndimage.find_objects(labels)], np.float64)
    best = _box_iou(drawn, boxes).max(1)
    if parts == "all":
        return float(best.max())
    area = np.bincount(labels.ravel())[1:]
    # The worst of equally large parts: the figure must not depend on the order in which they are labelled.
    return float(best[area == area.max()].min())


def box_iou_curve(values: Map, boxes: Sequence[Region], thresholds: Array, parts: Parts) -> Array:
    """Compute the IoU of a detected part's bounding box with the best-fitting reference box, at each threshold.

    Parts are the connected pixels (8 neighbours) at or above the threshold. One labelling a threshold: reduce a large map first,
    and divide its boxes by the same `reduction_factor`.

    Parameters
    ----------
    values
        The map, float32 (rows, cols) ≥ 0.
    boxes
        Reference boxes in pixels of the map.
    thresholds
        (n_thresholds,) in units of the map's scale. Choe et al. divide each map by its own maximum; here the scale is fixed.
    parts
        ``largest`` takes the part of most pixels (of equally large ones the worst counts), ``all`` the best of all parts.

    Returns
    -------
    ndarray
        float64 (n_thresholds,) in [0, 1]; 0 where nothing is detected, NaN without a box.

    Notes
    -----
    Source: Choe et al. 2020 (CVPR), ``all`` from Choe et al. 2022 (TPAMI).

    Does not show: how many further parts were wrong.
    """
    if not boxes:
        return np.full(len(thresholds), np.nan)
    edges = np.array([(b.top, b.left, b.bottom, b.right) for b in boxes], np.float64)
    return np.array([_part_iou(_detected(values, t), edges, parts) for t in thresholds], np.float64)


def _max_box_acc(best: Array, weights: Array, levels: Sequence[float]) -> float:
    """Weighted share of cases whose IoU reaches a level, each level at its own best threshold, mean over the levels."""
    defined = ~np.isnan(best).any(1)
    if not weights[defined].sum():
        return float("nan")
    shares = [np.average(best[defined] >= level, axis=0, weights=weights[defined]).max() for level in levels]
    return float(np.mean(shares))


def max_box_acc_v1(largest: Array, weights: Array) -> float:
    """Compute MaxBoxAcc: the share of cases whose box reaches an IoU of 0.5, at the best threshold for all cases.

    Parameters
    ----------
    largest
        `box_iou_curve` of the ``largest`` part, (n_cases, n_thresholds); rows of NaN (no box) are left out.
    weights
        How often each case counts, (n_cases,).

    Returns
    -------
    float
        In [0, 1]; NaN without a case.

    Notes
    -----
    Source: Choe et al. 2020 (CVPR).

    Does not show: the share at a threshold chosen beforehand, as this one is chosen on the cases that it is measured on; second
    regions, as one box is drawn per case.
    """
    return _max_box_acc(largest, weights, _V1_LEVELS)


def max_box_acc_v2(every: Array, weights: Array) -> float:
    """Compute MaxBoxAccV2: the mean of MaxBoxAcc at an IoU of 0.3, 0.5 and 0.7.

    Parameters
    ----------
    every
        `box_iou_curve` of ``all`` parts, (n_cases, n_thresholds); rows of NaN (no box) are left out.
    weights
        How often each case counts, (n_cases,).

    Returns
    -------
    float
        In [0, 1]; NaN without a case.

    Notes
    -----
    Source: Choe et al. 2022 (TPAMI).

    Does not show: false parts, as the best part counts and the others cost nothing.
    """
    return _max_box_acc(every, weights, _V2_LEVELS)


def pixel_average_precision(values: Map, reference: Mask) -> float:
    """Compute the average precision over the pixels of one radiograph, after `reduced`.

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.

    Returns
    -------
    float
        In (0, 1]; tied pixels are one step of the curve. NaN where, after the reduction, no pixel or every pixel is reference.

    Notes
    -----
    Does not show: a figure comparable across reference areas, as a random map gets the reference's share of the pixels.
    """
    values, reference = reduced(values, reference)
    if reference.all() or not reference.any():
        return float("nan")
    return float(average_precision_score(reference.ravel(), values.ravel()))


def laterality(values: Map, right: Mask, left: Mask, reference: Mask) -> float:
    """Decide whether the lung with more evidence is the one that holds the reference.

    Parameters
    ----------
    values
        The map, float32 (rows, cols) ≥ 0.
    right, left
        The patient's right and left lung, bool (rows, cols).
    reference
        Reference regions, bool (rows, cols).

    Returns
    -------
    float
        1.0 or 0.0; NaN unless at least 95 % of the reference within the lungs is in one of them. Equal evidence, or none in the
        lungs, is wrong.

    Notes
    -----
    Does not show: the place within the lung, nor evidence outside the lungs.
    """
    in_right, in_left = int((reference & right).sum()), int((reference & left).sum())
    if not in_right + in_left or max(in_right, in_left) < ONE_SIDED * (in_right + in_left):
        return float("nan")
    holds, other = (right, left) if in_right > in_left else (left, right)
    return float(_energy(values, holds) > _energy(values, other))


def energy_in_border(values: Map, share: float = BORDER_SHARE) -> float:
    """Compute the share of the map's sum in the outer frame of the image.

    Parameters
    ----------
    values
        The map, float32 (rows, cols) ≥ 0.
    share
        Width of the frame as a share of each side, rounded to whole pixels, in [0, 0.5).

    Returns
    -------
    float
        In [0, 1]; a uniform map has 1 − (1 − 2 · share)², 0.36 at 0.1. NaN for a map of zeros, for which 0 would be praise.

    Notes
    -----
    Does not show: whether that evidence is wrong: an opacity may reach the border of a tightly cropped radiograph.
    """
    whole = _energy(values)
    if whole <= 0:
        return float("nan")
    rows, cols = (round(share * length) for length in values.shape)
    return 1 - _energy(values[rows : values.shape[0] - rows, cols : values.shape[1] - cols]) / whole
