"""Maps that look at nothing: what a heat map has to beat before it shows anything."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pneumoscope.localization.case import LocalizationCase
from pneumoscope.radiograph import Region

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
_GRID = 64
"""Side of the square on which reference regions of different radiographs are averaged."""


def baselines(cases: Sequence[LocalizationCase], seed: int = 0) -> Mapping[str, Sequence[Map]]:
    """A map for each case by each rule, float32 (rows, cols) of the case's own grid, ≥ 0.

    ``uniform random``: white noise. ``random in the lungs``: the same, inside of the found lungs, or of the box that was looked
    at where they were not found. ``centred Gaussian``: of a deviation of a quarter of each side. ``lungs, blurred``: the found
    lungs (or the box), so that their middle is highest. ``mean region of others``: the mean reference mask of the other
    patients, on the whole image. ``mean region of others in the lung box``: the same, averaged and put back relative to the box
    around the lungs.
    """
    rng = np.random.default_rng(seed)
    random = [rng.random(c.values.shape, np.float32) for c in cases]
    return {
        "uniform random": random,
        "random in the lungs": [noise * _lungs(c) for noise, c in zip(random, cases, strict=True)],
        "centred Gaussian": [_gaussian(c.values.shape) for c in cases],
        "lungs, blurred": [_blurred(c) for c in cases],
        "mean region of others": _mean_of_others(cases, lambda c: Region(0, 0, *map(float, c.values.shape))),
        "mean region of others in the lung box": _mean_of_others(cases, lambda c: c.lung_box),
    }


def _lungs(case: LocalizationCase) -> Mask:
    """The lungs, or the box that was looked at where they were not found."""
    if case.lungs.any():
        return case.lungs
    box, inside = case.lung_box, np.zeros(case.values.shape, bool)
    inside[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = True
    return inside


def _gaussian(shape: tuple[int, ...]) -> Map:
    rows, cols = (np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * 0.25**2)) for n in shape)
    return np.outer(rows, cols).astype(np.float32)


def _blurred(case: LocalizationCase) -> Map:
    return np.asarray(ndimage.gaussian_filter(_lungs(case).astype(np.float32), max(case.values.shape) / 27), np.float32)


def _mean_of_others(cases: Sequence[LocalizationCase], frame: Callable[[LocalizationCase], Region]) -> list[Map]:
    """The mean reference mask of all other patients' cases, up to a factor, within the frame of each case; zero outside of it."""
    marked = [c for c in cases if c.mask is not None]
    squares = {id(c): _to_square(c, frame(c)) for c in marked}
    total = sum(squares.values(), np.zeros((_GRID, _GRID), np.float32))
    of_patient: dict[str, Map] = {}
    for case in marked:
        of_patient[case.patient_id] = of_patient.get(case.patient_id, np.zeros_like(total)) + squares[id(case)]
    return [_from_square(total - of_patient.get(c.patient_id, np.zeros_like(total)), c, frame(c)) for c in cases]


def _to_square(case: LocalizationCase, box: Region) -> Map:
    assert case.mask is not None
    resized = Image.fromarray(case.mask.astype(np.float32)).resize(
        (_GRID, _GRID), Image.Resampling.BILINEAR, box=(box.left, box.top, box.right, box.bottom)
    )
    return np.asarray(resized, np.float32)


def _from_square(square: Map, case: LocalizationCase, box: Region) -> Map:
    top, left, bottom, right = (round(v) for v in (box.top, box.left, box.bottom, box.right))
    out = np.zeros(case.values.shape, np.float32)
    smooth = Image.fromarray(np.maximum(square, 0)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    out[top:bottom, left:right] = np.asarray(smooth, np.float32)
    return out
