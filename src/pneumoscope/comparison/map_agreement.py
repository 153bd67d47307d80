"""Do the members' heat maps agree? Every pair, on the same radiographs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

CASES = 60
TOP = 0.1
"""Share of the radiograph that counts as a map's top region."""
_GRID = 64

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """Of two members' maps: Spearman correlation over the radiograph, and IoU of the highest tenth. Means over cases.

    Two maps of which one is flat have no correlation and are left out. Does not show: that either map is right.
    """

    first: str
    second: str
    rank_correlation: Estimate
    top_iou: Estimate


def agreements(readers: Mapping[str, Reader], cohort: Cohort, cases: Sequence[Case], draws: int, show: bool) -> list[Agreement]:
    """Of every pair, for maps on a grid of 64 × 64 over each radiograph."""
    maps: dict[str, list[Map]] = {name: [] for name in readers}
    for case in tqdm(cases, desc="comparing maps", unit="image", disable=None if show else True):
        image = radiograph.read(cohort.file(case))
        for name, reader in readers.items():
            maps[name].append(reader.read(image).heatmap.on_grid(_GRID, _GRID))
    boot = Bootstrap.of_patients([case.patient_id for case in cases], draws)
    return [
        Agreement(
            a,
            b,
            boot.mean([rank_correlation(x, y) for x, y in zip(maps[a], maps[b], strict=True)]),
            boot.mean([top_iou(x, y) for x, y in zip(maps[a], maps[b], strict=True)]),
        )
        for a, b in itertools.combinations(readers, 2)
    ]


def rank_correlation(a: Map, b: Map) -> float:
    """Spearman's, of all values; NaN where a map is flat."""
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan")
    return float(stats.spearmanr(a.ravel(), b.ravel()).statistic)


def top_iou(a: Map, b: Map) -> float:
    """Intersection over union of the highest tenth of each; by chance about 0.05. NaN where a map is flat.

    Values that tie with the last of the tenth belong to it, unless they are the map's least: of a map that is more than nine
    tenths empty the rest is its top region.
    """
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan")
    x, y = ((m >= np.quantile(m, 1 - TOP, method="higher")) & (m > m.min()) for m in (a, b))
    return float((x & y).sum() / (x | y).sum())
