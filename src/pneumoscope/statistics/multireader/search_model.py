"""The radiological search model, and the effect size of a free-response study from that of an ROC study.

On a case there are a Poisson number of non-lesion marks with mean λ′ whose ratings are normal with mean 0, and each lesion is
marked with probability ν′ and a normal rating with mean μ; spreads are 1. When readers get better, μ grows and λ′ = λ / μ
falls, while ν′ = 1 − exp(−ν·μ) grows; λ and ν stay.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array

_STEPS = np.arange(1, 21) / 100
"""Increases of μ for which both effects are computed."""
_GRID = np.linspace(-9.0, 9.0, 4001)


@dataclass(frozen=True)
class SearchModel:
    """Parameters of the radiological search model.

    Parameters
    ----------
    separation
        Mean rating of marks on lesions (μ), above 0.
    marks_elsewhere
        Mean number of latent non-lesion marks of a case (λ′), above 0.
    lesion_marked
        Probability that a lesion is marked (ν′), in (0, 1).
    lesion_shares
        Share of diseased cases with one lesion, with two, and so on; sum 1.

    Raises
    ------
    StatisticsError
        If a parameter is outside its range.

    References
    ----------
    Chakraborty 2006, Physics in Medicine and Biology 51:3449; Chakraborty 2017, Observer Performance Methods.
    """

    separation: float
    marks_elsewhere: float
    lesion_marked: float
    lesion_shares: Sequence[float]

    def __post_init__(self) -> None:
        """Refuse parameters outside their range."""
        shares = np.asarray(self.lesion_shares, np.float64)
        positive = self.separation > 0 and self.marks_elsewhere > 0 and 0 < self.lesion_marked < 1
        if not positive or not len(shares) or (shares < 0).any() or not math.isclose(shares.sum(), 1, abs_tol=1e-6):
            raise StatisticsError(f"{self}: give μ and λ′ above 0, ν′ between 0 and 1, and shares of lesion numbers with sum 1")

    def better_by(self, increase: float) -> "SearchModel":
        """Make the model of a better modality, with the same intrinsic λ and ν.

        Parameters
        ----------
        increase
            Of μ.

        Returns
        -------
        SearchModel
            With λ′·μ and −ln(1 − ν′) / μ unchanged.
        """
        after = self.separation + increase
        marked = 1 - (1 - self.lesion_marked) ** (after / self.separation)
        return SearchModel(after, self.marks_elsewhere * self.separation / after, marked, self.lesion_shares)

    def _area(self, height: Array) -> float:
        """Area under a curve over the false-positive fraction, with the straight line to (1, 1)."""
        marked = np.exp(-self.marks_elsewhere * special.ndtr(-_GRID))
        density = self.marks_elsewhere * np.exp(-(_GRID**2) / 2) / math.sqrt(2 * math.pi) * marked
        unmarked = math.exp(-self.marks_elsewhere)
        return float(np.trapezoid(height * density, _GRID)) + unmarked * (1 + float(height[0])) / 2

    def roc_auc(self) -> float:
        """Compute the AUC of the highest mark of each case.

        Returns
        -------
        float
            ∫ TPF dFPF with FPF = 1 − exp(−λ′Φ(−z)) and TPF = Σ share·[1 − exp(−λ′Φ(−z))·(1 − ν′Φ(μ − z))^L], and the straight
            line from the last point to (1, 1).
        """
        missed = 1 - self.lesion_marked * special.ndtr(self.separation - _GRID)
        none_elsewhere = np.exp(-self.marks_elsewhere * special.ndtr(-_GRID))
        negative = sum(share * none_elsewhere * missed**number for number, share in enumerate(self.lesion_shares, start=1))
        return self._area(np.asarray(1 - negative, np.float64))

    def wafroc_auc(self) -> float:
        """Compute the area under the wAFROC curve for lesions of equal weight.

        Returns
        -------
        float
            ∫ ν′Φ(μ − z) dFPF, and the straight line from the last point to (1, 1).
        """
        return self._area(np.asarray(self.lesion_marked * special.ndtr(self.separation - _GRID), np.float64))


def effect_scale(model: SearchModel) -> float:
    """Compute how many times as large the wAFROC effect is as the ROC effect.

    Parameters
    ----------
    model
        Of the worse modality, such as the median fit of a pilot.

    Returns
    -------
    float
        Slope through the origin of wAFROC effects on ROC effects, for increases of μ from 0.01 to 0.2. A free-response study is
        sized by `pneumoscope.statistics.multireader.sizing.power` with components of the wAFROC area and this many times the ROC
        effect.

    References
    ----------
    Chakraborty 2017, Observer Performance Methods (sample size of free-response studies); RJafroc's SsFrocSampleSize.

    Examples
    --------
    >>> effect_scale(SearchModel(2.0, 1.0, 0.6, [0.7, 0.2, 0.1])) > 1
    True
    """
    better = [model.better_by(step) for step in _STEPS]
    roc = np.array([one.roc_auc() for one in better]) - model.roc_auc()
    wafroc = np.array([one.wafroc_auc() for one in better]) - model.wafroc_auc()
    return float(roc @ wafroc / (roc @ roc))
