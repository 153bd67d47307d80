"""The size of the next study, from a pilot or from stated components."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pneumoscope.reader_study.analysis.analyse import StudyAnalysis
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.statistics.formatting import number
from pneumoscope.statistics.multireader.design import Crossing
from pneumoscope.statistics.multireader.obuchowski_rockette import Population
from pneumoscope.statistics.multireader.sizing import (
    MOST_CASES,
    StatedComponents,
    cases_for_readers,
    from_pilot,
    power,
    split_plot_power,
)
from pneumoscope.statistics.table import Table


@dataclass(frozen=True)
class Question:
    """What the next study is to show.

    Parameters
    ----------
    effect : float
        True difference of the figures of two modalities, not 0.
    power : float
        Wanted probability of a significant result, in (0, 1).
    population : Population
        What is random.
    alpha : float
        Two-sided significance level.
    groups : int
        Groups of a split-plot study; 1 for a fully crossed one.
    """

    effect: float
    power: float = 0.8
    population: Population = Population.READERS_AND_CASES
    alpha: float = 0.05
    groups: int = 1

    def __post_init__(self) -> None:
        if not self.effect or not math.isfinite(self.effect):
            raise ReaderStudyError("an effect of 0 cannot be shown; give the difference that would matter")
        if not (0 < self.power < 1 and 0 < self.alpha < 1) or self.groups < 1:
            raise ReaderStudyError("power and alpha lie between 0 and 1, and there is at least one group")
        if self.groups > 1 and self.population is not Population.READERS_AND_CASES:
            raise ReaderStudyError("a split-plot study is sized for random readers and random cases")


def components_of(pilot: StudyAnalysis) -> StatedComponents:
    """Take the variance components of a pilot.

    Parameters
    ----------
    pilot : StudyAnalysis
        A fully crossed study of at least two modalities and two readers.

    Returns
    -------
    StatedComponents
        For `size_table`.

    Raises
    ------
    ReaderStudyError
        If the pilot is of another design, so that its components are of something else.
    """
    if pilot.design.crossing is not Crossing.FULLY_CROSSED or min(pilot.values.shape) < 2:
        raise ReaderStudyError(
            f"a pilot must be fully crossed with two modalities and two readers at least, and this one is {pilot.design}; "
            "state the components instead"
        )
    return from_pilot(pilot.components, len(pilot.ratings.cases))


def size_table(components: StatedComponents, question: Question, readers: Sequence[int], cases: Sequence[int] = ()) -> Table:
    """Tabulate the cases that each number of readers needs, and the power with given numbers of cases.

    Parameters
    ----------
    components : StatedComponents
        From a pilot or stated.
    question : Question
        What is to be shown.
    readers : sequence of int
        Numbers of readers; multiples of the groups in a split-plot study.
    cases : sequence of int
        Numbers of cases for which the power is wanted.

    Returns
    -------
    Table
        One row a number of readers; cases are those of the whole study, in the pilot's mix of classes.
    """
    rows = []
    for n_readers in readers:
        needed = _needed(components, question, n_readers)
        reached = math.nan if needed is None else power_of(components, question, n_readers, needed)
        shown = f"more than {MOST_CASES:,}" if needed is None else str(needed)
        given = [number(power_of(components, question, n_readers, n), decimals=3) for n in cases]
        rows.append([str(n_readers), shown, number(reached, decimals=3), *given])
    return Table.of(["readers", f"cases for power {question.power:g}", "power", *(f"power with {n} cases" for n in cases)], rows)


def power_of(components: StatedComponents, question: Question, n_readers: int, n_cases: int) -> float:
    """Compute the power of a study.

    Parameters
    ----------
    components : StatedComponents
        From a pilot or stated.
    question : Question
        What is to be shown.
    n_readers, n_cases : int
        Size of the study; multiples of the groups in a split-plot study.

    Returns
    -------
    float
        In [0, 1].
    """
    if question.groups > 1:
        return split_plot_power(components, question.effect, n_readers, n_cases, question.groups, question.alpha).power
    return power(components, question.effect, n_readers, n_cases, question.population, question.alpha).power


def _needed(components: StatedComponents, question: Question, n_readers: int) -> int | None:
    if question.groups == 1:
        return cases_for_readers(components, question.effect, n_readers, question.power, question.population, question.alpha)
    low, high = 1, MOST_CASES // question.groups
    if not power_of(components, question, n_readers, high * question.groups) >= question.power:
        return None
    while low < high:
        middle = (low + high) // 2
        enough = power_of(components, question, n_readers, middle * question.groups) >= question.power
        low, high = (low, middle) if enough else (middle + 1, high)
    return low * question.groups
