"""Do the heat maps of the networks agree? Every two of them, on the same radiographs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

CASES = 60
"""Number of cases whose maps are compared, at most."""
TOP = 0.1
"""Share of the radiograph that counts as the top region of a map."""
_GRID = 64

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """How far the heat maps of two networks agree, as means over cases.

    Does not show: that either map is right.

    Parameters
    ----------
    first, second
        Names of the networks.
    rank_correlation
        Spearman's correlation over the radiograph, in [−1, 1]; cases in which a map is flat are left out.
    top_iou
        Intersection over union of the highest tenth of each map, in [0, 1]; about 0.05 by chance.
    """

    first: str
    second: str
    rank_correlation: Estimate
    top_iou: Estimate


def agreements(
    readers: Mapping[str, Reader], cohort: Cohort, cases: Sequence[Case], draws: int, *, show_progress: bool = False
) -> list[Agreement]:
    """Compare the heat maps of every two networks on a grid of 64 × 64 over each radiograph.

    Parameters
    ----------
    readers
        By name of the network.
    cohort
        The cohort of the cases.
    cases
        Radiographs to compare maps on; each is decoded once, and no map is kept.
    draws
        Bootstrap draws of patients.
    show_progress
        Whether to show a progress bar.

    Returns
    -------
    list[Agreement]
        Every two networks once.
    """
    both = list(itertools.combinations(readers, 2))
    rows = []
    images = ordered_map(lambda case: radiograph.read(cohort.file(case)), cases, cores())
    for image in tqdm(images, total=len(cases), desc="comparing maps", unit="image", disable=None if show_progress else True):
        rows.append(_row(readers, both, image))
    boot = Bootstrap.of_patients([case.patient_id for case in cases], draws)
    table = np.array(rows).reshape(len(cases), len(both), 2)
    return [
        Agreement(first, second, boot.mean(table[:, k, 0].tolist()), boot.mean(table[:, k, 1].tolist()))
        for k, (first, second) in enumerate(both)
    ]


def _row(readers: Mapping[str, Reader], both: Sequence[tuple[str, str]], image: Radiograph) -> list[tuple[float, float]]:
    maps = {name: reader.read(image).heatmap.on_grid(_GRID, _GRID) for name, reader in readers.items()}
    return [(rank_correlation(maps[a], maps[b]), top_iou(maps[a], maps[b])) for a, b in both]


def rank_correlation(first: Map, second: Map) -> float:
    """Spearman's correlation of two heat maps.

    Parameters
    ----------
    first, second
        Maps on one grid, shape (rows, cols).

    Returns
    -------
    float
        In [−1, 1]; NaN where a map is flat.
    """
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    return float(stats.spearmanr(first.ravel(), second.ravel()).statistic)


def top_iou(first: Map, second: Map) -> float:
    """Intersection over union of the highest tenth of two heat maps.

    Values that tie with the last of the tenth belong to it, unless they are the lowest of the map: the top region of a map that
    is more than nine tenths empty is the rest.

    Parameters
    ----------
    first, second
        Maps on one grid, shape (rows, cols).

    Returns
    -------
    float
        In [0, 1]; NaN where a map is flat.
    """
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    x, y = ((m >= np.quantile(m, 1 - TOP, method="higher")) & (m > m.min()) for m in (first, second))
    return float((x & y).sum() / (x | y).sum())
