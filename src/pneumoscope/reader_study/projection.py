"""The table `answers`: the present state of each task, which follows from the events alone and can be rebuilt from them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Status = Literal["shown", "saved", "locked"]
TABLE = """
CREATE TABLE answers (
    reader TEXT NOT NULL, task INTEGER NOT NULL, status TEXT NOT NULL, revision INTEGER NOT NULL, event INTEGER NOT NULL,
    shown_at TEXT NOT NULL, last_at TEXT NOT NULL, locked_at TEXT NOT NULL, answer TEXT NOT NULL, screen TEXT NOT NULL,
    PRIMARY KEY (reader, task)
) STRICT;
"""
CHANGES_ANSWERS: tuple[str, ...] = ("shown", "saved", "locked", "corrected")
"""Kinds of events that the table is made from."""


class _Happened(Protocol):
    """What of an event the table is made from."""

    @property
    def number(self) -> int: ...
    @property
    def at(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Stored:
    """The state of one task of one reader.

    Parameters
    ----------
    reader : str
        Pseudonym.
    task : int
        Number of the task in the reader's worklist.
    status : {"shown", "saved", "locked"}
        The furthest that the task has come.
    revision : int
        0 before the lock, 1 from the lock on, one more with each correction.
    event : int
        Number of the last event of the task: a change must name it, so that two windows do not overwrite each other.
    shown_at, last_at, locked_at : str
        Time of the first display, of the last event and of the lock; empty before the lock.
    answer, screen : mapping
        The last answer, and what was on the screen with it; empty before the first save.
    """

    reader: str
    task: int
    status: Status
    revision: int
    event: int
    shown_at: str
    last_at: str
    locked_at: str
    answer: Mapping[str, Any]
    screen: Mapping[str, Any]

    @property
    def locked(self) -> bool:
        """Whether the answer is locked."""
        return self.status == "locked"


_INSERT = """INSERT INTO answers VALUES (:reader, :task, 'shown', 0, :event, :at, :at, '', '{}', '{}')
ON CONFLICT DO UPDATE SET event = :event, last_at = :at"""
_UPDATE = """UPDATE answers SET event = :event, last_at = :at, answer = :answer, screen = :screen,
    status = :status, revision = revision + :step, locked_at = CASE WHEN locked_at = '' THEN :locked_at ELSE locked_at END
WHERE reader = :reader AND task = :task"""


def apply(connection: sqlite3.Connection, event: _Happened) -> None:
    """Bring the effect of one event into the table.

    Parameters
    ----------
    connection : sqlite3.Connection
        With the table `TABLE`.
    event : Event
        The event; kinds other than `CHANGES_ANSWERS` have no effect.
    """
    if event.kind not in CHANGES_ANSWERS:
        return
    named = {"reader": event.actor, "task": event.body["task"], "event": event.number, "at": event.at}
    if event.kind == "shown":
        connection.execute(_INSERT, named)
        return
    final = event.kind != "saved"
    state = {"status": "locked" if final else "saved", "step": int(final), "locked_at": event.at if final else ""}
    texts = {name: json.dumps(event.body[name], sort_keys=True) for name in ("answer", "screen")}
    connection.execute(_UPDATE, {**named, **state, **texts})


def stored(connection: sqlite3.Connection, reader: str, task: int) -> Stored | None:
    """Read the state of one task.

    Parameters
    ----------
    connection : sqlite3.Connection
        With the table.
    reader : str
        Pseudonym.
    task : int
        Number of the task.

    Returns
    -------
    Stored or None
        None if the task was never shown.
    """
    row = connection.execute("SELECT * FROM answers WHERE reader = ? AND task = ?", (reader, task)).fetchone()
    return None if row is None else _stored(row)


def all_stored(connection: sqlite3.Connection, reader: str | None) -> tuple[Stored, ...]:
    """Read the states of all tasks that were shown.

    Parameters
    ----------
    connection : sqlite3.Connection
        With the table.
    reader : str, optional
        Pseudonym; None for all readers.

    Returns
    -------
    tuple of Stored
        By reader and task.
    """
    chosen, names = ("WHERE reader = ?", (reader,)) if reader is not None else ("", ())
    return tuple(map(_stored, connection.execute(f"SELECT * FROM answers {chosen} ORDER BY reader, task", names)))


def _stored(row: tuple[Any, ...]) -> Stored:
    reader, task, status, revision, event, shown_at, last_at, locked_at, answer, screen = row
    return Stored(reader, task, status, revision, event, shown_at, last_at, locked_at, json.loads(answer), json.loads(screen))
