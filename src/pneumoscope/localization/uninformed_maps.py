"""Uninformed baselines: maps made without looking at the opacity, which a heat map must beat before it shows anything."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pneumoscope.localization.case import LocalizationCase
from pneumoscope.localization.packed import Packed
from pneumoscope.radiograph import Region

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

UNIFORM, RANDOM_IN_LUNGS, GAUSSIAN, BLURRED_LUNGS = "uniform random", "random in the lungs", "centred Gaussian", "lungs, blurred"
MEAN_REGION, MEAN_REGION_IN_BOX = "mean region of others", "mean region of others in the lung box"
RULES = (UNIFORM, RANDOM_IN_LUNGS, GAUSSIAN, BLURRED_LUNGS, MEAN_REGION, MEAN_REGION_IN_BOX)
"""The baselines by name, in the order of the tables."""
GRID_PX = 64
"""Edge of the square on which reference regions of different radiographs are averaged."""
_GAUSSIAN_SIGMA = 0.25
_BLUR = 27  # the sigma of the blurred lungs is the longer side over this


def maps_of_one_case(case: LocalizationCase, rng: np.random.Generator) -> dict[str, Map]:
    """Make the baselines that need the case alone.

    Parameters
    ----------
    case
        The case; its heat map is not looked at.
    rng
        Source of the noise; each call takes the noise of one map from it.

    Returns
    -------
    dict of str to ndarray
        float32 (rows, cols) ≥ 0 on the grid of the case, by rule. ``uniform random`` is white noise; ``random in the lungs`` the
        same noise inside the lungs; ``centred Gaussian`` has a standard deviation of a quarter of each side; ``lungs, blurred``
        is the lung mask under a Gaussian, highest in the middle of the lungs. Where no lungs are known, the box that the model
        looked at takes their place.
    """
    noise = rng.random(case.values.shape, np.float32)
    lungs = _lungs_or_box(case)
    return {
        UNIFORM: noise,
        RANDOM_IN_LUNGS: noise * lungs,
        GAUSSIAN: _gaussian(case.values.shape),
        BLURRED_LUNGS: np.asarray(ndimage.gaussian_filter(lungs.astype(np.float32), max(case.values.shape) / _BLUR), np.float32),
    }


@dataclass(frozen=True)
class MarkedRegion:
    """What is kept of a case with reference regions, so that the regions of other patients can be averaged for it.

    Parameters
    ----------
    patient_id
        The patient.
    mask
        The reference regions, bool (rows, cols), compressed.
    lung_box
        The region that the model looked at, in pixels of the same grid.
    """

    patient_id: str
    mask: Packed[np.bool_]
    lung_box: Region

    @classmethod
    def of(cls, case: LocalizationCase) -> "MarkedRegion":
        """Take what is kept from a case with reference regions.

        Parameters
        ----------
        case
            A case whose `mask` is not None.

        Returns
        -------
        MarkedRegion
            Some hundred bytes.
        """
        assert case.mask is not None
        return cls(case.patient_id, Packed.of(case.mask), case.lung_box)

    def frame(self, rule: str) -> Region:
        """Return the rectangle that is brought to the common square.

        Parameters
        ----------
        rule
            `MEAN_REGION` or `MEAN_REGION_IN_BOX`.

        Returns
        -------
        Region
            The whole image, or the box that the model looked at, in pixels of the case's grid.
        """
        rows, cols = self.mask.shape
        return self.lung_box if rule == MEAN_REGION_IN_BOX else Region(0, 0, float(rows), float(cols))


class OtherRegions:
    """The mean reference region of all other patients, for each case.

    A case never takes part in its own baseline, nor does another image of its patient. Two sums on a square of 64 × 64 and the
    compressed masks are kept, not a map for each case.
    """

    def __init__(self) -> None:
        self.regions: list[MarkedRegion] = []
        self._of_patient: dict[str, list[int]] = defaultdict(list)
        self._sums = {rule: np.zeros((GRID_PX, GRID_PX), np.float32) for rule in (MEAN_REGION, MEAN_REGION_IN_BOX)}

    def add(self, region: MarkedRegion) -> None:
        """Add the reference regions of one case.

        Parameters
        ----------
        region
            What is kept of the case.
        """
        self._of_patient[region.patient_id].append(len(self.regions))
        self.regions.append(region)
        for rule in self._sums:
            self._sums[rule] = self._sums[rule] + _to_square(region, rule)

    def maps(self, index: int) -> dict[str, Map]:
        """Average the regions of all other patients for one case.

        Parameters
        ----------
        index
            Number of the case in the order of `add`, from 0.

        Returns
        -------
        dict of str to ndarray
            float32 (rows, cols) ≥ 0 on the grid of the case, up to a factor, by rule. ``mean region of others`` is averaged
            relative to the whole image, ``mean region of others in the lung box`` relative to the box around the lungs, and
            zero outside of it. Zero everywhere if no other patient has a region.
        """
        own = self._of_patient[self.regions[index].patient_id]
        return {rule: self._map(index, rule, total, own) for rule, total in self._sums.items()}

    def _map(self, index: int, rule: str, total: Map, own: list[int]) -> Map:
        of_patient = np.zeros_like(total)
        for k in own:
            of_patient = of_patient + _to_square(self.regions[k], rule)
        return _from_square(total - of_patient, self.regions[index], rule)


def _lungs_or_box(case: LocalizationCase) -> Mask:
    if case.lungs.any():
        return case.lungs
    box, inside = case.lung_box, np.zeros(case.values.shape, bool)
    inside[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = True
    return inside


def _gaussian(shape: tuple[int, ...]) -> Map:
    rows, cols = (np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * _GAUSSIAN_SIGMA**2)) for n in shape)
    return np.outer(rows, cols).astype(np.float32)


def _to_square(region: MarkedRegion, rule: str) -> Map:
    box = region.frame(rule)
    resized = Image.fromarray(region.mask.array().astype(np.float32)).resize(
        (GRID_PX, GRID_PX), Image.Resampling.BILINEAR, box=(box.left, box.top, box.right, box.bottom)
    )
    return np.asarray(resized, np.float32)


def _from_square(square: Map, region: MarkedRegion, rule: str) -> Map:
    box = region.frame(rule)
    top, left, bottom, right = (round(v) for v in (box.top, box.left, box.bottom, box.right))
    out = np.zeros(region.mask.shape, np.float32)
    smooth = Image.fromarray(np.maximum(square, 0)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    out[top:bottom, left:right] = np.asarray(smooth, np.float32)
    return out
