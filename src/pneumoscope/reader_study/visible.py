"""What a client of a reader may see: made by `view` alone, so that blinding is held in one place.

A view holds no file name, identifier, date of the examination, name of a person or of an arm's model, reference standard,
prevalence, score, or answer of another reader. Pixels and aids are asked for by an opaque token that differs by reader and
session.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pneumoscope.reader_study.definition import Questions
from pneumoscope.reader_study.progress import current, progress
from pneumoscope.reader_study.projection import Stored
from pneumoscope.reader_study.protocol import Protocol
from pneumoscope.reader_study.undo import UndoHistory
from pneumoscope.reader_study.worklist import Task


@dataclass(frozen=True)
class View:
    """What the page of a reader shows.

    Parameters
    ----------
    state : str
        ``reading``, ``waiting`` (for the end of the washout) or ``finished``.
    question : str
        What the reader looks for.
    questions : Questions
        What is asked of each case.
    locked, assigned : int
        Progress in cases.
    session : int
        Number of the session, from 1; 0 when finished.
    practice : bool
        Whether the case is for practice.
    token : str
        Token of the case; empty when there is none to read.
    step : int
        0, or 1, 2, … for a further answer to the same case.
    rows, cols : int
        Size of the radiograph; 0 without one.
    aid : bool
        Whether the aid may be asked for now.
    opened : bool
        Whether the case was shown already.
    base : int
        Number of the last event of the task, which the next change must name; 0 before the first.
    answer : mapping
        The reader's own answer as it was saved; empty before.
    undo : UndoHistory, optional
        The states of this answer that undo and redo lead to; None before the case is opened.
    previous : mapping
        The reader's own locked answer to the step before, such as the unaided one; empty at the first step.
    next_token : str
        Token of the next radiograph of the session, whose pixels may be fetched in advance; empty without one.
    may_go_back : bool
        Whether locked answers of this session may be corrected.
    waiting_until : str
        End of the washout, ISO 8601 in UTC; empty when not waiting.
    display_checked : bool
        Whether the reader has answered the display check of this session.
    """

    state: str
    question: str
    questions: Questions
    locked: int
    assigned: int
    session: int = 0
    practice: bool = False
    token: str = ""
    step: int = 0
    rows: int = 0
    cols: int = 0
    aid: bool = False
    opened: bool = False
    base: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)
    undo: UndoHistory | None = None
    previous: Mapping[str, Any] = field(default_factory=dict)
    next_token: str = ""
    may_go_back: bool = False
    waiting_until: str = ""
    display_checked: bool = False


@dataclass(frozen=True)
class EarlierAnswer:
    """A locked answer that the reader may still correct.

    Parameters
    ----------
    token : str
        Token of the case.
    step : int
        Step of the case.
    rows, cols : int
        Size of the radiograph.
    aid : bool
        Whether the answer was given with the aid, which may then be asked for again.
    base : int
        Number of the last event of the task, which a correction must name.
    answer : mapping
        The last revision.
    """

    token: str
    step: int
    rows: int
    cols: int
    aid: bool
    base: int
    answer: Mapping[str, Any]


def token(key: bytes, *parts: object) -> str:
    """Make an opaque token.

    Parameters
    ----------
    key : bytes
        Secret of the study.
    *parts : object
        What the token stands for.

    Returns
    -------
    str
        32 hexadecimal digits, from which nothing can be read without the secret.
    """
    return hmac.new(key, "\0".join(map(str, parts)).encode(), hashlib.sha256).hexdigest()[:32]


def case_token(key: bytes, reader: str, task: Task) -> str:
    """Make the token under which a reader asks for a case in a session.

    Parameters
    ----------
    key : bytes
        Secret of the study.
    reader : str
        Pseudonym.
    task : Task
        A task of the reader.

    Returns
    -------
    str
        The same for all steps of a case in a session, another one in another session.
    """
    # Place and case: a case for practice occurs several times in one session, once in each arm.
    return token(key, "case", reader, task.session, task.place, task.case)


def view(
    protocol: Protocol,
    key: bytes,
    reader: str,
    tasks: Sequence[Task],
    answers: Sequence[Stored],
    waiting_until: str = "",
    checked_sessions: Collection[int] = (),
    undo: UndoHistory | None = None,
) -> View:
    """Make what the page of a reader shows now.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.
    key : bytes
        Secret of the study.
    reader : str
        Pseudonym.
    tasks : sequence of Task
        The reader's worklist.
    answers : sequence of Stored
        The reader's answers.
    waiting_until : str
        End of the washout of the current task; empty if it is over.
    checked_sessions : collection of int
        Sessions whose display check the reader has answered.
    undo : UndoHistory, optional
        Of the current task.

    Returns
    -------
    View
        The only thing about the study that is ever sent, apart from pixels and aids.
    """
    definition, task, done = protocol.definition, current(tasks, answers), progress(tasks, answers)
    finished = View("finished", definition.target, definition.questions, done.locked, done.assigned)
    if task is None:
        return finished
    if waiting_until:
        return replace(finished, state="waiting", session=task.session, waiting_until=waiting_until)
    case, following = protocol.by_name[task.case], next_radiograph(tasks, task)
    by_task = {one.task: one for one in answers}
    own, before = by_task.get(task.number), by_task.get(task.number - 1) if task.step else None
    return replace(
        finished,
        state="reading",
        session=task.session,
        practice=task.training,
        token=case_token(key, reader, task),
        step=task.step,
        rows=case.rows,
        cols=case.cols,
        aid=own is not None and definition.arm(task.arm).aid is not None,
        opened=own is not None,
        base=own.event if own else 0,
        answer=own.answer if own else {},
        undo=undo if own else None,
        previous=before.answer if before else {},
        next_token=case_token(key, reader, following) if following else "",
        may_go_back=definition.going_back,
        display_checked=task.session in checked_sessions,
    )


def earlier_answers(
    protocol: Protocol, key: bytes, reader: str, tasks: Sequence[Task], answers: Sequence[Stored]
) -> tuple[EarlierAnswer, ...]:
    """Make the list of locked answers that a reader may still correct.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.
    key : bytes
        Secret of the study.
    reader : str
        Pseudonym.
    tasks : sequence of Task
        The reader's worklist.
    answers : sequence of Stored
        The reader's answers.

    Returns
    -------
    tuple of EarlierAnswer
        The reader's own, in the order of the worklist; empty where the study does not allow going back.
    """
    own = {answer.task: answer for answer in answers}
    return tuple(
        EarlierAnswer(
            case_token(key, reader, task),
            task.step,
            protocol.by_name[task.case].rows,
            protocol.by_name[task.case].cols,
            protocol.definition.arm(task.arm).aid is not None,
            own[task.number].event,
            own[task.number].answer,
        )
        for task in correctable(protocol, tasks, answers)
    )


def correctable(protocol: Protocol, tasks: Sequence[Task], answers: Sequence[Stored]) -> tuple[Task, ...]:
    """Select the tasks whose locked answers may still be corrected.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.
    tasks : sequence of Task
        The reader's worklist.
    answers : sequence of Stored
        The reader's answers.

    Returns
    -------
    tuple of Task
        Locked tasks of the session of the last one that was opened, the last one of each case, without practice; empty where the
        study does not allow going back.
    """
    if not protocol.definition.going_back or not answers:
        return ()
    locked, opened = {one.task for one in answers if one.locked}, {one.task for one in answers}
    session = tasks[max(opened) - 1].session
    last_opened = {(task.session, task.place): task.number for task in tasks if task.number in opened}
    return tuple(
        task
        for task in tasks
        if task.number in locked
        and task.session == session
        and not task.training
        and last_opened[task.session, task.place] == task.number
    )


def next_radiograph(tasks: Sequence[Task], task: Task) -> Task | None:
    """Find the next task of the session that shows another radiograph.

    Parameters
    ----------
    tasks : sequence of Task
        The reader's worklist.
    task : Task
        The current task.

    Returns
    -------
    Task or None
        None at the end of the session.
    """
    return next((one for one in tasks[task.number :] if one.session == task.session and one.place != task.place), None)
