"""How well one heat map agrees with the reference regions of one radiograph, and what a data set makes of it.

Unless said otherwise `values` is a heat map, float32 (rows, cols) ≥ 0 on the radiograph's grid in units of its fixed scale;
`reference` is bool of the same shape; `boxes` are the reference rectangles on that grid. NaN means undefined: a radiograph
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

MOST = 320
"""Pixels on the longer side to which maps are reduced where every pixel is ranked."""
LEVELS = 1001
"""Thresholds of PxAP, as in the code of Choe 2020 (steps of 0.001)."""
ONE_SIDED = 0.95
"""Share of a reference, among both lungs, that must lie in one lung for it to have a side."""


def reduction_factor(shape: tuple[int, ...], most: int = MOST) -> int:
    """The smallest whole number of pixels per block that leaves at most `most` blocks on the longer side."""
    return -(-max(shape) // most)


def _blocks(size: int, factor: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Starts and widths of the blocks along one side; the last block may be narrower."""
    starts = np.arange(0, size, factor)
    return starts, np.diff(starts, append=size)


def block_mean(values: Map, factor: int) -> Map:
    """Mean over blocks of `factor` × `factor` pixels, shape (⌈rows / factor⌉, ⌈cols / factor⌉).

    Does not show: a peak narrower than a block at its full height.
    """
    (rows, heights), (cols, widths) = (_blocks(size, factor) for size in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, 0), cols, 1)
    # Back to float32, so that pixels that were tied are not told apart by the rounding of a sum.
    return (sums / np.outer(heights, widths)).astype(np.float32)


def reduced(values: Map, reference: Mask, most: int = MOST) -> tuple[Map, Mask]:
    """Map by block mean and reference by the pixel nearest each block's centre, at most `most` pixels on the longer side.

    A pair that is small enough comes back as it is. Does not show: a reference narrower than a block, which may vanish.
    """
    factor = reduction_factor(values.shape, most)
    if factor == 1:
        return values, reference
    centres = [starts + widths // 2 for starts, widths in (_blocks(size, factor) for size in values.shape)]
    return block_mean(values, factor), reference[np.ix_(*centres)]


def _detected(values: Map, threshold: float) -> Mask:
    # A map is ≥ 0 everywhere, so at threshold 0 even a flat zero map would otherwise be detected as a whole.
    return (values >= threshold) & (values > 0)


def _energy(values: Map, mask: Mask | None = None) -> float:
    return float((values if mask is None else values[mask]).sum(dtype=np.float64))


def hit(values: Map, reference: Mask) -> float:
    """Pointing game, strict: 1.0 if the highest pixel lies in the reference, else 0.0 (Zhang et al. 2018, no tolerance).

    Of several highest pixels all must lie inside. A flat map points nowhere and is a miss, even where the reference is
    everything; NaN for an empty reference (which Quantus counts as a hit). Does not show: how far off a miss is, or anything
    but the peak.
    """
    if not reference.any():
        return float("nan")
    highest = values.max()
    if highest <= 0 or highest == values.min():
        return 0.0
    return float(reference[values == highest].all())


def energy_inside(values: Map, reference: Mask) -> float:
    """Share of the map's sum that lies in the reference, in [0, 1] (energy-based pointing game, Wang et al. 2020, Score-CAM).

    0.0 for a flat zero map, NaN for an empty reference. Does not show: agreement beyond chance, as a large reference holds
    much of any map (see `energy_over_area`).
    """
    if not reference.any():
        return float("nan")
    whole = _energy(values)
    return _energy(values, reference) / whole if whole > 0 else 0.0


def energy_over_area(values: Map, reference: Mask) -> float:
    """`energy_inside` over the reference's share of the pixels, ≥ 0; 1 is what a uniform map gets, NaN without a reference.

    Does not show: figures that compare across areas, as its highest value is one over the area's share.
    """
    return energy_inside(values, reference) / float(reference.mean()) if reference.any() else float("nan")


def iou(values: Map, reference: Mask, threshold: float) -> float:
    """Intersection over union of the pixels `values >= threshold` and the reference, in [0, 1] (Jaccard 1901).

    0.0 where nothing is detected, NaN for an empty reference. Does not show: whether too much or too little was marked.
    """
    if not reference.any():
        return float("nan")
    detected = _detected(values, threshold)
    return float((detected & reference).sum() / (detected | reference).sum())


def iobb(values: Map, reference: Mask, threshold: float) -> float:
    """Share of the detection's bounding box that is reference, in [0, 1] (IoBB of Wang et al. 2017, ChestX-ray8).

    One box around all pixels `values >= threshold`; 0.0 where nothing is detected, NaN for an empty reference. Does not show:
    how much of the reference was missed: a single pixel inside it gets 1.
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
    found = np.array([(r.start, c.start, r.stop, c.stop) for r, c in ndimage.find_objects(labels)], np.float64)
    best = _box_iou(found, boxes).max(1)
    if parts == "all":
        return float(best.max())
    area = np.bincount(labels.ravel())[1:]
    # The worst of equally large parts: the figure must not depend on the order in which they are found.
    return float(best[area == area.max()].min())


def box_iou_curve(values: Map, boxes: Sequence[Region], thresholds: Array, parts: Parts) -> Array:
    """IoU of a detected part's bounding box with the best-fitting reference box, at each threshold, (n_thresholds,) in [0, 1].

    Parts are the connected pixels (8 neighbours) of `values >= threshold`: the `largest` by pixels (of equally large ones the
    worst counts), or the best of `all` (Choe et al. 2020; `all`: Choe et al. 2022). 0 where nothing is detected, NaN without a
    box. Choe divides each map by its own maximum; here thresholds are on the map's scale. A label run per threshold: reduce a
    large map first and divide its boxes by the same `reduction_factor`. Does not show: how many further parts were wrong.
    """
    if not boxes:
        return np.full(len(thresholds), np.nan)
    edges = np.array([(b.top, b.left, b.bottom, b.right) for b in boxes], np.float64)
    return np.array([_part_iou(_detected(values, t), edges, parts) for t in thresholds], np.float64)


def best_box_iou(values: Map, boxes: Sequence[Region], thresholds: Array) -> float:
    """Largest IoU of any part's bounding box with any reference box at any of the thresholds, in [0, 1]; NaN without a box.

    Does not show: what a reader gets who must fix the threshold beforehand; it is an upper limit.
    """
    return float(box_iou_curve(values, boxes, thresholds, "all").max())


def max_box_acc(best: Array, weights: Array, levels: Sequence[float]) -> float:
    """Weighted share of cases whose IoU reaches a level, at the best threshold for all cases, mean over the levels, in [0, 1].

    `best` are the `box_iou_curve` of the cases, (n_cases, n_thresholds), NaN rows (no box) are left out; `weights` (n_cases,)
    (Choe et al. 2020). Each level has its own best threshold. NaN without a case. Does not show: the share at a
    threshold chosen beforehand: this one is chosen on the cases it is measured on.
    """
    kept = ~np.isnan(best).any(1)
    if not weights[kept].sum():
        return float("nan")
    return float(np.mean([np.average(best[kept] >= level, axis=0, weights=weights[kept]).max() for level in levels]))


def max_box_acc_v1(largest: Array, weights: Array) -> float:
    """MaxBoxAcc at IoU ≥ 0.5 (Choe et al. 2020) of curves made with the `largest` part.

    Does not show: second regions, as only one box is drawn per case.
    """
    return max_box_acc(largest, weights, (0.5,))


def max_box_acc_v2(every: Array, weights: Array) -> float:
    """MaxBoxAccV2, mean over IoU ≥ 0.3, 0.5 and 0.7 (Choe et al. 2022, TPAMI) of curves made with `all` parts.

    Does not show: false parts, as the best part counts and the others cost nothing.
    """
    return max_box_acc(every, weights, (0.3, 0.5, 0.7))


def pixel_average_precision(values: Map, reference: Mask) -> float:
    """Average precision over the pixels of one radiograph, in (0, 1], after `reduced`; tied pixels are one step of the curve.

    NaN where, after reduction, no pixel or every pixel is reference. Does not show: a figure comparable across reference
    areas, as a map without any sense gets the reference's share of the pixels.
    """
    values, reference = reduced(values, reference)
    if reference.all() or not reference.any():
        return float("nan")
    return float(average_precision_score(reference.ravel(), values.ravel()))


def pixel_edges(highest: float) -> Array:
    """Bin edges for `pixel_histogram`, (1002,): 1001 thresholds over [0, highest] and an open end."""
    return np.append(np.linspace(0, highest, LEVELS), np.inf)


def pixel_histogram(values: Map, reference: Mask, edges: Array) -> tuple[Array, Array]:
    """Number of reference pixels and of other pixels per bin of values, each (bins,), for edges (bins + 1,).

    Does not show: the order of pixels within a bin.
    """
    foreground, background = (np.histogram(values[mask], edges)[0].astype(np.float64) for mask in (reference, ~reference))
    return foreground, background


def pxap_from_histograms(fg: Array, bg: Array, weights: Array) -> float:
    """PxAP in [0, 1] from the `pixel_histogram` of each case, (n, bins) in ascending bins, counted `weights` (n,) times.

    Σ PxPrec(τ) · (PxRec(τ) − PxRec(next higher τ)) over all thresholds (Choe et al. 2020, eq. 4). NaN without a reference
    pixel. Does not show: cases equally: one with more pixels, or a larger region, weighs more.
    """
    true, false = ((weights @ counts)[::-1].cumsum() for counts in (fg, bg))
    if not true[-1]:
        return float("nan")
    precision = true / np.maximum(true + false, np.finfo(float).tiny)
    return float((precision * np.diff(true, prepend=0)).sum() / true[-1])


def pooled_pixel_average_precision(maps: Sequence[Map], references: Sequence[Mask], weights: Array | None = None) -> float:
    """PxAP in [0, 1]: average precision over the pixels of all radiographs together (Choe et al. 2020, eq. 4).

    1001 thresholds over [0, highest value of all maps]; Choe first divides each map by its own maximum and brings all to
    224 px, here the caller does so if wanted. Cases without a region take part with their background. `weights` (n,) count the
    cases, once each if None; for a bootstrap keep the histograms. NaN without a reference pixel. Does not show: whether the
    order within each radiograph is right, or only that between radiographs.
    """
    edges = pixel_edges(max(float(values.max()) for values in maps))
    fg, bg = zip(*(pixel_histogram(v, r, edges) for v, r in zip(maps, references, strict=True)), strict=True)
    return pxap_from_histograms(np.array(fg), np.array(bg), np.ones(len(maps)) if weights is None else weights)


def side_of(values: Map, right: Mask, left: Mask) -> float:
    """Share of the lungs' evidence that lies in the patient's right lung, in [0, 1]; masks are bool (rows, cols).

    NaN where neither lung holds any. Does not show: evidence per area: the right lung is larger, so a uniform map is not 0.5.
    """
    in_right, in_left = _energy(values, right), _energy(values, left)
    return in_right / (in_right + in_left) if in_right + in_left > 0 else float("nan")


def laterality(values: Map, right: Mask, left: Mask, reference: Mask) -> float:
    """1.0 if the lung with more evidence is the one that holds the reference, else 0.0; masks are bool (rows, cols).

    NaN unless at least 95 % of the reference within the lungs is in one of them. Equal evidence, or none in the lungs, has no
    side and is wrong. Does not show: the place within the lung, nor evidence outside the lungs.
    """
    in_right, in_left = int((reference & right).sum()), int((reference & left).sum())
    if not in_right + in_left or max(in_right, in_left) < ONE_SIDED * (in_right + in_left):
        return float("nan")
    holds, other = (right, left) if in_right > in_left else (left, right)
    return float(_energy(values, holds) > _energy(values, other))


def energy_in_border(values: Map, share: float = 0.1) -> float:
    """Share of the map's sum in the outer frame, `share` of each side's length wide (rounded), in [0, 1].

    A uniform map has 1 − (1 − 2 · share)², 0.36 at 0.1; NaN for a flat zero map, for which 0 would be praise. Does not show:
    whether that evidence is wrong: an opacity may reach the border of a tightly cropped radiograph.
    """
    whole = _energy(values)
    if whole <= 0:
        return float("nan")
    rows, cols = (round(share * size) for size in values.shape)
    return 1 - _energy(values[rows : values.shape[0] - rows, cols : values.shape[1] - cols]) / whole
