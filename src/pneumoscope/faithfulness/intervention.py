"""Is the map faithful to the score? Pixels are removed and put in by its order, beside an order by chance."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.faithfulness import perturbation
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.localization.localize import UninformedBaseline
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

MOST_CELLS = 14
"""Along a side of the grid on which maps are shuffled, ROAD imputes and subsets are drawn: single pixels would take minutes."""
FIGURES = ("deletion AUC", "insertion AUC", "ROAD most relevant first", "ROAD least relevant first", "faithfulness correlation")


def intervene(
    reader: Reader, cohort: Cohort, cases: Sequence[Case], *, draws: int = 2000, show_progress: bool = False, seed: int = 0
) -> Mapping[str, UninformedBaseline]:
    """Figures of the map and, paired, of the same map with its blocks shuffled.

    Score is the calibrated probability of the target on the model's own square; the lungs that count stay as they were. Lower is
    better for deletion and for ROAD with the most relevant first, higher for the others.
    """
    rng = np.random.default_rng(seed)
    own, chance = [], []
    for case in tqdm(cases, desc="intervening", unit="image", disable=None if show_progress else True):
        square = reader.prepare(radiograph.read(cohort.file(case))).pixels
        _, maps = reader.explain(square[None])
        values = _over_square(scaled(maps[0], reader.card), square.shape[-1])
        score = _score(reader, square)
        own.append(_row(square[0], values, score))
        chance.append(_row(square[0], perturbation.random_ranking(values, rng, cells(len(values))), score))
    boot = Bootstrap.of_patients([c.patient_id for c in cases], draws)
    columns = zip(FIGURES, np.array(own).T, np.array(chance).T, strict=True)
    return {name: UninformedBaseline(boot.mean(a.tolist()), boot.mean((a - b).tolist())) for name, a, b in columns}


def cells(side: int) -> int:
    """The largest number of cells up to 14 that the side divides into."""
    return max(n for n in range(1, MOST_CELLS + 1) if side % n == 0)


def _over_square(values: Grey, side: int) -> Grey:
    return np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR), np.float32)


def _score(reader: Reader, square: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Probability of the target for other grey on the same square, (n, side, side) to (n,)."""

    def probability(grey: NDArray[np.float32]) -> NDArray[np.float64]:
        beside = np.broadcast_to(square[None, 1:], (len(grey), *square[1:].shape))
        squares = np.concatenate([grey[:, None], beside], 1).astype(np.float32)
        return reader.card.calibration(reader.log_odds(squares))

    return probability


def _row(grey: Grey, values: Grey, score: Callable[[NDArray[np.float32]], NDArray[np.float64]]) -> tuple[float, ...]:
    grid = cells(len(values))
    return (
        perturbation.deletion_auc(grey, values, score),
        perturbation.insertion_auc(grey, values, score),
        perturbation.road(grey, values, score, order="morf", cells=grid),
        perturbation.road(grey, values, score, order="lerf", cells=grid),
        perturbation.faithfulness_correlation(grey, values, score, cells=grid),
    )


def named(found: Mapping[str, UninformedBaseline]) -> dict[str, Estimate]:
    """The figures and their differences from chance, as rows of a table."""
    rows: dict[str, Estimate] = {}
    for name, beside in found.items():
        rows[name] = beside.value
        rows[f"{name}, minus a shuffled map's"] = beside.difference
    return rows
