"""Flags of data quality that a coordinator may see while the study is blinded: no rating and no truth is shown."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pneumoscope.reader_study.results import StudyReading

FAST_SECONDS = 3.0
SAME_RUN = 10
_CLOCK_TOLERANCE = 5.0


@dataclass(frozen=True)
class Flag:
    """Something to ask a reader about.

    Parameters
    ----------
    reader : str
        Pseudonym.
    sentence : str
        What was seen; no answer.
    """

    reader: str
    sentence: str


def flags(found: Sequence[StudyReading]) -> tuple[Flag, ...]:
    """Look for answers that were given too fast, that are all the same, and for clocks that cannot be right.

    Parameters
    ----------
    found : sequence of StudyReading
        Locked answers.

    Returns
    -------
    tuple of Flag
        By reader.
    """
    by_reader: dict[str, list[StudyReading]] = defaultdict(list)
    for one in found:
        by_reader[one.reader.name].append(one)
    return tuple(Flag(reader, sentence) for reader, own in by_reader.items() for sentence in _sentences(own))


def _sentences(own: Sequence[StudyReading]) -> list[str]:
    found = []
    if fast := sum(one.task.step == 0 and one.time.active_seconds < FAST_SECONDS for one in own):
        median = statistics.median(one.time.active_seconds for one in own)
        found.append(f"{fast} cases in less than {FAST_SECONDS:g} s of active time (median of all answers {median:.1f} s)")
    if (run := _longest_run([one.answer.rating for one in own if one.task.step == 0])) >= SAME_RUN:
        found.append(f"the same rating for {run} cases in a row")
    if impossible := sum(one.time.active_seconds > _elapsed(one) + _CLOCK_TOLERANCE for one in own):
        found.append(f"{impossible} answers with more active time than passed on the server's clock")
    if unchanged := _all_unchanged(own):
        found.append(f"none of {unchanged} aided answers differs from the unaided one")
    return found


def _longest_run(values: Sequence[float | None]) -> int:
    longest = run = 0
    before: float | None = None
    for value in values:
        run = run + 1 if value == before else 1
        longest, before = max(longest, run), value
    return longest


def _elapsed(one: StudyReading) -> float:
    return (datetime.fromisoformat(one.stored.last_at) - datetime.fromisoformat(one.stored.shown_at)).total_seconds()


def _all_unchanged(own: Sequence[StudyReading]) -> int:
    """Number of second answers to a case in a sequential study if not one of them differs; else 0."""
    first = {one.case.name: one.answer.rating for one in own if one.task.step == 0}
    second = [one for one in own if one.task.step > 0]
    same = all(one.answer.rating == first.get(one.case.name) for one in second)
    return len(second) if same and len(second) >= SAME_RUN else 0
