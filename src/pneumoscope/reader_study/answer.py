"""The answer of a reader to one case, and what was on the screen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from pneumoscope import strict_json
from pneumoscope.radiograph import Region
from pneumoscope.reader_study.definition import Questions
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.protocol import StudyCase

Decision = Literal["positive", "negative"]
MOST_MARKS = 100
MOST_NOTE = 1000


@dataclass(frozen=True)
class PlacedMark:
    """A place that the reader points at.

    Parameters
    ----------
    row, col : float
        In pixels of the radiograph; (0.5, 0.5) is the centre of the first pixel.
    rating : float, optional
        Confidence; None as long as it was not given.
    region : Region, optional
        The rectangle that the reader drew.
    """

    row: float
    col: float
    rating: float | None = None
    region: Region | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one case; every part may be missing until it is locked.

    Parameters
    ----------
    rating : float, optional
        Confidence that the target is present.
    decision : {"positive", "negative"}, optional
        The decision.
    marks : tuple of PlacedMark
        The marks.
    no_marks : bool
        Whether the reader confirmed that there is nothing to mark.
    items : mapping of str to str
        Answers to the free questions.
    """

    rating: float | None = None
    decision: Decision | None = None
    marks: tuple[PlacedMark, ...] = ()
    no_marks: bool = False
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Screen:
    """What was on the screen.

    Parameters
    ----------
    window_centre, window_width : float, optional
        Of the grey scale, as shares of the range of grey levels.
    inverted : bool
        Whether black and white were exchanged.
    zoom : float, optional
        Screen pixels a pixel of the radiograph.
    overlay_opacity : float, optional
        Opacity of the aid, in [0, 1]; None where no aid was shown.
    """

    window_centre: float | None = None
    window_width: float | None = None
    inverted: bool = False
    zoom: float | None = None
    overlay_opacity: float | None = None


@dataclass(frozen=True)
class DisplayCheck:
    """What a reader sees of the test pattern before a session.

    Parameters
    ----------
    dark_square, bright_square : bool
        Whether the square of 5 % on black, and that of 95 % on white, is seen.
    steps : bool
        Whether all neighbouring grey steps differ.
    bars : bool
        Whether the bars one pixel wide are seen as separate lines.
    width, height : int
        Size of the window in CSS pixels.
    pixel_ratio : float
        Pixels of the display for each CSS pixel.
    depth : int
        Bits of a colour, as the browser states it.
    note : str
        Display and room, in the reader's words.
    """

    dark_square: bool
    bright_square: bool
    steps: bool
    bars: bool
    width: int
    height: int
    pixel_ratio: float
    depth: int
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.note) > MOST_NOTE:
            raise ValueError(f"a note has {len(self.note)} characters; at most {MOST_NOTE} are stored")

    @property
    def faults(self) -> tuple[str, ...]:
        """What the reader does not see, in words."""
        seen = {
            "the 5 % square": self.dark_square,
            "the 95 % square": self.bright_square,
            "all grey steps": self.steps,
            "bars one pixel wide": self.bars,
        }
        return tuple(name for name, is_seen in seen.items() if not is_seen)


def parsed(tree: Any, kind: type[Answer] | type[Screen] | type[DisplayCheck]) -> Any:
    """Check that a client sent an answer, a state of the screen or a display check, with finite numbers.

    Parameters
    ----------
    tree : object
        Parsed JSON.
    kind : type
        `Answer`, `Screen` or `DisplayCheck`.

    Returns
    -------
    Answer, Screen or DisplayCheck
        The value.

    Raises
    ------
    ReaderStudyError
        Naming the field that is wrong.
    """
    try:
        value = strict_json.convert(tree, kind)
    except strict_json.StrictJsonError as error:
        raise ReaderStudyError(f"the request holds no valid {_WORDS[kind]} ({error})") from error
    require_finite(value)
    return value


def require_finite(value: Any) -> None:
    """Refuse a value that holds a number which is not finite.

    Parameters
    ----------
    value : object
        A value that msgspec can turn into builtins.

    Raises
    ------
    ReaderStudyError
        If a number in it is infinite or NaN.
    """
    if not _finite(msgspec.to_builtins(value)):
        raise ReaderStudyError("the request holds a number that is not finite")


_WORDS: Mapping[type, str] = {Answer: "answer", Screen: "screen", DisplayCheck: "display check"}


def _finite(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return all(map(_finite, tree.values()))
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return all(map(_finite, tree))
    return not isinstance(tree, float) or math.isfinite(tree)


def check_draft(answer: Answer, questions: Questions, case: StudyCase) -> None:
    """Refuse an answer that cannot be right, however incomplete it is.

    Parameters
    ----------
    answer : Answer
        The answer.
    questions : Questions
        What is asked.
    case : StudyCase
        The case.

    Raises
    ------
    ReaderStudyError
        If a rating is off its scale, a mark lies outside of the radiograph, or something is answered that is not asked.
    """
    if answer.rating is not None and not questions.rating.allows(answer.rating):
        raise ReaderStudyError(f"a rating of {answer.rating:g} is not on the scale of the study")
    if answer.decision and not questions.decision:
        raise ReaderStudyError("this study asks for no decision")
    if (answer.marks or answer.no_marks) and questions.marks is None:
        raise ReaderStudyError("this study asks for no marks")
    if answer.marks and answer.no_marks:
        raise ReaderStudyError("an answer has marks and says that there is nothing to mark")
    if len(answer.marks) > MOST_MARKS:
        raise ReaderStudyError(f"an answer has {len(answer.marks)} marks; at most {MOST_MARKS} are stored")
    for mark in answer.marks:
        _check_mark(mark, questions, case)
    _check_items(answer, questions)


def _check_mark(mark: PlacedMark, questions: Questions, case: StudyCase) -> None:
    if not (0 <= mark.row <= case.rows and 0 <= mark.col <= case.cols):
        raise ReaderStudyError("a mark lies outside of the radiograph")
    if mark.rating is not None and questions.marks and not questions.marks.allows(mark.rating):
        raise ReaderStudyError(f"the confidence {mark.rating:g} of a mark is not on the scale of the study")


def _check_items(answer: Answer, questions: Questions) -> None:
    asked = {item.name: item for item in questions.items}
    for name, value in answer.items.items():
        if name not in asked:
            raise ReaderStudyError("an item is answered that the study does not ask")
        if asked[name].choices and value not in asked[name].choices:
            raise ReaderStudyError(f"the answer to the item '{name}' is none of its choices")


def missing(answer: Answer, questions: Questions) -> tuple[str, ...]:
    """List what is still to be answered before a case can be locked.

    Parameters
    ----------
    answer : Answer
        The answer.
    questions : Questions
        What is asked.

    Returns
    -------
    tuple of str
        Names of the questions; empty for a complete answer. That there is nothing to mark is an answer to be confirmed.
    """
    open_ = []
    if answer.rating is None:
        open_.append("rating")
    if questions.decision and answer.decision is None:
        open_.append("decision")
    if questions.marks and not (answer.marks or answer.no_marks):
        open_.append("marks")
    if any(mark.rating is None for mark in answer.marks):
        open_.append("confidence of a mark")
    return (*open_, *(item.name for item in questions.items if item.required and not answer.items.get(item.name)))
