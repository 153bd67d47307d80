"""Regression for reader studies by statsmodels: decisions by GEE, and reading times by a mixed model."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pneumoscope import MissingExtraError
from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.inference import LEVEL, Inference

try:
    from statsmodels.genmod import cov_struct, families, generalized_estimating_equations
    from statsmodels.regression import mixed_linear_model
except ImportError:  # the extra is named when a model is fitted
    mixed_linear_model = None


class Link(StrEnum):
    """What is linear in the predictors: the log odds of a right decision, or its probability."""

    LOGIT = "logit"
    IDENTITY = "identity"


class WorkingCorrelation(StrEnum):
    """Correlation of decisions of one cluster that weights the estimate; the standard error does not rely on it."""

    INDEPENDENCE = "independence"
    EXCHANGEABLE = "exchangeable"


@dataclass(frozen=True)
class MarginalModel:
    """Decisions in two modalities by generalized estimating equations.

    Parameters
    ----------
    intercept
        The linear predictor in the first modality.
    effect
        Second − first modality: log odds ratio, or difference of proportions.
    correlation
        Working correlation within clusters; 0 for independence.
    """

    intercept: Inference
    effect: Inference
    correlation: float


def marginal_model(
    right: Array,
    second: Array,
    cluster: Sequence[Any],
    link: Link = Link.LOGIT,
    correlation: WorkingCorrelation = WorkingCorrelation.INDEPENDENCE,
) -> MarginalModel:
    """Compare the proportions of right decisions in two modalities with clustered cases.

    Parameters
    ----------
    right
        Whether a decision is right, 0 or 1; (decisions,).
    second
        Whether it was made in the second modality, 0 or 1.
    cluster
        Such as the patient; decisions of different clusters are independent.
    link
        Log odds or probability.
    correlation
        Working correlation.

    Returns
    -------
    MarginalModel
        With the sandwich standard error, normal.

    Raises
    ------
    MissingExtraError
        Without the extra ``study``.
    StatisticsError
        If there are decisions of one modality only, or all decisions of a modality are equal.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13.
    """
    if mixed_linear_model is None:
        raise MissingExtraError("a marginal model", "study")
    groups = [right[second == side] for side in (0, 1)]
    if any(len(group) == 0 or group.min() == group.max() for group in groups):
        raise StatisticsError("decisions of one modality only, or all right or all wrong in one: there is no effect to estimate")
    design = np.column_stack([np.ones(len(right)), second])
    exchangeable = correlation is WorkingCorrelation.EXCHANGEABLE
    structure = cov_struct.Exchangeable() if exchangeable else cov_struct.Independence()
    codes = np.unique(np.asarray(cluster), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    with warnings.catch_warnings():
        # Two proportions fit any link, so that the identity cannot leave [0, 1].
        warnings.filterwarnings("ignore", message=".*does not respect the domain")
        family = families.Binomial(families.links.Logit() if link is Link.LOGIT else families.links.Identity())
        model = generalized_estimating_equations.GEE(
            right[order], design[order], codes[order], cov_struct=structure, family=family
        )
        fit = model.fit(ctol=1e-12, maxiter=200)
    intercept, effect = (Inference(float(b), float(s), math.inf) for b, s in zip(fit.params, fit.bse, strict=True))
    return MarginalModel(intercept, effect, float(structure.dep_params) if exchangeable else 0.0)


@dataclass(frozen=True)
class ReadingTimeModel:
    """Log seconds by a mixed model with crossed random effects of readers and cases.

    Parameters
    ----------
    arm
        Effect of the second arm on log seconds, normal.
    ratio, ratio_low, ratio_high
        Its exponential: time in the second arm over time in the first, with its interval.
    covariates
        Effects of the further columns, such as period and order.
    sd_reader, sd_case, sd_rest
        Standard deviations of log seconds.
    """

    arm: Inference
    ratio: float
    ratio_low: float
    ratio_high: float
    covariates: tuple[Inference, ...]
    sd_reader: float
    sd_case: float
    sd_rest: float


def _membership(names: Sequence[Any]) -> Array:
    values, codes = np.unique(np.asarray(names), return_inverse=True)
    return np.eye(len(values))[codes]


def reading_time_model(
    seconds: Array, second_arm: Array, reader: Sequence[Any], case: Sequence[Any], covariates: Array | None = None
) -> ReadingTimeModel:
    """Compare reading times of two arms, with readers and cases random.

    Parameters
    ----------
    seconds
        Reading time of each reading, above 0; (readings,).
    second_arm
        Whether the reading is in the second arm, 0 or 1.
    reader, case
        Of each reading.
    covariates
        Further columns (readings, columns), such as period and order of the arms.

    Returns
    -------
    ReadingTimeModel
        By restricted maximum likelihood.

    Raises
    ------
    MissingExtraError
        Without the extra ``study``.
    StatisticsError
        If a time is not above 0, the columns depend on each other, or the fit does not converge.

    References
    ----------
    Baayen, Davidson & Bates 2008, Journal of Memory and Language 59:390 (crossed random effects).
    """
    if mixed_linear_model is None:
        raise MissingExtraError("a model of reading times", "study")
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise StatisticsError("a reading time that is not above 0: leave out the reading")
    columns = [np.ones(len(seconds)), second_arm, *(() if covariates is None else covariates.T)]
    design = np.column_stack(columns)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise StatisticsError("arm and covariates depend on each other: leave out a column")
    effects = {"reader": _membership(reader), "case": _membership(case)}
    spec = mixed_linear_model.VCSpec(
        list(effects), [[[str(k) for k in range(one.shape[1])]] for one in effects.values()], [[one] for one in effects.values()]
    )
    fit = mixed_linear_model.MixedLM(np.log(seconds), design, groups=np.ones(len(seconds)), exog_vc=spec).fit(reml=True)
    if not fit.converged:
        raise StatisticsError("the model of reading times does not converge")
    results = [Inference(float(b), float(s), math.inf) for b, s in zip(fit.fe_params, fit.bse_fe, strict=True)]
    arm = results[1]
    spread = [math.sqrt(float(value)) for value in (*fit.vcomp, fit.scale)]
    return ReadingTimeModel(arm, math.exp(arm.estimate), math.exp(arm.low), math.exp(arm.high), tuple(results[2:]), *spread)


def paired_reading_times(seconds: Array, second_arm: Array, reader: Sequence[Any], level: float = LEVEL) -> Inference:
    """Compare reading times of two arms by the mean log time of each reader.

    Parameters
    ----------
    seconds, second_arm, reader
        As in `reading_time_model`.
    level
        Confidence level.

    Returns
    -------
    Inference
        Mean over readers of the difference of mean log seconds, second − first arm, by a paired t test: readers random, cases
        fixed.

    Raises
    ------
    StatisticsError
        If a time is not above 0, or a reader lacks an arm.
    """
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise StatisticsError("a reading time that is not above 0: leave out the reading")
    codes = np.unique(np.asarray(reader), return_inverse=True)[1]
    n_readers = int(codes.max()) + 1
    numbers = [np.bincount(codes[second_arm == side], minlength=n_readers) for side in (0, 1)]
    if min(number.min() for number in numbers) == 0:
        raise StatisticsError("a reader without a reading in one of the arms: leave out the reader")
    first, second = (
        np.bincount(codes[second_arm == side], np.log(seconds[second_arm == side]), n_readers) / numbers[side] for side in (0, 1)
    )
    difference = second - first
    if n_readers < 2:
        return Inference(
            float(difference.mean()), math.nan, math.nan, level=level, reason="one reader: readers' variation is unknown"
        )
    return Inference(float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(n_readers), n_readers - 1.0, level=level)
