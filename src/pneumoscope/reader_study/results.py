"""The answers of a study that count, once the study is complete or unblinded."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pneumoscope.reader_study.answer import Answer
from pneumoscope.reader_study.definition import AnalysisPlan, Reader
from pneumoscope.reader_study.errors import BlindedError, ReaderStudyError
from pneumoscope.reader_study.folder import OpenStudy, open_study, verify
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.reader_study.progress import Progress, progress
from pneumoscope.reader_study.projection import CHANGES_ANSWERS, Stored
from pneumoscope.reader_study.protocol import StudyCase
from pneumoscope.reader_study.timing import ReadingTime, Signal, reading_time
from pneumoscope.reader_study.trail import EXCLUDED, UNBLINDED
from pneumoscope.reader_study.worklist import Task, worklists
from pneumoscope.statistics.multireader.marks import Lesions, Marks
from pneumoscope.statistics.multireader.ratings import ReaderRatings, from_table

OF_MARKS = ("wAFROC", "AFROC", "HrAuc")


@dataclass(frozen=True)
class StudyReading:
    """One locked answer, with all that is known of it.

    Parameters
    ----------
    reader : Reader
        Who read.
    case : StudyCase
        What was read.
    task : Task
        When in the worklist, and in which arm.
    stored : Stored
        Times, revision and screen.
    answer : Answer
        The last revision of the answer.
    time : ReadingTime
        Active time of all visits to the task.
    excluded : str
        Why the answer does not count; empty if it does.
    """

    reader: Reader
    case: StudyCase
    task: Task
    stored: Stored
    answer: Answer
    time: ReadingTime
    excluded: str


def progress_of(study: OpenStudy) -> dict[str, Progress]:
    """Count the locked cases of every reader.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    dict of str to Progress
        By reader.
    """
    answers = study.journal.answers()
    lists = worklists(study.protocol)
    return {reader: progress(tasks, [one for one in answers if one.reader == reader]) for reader, tasks in lists.items()}


def unanswered(study: OpenStudy) -> int:
    """Count the answers that are neither locked nor excluded.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    int
        Number of tasks, without practice.
    """
    locked = {(one.reader, one.task) for one in study.journal.answers() if one.locked}
    excluded = [event.body for event in study.journal.events(EXCLUDED)]
    return sum(
        not task.training and (reader, task.number) not in locked and not why_excluded(excluded, reader, task.case)
        for reader, tasks in worklists(study.protocol).items()
        for task in tasks
    )


def results_are_open(study: OpenStudy) -> bool:
    """Whether results may be seen: all answers are locked or excluded, or the coordinator has unblinded the study.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    bool
        False while the study is blinded.
    """
    return not unanswered(study) or bool(study.journal.events(UNBLINDED))


def require_results(study: OpenStudy) -> None:
    """Refuse results before all answers are locked, unless the coordinator has unblinded the study with a reason.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Raises
    ------
    BlindedError
        If answers are missing and the study is not unblinded.
    """
    if not results_are_open(study):
        raise BlindedError(
            f"{unanswered(study)} answers are not locked yet, so that there are no results; to see them now, which stays in the "
            "trail:  pneumoscope study unblind --reason"
        )


def readings(study: OpenStudy) -> tuple[StudyReading, ...]:
    """Collect all locked answers without those of practice.

    Parameters
    ----------
    study : OpenStudy
        The study; whether it may be asked is for `require_results`.

    Returns
    -------
    tuple of StudyReading
        By reader and place in the worklist; excluded ones are marked.
    """
    lists, readers = worklists(study.protocol), {reader.name: reader for reader in study.protocol.definition.readers}
    times, excluded = _times(study), [event.body for event in study.journal.events(EXCLUDED)]
    found = []
    for stored in study.journal.answers():
        task = lists[stored.reader][stored.task - 1]
        if task.training or not stored.locked:
            continue
        answer = msgspec.convert(stored.answer, Answer)
        reason = why_excluded(excluded, stored.reader, task.case)
        case = study.protocol.by_name[task.case]
        time = times[stored.reader, stored.task]
        found.append(StudyReading(readers[stored.reader], case, task, stored, answer, time, reason))
    return tuple(found)


def why_excluded(excluded: Sequence[Mapping[str, Any]], reader: str, case: str) -> str:
    """Look up why an answer is excluded.

    Parameters
    ----------
    excluded : sequence of mapping
        Bodies of the exclusions in the trail.
    reader, case : str
        Names.

    Returns
    -------
    str
        The reason of the first exclusion that names the answer; empty for an answer that counts.
    """
    named = (one for one in excluded if one["case"] in ("", case) and one["reader"] in ("", reader))
    return next((str(one["reason"]) for one in named), "")


def _times(study: OpenStudy) -> dict[tuple[str, int], ReadingTime]:
    signals: dict[tuple[str, int], list[Signal]] = defaultdict(list)
    for event in study.journal.events(*CHANGES_ANSWERS):
        signals[event.actor, event.body["task"]] += msgspec.convert(event.body.get("signals", []), list[Signal])
    return {task: reading_time(of_task) for task, of_task in signals.items()}


def counting(found: Sequence[StudyReading]) -> tuple[StudyReading, ...]:
    """Select the answers that count.

    Parameters
    ----------
    found : sequence of StudyReading
        All answers.

    Returns
    -------
    tuple of StudyReading
        Without excluded ones.

    Raises
    ------
    ReaderStudyError
        If none is left.
    """
    kept = tuple(one for one in found if not one.excluded)
    if not kept:
        raise ReaderStudyError("there is no answer that counts yet")
    return kept


def rating_table(found: Sequence[StudyReading]) -> ReaderRatings:
    """Make the table of case ratings.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count.

    Returns
    -------
    ReaderRatings
        With the arms as modalities.
    """
    return from_table(
        [one.reader.name for one in found],
        [one.task.arm for one in found],
        [one.case.name for one in found],
        [float(one.case.diseased) for one in found],
        [math.nan if one.answer.rating is None else one.answer.rating for one in found],
    )


def mark_table(found: Sequence[StudyReading]) -> FreeResponseTable:
    """Make the table of marks: a mark whose point lies in the box of a lesion is on this lesion, the first of several.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count, of a fully crossed study.

    Returns
    -------
    FreeResponseTable
        The lesions of a case have equal weight.

    Raises
    ------
    ReaderStudyError
        If a reader has not read every case in every arm: a case without an answer is not a case without a mark.
    """
    cases = {one.case.name: one.case for one in found}
    readers, arms = (
        tuple(dict.fromkeys(names)) for names in zip(*((one.reader.name, one.task.arm) for one in found), strict=True)
    )
    if len(found) != len(cases) * len(readers) * len(arms):
        raise ReaderStudyError(
            "the figures of marks need every reader's answer to every case in every arm; exclude the cases that lack one"
        )
    placed = [(one, mark) for one in found for mark in one.answer.marks]
    marks = Marks(
        [one.reader.name for one, _ in placed],
        [one.task.arm for one, _ in placed],
        [one.case.name for one, _ in placed],
        [lesion_of(one.case, mark.row, mark.col) for one, mark in placed],
        [math.nan if mark.rating is None else mark.rating for _, mark in placed],
    )
    lesions = [(case.name, str(k), 1 / len(case.lesions)) for case in cases.values() for k in range(1, len(case.lesions) + 1)]
    case, lesion, weight = ([one[0] for one in lesions], [one[1] for one in lesions], [one[2] for one in lesions])
    return FreeResponseTable(marks, Lesions(case, lesion, weight), tuple(cases), readers, arms)


def lesion_of(case: StudyCase, row: float, col: float) -> str | None:
    """Find the lesion that a mark is on.

    Parameters
    ----------
    case : StudyCase
        The case.
    row, col : float
        The mark, in pixels.

    Returns
    -------
    str or None
        Number of the lesion from 1, as text; None for a mark on no lesion.
    """
    for number, box in enumerate(case.lesions, start=1):
        if box.top <= row < box.bottom and box.left <= col < box.right:
            return str(number)
    return None


def table_of_study(folder: Path) -> tuple[ReaderRatings | FreeResponseTable, AnalysisPlan, str]:
    """Take the table of a study that is complete or unblinded, after verifying its journal.

    Parameters
    ----------
    folder : Path
        Folder of the study.

    Returns
    -------
    table : ReaderRatings or FreeResponseTable
        What the fixed figure of merit needs.
    plan : AnalysisPlan
        As fixed in the protocol.
    title : str
        Title of the study; a pilot is called so.

    Raises
    ------
    BlindedError
        Before that.
    TamperedJournalError
        If the journal is not what was written.
    """
    verify(folder)
    study = open_study(folder)
    with closing(study.journal):
        require_results(study)
        found = counting(readings(study))
        plan = study.protocol.definition.analysis
        table = mark_table(found) if plan.figure in OF_MARKS else rating_table(found)
    pilot = " (pilot)" if study.protocol.stage == "pilot" else ""
    return table, plan, study.protocol.definition.title + pilot
