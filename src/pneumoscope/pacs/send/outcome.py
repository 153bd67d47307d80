"""The outcome of one try to send a result, and the tables that decide it."""

import random
from dataclasses import dataclass
from enum import StrEnum

from pneumoscope.pacs.settings import Sending


class Fate(StrEnum):
    """What becomes of a delivery after a try."""

    SENT = "sent"
    LATER = "later"
    """The destination certainly did not store the result: try again."""
    DOUBT = "doubt"
    """Whether the destination stored the result is unknown: ask, then try again."""
    NEVER = "never"
    """No further try would succeed: a dead letter."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one try.

    Parameters
    ----------
    fate : Fate
        Sent, to be tried again, or a dead letter.
    reason : str
        One sentence without an identifier; empty where all went well.
    wait_seconds : float
        Time that the destination asks to wait before the next try, 0 where it says nothing.
    unreachable : bool
        Whether there was no connection at all, so that other deliveries to this destination would fail in the same way.
    """

    fate: Fate
    reason: str = ""
    wait_seconds: float = 0.0
    unreachable: bool = False


@dataclass(frozen=True)
class Status:
    """A range of status codes of C-STORE, or of failure reasons of STOW-RS, and what it means for a delivery.

    Parameters
    ----------
    low, high : int
        First and last code.
    meaning : str
        As the Standard calls it.
    fate : Fate
        What becomes of the delivery.
    """

    low: int
    high: int
    meaning: str
    fate: Fate


STATUSES = (
    Status(0x0000, 0x0000, "success", Fate.SENT),
    Status(0x0001, 0x0001, "success with a warning", Fate.SENT),
    Status(0x0105, 0x0106, "invalid attribute value", Fate.NEVER),
    Status(0x0110, 0x0110, "processing failure", Fate.LATER),
    Status(0x0111, 0x0111, "duplicate SOP instance", Fate.SENT),
    Status(0x0112, 0x0112, "no such object instance", Fate.NEVER),
    Status(0x0117, 0x0117, "invalid object instance", Fate.NEVER),
    Status(0x0122, 0x0122, "SOP class not supported", Fate.NEVER),
    Status(0x0124, 0x0124, "not authorized", Fate.NEVER),
    Status(0x0210, 0x0212, "the operation is not recognized", Fate.NEVER),
    Status(0x0213, 0x0213, "resource limitation", Fate.LATER),
    Status(0xA700, 0xA7FF, "out of resources", Fate.LATER),
    Status(0xA900, 0xA9FF, "data set does not match SOP class", Fate.NEVER),
    Status(0xB000, 0xBFFF, "stored with a warning", Fate.SENT),
    Status(0xC000, 0xCFFF, "cannot understand", Fate.NEVER),
)
"""C-STORE statuses (PS3.4 table B.2-1, PS3.7 annex C) and failure reasons of STOW-RS (PS3.18 table I.2-2); all others: later."""

LATER_HTTP = frozenset({408, 421, 423, 425, 429, 503, 507})
"""HTTP statuses of a message that was not processed and is sent again; 507 is Insufficient Storage."""
DOUBT_HTTP = frozenset({500, 502, 504})
"""HTTP statuses after which it is unknown whether the message was processed."""


def of_status(code: int, who: str) -> Outcome:
    """Make the outcome of a status code.

    Parameters
    ----------
    code : int
        Status of C-STORE, or failure reason of STOW-RS.
    who : str
        The destination, for the sentence.

    Returns
    -------
    Outcome
        Its outcome.

    Examples
    --------
    >>> of_status(0xA700, "the destination 'pacs'")
    Outcome(fate=<Fate.LATER: 'later'>, reason="the destination 'pacs' answers 0xA700 (out of resources)", wait_seconds=0.0, \
unreachable=False)
    """
    if code == 0:
        return Outcome(Fate.SENT)
    status = next((one for one in STATUSES if one.low <= code <= one.high), None)
    meaning, fate = (status.meaning, status.fate) if status else ("a status of its own", Fate.LATER)
    return Outcome(fate, f"{who} answers 0x{code:04X} ({meaning})")


def wait_seconds(attempts: int, settings: Sending, chance: random.Random) -> float:
    """Choose how long to wait after a transient error: exponential backoff with jitter.

    Parameters
    ----------
    attempts : int
        Tries so far, >= 1.
    settings : Sending
        First and longest wait.
    chance : random.Random
        Source of the jitter.

    Returns
    -------
    float
        Seconds: between half of the wait and the wait, which doubles with every try up to the longest.
    """
    doubled = settings.first_wait_seconds * 2.0 ** min(attempts - 1, 60)
    return min(settings.longest_wait_seconds, doubled) * chance.uniform(0.5, 1.0)
