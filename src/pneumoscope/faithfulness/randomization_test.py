"""Whether the map changes when the network, or what it was taught, is random (Adebayo et al. 2018, arXiv 1810.03292)."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from skimage.metrics import structural_similarity

from pneumoscope.faithfulness.pairing import ONE_PATIENT, of_other_patients
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.patient_bootstrap import Bootstrap

Maps = NDArray[np.float32]
FLOOR = "maps of different patients"
_MAX_WINDOW, _MIN_WINDOW = 7, 3


def against_random(
    trained: Maps, others: Iterable[tuple[str, Maps]], patients: Sequence[str], *, draws: int = 2000
) -> dict[str, Estimate]:
    """Compare the maps of a trained network with maps of randomized networks of the same images.

    Parameters
    ----------
    trained
        Maps of the trained network, float32 (n, h, w).
    others
        Names and maps of other networks for the same images, float32 (n, h, w).
    patients
        Patient of each image, (n,).
    draws
        Number of bootstrap draws of patients, ≥ 1.

    Returns
    -------
    dict of str to Estimate
        Mean SSIM and rank correlation by name. The floor, first, is the level of pairs of different patients: a map that stays
        above it while the network is randomized shows the image and not the network. The floor is undefined for one patient.

    Notes
    -----
    Source: Adebayo et al. 2018, sections 3 and 4.

    Does not show: that the trained network's map is right.
    """
    boot = Bootstrap.of_patients(patients, draws)
    partners = of_other_patients(patients)
    rows = _rows(FLOOR, trained, trained[partners], boot) if partners else _no_floor(patients)
    for name, maps in others:
        rows |= _rows(name, trained, maps, boot)
    return rows


def _rows(name: str, a: Maps, b: Maps, boot: Bootstrap) -> dict[str, Estimate]:
    pairs = np.array([similarity(one, other) for one, other in zip(a, b, strict=True)])
    return {f"{name}: SSIM": boot.mean(pairs[:, 0].tolist()), f"{name}: rank correlation": boot.mean(pairs[:, 1].tolist())}


def _no_floor(patients: Sequence[str]) -> dict[str, Estimate]:
    missing = undefined(len(set(patients)), ONE_PATIENT)
    return {f"{FLOOR}: SSIM": missing, f"{FLOOR}: rank correlation": missing}


def similarity(a: Maps, b: Maps) -> tuple[float, float]:
    """Compute the structural similarity and the rank correlation of two maps, each brought to [0, 1] first.

    Parameters
    ----------
    a, b
        Maps of one shape, float32 (h, w).

    Returns
    -------
    tuple of float
        SSIM (Wang et al. 2004) and Spearman's correlation, both in [−1, 1]; NaN where one of the maps is flat, and SSIM also for
        maps of less than 3 × 3.
    """
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan"), float("nan")
    x, y = ((m - m.min()) / np.ptp(m) for m in (a.astype(np.float64), b.astype(np.float64)))
    window = min(_MAX_WINDOW, (min(a.shape) - 1) // 2 * 2 + 1)  # odd, and not larger than the map
    ssim = np.nan
    if window >= _MIN_WINDOW:
        ssim = structural_similarity(x, y, data_range=1.0, win_size=window)
    return float(ssim), float(stats.spearmanr(x.ravel(), y.ravel()).statistic)
