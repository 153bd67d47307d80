"""Does the map change when the network, or what it was taught, is random (Adebayo et al. 2018, arXiv 1810.03292)?"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from skimage.metrics import structural_similarity

from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

Maps = NDArray[np.float32]
FLOOR = "maps of different images"


def against_random(
    trained: Maps, others: Iterable[tuple[str, Maps]], patients: Sequence[str], *, draws: int = 2000
) -> dict[str, Estimate]:
    """SSIM and rank correlation of the trained network's maps with others of the same images, (n, h, w) each.

    The floor is the level of pairs of different images: a map that stays above it while the network forgets shows the image and
    not the network. Does not show: that the trained network's map is right.
    """
    boot = Bootstrap.of_patients(patients, draws)
    rows: dict[str, Estimate] = {}
    for name, maps in ((FLOOR, np.roll(trained, 1, 0)), *others):
        pairs = np.array([similarity(a, b) for a, b in zip(trained, maps, strict=True)])
        rows[f"{name}: SSIM"] = boot.mean(pairs[:, 0].tolist())
        rows[f"{name}: rank correlation"] = boot.mean(pairs[:, 1].tolist())
    return rows


def similarity(a: Maps, b: Maps) -> tuple[float, float]:
    """SSIM (Wang 2004) and Spearman rank correlation of two maps (h, w), each brought to [0, 1] first; NaN where one is flat.

    SSIM is NaN for maps of less than 3 × 3.
    """
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan"), float("nan")
    x, y = ((m - m.min()) / np.ptp(m) for m in (a.astype(np.float64), b.astype(np.float64)))
    window = min(7, (min(a.shape) - 1) // 2 * 2 + 1)  # odd, and not larger than the map
    ssim = np.nan
    if window >= 3:
        ssim = structural_similarity(x, y, data_range=1.0, win_size=window)
    return float(ssim), float(stats.spearmanr(x.ravel(), y.ravel()).statistic)
