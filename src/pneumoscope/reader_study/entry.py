"""What a client sends with a change of an answer, and what it gets back."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Feedback:
    """The reference standard of a case for practice, after its last answer is locked.

    Parameters
    ----------
    diseased : bool
        Whether the target is present.
    lesions : tuple
        Reference regions, as (top, left, bottom, right) in pixels.
    """

    diseased: bool
    lesions: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Receipt:
    """The proof that a change is on the disk.

    Parameters
    ----------
    number : int
        Number of the event: the base of the next change.
    sha256 : str
        Hash of the event.
    feedback : Feedback, optional
        For a case for practice whose last answer was locked.
    """

    number: int
    sha256: str
    feedback: Feedback | None = None


@dataclass(frozen=True)
class Entry:
    """What a client sends with a change of an answer.

    Parameters
    ----------
    token : str
        Token of the case.
    step : int
        Step of the case.
    key : str
        Idempotency key, made by the client, unique for each change.
    base : int
        `View.base`, or the number of the last receipt.
    answer, screen, signals : object
        Parsed JSON of `answer.Answer`, `answer.Screen` and a list of `timing.Signal`.
    undo : object
        Parsed JSON of an `undo.UndoChange`; None for a client without undo.
    """

    token: str
    step: int
    key: str
    base: int
    answer: Any
    screen: Any = field(default_factory=dict)
    signals: Any = ()
    undo: Any = None
