"""Further tables of a study of ours: reading times, and the agreement of the readers."""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.results import StudyReading, counting, readings, require_results
from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.formatting import figure, number, p_value
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.agreement import Agreement, Scale, fleiss, gwet, krippendorff_alpha
from pneumoscope.statistics.multireader.regression import reading_time_model
from pneumoscope.statistics.table import Table


def of_study(folder: Path) -> dict[str, Table]:
    """Make the further tables of a study that is complete or unblinded.

    Parameters
    ----------
    folder : Path
        Folder of the study; its journal was verified by `results.table_of_study`.

    Returns
    -------
    dict of str to Table
        As `conduct_tables`, for the arms of the fixed analysis.

    Raises
    ------
    BlindedError
        Before that.
    """
    study = open_study(folder)
    with closing(study.journal):
        require_results(study)
        plan = study.protocol.definition.analysis
        return conduct_tables(counting(readings(study)), plan.first, plan.second)


def conduct_tables(found: Sequence[StudyReading], first: str, second: str) -> dict[str, Table]:
    """Make the tables that need more than ratings.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count.
    first, second : str
        Arms of the comparison; the ratio of reading times is first over second.

    Returns
    -------
    dict of str to Table
        By heading.
    """
    return {"Reading time": reading_time_table(found, first, second), "Agreement of the readers": agreement_table(found)}


def reading_time_table(found: Sequence[StudyReading], first: str, second: str) -> Table:
    """Tabulate active reading times, and compare those of two arms by a mixed model of log seconds.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count. Those without active time are left out and counted.
    first, second : str
        Arms; the ratio is first over second. Of a case that is read in steps, each step has its own time.

    Returns
    -------
    Table
        Quartiles of each arm, then the ratio with its interval; readers and cases are random, and the session is a covariate
        where the arms are spread over sessions.
    """
    timed = [one for one in found if one.time.active_seconds > 0]
    rows = []
    for arm in dict.fromkeys(one.task.arm for one in found):
        seconds = [one.time.active_seconds for one in timed if one.task.arm == arm]
        without = sum(one.task.arm == arm for one in found) - len(seconds)
        quartiles = [number(value, decimals=1) for value in _quartiles(seconds)]
        rows.append([arm, str(len(seconds)), str(without), *quartiles, "–"])
    rows.append([f"{first} / {second}, ratio", "–", "–", *_ratio(timed, first, second)])
    head = ["active seconds", "answers", "without time", "lower quartile", "median or ratio", "upper quartile", "p"]
    return Table.of(head, rows)


def _quartiles(seconds: Sequence[float]) -> list[float]:
    return np.percentile(seconds, [25, 50, 75]).tolist() if seconds else [math.nan] * 3


def _ratio(timed: Sequence[StudyReading], first: str, second: str) -> list[str]:
    pair = [one for one in timed if one.task.arm in (first, second)]
    in_first = np.array([float(one.task.arm == first) for one in pair])
    session = np.array([[float(one.task.session)] for one in pair]).reshape(len(pair), 1)
    arms = {(one.task.session, one.task.arm) for one in pair}
    spread = len(arms) > len({arm for _, arm in arms}) and len({number for number, _ in arms}) > 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a variance component of 0; a fit that does not converge is an error
            model = reading_time_model(
                np.array([one.time.active_seconds for one in pair]),
                in_first,
                [one.reader.name for one in pair],
                [one.case.name for one in pair],
                session if spread else None,
            )
    except (StatisticsError, np.linalg.LinAlgError, ValueError) as error:
        return ["–", f"undefined ({' '.join(str(error).split())[:120]})", "–", "–"]
    return ["–", figure(model.ratio, model.ratio_low, model.ratio_high, decimals=2), "–", p_value(model.arm.p)]


def agreement_table(found: Sequence[StudyReading]) -> Table:
    """Tabulate how far the readers agree, in each arm.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count.

    Returns
    -------
    Table
        Of decisions: the share of pairs that agree, Gwet's AC1 and Fleiss' kappa; of ratings: Krippendorff's alpha (interval).
    """
    rows = []
    for arm in dict.fromkeys(one.task.arm for one in found):
        own = [one for one in found if one.task.arm == arm]
        decisions = _matrix(own, lambda one: {"positive": 1.0, "negative": 0.0}.get(one.answer.decision or "", math.nan))
        ratings = _matrix(own, lambda one: math.nan if one.answer.rating is None else one.answer.rating)
        rows.append([arm, *_coefficient(gwet, decisions), _coefficient(fleiss, decisions)[1], _alpha(ratings)])
    head = ["arm", "pairs of decisions that agree", "Gwet's AC1", "Fleiss' kappa", "Krippendorff's alpha of ratings"]
    return Table.of(head, rows)


def _matrix(found: Sequence[StudyReading], value: Callable[[StudyReading], float]) -> Array:
    """Values as (cases, readers); NaN where there is no answer."""
    cases = {name: k for k, name in enumerate(dict.fromkeys(one.case.name for one in found))}
    readers = {name: k for k, name in enumerate(dict.fromkeys(one.reader.name for one in found))}
    matrix = np.full((len(cases), len(readers)), math.nan)
    for one in found:
        matrix[cases[one.case.name], readers[one.reader.name]] = value(one)
    return matrix


def _coefficient(compute: Callable[[Array], Agreement], decisions: Array) -> list[str]:
    """The observed agreement and the coefficient with its interval."""
    try:
        value = compute(decisions)
    except StatisticsError as error:
        return ["–", f"undefined ({error})"]
    found = value.coefficient
    return [number(value.observed), figure(found.estimate, found.low, found.high, reason=found.reason)]


def _alpha(ratings: Array) -> str:
    try:
        return number(krippendorff_alpha(ratings, Scale.INTERVAL))
    except StatisticsError as error:
        return f"undefined ({error})"
