"""The noun `Jackknife`: a figure of every reader in every modality, and the same with each case left out in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings


@dataclass(frozen=True, eq=False)
class Jackknife:
    """A figure of merit of every reader in every modality, and its values with one case left out.

    Parameters
    ----------
    value
        Shape (modalities, readers); NaN where it is undefined.
    left_out
        With one case left out, shape (modalities, readers, cases left out); a figure of one class has only the cases of this
        class.
    """

    value: Array
    left_out: Array

    @cached_property
    def covariance(self) -> Array:
        """Jackknife covariance of the figures of two cells, (cells, cells); cell = modality · readers + reader.

        It is (K − 1) / K · Σ of products of deviations from the mean over the K cases (Efron & Stein 1981, Annals of Statistics
        9:586).
        """
        n_cases = self.left_out.shape[2]
        cells = self.left_out.reshape(-1, n_cases)
        deviations = cells - cells.mean(1, keepdims=True)
        return np.asarray((n_cases - 1) / n_cases * (deviations @ deviations.T))

    @cached_property
    def pseudovalues(self) -> Array:
        """Pseudovalues (modalities, readers, cases left out), centred so that their mean is the figure.

        They are value + (K − 1) · (mean of the K values with one case left out − value with this case left out); Hillis,
        Berbaum & Metz 2008, Academic Radiology 15:647 (normalized pseudovalues).
        """
        n_cases = self.left_out.shape[2]
        deviations = self.left_out.mean(2, keepdims=True) - self.left_out
        return np.asarray(self.value[..., None] + (n_cases - 1) * deviations)

    def minus(self, other: "Jackknife") -> "Jackknife":
        """Subtract another figure of the same cases, cell by cell.

        Parameters
        ----------
        other
            Shapes that broadcast with these.

        Returns
        -------
        Jackknife
            Of the differences.
        """
        return Jackknife(self.value - other.value, self.left_out - other.left_out)


def by_deletion(ratings: ReaderRatings, figure: Callable[[Array, Array], float]) -> Jackknife:
    """Compute a figure of the ratings of one reader in one modality, and again without each case.

    Parameters
    ----------
    ratings
        Any design; a case that a reader did not read does not change the reader's figure when it is left out.
    figure
        Of the ratings of the non-diseased and of the diseased cases.

    Returns
    -------
    Jackknife
        All cases are left out in turn.
    """
    shape = ratings.rating.shape
    cells = [_of_cell(row, ratings.truth, figure) for row in ratings.rating.reshape(-1, shape[2])]
    return Jackknife(
        np.array([cell[0] for cell in cells]).reshape(shape[:2]), np.array([cell[1] for cell in cells]).reshape(shape)
    )


def _of_cell(row: Array, truth: Bools, figure: Callable[[Array, Array], float]) -> tuple[float, Array]:
    read = ~np.isnan(row)
    nondiseased, diseased = row[read & ~truth], row[read & truth]
    value = figure(nondiseased, diseased)
    left_out = np.full(len(row), value)
    left_out[read & ~truth] = _without_each(nondiseased, lambda rest: figure(rest, diseased))
    left_out[read & truth] = _without_each(diseased, lambda rest: figure(nondiseased, rest))
    return value, left_out


def _without_each(values: Array, figure: Callable[[Array], float]) -> Array:
    """The figure without each value, computed once for equal values."""
    _, first, same = np.unique(values, return_index=True, return_inverse=True)
    return np.array([figure(np.delete(values, k)) for k in first])[same]
