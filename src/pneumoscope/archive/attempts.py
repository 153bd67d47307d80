"""Count how often a shard was begun and not ended, so that a file that kills its process is not tried forever."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec

from pneumoscope import PneumoscopeError
from pneumoscope.archive.store import Store

FOLDER = "_attempts"
MOST_DEAD = 2
"""Attempts that may end without a result before the files of a shard are read one at a time, each in a process of its own."""


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
    dead = starts_of(store, shard)
    name = f"{FOLDER}/{shard}.json"
    store.replace(name, msgspec.json.encode([*dead, datetime.now(UTC).timestamp()]))
    try:
        yield len(dead)
    except BaseException:
        with suppress(PneumoscopeError, OSError):  # what went wrong first is what is reported
            store.replace(name, msgspec.json.encode(dead))
        raise


def starts_of(store: Store, shard: str) -> list[float]:
    """Read when a shard was begun.

    Parameters
    ----------
    store : Store
        The data set.
    shard : str
        Digest of the shard.

    Returns
    -------
    list of float
        Times of the attempts that were killed or gave the result, seconds since 1970.
    """
    content = store.read(f"{FOLDER}/{shard}.json")
    try:
        return msgspec.json.decode(content or b"[]", type=list[float])
    except msgspec.DecodeError:
        return []  # the note of an attempt is no result: a damaged one counts as none
