"""Whether the map stays where it is when the radiograph is shifted, rotated, brightened or compressed a little."""

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage, stats

from pneumoscope.cohort import Case
from pneumoscope.faithfulness.pairing import ONE_PATIENT, of_other_patients
from pneumoscope.localization.case import ReadCase, Reads
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.patient_bootstrap import Bootstrap

FLOOR = "map of another patient"
GRID_PX = 64
"""Edge of the grid on which maps are compared: ranks of neighbouring pixels say nothing."""
_SHIFT, _DEGREES, _GAMMA, _BRIGHTER, _JPEG_QUALITY = 0.03, 5, 0.8, 0.1, 50


def _shifted(pixels: Grey) -> Grey:
    return np.asarray(ndimage.shift(pixels, (_SHIFT * pixels.shape[0], -_SHIFT * pixels.shape[1]), order=1, mode="nearest"))


def _shifted_back(values: Grey) -> Grey:
    return np.asarray(ndimage.shift(values, (-_SHIFT * values.shape[0], _SHIFT * values.shape[1]), order=1, mode="nearest"))


def _rotated(pixels: Grey) -> Grey:
    return np.asarray(ndimage.rotate(pixels, _DEGREES, reshape=False, order=1, mode="nearest"))


def _rotated_back(values: Grey) -> Grey:
    return np.asarray(ndimage.rotate(values, -_DEGREES, reshape=False, order=1, mode="nearest"))


def _compressed(pixels: Grey) -> Grey:
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(stream), np.float32) / np.float32(255)


def _same(values: Grey) -> Grey:
    return values


CHANGES: Mapping[str, tuple[Callable[[Grey], Grey], Callable[[Grey], Grey]]] = {
    "shifted by 3 %": (_shifted, _shifted_back),
    "rotated by 5°": (_rotated, _rotated_back),
    "gamma 0.8": (lambda p: p ** np.float32(_GAMMA), _same),
    "brighter by 0.1": (lambda p: np.clip(p + np.float32(_BRIGHTER), 0, 1), _same),
    "JPEG quality 50": (_compressed, _same),
}
"""What is done to the radiograph, and how the map of the changed radiograph is brought back."""


@dataclass(frozen=True, eq=False)
class StabilityRow:
    """The stability of the map of one case.

    Parameters
    ----------
    correlations
        Spearman correlation, in [−1, 1], of the map before and after each of `CHANGES`; NaN where one of the maps is flat.
    coarse
        The map on a grid of 64 × 64, float32, for the comparison with maps of other patients.
    """

    correlations: Mapping[str, float]
    coarse: Grey


def changed_maps(read: ReadCase, reader: Reads) -> StabilityRow:
    """Change the radiograph of one case in each way, read it again, and compare the maps.

    Parameters
    ----------
    read
        The case as it was read.
    reader
        The model.

    Returns
    -------
    StabilityRow
        The correlations of the case.
    """
    coarse = _coarse(read.reading.heatmap.values)
    correlations = {}
    for name, (change, back) in CHANGES.items():
        pixels = np.ascontiguousarray(np.clip(change(read.radiograph.pixels), 0, 1), np.float32)
        changed = reader.read(dataclasses.replace(read.radiograph, pixels=pixels))
        correlations[name] = rank_correlation(coarse, _coarse(back(changed.heatmap.values)))
    return StabilityRow(correlations, coarse)


class Stability:
    """Measure the stability of the map of some cases, one after the other.

    Parameters
    ----------
    reader
        The model.
    cases
        The cases that will be added, in any order; each is paired with the one before it here that is of another patient.

    Notes
    -----
    Does not show: that the map is right, only that it does not depend on changes without meaning.
    """

    def __init__(self, reader: Reads, cases: Sequence[Case]) -> None:
        self._reader = reader
        self._cases = cases
        self._rows: dict[str, StabilityRow] = {}

    def add(self, read: ReadCase) -> None:
        """Measure one case.

        Parameters
        ----------
        read
            One of the cases.
        """
        self._rows[read.case.path] = changed_maps(read, self._reader)

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the cases as a table.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            One table: the mean correlation by change, and between maps of different patients as the floor.
        """
        rows = [self._rows[case.path] for case in self._cases]
        patients = [case.patient_id for case in self._cases]
        boot = Bootstrap.of_patients(patients, draws)
        estimates = {name: boot.mean([row.correlations[name] for row in rows]) for name in CHANGES}
        partners = of_other_patients(patients)
        estimates[FLOOR] = undefined(len(set(patients)), ONE_PATIENT)
        if partners:
            pairs = [rank_correlation(row.coarse, rows[k].coarse) for row, k in zip(rows, partners, strict=True)]
            estimates[FLOOR] = boot.mean(pairs)
        return {"stability, rank correlation of the map before and after a change": estimates}


def _coarse(values: Grey) -> Grey:
    return np.asarray(Image.fromarray(values).resize((GRID_PX, GRID_PX), Image.Resampling.BOX), np.float32)


def rank_correlation(a: Grey, b: Grey) -> float:
    """Compute the Spearman correlation of two maps.

    Parameters
    ----------
    a, b
        Maps of one shape, float32.

    Returns
    -------
    float
        In [−1, 1]; NaN where one of them is flat.
    """
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan")
    return float(stats.spearmanr(a.ravel().astype(np.float64), b.ravel().astype(np.float64)).statistic)
