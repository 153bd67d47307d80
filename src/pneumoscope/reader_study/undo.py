"""The undo history of an answer, which follows from the journal, so that undo and redo survive a reload or a killed browser."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pneumoscope import strict_json
from pneumoscope.reader_study.answer import Answer, check_draft, require_finite
from pneumoscope.reader_study.definition import Questions
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.protocol import StudyCase

MOST_STATES = 1000


@dataclass(frozen=True)
class UndoChange:
    """What one saved change does to the undo history of the answer.

    Parameters
    ----------
    kept : int
        Number of states at the start of the history that the server has already and that stay.
    added : tuple of Answer
        States that follow the kept ones, oldest first.
    place : int
        Index of the present state; states after it can be redone.
    """

    kept: int
    added: tuple[Answer, ...]
    place: int

    def __post_init__(self) -> None:
        if self.kept < 0 or not 0 <= self.place < self.kept + len(self.added):
            raise ValueError("the place in the undo history is not one of its states")
        if self.kept + len(self.added) > MOST_STATES:
            raise ValueError(f"an undo history has at most {MOST_STATES} states")


@dataclass(frozen=True)
class UndoHistory:
    """The states of an answer between which a reader may go back and forth.

    Parameters
    ----------
    states : tuple of Answer
        Oldest first; at least one.
    place : int
        Index of the present one.
    """

    states: tuple[Answer, ...]
    place: int


def parsed(tree: Any, questions: Questions, case: StudyCase) -> UndoChange:
    """Check the part of a change that concerns the undo history.

    Parameters
    ----------
    tree : object
        Parsed JSON.
    questions : Questions
        What is asked.
    case : StudyCase
        The case.

    Returns
    -------
    UndoChange
        Its states are answers that may be saved.

    Raises
    ------
    ReaderStudyError
        If the tree is not an `UndoChange`, or one of its states could not be saved as an answer.
    """
    try:
        change = strict_json.convert(tree, UndoChange)
    except strict_json.StrictJsonError as error:
        raise ReaderStudyError(f"the request holds no valid undo history ({error})") from error
    for state in change.added:
        require_finite(state)
        check_draft(state, questions, case)
    return change


def history(saved: Iterable[Mapping[str, Any]]) -> UndoHistory:
    """Rebuild the undo history of an answer from the journal.

    Parameters
    ----------
    saved : iterable of mapping
        Bodies of all events ``saved`` of the task, in order.

    Returns
    -------
    UndoHistory
        Its present state is the last saved answer. A change without a history of its own adds one state.
    """
    states: tuple[Answer, ...] = (Answer(),)
    place = 0
    for body in saved:
        answer = msgspec.convert(body["answer"], Answer)
        change = msgspec.convert(body["undo"], UndoChange) if "undo" in body else UndoChange(place + 1, (answer,), place + 1)
        states, place = (*states[: change.kept], *change.added), change.place
        if place >= len(states) or states[place] != answer:
            states, place = (answer,), 0
    return UndoHistory(states, place)
