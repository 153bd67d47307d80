"""Active reading time from the signals that a page sends: visible, in focus, not paused, not idle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pneumoscope import strict_json
from pneumoscope.reader_study.errors import ReaderStudyError

SignalKind = Literal["loaded", "hidden", "visible", "blurred", "focused", "input", "mark", "paused", "resumed", "closed"]
IDLE_SECONDS = 60.0
"""Time without input after which a reader counts as idle: the first minute of a longer gap counts, the rest does not."""
MOST_SIGNALS = 5000


@dataclass(frozen=True)
class Signal:
    """Something that happened on a page.

    Parameters
    ----------
    page : str
        Identifier that the page made when it was opened.
    kind : str
        ``loaded``: the radiograph is on the screen. ``hidden``, ``visible``, ``blurred``, ``focused``: of the window. ``input``:
        a key or a pointer. ``mark``: a mark was placed. ``paused``, ``resumed``: by the reader. ``closed``: the page is left.
    ms : float
        Time on the page's own clock, milliseconds; does not go back within a page.
    """

    page: str
    kind: SignalKind
    ms: float


@dataclass(frozen=True)
class ReadingTime:
    """How long a reader looked at a case.

    Parameters
    ----------
    active_seconds : float
        Active time.
    first_mark_seconds : float, optional
        Active time to the first mark; None without a mark.
    """

    active_seconds: float
    first_mark_seconds: float | None


def parsed(tree: Any) -> tuple[Signal, ...]:
    """Check the signals that a client sent.

    Parameters
    ----------
    tree : object
        Parsed JSON.

    Returns
    -------
    tuple of Signal
        The signals.

    Raises
    ------
    ReaderStudyError
        If they are not valid, too many, or go back in time.
    """
    try:
        signals = strict_json.convert(tree, tuple[Signal, ...])
    except strict_json.StrictJsonError as error:
        raise ReaderStudyError(f"the request holds no valid signals ({error})") from error
    if len(signals) > MOST_SIGNALS:
        raise ReaderStudyError(f"the request holds {len(signals)} signals; at most {MOST_SIGNALS} are stored at once")
    for page in {signal.page for signal in signals}:
        times = [signal.ms for signal in signals if signal.page == page]
        if not all(0 <= time < 1e12 for time in times) or times != sorted(times):
            raise ReaderStudyError("the signals of a page go back in time")
    return signals


def reading_time(signals: Iterable[Signal]) -> ReadingTime:
    """Compute the active time of one task.

    Time counts from the radiograph's being loaded, while the page is visible, in focus and not paused; of a gap between two
    inputs the first `IDLE_SECONDS` count. Loading does not count. A page that was killed counts up to its last signal.

    Parameters
    ----------
    signals : iterable of Signal
        All signals of the task, those of one page in order.

    Returns
    -------
    ReadingTime
        Sums over pages.

    Examples
    --------
    >>> reading_time([Signal("p", "loaded", 1000), Signal("p", "mark", 4000), Signal("p", "input", 124000)])
    ReadingTime(active_seconds=63.0, first_mark_seconds=3.0)
    """
    pages: dict[str, list[Signal]] = {}
    for signal in signals:
        pages.setdefault(signal.page, []).append(signal)
    total, first_mark = 0.0, None
    for page in pages.values():
        active, marked = _of_page(page)
        if first_mark is None and marked is not None:
            first_mark = total + marked
        total += active
    return ReadingTime(total, first_mark)


def _of_page(signals: Sequence[Signal]) -> tuple[float, float | None]:
    """Active seconds of a page, and those up to its first mark."""
    loaded, visible, focused, paused = False, True, True, False
    active, since_input, first_mark, before = 0.0, 0.0, None, 0.0
    for signal in signals:
        gap = (signal.ms - before) / 1000
        if loaded and visible and focused and not paused:
            active += max(0.0, min(gap, IDLE_SECONDS - since_input))
            since_input += gap
        before = signal.ms
        loaded = loaded or signal.kind == "loaded"
        visible = signal.kind not in ("hidden", "closed") and (visible or signal.kind == "visible")
        focused = signal.kind != "blurred" and (focused or signal.kind == "focused")
        paused = signal.kind == "paused" or (paused and signal.kind != "resumed")
        if signal.kind not in ("hidden", "blurred", "paused", "closed"):
            since_input = 0.0
        if signal.kind == "mark" and first_mark is None:
            first_mark = active
    return active, first_mark
