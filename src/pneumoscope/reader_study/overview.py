"""What the coordinator sees while a study runs: progress, washout, display checks, flags; no answer and no result."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pneumoscope.reader_study.answer import DisplayCheck
from pneumoscope.reader_study.flow import flow
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.progress import progress
from pneumoscope.reader_study.projection import Stored
from pneumoscope.reader_study.quality import Flag, flags
from pneumoscope.reader_study.results import readings, results_are_open, unanswered
from pneumoscope.reader_study.room import DISPLAY_CHECKED, ReadingRoom, reader_link
from pneumoscope.reader_study.trail import UNBLINDED


@dataclass(frozen=True)
class SessionState:
    """How far one reader has come in one session.

    Parameters
    ----------
    session : int
        Number, from 1.
    locked, assigned : int
        Cases, as `progress.Progress` counts them.
    display_checked : bool
        Whether the reader has answered the display check.
    display_faults : tuple of str
        What the reader did not see in the last check of the session.
    """

    session: int
    locked: int
    assigned: int
    display_checked: bool
    display_faults: tuple[str, ...]


@dataclass(frozen=True)
class ReaderState:
    """How far one reader has come.

    Parameters
    ----------
    name : str
        Pseudonym.
    state : str
        As in `visible.View`.
    waiting_until : str
        As in `visible.View`.
    locked, assigned : int
        Cases, as `progress.Progress` counts them.
    last_at : str
        Time of the last change, ISO 8601 in UTC; empty before the first.
    sessions : tuple of SessionState
        By session.
    """

    name: str
    state: str
    waiting_until: str
    locked: int
    assigned: int
    last_at: str
    sessions: tuple[SessionState, ...]


@dataclass(frozen=True)
class Overview:
    """The state of a study.

    Parameters
    ----------
    title, stage, mode : str
        From the protocol.
    washout_days : float
        From the protocol.
    readers : tuple of ReaderState
        In the order of the protocol.
    flags : tuple of Flag
        Data quality.
    flow : tuple of str
        Lines of the flow of cases.
    unanswered : int
        Answers that are neither locked nor excluded.
    unblinded : str
        Reason of the first unblinding; empty without one.
    results_open : bool
        Whether results may be seen: all is locked, or an unblinding is logged.
    events : int
        Number of the last event of the journal.
    head : str
        Its hash, to be noted outside of the machine.
    """

    title: str
    stage: str
    mode: str
    washout_days: float
    readers: tuple[ReaderState, ...]
    flags: tuple[Flag, ...]
    flow: tuple[str, ...]
    unanswered: int
    unblinded: str
    results_open: bool
    events: int
    head: str


def overview(study: OpenStudy, room: ReadingRoom) -> Overview:
    """Collect the state of a study.

    Parameters
    ----------
    study : OpenStudy
        The study.
    room : ReadingRoom
        Its reading room.

    Returns
    -------
    Overview
        At this moment.
    """
    definition, (events, head) = study.protocol.definition, study.journal.head()
    by_reader: dict[str, list[Stored]] = defaultdict(list)
    for answer in study.journal.answers():
        by_reader[answer.reader].append(answer)
    unblindings, checks = study.journal.events(UNBLINDED), _checks(study)
    return Overview(
        definition.title,
        study.protocol.stage,
        definition.mode,
        definition.washout_days,
        tuple(_reader(study, room, one.name, by_reader[one.name], checks) for one in definition.readers),
        flags(readings(study)),
        flow(study).lines(),
        unanswered(study),
        str(unblindings[0].body["reason"]) if unblindings else "",
        results_are_open(study),
        events,
        head,
    )


def _reader(
    study: OpenStudy,
    room: ReadingRoom,
    name: str,
    answers: Sequence[Stored],
    checks: Mapping[tuple[str, int], DisplayCheck],
) -> ReaderState:
    view, tasks = room.view(reader_link(study.key, name)), room.tasks(name)
    sessions = []
    for session in sorted({task.session for task in tasks}):
        done, check = progress(tasks, answers, session), checks.get((name, session))
        faults = check.faults if check else ()
        sessions.append(SessionState(session, done.locked, done.assigned, check is not None, faults))
    last = max((answer.last_at for answer in answers), default="")
    return ReaderState(name, view.state, view.waiting_until, view.locked, view.assigned, last, tuple(sessions))


def _checks(study: OpenStudy) -> dict[tuple[str, int], DisplayCheck]:
    """The last display check of each reader and session."""
    checks = {}
    for event in study.journal.events(DISPLAY_CHECKED):
        body = dict(event.body)
        checks[event.actor, int(body.pop("session"))] = msgspec.convert(body, DisplayCheck)
    return checks
