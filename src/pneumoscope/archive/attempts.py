"""Note when a shard was begun and committed.

How often it was begun and not ended is counted, so that a file that kills its process is not tried forever. Rates and costs come
from these times, because the times of files change when a data set is copied.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pneumoscope import PneumoscopeError
from pneumoscope.archive.store import Store

FOLDER = "_attempts"
MOST_DEAD = 2
"""Attempts that may end without a result before the files of a shard are read one at a time, each in a process of its own."""


@dataclass(frozen=True)
class Attempts:
    """The attempts at a shard.

    Parameters
    ----------
    starts : list of float
        Times of the attempts that were killed or gave the result, seconds since 1970.
    end : float, optional
        When the result was committed; None where there is none, or an earlier version wrote it.
    """

    starts: list[float]
    end: float | None = None


@contextmanager
def begun(store: Store, shard: str) -> Iterator[int]:
    """Note that a shard is begun; the note stays where the process ends without leaving the context.

    Parameters
    ----------
    store : Store
        The data set.
    shard : str
        Digest of the shard.

    Yields
    ------
    int
        Number of earlier attempts that ended without a result and without an exception: their process was killed.
    """
    noted = attempts_of(store, shard)
    dead = noted.starts if noted.end is None else []  # one that ended with a result, which was removed since, was not killed
    starts = [*dead, _now()]
    _note(store, shard, Attempts(starts))
    try:
        yield len(dead)
    except BaseException:
        with suppress(PneumoscopeError, OSError):  # what went wrong first is what is reported
            _note(store, shard, Attempts(dead))
        raise
    with suppress(PneumoscopeError, OSError):  # the result is committed, and its time is no part of it
        _note(store, shard, Attempts(starts, _now()))


def forget(store: Store, shard: str) -> None:
    """Remove the note of a shard whose results were removed, so that the attempts that gave them do not count as killed.

    Parameters
    ----------
    store : Store
        The data set.
    shard : str
        Digest of the shard.
    """
    store.remove(f"{FOLDER}/{shard}.json")


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _note(store: Store, shard: str, attempts: Attempts) -> None:
    store.replace(f"{FOLDER}/{shard}.json", msgspec.json.encode(attempts))


def attempts_of(store: Store, shard: str) -> Attempts:
    """Read when a shard was begun and committed.

    Parameters
    ----------
    store : Store
        The data set.
    shard : str
        Digest of the shard.

    Returns
    -------
    Attempts
        The times; none where none are noted.
    """
    content = store.read(f"{FOLDER}/{shard}.json")
    try:
        noted = msgspec.json.decode(content or b"[]", type=list[float] | Attempts)
    except msgspec.DecodeError:
        return Attempts([])  # the note of an attempt is no result: a damaged one counts as none
    return noted if isinstance(noted, Attempts) else Attempts(noted)  # earlier versions wrote the starts alone
