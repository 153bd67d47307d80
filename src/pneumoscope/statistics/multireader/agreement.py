"""Agreement of raters beyond chance, for categories: Cohen, Fleiss, Gwet and Krippendorff."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pneumoscope import MissingExtraError
from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.inference import Inference

try:
    import krippendorff
except ImportError:  # the extra is named when Krippendorff's alpha is asked for
    krippendorff = None  # type: ignore[assignment]  # a module where the extra is installed


class Weighting(StrEnum):
    """How much two different categories agree."""

    IDENTITY = "identity"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


class Scale(StrEnum):
    """The level of measurement of Krippendorff's alpha."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


@dataclass(frozen=True)
class Agreement:
    """A coefficient (observed − expected) / (1 − expected).

    Parameters
    ----------
    coefficient
        With standard error over units, and Student's t with n − 1 degrees of freedom (Cohen: normal).
    observed, expected
        Agreement that was observed, and by chance.
    """

    coefficient: Inference
    observed: float
    expected: float


def _checked(ratings: Array) -> Array:
    """Ratings as (units, raters) without units that nobody rated."""
    if ratings.ndim != 2 or ratings.shape[1] < 2 or np.isinf(ratings).any():
        raise StatisticsError(f"ratings of shape {ratings.shape}: give units × raters, finite or NaN, with at least two raters")
    kept = ratings[~np.isnan(ratings).all(1)]
    if not (~np.isnan(kept)).sum(1).max(initial=0) > 1:
        raise StatisticsError("no unit with two ratings: agreement needs some")
    return kept


def _weights(categories: Array, weighting: Weighting) -> Array:
    if weighting is Weighting.IDENTITY or len(categories) < 2:
        return np.eye(len(categories))
    distance = np.abs(np.subtract.outer(categories, categories)) / np.ptp(categories)
    return np.asarray(1 - distance ** (1 if weighting is Weighting.LINEAR else 2))


def _undefined(observed: float, expected: float) -> Agreement:
    reason = "all ratings are of one category: agreement by chance is complete"
    return Agreement(Inference(math.nan, math.nan, math.nan, reason=reason), observed, expected)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Number of raters of each category, (units, categories), and what follows from it."""

    counts: Array
    weights: Array

    @property
    def raters(self) -> Array:
        return np.asarray(self.counts.sum(1), np.float64)

    @property
    def shares(self) -> Array:
        """Mean over units of the share of each category."""
        return np.asarray((self.counts / self.raters[:, None]).mean(0), np.float64)

    @property
    def agreement(self) -> Array:
        """Weighted agreement of the pairs of raters of each unit; 0 for a unit with one rating."""
        weighted = self.counts @ self.weights
        number = self.raters * (self.raters - 1)
        return np.asarray((self.counts * (weighted - 1)).sum(1) / np.where(number > 0, number, 1) * (number > 0), np.float64)


def _counts(ratings: Array, weighting: Weighting) -> _Counts:
    kept = _checked(ratings)
    categories = np.unique(kept[~np.isnan(kept)])
    return _Counts((kept[..., None] == categories).sum(1).astype(np.float64), _weights(categories, weighting))


def _coefficient(table: _Counts, expected: float, expected_of_unit: Array) -> Agreement:
    """The coefficient and its variance over units, by linearization (Gwet 2008)."""
    several = table.raters > 1
    agreement = table.agreement
    observed = float(agreement[several].mean())
    if not expected < 1 - 1e-12:
        return _undefined(observed, expected)
    value = (observed - expected) / (1 - expected)
    n = len(agreement)
    of_unit = n / several.sum() * (agreement - expected) * several / (1 - expected)
    linear = of_unit - 2 * (1 - value) * (expected_of_unit - expected) / (1 - expected)
    error = math.sqrt(float(((linear - value) ** 2).sum()) / (n * (n - 1))) if n > 1 else math.nan
    return Agreement(Inference(value, error, float(n - 1)), observed, expected)


def gwet(ratings: Array, weighting: Weighting = Weighting.IDENTITY) -> Agreement:
    """Compute Gwet's AC1, or AC2 with weights.

    Parameters
    ----------
    ratings
        Category of each unit by each rater as a number, (units, raters); NaN for none.
    weighting
        Identity for AC1.

    Returns
    -------
    Agreement
        Expected agreement T / (q(q − 1)) · Σ π(1 − π) with q categories that occur, T the sum of weights, and π the mean share
        of a category. A unit with one rating counts for π only. NaN with one category.

    References
    ----------
    Gwet 2008, British Journal of Mathematical and Statistical Psychology 61:29; Gwet 2014, Handbook of Inter-Rater Reliability,
    4th edition (weights, missing ratings).

    Examples
    --------
    >>> print(f"{gwet(np.array([[1, 1], [2, 2], [1, 2], [1, 1.0]])).coefficient.estimate:.4f}")
    0.5294
    """
    table = _counts(ratings, weighting)
    shares, q = table.shares, table.counts.shape[1]
    if q < 2:
        return _undefined(float(table.agreement[table.raters > 1].mean()), 1.0)
    scale = float(table.weights.sum()) / (q * (q - 1))
    of_unit = scale * (table.counts / table.raters[:, None]) @ (1 - shares)
    return _coefficient(table, scale * float((shares * (1 - shares)).sum()), of_unit)


def fleiss(ratings: Array, weighting: Weighting = Weighting.IDENTITY) -> Agreement:
    """Compute Fleiss' kappa, with weights if wanted.

    Parameters
    ----------
    ratings
        Category of each unit by each rater as a number, (units, raters); NaN for none.
    weighting
        Weights of agreement.

    Returns
    -------
    Agreement
        Expected agreement Σ w·π·π′. NaN with one category.

    References
    ----------
    Fleiss 1971, Psychological Bulletin 76:378; with weights and missing ratings: Gwet 2014, as in `gwet`.
    """
    table = _counts(ratings, weighting)
    shares = table.shares
    of_unit = (table.counts / table.raters[:, None]) @ (table.weights @ shares)
    return _coefficient(table, float(shares @ table.weights @ shares), of_unit)


def cohen(first: Array, second: Array, weighting: Weighting = Weighting.IDENTITY) -> Agreement:
    """Compute Cohen's kappa of two raters, with weights if wanted.

    Parameters
    ----------
    first, second
        Category of each unit as a number, (units,), without gaps.
    weighting
        Weights of agreement.

    Returns
    -------
    Agreement
        With the asymptotic standard error and the normal distribution. NaN if both use one and the same category only.

    Raises
    ------
    StatisticsError
        If a rater has gaps, or the numbers of ratings differ.

    References
    ----------
    Cohen 1968, Psychological Bulletin 70:213; Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323 (standard error).
    """
    if first.shape != second.shape or not np.isfinite([first, second]).all() or not first.size:
        raise StatisticsError("two raters with different numbers of ratings, or gaps: give the units that both rated")
    categories, code = np.unique(np.concatenate([first, second]), return_inverse=True)
    rows, columns = code[: len(first)], code[len(first) :]
    table = np.zeros((len(categories), len(categories)))
    np.add.at(table, (rows, columns), 1 / len(first))
    return _cohen_of_table(table, _weights(categories, weighting), len(first))


def _cohen_of_table(table: Array, weights: Array, n_units: int) -> Agreement:
    of_first, of_second = table.sum(1), table.sum(0)
    observed, expected = float((weights * table).sum()), float(of_first @ weights @ of_second)
    if not expected < 1 - 1e-12:
        return _undefined(observed, expected)
    value = (observed - expected) / (1 - expected)
    mean_weights = np.add.outer(weights @ of_second, weights.T @ of_first)
    spread = (table * (weights - (1 - value) * mean_weights) ** 2).sum() - (value - expected * (1 - value)) ** 2
    error = math.sqrt(max(float(spread), 0.0) / n_units) / (1 - expected)
    return Agreement(Inference(value, error, math.inf), observed, expected)


def krippendorff_alpha(ratings: Array, scale: Scale = Scale.NOMINAL) -> float:
    """Compute Krippendorff's alpha by the package krippendorff.

    Parameters
    ----------
    ratings
        Rating of each unit by each rater, (units, raters); NaN for none.
    scale
        Level of measurement.

    Returns
    -------
    float
        NaN if all ratings are equal.

    Raises
    ------
    MissingExtraError
        Without the extra ``study``.

    References
    ----------
    Hayes & Krippendorff 2007, Communication Methods and Measures 1:77.
    """
    if krippendorff is None:
        raise MissingExtraError("Krippendorff's alpha", "study")
    kept = _checked(ratings)
    if len(np.unique(kept[~np.isnan(kept)])) < 2:
        return math.nan
    return float(krippendorff.alpha(reliability_data=kept.T, level_of_measurement=scale.value))
