"""Size of a study without a pilot: variances from conjectured ranges of readers' accuracies (Obuchowski & Hillis 2011)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from scipy import integrate, optimize, special

from pneumoscope.statistics.errors import StatisticsError


class Endpoint(StrEnum):
    """What accuracy is measured by."""

    AUC = "AUC"
    SENSITIVITY = "sensitivity"


@dataclass(frozen=True)
class Conjecture:
    """What is expected of the readers and the cases.

    Parameters
    ----------
    endpoint
        AUC or sensitivity.
    accuracy
        Mean accuracy of the readers, in (0, 1).
    between_readers
        Range of accuracy from the worst to the best reader of the study, in (0, 1).
    within_reader
        Difference of two accuracies of a reader who reads the same cases twice in one modality, in [0, 1).
    r1, r2, r3
        Correlation of the accuracies of the same reader in two modalities (r1), of two readers in one modality (r2), and of two
        readers in two modalities (r3), each in [0, 1).
    reader_correlation
        Correlation of readers' true accuracies in two modalities (r_b), in [0, 1).

    References
    ----------
    Obuchowski & Hillis 2011, American Journal of Roentgenology 197:W821; correlations as found by Rockette et al. 1999, Academic
    Radiology 6:723.
    """

    endpoint: Endpoint
    accuracy: float
    between_readers: float
    within_reader: float
    r1: float = 0.47
    r2: float = 0.3
    r3: float = 0.3
    reader_correlation: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what is no share or no correlation."""
        others = (self.within_reader, self.r1, self.r2, self.r3, self.reader_correlation)
        if not (0 < self.accuracy < 1 and 0 < self.between_readers < 1 and all(0 <= value < 1 for value in others)):
            raise StatisticsError(
                f"{self}: give an accuracy and a range of readers between 0 and 1, and correlations from 0 to 1"
            )


@dataclass(frozen=True)
class ConjecturedSize:
    """The size that a conjecture leads to.

    Parameters
    ----------
    n_diseased, n_nondiseased
        Cases of each class.
    modality_reader, reader, within_reader
        Variances of modality × reader, of readers, and of a reader who reads twice.
    variance
        Variance of the accuracy of a reader over cases and readings that the wanted power leaves room for.
    """

    n_diseased: int
    n_nondiseased: int
    modality_reader: float
    reader: float
    within_reader: float
    variance: float


def mean_range(n: int) -> float:
    """Compute the mean range of a sample of standard normal variables.

    Parameters
    ----------
    n
        Size of the sample, at least 2.

    Returns
    -------
    float
        2·∫ n·x·Φ(x)^(n − 1)·φ(x) dx, the constant d₂ of quality control.

    Examples
    --------
    >>> round(mean_range(2), 6), round(mean_range(5), 4)
    (1.128379, 2.3259)
    """

    def largest(x: float) -> float:
        return n * x * float(special.ndtr(x)) ** (n - 1) * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

    return 2 * float(integrate.quad(largest, -12, 12, epsabs=1e-13, epsrel=1e-12)[0])


def variance_of_one_case(endpoint: Endpoint, accuracy: float, ratio: float = 1.0) -> float:
    """Compute the variance of an accuracy over cases, times the number of diseased cases.

    Parameters
    ----------
    endpoint
        AUC or sensitivity.
    accuracy
        Its value, in (0, 1).
    ratio
        Non-diseased cases for each diseased one, above 0.

    Returns
    -------
    float
        For the AUC of a binormal curve 0.0099·exp(−A² / 2)·[5A² + 8 + (A² + 8) / ratio] with A = 1.414·Φ⁻¹(AUC); for
        sensitivity p·(1 − p).

    References
    ----------
    Obuchowski 1994, Investigative Radiology 29:238.
    """
    if endpoint is Endpoint.SENSITIVITY:
        return accuracy * (1 - accuracy)
    a = 1.414 * float(special.ndtri(accuracy))
    return 0.0099 * math.exp(-(a**2) / 2) * (5 * a**2 + 8 + (a**2 + 8) / ratio)


def noncentrality(n_readers: int, power: float, alpha: float) -> float:
    """Compute the noncentrality at which an F test of two modalities has a power.

    Parameters
    ----------
    n_readers
        Number of readers, at least 2; the F distribution has 1 and n − 1 degrees of freedom.
    power, alpha
        In (0, 1), the power above α.

    Returns
    -------
    float
        Above 0.

    Raises
    ------
    StatisticsError
        If there is one reader, or the power is not between α and 1.
    """
    if n_readers < 2 or not 0 < alpha < power < 1:
        raise StatisticsError(f"{n_readers} readers, power {power} and α {alpha}: give two readers and 0 < α < power < 1")
    critical = float(special.fdtri(1, n_readers - 1, 1 - alpha))

    def missing(value: float) -> float:
        return float(special.ncfdtr(1, n_readers - 1, value, critical)) - (1 - power)

    return _root(missing)


def _root(function: Callable[[float], float]) -> float:
    high = 1.0
    while function(high) > 0:
        high *= 2
    return float(optimize.brentq(function, 1e-9, high, xtol=1e-12))


def size_from_ranges(
    conjecture: Conjecture, effect: float, n_readers: int, ratio: float = 1.0, power: float = 0.8, alpha: float = 0.05
) -> ConjecturedSize:
    """Compute the number of cases that readers need to show a difference of two modalities.

    Parameters
    ----------
    conjecture
        What is expected.
    effect
        The true difference of the accuracies, not 0.
    n_readers
        Number of readers, at least 2; all read all cases in both modalities.
    ratio
        Non-diseased cases for each diseased one.
    power, alpha
        Wanted power, and two-sided level.

    Returns
    -------
    ConjecturedSize
        Of the whole study, rounded up.

    Raises
    ------
    StatisticsError
        If the effect is 0, or no number of cases suffices, since these readers vary too much.

    References
    ----------
    Obuchowski & Hillis 2011, American Journal of Roentgenology 197:W821, appendix; the method of MRMCsamplesize.

    Examples
    --------
    >>> expected = Conjecture(Endpoint.AUC, 0.75, between_readers=0.1, within_reader=0.05)
    >>> size_from_ranges(expected, 0.1, 10).n_diseased
    25
    """
    if not effect or not ratio > 0:
        raise StatisticsError(
            f"an effect of {effect} with {ratio} non-diseased cases for a diseased one: give values other than 0"
        )
    reader = (conjecture.between_readers / mean_range(n_readers)) ** 2 if n_readers > 1 else math.nan
    within = (conjecture.within_reader / mean_range(2)) ** 2
    modality_reader = reader * (1 - conjecture.reader_correlation)
    room = n_readers * effect**2 / (2 * noncentrality(n_readers, power, alpha)) - modality_reader - within
    of_cases = room / (1 - conjecture.r1 + (n_readers - 1) * (conjecture.r2 - conjecture.r3))
    if not of_cases > 0:
        raise StatisticsError(
            f"{n_readers} readers who vary so much cannot show a difference of {effect:g} with any number of cases"
        )
    n_diseased = math.ceil(variance_of_one_case(conjecture.endpoint, conjecture.accuracy, ratio) / of_cases)
    return ConjecturedSize(n_diseased, math.ceil(n_diseased * ratio), modality_reader, reader, within, of_cases + within)


def cases_with_several_lesions(n_lesions: int, mean_lesions: float, correlation: float) -> int:
    """Compute the number of diseased cases that hold as much information as a number of independent lesions.

    Parameters
    ----------
    n_lesions
        Number of lesions that are needed if they were independent.
    mean_lesions
        Mean number of lesions of a diseased case, at least 1.
    correlation
        Intraclass correlation of lesions of one case, in [0, 1].

    Returns
    -------
    int
        ⌈⌈n·(1 + (m − 1)·ICC)⌉ / m⌉.

    Raises
    ------
    StatisticsError
        If there is less than one lesion a case, or the correlation is not in [0, 1].

    Examples
    --------
    >>> cases_with_several_lesions(218, 1.25, 0.5)
    197
    """
    if not (mean_lesions >= 1 and 0 <= correlation <= 1):
        raise StatisticsError(f"{mean_lesions} lesions a case with correlation {correlation}: give at least 1, and 0 to 1")
    return math.ceil(math.ceil(n_lesions * (1 + (mean_lesions - 1) * correlation)) / mean_lesions)


def cases_for_precision(
    endpoint: Endpoint, accuracy: float, precision: float, ratio: float = 1.0, assurance: float = 0.8, alpha: float = 0.05
) -> int:
    """Compute the number of diseased cases that show the accuracy of one model to differ from a value.

    Parameters
    ----------
    endpoint
        AUC or sensitivity.
    accuracy
        Expected accuracy, in (0, 1).
    precision
        Distance of the value from the expected accuracy, above 0.
    ratio
        Non-diseased cases for each diseased one.
    assurance
        Probability that the interval excludes the value, in (0, 1).
    alpha
        1 − confidence level.

    Returns
    -------
    int
        ⌈(z(1 − α / 2) + z(assurance))²·V / precision²⌉.

    Raises
    ------
    StatisticsError
        If the accuracy or a probability is not between 0 and 1, or the precision is not above 0.

    Examples
    --------
    >>> cases_for_precision(Endpoint.SENSITIVITY, 0.8, 0.05)
    503
    """
    if not (0 < accuracy < 1 and precision > 0 and 0 < assurance < 1 and 0 < alpha < 1):
        raise StatisticsError(f"accuracy {accuracy}, precision {precision}: give an accuracy and probabilities between 0 and 1")
    z = float(special.ndtri(1 - alpha / 2) + special.ndtri(assurance))
    return math.ceil(z**2 * variance_of_one_case(endpoint, accuracy, ratio) / precision**2)
