"""Figures of merit of the free-response paradigm, with the jackknife over cases.

A lesion or a case without a mark has the rating −∞; ties count one half, also those of −∞ with −∞. False positives are, unless
said otherwise, the highest marks of non-diseased cases.
"""

from enum import StrEnum

import numpy as np

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.auc import empirical_auc
from pneumoscope.statistics.multireader.comparisons import quotient
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.marks import MarkedCases
from pneumoscope.statistics.multireader.ratings import Bools


class FreeResponseFigure(StrEnum):
    """The figures of merit, by their names in the literature (Chakraborty 2017, Observer Performance Methods)."""

    WEIGHTED_AFROC = "wAFROC"
    AFROC = "AFROC"
    WEIGHTED_AFROC1 = "wAFROC1"
    AFROC1 = "AFROC1"
    HIGHEST_RATING_AUC = "HrAuc"
    HIGHEST_RATING_SENSITIVITY = "HrSe"
    HIGHEST_RATING_SPECIFICITY = "HrSp"
    MARKED_LESIONS = "MaxLLF"
    MARKS_ELSEWHERE = "MaxNLF"


def figure(study: MarkedCases, name: FreeResponseFigure) -> Jackknife:
    """Compute a figure of merit of a free-response study for every reader in every modality.

    Parameters
    ----------
    study
        The marks.
    name
        wAFROC: the probability that a lesion is rated above the highest mark of a non-diseased case, the mean over diseased
        cases of their weighted lesions. AFROC: the same with equal weight for every lesion of the study. wAFROC1 and AFROC1:
        marks elsewhere on diseased cases are false positives too. HrAuc: the AUC of the highest mark of each case. HrSe: share
        of diseased cases with any mark; HrSp: share of non-diseased cases without one. MaxLLF: share of lesions that are
        marked. MaxNLF: mean number of marks on a non-diseased case, which is better the smaller it is.

    Returns
    -------
    Jackknife
        HrSe and MaxLLF have only the diseased cases left out, HrSp and MaxNLF only the non-diseased ones. NaN without a case of a
        class that is needed.

    References
    ----------
    Chakraborty & Berbaum 2004, Medical Physics 31:2313 (AFROC);
    Chakraborty 2017, Observer Performance Methods (wAFROC).

    Examples
    --------
    >>> study = MarkedCases(
    ...     np.array([[[5.0, -np.inf]]]), np.array([[[-np.inf, 3.0]]]), np.array([[[0.0, 1.0]]]),
    ...     np.array([0, 0]), np.array([0.25, 0.75]), np.array([True, False]), ("CR",), ("r",), (1, 2),
    ... )
    >>> {name.value: figure(study, name).value.item() for name in FreeResponseFigure if "AFROC" in name}
    {'wAFROC': 0.25, 'AFROC': 0.5, 'wAFROC1': 0.4375, 'AFROC1': 0.625}
    """
    named = FreeResponseFigure
    if name in (named.WEIGHTED_AFROC, named.WEIGHTED_AFROC1, named.AFROC, named.AFROC1):
        return _afroc(study, name in (named.WEIGHTED_AFROC, named.WEIGHTED_AFROC1), name in (named.AFROC1, named.WEIGHTED_AFROC1))
    if name is named.HIGHEST_RATING_AUC:
        return empirical_auc(study.highest())
    if name is named.MARKED_LESIONS:
        return _ratio_of_sums(_per_case(study, np.isfinite(study.lesion_rating)), study.lesions_of_case, study.truth)
    if name is named.MARKS_ELSEWHERE:
        return _ratio_of_sums(study.n_elsewhere, np.ones(len(study.cases)), ~study.truth)
    marked = (study.n_elsewhere > 0) | (_per_case(study, np.isfinite(study.lesion_rating)) > 0)
    if name is named.HIGHEST_RATING_SENSITIVITY:
        return _ratio_of_sums(marked.astype(np.float64), np.ones(len(study.cases)), study.truth)
    return _ratio_of_sums((~marked).astype(np.float64), np.ones(len(study.cases)), ~study.truth)


def _per_case(study: MarkedCases, of_lesion: Bools) -> Array:
    """Number of lesions that are counted in each case, (modalities, readers, cases)."""
    membership = np.equal.outer(study.lesion_case, np.arange(len(study.cases)))
    return of_lesion.astype(np.float64) @ membership.astype(np.float64)


def _ratio_of_sums(numerator: Array, denominator: Array, members: Bools) -> Jackknife:
    """Σ numerator / Σ denominator over the cases of a class, and without each of them."""
    top, bottom = numerator[..., members], np.broadcast_to(denominator[members], numerator[..., members].shape)
    sums, totals = top.sum(-1), bottom.sum(-1)
    return Jackknife(quotient(sums, totals), quotient(sums[..., None] - top, totals[..., None] - bottom))


def _afroc(study: MarkedCases, weighted: bool, all_cases: bool) -> Jackknife:
    shape = study.highest_elsewhere.shape
    cells = [_afroc_of_cell(study, cell, weighted, all_cases) for cell in np.ndindex(shape[:2])]
    return Jackknife(
        np.array([cell[0] for cell in cells]).reshape(shape[:2]), np.array([cell[1] for cell in cells]).reshape(shape)
    )


def _afroc_of_cell(study: MarkedCases, cell: tuple[int, ...], weighted: bool, all_cases: bool) -> tuple[float, Array]:
    """Σ weight · comparison / (Σ weight · number of false-positive cases), and without each case."""
    n_cases = len(study.cases)
    weight = study.lesion_weight if weighted else np.ones(len(study.lesion_case))
    counted = np.ones(n_cases, bool) if all_cases else ~study.truth
    lesion, elsewhere = study.lesion_rating[cell][:, None], study.highest_elsewhere[cell]
    comparison = weight[:, None] * counted * ((lesion > elsewhere) + 0.5 * (lesion == elsewhere))
    by_case = np.zeros((n_cases, n_cases))
    np.add.at(by_case, study.lesion_case, comparison)
    mass = np.bincount(study.lesion_case, weight, n_cases)
    total = float(by_case.sum())
    left = total - by_case.sum(1) - by_case.sum(0) + by_case.diagonal()
    value = quotient(np.array(total), np.array(mass.sum() * counted.sum()))
    # A rounding error of the total weight must not pass for a weight that is left.
    remaining = np.where(study.truth & (study.truth.sum() == 1), 0.0, mass.sum() - mass) * (counted.sum() - counted)
    return float(value), quotient(left, remaining)
