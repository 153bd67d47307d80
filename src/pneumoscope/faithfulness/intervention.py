"""Whether the score follows the map: pixels are removed and inserted in the map's order, and in the order of a shuffled map."""

import copy
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.cohort import Case
from pneumoscope.faithfulness import perturbation
from pneumoscope.faithfulness.perturbation import ScoreFunction
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.localization.case import ReadCase
from pneumoscope.localization.localizer import UninformedBaseline
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

MAX_GRID = 14
"""Largest number of cells along a side of the grid on which maps are shuffled, ROAD imputes and subsets are drawn: single pixels
would take minutes."""
FIGURES = ("deletion AUC", "insertion AUC", "ROAD most relevant first", "ROAD least relevant first", "faithfulness correlation")
TITLE = "faithfulness by perturbation"
Row = NDArray[np.float64]


def grid_cells(size_px: int) -> int:
    """Return the largest number of cells, up to 14, that the edge of a square divides into.

    Parameters
    ----------
    size_px
        Edge of the square, in pixels, ≥ 1.

    Returns
    -------
    int
        Number of cells along a side.

    Examples
    --------
    >>> grid_cells(192), grid_cells(224)
    (12, 14)
    """
    return max(n for n in range(1, MAX_GRID + 1) if size_px % n == 0)


def intervene(read: ReadCase, reader: Reader, rng: np.random.Generator) -> tuple[Row, Row]:
    """Remove and insert pixels of one case in the order of its map, and of the same map with its blocks shuffled.

    The score is the calibrated probability of the target on the model's own square. The lung channel of the square, if the
    model has one, is not changed.

    Parameters
    ----------
    read
        The case as it was read.
    reader
        The model.
    rng
        Draws the shuffled map.

    Returns
    -------
    tuple of ndarray
        `FIGURES` of the map and of the shuffled map, float64 (5,) each; see `pneumoscope.faithfulness.perturbation`. Lower is
        better for deletion and for ROAD with the most relevant first, higher for the others.
    """
    square = read.model_input(reader.card.preprocessing).pixels
    _, maps = reader.explain(square[None])
    values = _over_square(scaled(maps[0], reader.card), square.shape[-1])
    score = probability_of(reader, square)
    shuffled = perturbation.random_ranking(values, rng, grid_cells(len(values)))
    return _figures(square[0], values, score), _figures(square[0], shuffled, score)


class Intervention:
    """Measure the faithfulness of the map of some cases, one after the other.

    Parameters
    ----------
    reader
        The model.
    cases
        The cases that will be added, in any order.
    seed
        Seed of the shuffled maps. A case meets the same shuffled map in whichever order the cases are added.
    """

    def __init__(self, reader: Reader, cases: Sequence[Case], seed: int = 0) -> None:
        self._reader = reader
        cells = grid_cells(reader.card.preprocessing.size_px)
        self._rngs = dict(zip((case.path for case in cases), _generators(seed, cells), strict=False))
        self._patients: list[str] = []
        self._rows: list[tuple[Row, Row]] = []

    def add(self, read: ReadCase) -> None:
        """Measure one case.

        Parameters
        ----------
        read
            One of the cases.
        """
        self._rows.append(intervene(read, self._reader, self._rngs[read.case.path]))
        self._patients.append(read.case.patient_id)

    def baselines(self, draws: int) -> dict[str, UninformedBaseline]:
        """Summarize the cases.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        dict of str to UninformedBaseline
            By figure: the mean of the model's map as ``value``, and its mean paired difference to the shuffled map.
        """
        boot = Bootstrap.of_patients(self._patients, draws)
        own, shuffled = np.array(self._rows).swapaxes(0, 1)
        return {
            name: UninformedBaseline(boot.mean(a.tolist()), boot.mean((a - b).tolist()))
            for name, a, b in zip(FIGURES, own.T, shuffled.T, strict=True)
        }

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the cases as a table.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            One table: each figure, and its difference to the shuffled map.
        """
        rows: dict[str, Estimate] = {}
        for name, baseline in self.baselines(draws).items() if self._rows else ():
            rows[name] = baseline.value
            rows[f"{name}, minus a shuffled map's"] = baseline.difference
        return {TITLE: rows}


def probability_of(reader: Reader, square: NDArray[np.float32]) -> ScoreFunction:
    """Return the model's probability of the target as a function of the grey levels of one square.

    Parameters
    ----------
    reader
        The model.
    square
        The prepared square, float32 (channels, size_px, size_px); its further channels (the lungs) are kept.

    Returns
    -------
    callable
        Takes grey levels float32 (n, size_px, size_px) and returns calibrated probabilities float64 (n,).
    """

    def probability(grey: Grey) -> NDArray[np.float64]:
        other_channels = np.broadcast_to(square[None, 1:], (len(grey), *square[1:].shape))
        squares = np.concatenate([grey[:, None], other_channels], 1).astype(np.float32)
        return reader.card.settings(reader.population).calibration(reader.log_odds(squares))

    return probability


def _generators(seed: int, cells: int) -> Iterator[np.random.Generator]:
    """One generator a case, each where one generator for all cases would be after the shuffled maps of those before."""
    rng = np.random.default_rng(seed)
    while True:
        yield copy.deepcopy(rng)
        rng.permutation(cells**2)


def _over_square(values: Grey, size_px: int) -> Grey:
    return np.asarray(Image.fromarray(values).resize((size_px, size_px), Image.Resampling.BILINEAR), np.float32)


def _figures(grey: Grey, values: Grey, score: ScoreFunction) -> Row:
    cells = grid_cells(len(values))
    return np.array(
        [
            perturbation.deletion_auc(grey, values, score),
            perturbation.insertion_auc(grey, values, score),
            perturbation.road(grey, values, score, order="morf", cells=cells),
            perturbation.road(grey, values, score, order="lerf", cells=cells),
            perturbation.faithfulness_correlation(grey, values, score, cells=cells),
        ]
    )
