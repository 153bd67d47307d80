"""The model of Roe and Metz for ratings of readers × cases × modalities: simulation, and what is exactly true of it.

A rating of reader j of case k in modality i is δᵢ (if the case is diseased) + R + TR + C + TC + RC + E, independent normal
effects of reader, modality × reader, case, modality × case, reader × case and the rest, drawn separately for non-diseased and
diseased cases.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.sizing import StatedComponents

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class RoeMetz:
    """Parameters of the model.

    Parameters
    ----------
    separation
        Mean of diseased minus non-diseased cases in each modality (δ).
    reader, modality_reader
        Variances of the reader effects.
    case, modality_case, reader_case, rest
        Variances of the effects that involve a case; 1 in sum by convention.
    ratio
        Standard deviation of each effect of non-diseased cases over that of diseased cases (b); 1 for equal variances.

    Raises
    ------
    StatisticsError
        If a variance is negative, all of them are 0, or the ratio is not above 0.

    References
    ----------
    Roe & Metz 1997, Academic Radiology 4:298; Hillis 2012, Academic Radiology 19:1518 (unequal variances).
    """

    separation: tuple[float, ...]
    reader: float
    modality_reader: float
    case: float
    modality_case: float
    reader_case: float
    rest: float
    ratio: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no variance."""
        if min(self._variances) < 0 or self._spread <= 0 or not self.ratio > 0:
            raise StatisticsError(
                f"variances {self._variances} with ratio {self.ratio}: give variances of at least 0, a ratio above 0"
            )

    @property
    def _variances(self) -> tuple[float, ...]:
        return (self.reader, self.modality_reader, self.case, self.modality_case, self.reader_case, self.rest)

    @property
    def _spread(self) -> float:
        """Variance of the difference of a diseased and a non-diseased rating by one reader."""
        return 2 * sum(self._variances[:2]) + (1 + self.ratio**-2) * sum(self._variances[2:])

    def auc(self, modality: int) -> float:
        """Compute the expected AUC of a modality, Φ(δ / √(variance of a difference of ratings)).

        Parameters
        ----------
        modality
            Position of the modality.

        Returns
        -------
        float
            In (0, 1).
        """
        return float(special.ndtr(self.separation[modality] / math.sqrt(self._spread)))

    def moments(self, first: int, second: int) -> Array:
        """Compute the exact moments M1…M8 of the comparisons of two modalities.

        Parameters
        ----------
        first, second
            Positions of the modalities; they may be the same.

        Returns
        -------
        Array
            Shape (8,), in the order of `pneumoscope.statistics.multireader.one_shot.Moments`: probability that two differences of
            ratings are both above 0, which are bivariate normal.

        References
        ----------
        Gallas & Hillis 2014, Journal of Medical Imaging 1:031006.
        """
        h, k = (self.separation[i] / math.sqrt(self._spread) for i in (first, second))
        found = []
        for same_reader in (True, False):
            reader = self._of_readers(first == second) if same_reader else 0.0
            case = self._of_cases(first == second, same_reader)
            shared = (case * (1 + self.ratio**-2), case * self.ratio**-2, case, 0.0)
            found += [bivariate_normal(h, k, min((reader + part) / self._spread, 1.0)) for part in shared]
        return np.array(found)

    def _of_readers(self, same_modality: bool) -> float:
        """Covariance of two differences of ratings by one reader, without effects of cases."""
        return 2 * (self.reader + (self.modality_reader if same_modality else 0.0))

    def _of_cases(self, same_modality: bool, same_reader: bool) -> float:
        """Covariance of two ratings of one non-diseased case, without effects of readers alone."""
        modality, reader = self.modality_case * same_modality, self.reader_case * same_reader
        return self.case + modality + reader + self.rest * (same_modality and same_reader)

    def components(self, n_nondiseased: int, n_diseased: int, first: int = 0, second: int = 1) -> StatedComponents:
        """Compute the exact components of Obuchowski and Rockette for the empirical AUC.

        Parameters
        ----------
        n_nondiseased, n_diseased
            Number of cases.
        first, second
            Positions of the modalities; variances are means of the two.

        Returns
        -------
        StatedComponents
            Of these numbers of cases.

        References
        ----------
        Hillis 2018, Statistics in Medicine 37:2067 (relation of the two models).
        """
        one, two, both = (self.moments(*pair) for pair in ((first, first), (second, second), (first, second)))
        size = (n_nondiseased, n_diseased)
        variance, cov2 = ((_error(one[part], size) + _error(two[part], size)) / 2 for part in (slice(4), slice(4, 8)))
        true_variance = (one[3] - one[7] + two[3] - two[7]) / 2
        modality_reader = float(true_variance - (both[3] - both[7]))
        return StatedComponents(modality_reader, variance, _error(both[:4], size), cov2, _error(both[4:], size), sum(size))

    def reader_variance(self, first: int = 0, second: int = 1) -> float:
        """Compute the covariance of a reader's true AUCs in two modalities (VarR).

        Parameters
        ----------
        first, second
            Positions of the modalities.

        Returns
        -------
        float
            At least 0.
        """
        both = self.moments(first, second)
        return float(both[3] - both[7])


def _error(moments: Array, size: tuple[int, int]) -> float:
    """Covariance of two AUCs given their readers, from the four moments of same and different cases."""
    n0, n1 = size
    shares = np.array([1.0, n0 - 1, n1 - 1, (n0 - 1) * (n1 - 1)]) / (n0 * n1)
    return float(shares @ moments - moments[3])


def bivariate_normal(first: float, second: float, correlation: float) -> float:
    """Compute the probability that two standard normal variables are below two values.

    Parameters
    ----------
    first, second
        The values.
    correlation
        In [0, 1].

    Returns
    -------
    float
        Φ(h)·Φ(k) + (1 / 2π)·∫ exp(−(h² + k² − 2hk·sin t) / (2·cos² t)) dt from 0 to arcsin ρ, by Gauss–Legendre with 64 nodes.

    References
    ----------
    Drezner & Wesolowsky 1990, Journal of Statistical Computation and Simulation 35:101.

    Examples
    --------
    >>> round(bivariate_normal(0.0, 0.0, 0.5), 12)
    0.333333333333
    """
    end = math.asin(correlation)
    angle = end / 2 * (_NODES + 1)
    # (h² + k² − 2hk·sin t) / (2·cos² t), without cancellation where t is near π/2.
    exponent = (first - second) ** 2 / (2 * np.cos(angle) ** 2) + first * second / (1 + np.sin(angle))
    integral = end / 2 * float(_WEIGHTS @ np.exp(-exponent)) / (2 * math.pi)
    return float(special.ndtr(first) * special.ndtr(second)) + integral


@dataclass(frozen=True)
class StudySize:
    """The size of a study to simulate.

    Parameters
    ----------
    n_nondiseased, n_diseased, n_readers
        Of the whole study.
    n_groups
        Groups of readers and cases of a split-plot study; each has an equal share of all three.
    """

    n_nondiseased: int
    n_diseased: int
    n_readers: int
    n_groups: int = 1


def simulate(model: RoeMetz, size: StudySize, rng: np.random.Generator) -> ReaderRatings:
    """Draw the ratings of one study.

    Parameters
    ----------
    model
        The model.
    size
        Numbers of cases, readers and groups.
    rng
        Source of random numbers.

    Returns
    -------
    ReaderRatings
        Fully crossed, or split-plot with several groups; non-diseased cases first.

    Raises
    ------
    StatisticsError
        If the groups do not divide readers and cases.
    """
    if any(number % size.n_groups for number in (size.n_nondiseased, size.n_diseased, size.n_readers)):
        raise StatisticsError(f"{size}: give numbers that the groups divide")
    numbers = (size.n_nondiseased, size.n_diseased)
    spreads = (1.0, 1 / model.ratio)
    cube = np.concatenate([_draw(model, n, size.n_readers, spread, rng) for n, spread in zip(numbers, spreads, strict=True)], 2)
    truth = np.repeat([False, True], numbers)
    cube[..., truth] += np.array(model.separation)[:, None, None]
    if size.n_groups > 1:
        group_of_case = np.concatenate([np.arange(n) * size.n_groups // n for n in numbers])
        group_of_reader = np.arange(size.n_readers) * size.n_groups // size.n_readers
        cube[:, group_of_reader[:, None] != group_of_case] = np.nan
    names = (range(len(model.separation)), range(size.n_readers), range(len(truth)))
    return ReaderRatings(cube, truth, *(tuple(one) for one in names))


def _draw(model: RoeMetz, n_cases: int, n_readers: int, spread: float, rng: np.random.Generator) -> Array:
    """Sum of all random effects of one class, (modalities, readers, cases); those of cases are `spread` times as wide."""
    i, j, k = len(model.separation), n_readers, n_cases
    effects = (
        (model.reader, 1.0, (1, j, 1)),
        (model.modality_reader, 1.0, (i, j, 1)),
        (model.case, spread, (1, 1, k)),
        (model.modality_case, spread, (i, 1, k)),
        (model.reader_case, spread, (1, j, k)),
        (model.rest, spread, (i, j, k)),
    )
    total = np.zeros((i, j, k))
    for variance, times, shape in effects:
        total += times * math.sqrt(variance) * rng.standard_normal(shape)
    return total
