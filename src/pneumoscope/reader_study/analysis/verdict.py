"""The answer to the question of a study: estimate, test, and the sentence that states design and population."""

import math
from dataclasses import dataclass, replace

from pneumoscope.counted import counted
from pneumoscope.reader_study.analysis.plan import POPULATIONS, Method, Plan
from pneumoscope.statistics.multireader.design import Design
from pneumoscope.statistics.multireader.inference import Inference, equivalence, non_inferiority, superiority


@dataclass(frozen=True)
class Verdict:
    """The answer to the question of the study.

    Parameters
    ----------
    first, second : str
        What is compared: modalities, a model and ``readers``, or a modality and a value.
    difference : Inference
        First − second.
    p : float
        Of the hypothesis; NaN if it is undefined.
    shown : bool
        Whether p is at most α.
    sentence : str
        The result, with design and population.
    """

    first: str
    second: str
    difference: Inference
    p: float
    shown: bool
    sentence: str


@dataclass(frozen=True)
class Setting:
    """What a verdict is about.

    Parameters
    ----------
    plan : Plan
        What was asked.
    figure : str
        Figure of merit, with its parameter.
    design : Design
        From the table.
    method : str
        Method of the verdict.
    n_readers, n_cases, n_diseased : int
        Readers without the model, and cases.
    """

    plan: Plan
    figure: str
    design: Design
    method: Method
    n_readers: int
    n_cases: int
    n_diseased: int

    @property
    def words(self) -> str:
        """The study, as in a sentence."""
        size = f"{counted(self.n_readers, 'reader')} and {counted(self.n_cases, 'case')} ({self.n_diseased} with the target)"
        return f"In a study of {size}, {self.design}, the "

    @property
    def analysis(self) -> str:
        """Method and population, as in a sentence."""
        covariance = f" with {self.plan.covariance} covariance" if self.method == "Obuchowski-Rockette" else ""
        return f"{self.method}{covariance}; {POPULATIONS[self.plan.population]}"


def of_two_modalities(study: Setting, first: str, second: str, difference: Inference) -> Verdict:
    """Decide about the difference of two modalities.

    Parameters
    ----------
    study : Setting
        What the verdict is about.
    first, second : str
        Names of the modalities.
    difference : Inference
        First − second.

    Returns
    -------
    Verdict
        With the sentence.
    """
    return _decided(study, f"{study.figure} of '{first}' minus that of '{second}'", first, second, difference)


def of_model(study: Setting, difference: Inference) -> Verdict:
    """Decide about a model against the mean of the readers.

    Parameters
    ----------
    study : Setting
        What the verdict is about; the plan names the model.
    difference : Inference
        Model − readers.

    Returns
    -------
    Verdict
        With the sentence.
    """
    model = study.plan.model
    return _decided(study, f"{study.figure} of the model '{model}' minus the mean of the readers", model, "readers", difference)


def of_one_modality(study: Setting, modality: str, mean: Inference) -> Verdict:
    """Decide about the mean figure of a single modality against the value of the plan, or state the mean if there is none.

    Parameters
    ----------
    study : Setting
        What the verdict is about.
    modality : str
        Its name.
    mean : Inference
        Of the readers.

    Returns
    -------
    Verdict
        Without a value the difference is NaN, with the reason.
    """
    null, subject = study.plan.null, f"mean {study.figure} of '{modality}'"
    if null is not None:
        return _decided(study, f"{subject} minus {null:g}", modality, f"{null:g}", replace(mean, estimate=mean.estimate - null))
    if _reason(study, mean):
        sentence = f"{study.words}{subject} has no inference: {_reason(study, mean)}."
    else:
        interval = f"{100 * study.plan.level:g} % interval {mean.low:.4f} to {mean.high:.4f}"
        found = f"was {mean.estimate:.4f} ({interval}; {study.analysis})"
        sentence = f"{study.words}{subject} {found}; there is no value to test it against."
    none = Inference(math.nan, mean.standard_error, mean.df, 0.0, mean.level, mean.reason or "there is no value to test")
    return Verdict(modality, "no value", none, math.nan, False, sentence)


def _decided(study: Setting, subject: str, first: str, second: str, difference: Inference) -> Verdict:
    reason = _reason(study, difference)
    if reason:
        sentence = f"{study.words}{subject} has no inference: {reason}."
        return Verdict(first, second, replace(difference, reason=reason), math.nan, False, sentence)
    plan, p = study.plan, _p(study.plan, difference)
    interval = f"{100 * plan.level:g} % interval {difference.low:+.4f} to {difference.high:+.4f}"
    p_text = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    sentence = (
        f"{study.words}{subject} was {difference.estimate:+.4f} ({interval}); {_claim(plan)} is "
        f"{'shown' if p <= plan.alpha else 'not shown'} at α = {plan.alpha:g} ({p_text}; {study.analysis})."
    )
    return Verdict(first, second, difference, p, p <= plan.alpha, sentence.replace("-0.", "−0."))


def _reason(study: Setting, result: Inference) -> str:
    """Why there is no inference, and what to ask for instead; empty if there is one."""
    if not result.reason and not math.isnan(result.estimate):
        return ""
    if study.n_readers == 1 and study.plan.population != "cases" and not math.isnan(result.estimate):
        return "there is one reader, so that how readers vary is not known; take the population 'cases' for this reader alone"
    return result.reason or "the figure of a reader is undefined"


def _claim(plan: Plan) -> str:
    return {
        "difference": "that the difference is not 0",
        "superiority": "that the first is better",
        "non-inferiority": f"that the first is worse by less than {plan.margin:g}",
        "equivalence": f"that the two differ by less than {plan.margin:g}",
    }[plan.hypothesis]


def _p(plan: Plan, difference: Inference) -> float:
    if plan.hypothesis == "superiority":
        return superiority(difference, plan.margin)
    if plan.hypothesis == "non-inferiority":
        return non_inferiority(difference, plan.margin)
    return equivalence(difference, plan.margin) if plan.hypothesis == "equivalence" else difference.p
