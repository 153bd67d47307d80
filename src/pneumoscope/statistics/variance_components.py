"""Where the variance of a figure comes from: patients, training seeds, both together, and folds."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, undefined
from pneumoscope.statistics.intervals import LEVEL, NOT_DEFINED
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.repeated_figure import RepeatedFigure

ONE_SEED = "one seed"
NO_FOLDS = "no folds"
SAMPLED = "a bootstrap variance"
"""The reason for no interval of a component that is the variance of bootstrap draws."""
EXPLAINED = "the other components explain all of it"
"""The reason for no interval of a component whose interval would end at 0."""
_NEGATIVE = "; negative estimate set to 0"


@dataclass(frozen=True)
class VarianceComponents:
    """The variance of a figure of one training that is tested on one fold, by source; the components add up.

    Parameters
    ----------
    patients
        From the choice of the test patients, common to all trainings; with one seed it contains `seeds_patients`.
    seeds
        From the randomness of training, on infinitely many patients.
    seeds_patients
        From test patients on whom trainings with different seeds differ.
    folds
        From the training set, as far as training sets differ between folds; with one seed it contains `seeds`.
    observed_seeds
        Variance between seeds as it is observed on the same test patients: `seeds` and `seeds_patients` together.
    error
        Standard error of the mean over folds and seeds, for other patients and seeds and, with folds, other training sets; NaN
        with one seed and no folds, where the variance of training is not known.
    error_of_patients
        Standard error of the mean that comes from patients alone, for these trained networks.
    """

    patients: Estimate
    seeds: Estimate
    seeds_patients: Estimate
    folds: Estimate
    observed_seeds: Estimate
    error: float
    error_of_patients: float


def variance_components(figure: RepeatedFigure, test_to_train: float = 0.0) -> VarianceComponents:
    """Estimate the variance components of a figure by the method of moments.

    Model of the figure of seed s in fold f: θ_fs = μ + F_f + P_f + S_fs + (SP)_fs, with independent effects of the training set
    F, the test patients P (the same for all seeds of a fold), the seed S (nested in folds: the same seed with another training
    set is another draw) and their interaction SP. With V the mean bootstrap variance of θ_fs, C the mean bootstrap covariance of
    two seeds of a fold, W the mean square between seeds within folds and B the variance of the folds' means:

    - patients: C
    - seeds × patients: V − C
    - seeds: W − (V − C), since E W = σ²_S + σ²_SP
    - folds: B − C − W / seeds, since E B = σ²_F + σ²_P + (σ²_S + σ²_SP) / seeds

    A negative estimate is set to 0. The variance of the mean over folds and seeds is
    σ²_P / folds + (σ²_S + σ²_SP) / (folds · seeds) + σ²_F · (1 / folds + test_to_train). Training sets of different folds share
    patients, so that folds differ less than independent training sets do and no unbiased estimate exists; the last term is the
    approximation of Nadeau and Bengio, whose correlation between folds is test / (test + train).

    Parameters
    ----------
    figure
        The figure of every fold and seed on the same draws of patients, at least 2 draws.
    test_to_train
        Number of test patients over number of training patients of a fold, at least 0; not used without folds.

    Returns
    -------
    VarianceComponents
        Variances. Intervals of `seeds`, `observed_seeds` and `folds` have 95 % coverage if the effects are normal (chi-squared
        interval of the mean square, minus what is subtracted from it, not below 0; none if it ends at 0); a variance of the
        bootstrap has none.

    References
    ----------
    Searle, Casella & McCulloch 1992, Variance Components, chapter 3 (method of moments, intervals). Obuchowski & Rockette 1995,
    Communications in Statistics – Simulation and Computation 24:285, with seeds as the readers (covariances of readers who share
    patients). Bouthillier et al. 2021, arXiv 2103.03098 (sources of variance of a benchmark). Nadeau & Bengio 2003, Machine
    Learning 52:239; Bengio & Grandvalet 2004, JMLR 5:1089 (correlation of folds).

    Examples
    --------
    >>> values, drawn = np.array([[0.90, 0.94]]), np.array([[[0.88, 0.92], [0.93, 0.95]]])
    >>> found = variance_components(RepeatedFigure(values, drawn, np.array([[40, 40]])))
    >>> print(f"{found.patients.value:.4f} {found.seeds.value:.4f} {found.seeds_patients.value:.4f} {found.folds}")
    0.0004 0.0007 0.0001 undefined (no folds)
    """
    folds, seeds = figure.values.shape
    drawn = figure.drawn[..., ~np.isnan(figure.drawn).any(axis=(0, 1))]
    if reason := _missing(figure, drawn):
        nothing = undefined(figure.n, reason)
        return VarianceComponents(nothing, nothing, nothing, nothing, nothing, np.nan, np.nan)
    variance = float(drawn.var(axis=-1, ddof=1).mean())
    covariance = _covariance(drawn) if seeds > 1 else variance
    shared = max(0.0, covariance)  # seeds of a network that learned nothing may go against each other
    within = float(figure.values.var(axis=1, ddof=1).mean()) if seeds > 1 else np.nan
    between = float(figure.values.mean(axis=1).var(ddof=1)) if folds > 1 else np.nan
    of_seeds = _mean_square(within, folds * (seeds - 1), variance - shared, "training", ONE_SEED)
    of_folds = _mean_square(between, folds - 1, shared + (within / seeds if seeds > 1 else 0.0), "fold", NO_FOLDS)
    of_patients = float(drawn.mean(axis=1).var(axis=-1, ddof=1).sum()) / folds**2
    trained = _of_training(of_seeds, folds * seeds, of_folds, 1 / folds + test_to_train)
    return VarianceComponents(
        _of_bootstrap(covariance, figure.n),
        of_seeds,
        _of_bootstrap(variance - shared, figure.n) if seeds > 1 else undefined(figure.n, ONE_SEED),
        of_folds,
        _mean_square(within, folds * (seeds - 1), 0.0, "training", ONE_SEED),
        float(np.sqrt(of_patients + trained)),
        float(np.sqrt(of_patients)),
    )


def _missing(figure: RepeatedFigure, drawn: Array) -> str:
    """Why there are no components; empty if there are."""
    if np.isnan(figure.values).any():
        return NOT_DEFINED
    if drawn.shape[-1] < max(2, figure.drawn.shape[-1] / 2):
        return "undefined in most bootstrap draws"
    return EQUAL_DRAWS if np.ptp(drawn, axis=-1).max() < 1e-12 else ""


def _covariance(drawn: Array) -> float:
    """Mean covariance of two seeds of a fold over the draws."""
    seeds = drawn.shape[1]
    sums, own = drawn.sum(axis=1).var(axis=-1, ddof=1), drawn.var(axis=-1, ddof=1).sum(axis=1)
    return float(((sums - own) / (seeds * (seeds - 1))).mean())


def _mean_square(square: float, freedom: int, subtracted: float, unit: str, none: str) -> Estimate:
    """A component that is a mean square minus other components, with its chi-squared interval."""
    if freedom < 1:
        return undefined(0, none)
    high, low = (freedom * square / float(stats.chi2.ppf(p, freedom)) for p in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    value, low, high = (max(0.0, end - subtracted) for end in (square, low, high))
    method = f"mean square, {freedom} degrees of freedom{_NEGATIVE if square < subtracted else ''}"
    if high <= 0:
        return Estimate(value, np.nan, np.nan, freedom, unit, method, EXPLAINED)
    return Estimate(value, low, high, freedom, unit, method)


def _of_bootstrap(value: float, n: int) -> Estimate:
    """A component that is a variance or a covariance over the draws, without an interval."""
    method = "patient bootstrap" + (_NEGATIVE if value < 0 else "")
    return Estimate(max(0.0, value), np.nan, np.nan, n, "patient", method, SAMPLED)


def _of_training(seeds: Estimate, trainings: int, folds: Estimate, share: float) -> float:
    """Variance of the mean that comes from training; the interaction of seeds and patients is in the draws already."""
    if not (seeds.defined or folds.defined):
        return float("nan")
    return (seeds.value / trainings if seeds.defined else 0.0) + (folds.value * share if folds.defined else 0.0)
