"""The journal of a study: events that are only ever added, in SQLite, each with the hash of the one before.

One transaction holds one event and its effect on the table `answers`. The database is in WAL mode with ``synchronous=FULL``: an
event whose receipt was returned survives a kill of the process and a power cut.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.reader_study import projection
from pneumoscope.reader_study.errors import ConflictError, ReaderStudyError, TamperedJournalError

Clock = Callable[[], datetime]
FIRST = "0" * 64
"""What the first event has for the hash of the one before."""
SYNCHRONOUS = "FULL"
"""How SQLite flushes: the content of every transaction is on the disk before its receipt."""
_WAIT_SECONDS = 30.0
_TABLES = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL, previous TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
"""


@dataclass(frozen=True)
class Event:
    """One change of a study.

    Parameters
    ----------
    number : int
        Position in the journal, from 1.
    at : str
        Time of the server's clock, ISO 8601 in UTC with microseconds.
    actor : str
        Pseudonym of the reader, or ``coordinator``.
    kind : str
        What happened, such as ``shown``, ``saved`` or ``locked``.
    key : str
        Idempotency key that the client made; unique in the journal.
    body : mapping
        What the change holds; JSON values.
    previous : str
        SHA-256 of the event before.
    sha256 : str
        SHA-256 of all fields above, as canonical JSON.
    """

    number: int
    at: str
    actor: str
    kind: str
    key: str
    body: Mapping[str, Any]
    previous: str
    sha256: str

    @property
    def time(self) -> datetime:
        """The time of the event."""
        return datetime.fromisoformat(self.at)


def now() -> datetime:
    """Read the clock.

    Returns
    -------
    datetime
        The present time in UTC.
    """
    return datetime.now(UTC)


def canonical(value: Any) -> str:
    """Write JSON in the one form that is hashed: sorted keys, no spaces, ASCII, no NaN.

    Parameters
    ----------
    value : object
        JSON values.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> canonical({"b": 1.5, "a": [True, None]})
    '{"a":[true,null],"b":1.5}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _sha256(number: int, at: str, actor: str, kind: str, key: str, body: str, previous: str) -> str:
    return hashlib.sha256(canonical([number, at, actor, kind, key, body, previous]).encode()).hexdigest()


def _event(row: tuple[Any, ...]) -> Event:
    number, at, actor, kind, key, body, previous, sha256 = row
    return Event(number, at, actor, kind, key, json.loads(body), previous, sha256)


class Change:
    """A transaction in which one event is added (`Journal.change`)."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        self.time = clock()

    def earlier(self, key: str, actor: str, kind: str, body: Mapping[str, Any]) -> Event | None:
        """Find the event that a repeated request has made before.

        Parameters
        ----------
        key, actor, kind, body
            Of the request.

        Returns
        -------
        Event or None
            The event; None for a new key.

        Raises
        ------
        ConflictError
            If the key belongs to another change.
        """
        row = self._connection.execute("SELECT * FROM events WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        found = _event(row)
        if (found.actor, found.kind, canonical(found.body)) != (actor, kind, canonical(body)):
            raise ConflictError("the idempotency key of this change was used for another change; make a new key for each change")
        return found

    def answer(self, reader: str, task: int) -> projection.Stored | None:
        """Look up the state of a task.

        Parameters
        ----------
        reader : str
            Pseudonym.
        task : int
            Number of the task in the reader's worklist.

        Returns
        -------
        Stored or None
            None if the task was never shown.
        """
        return projection.stored(self._connection, reader, task)

    def add(self, kind: str, actor: str, key: str, body: Mapping[str, Any]) -> Event:
        """Add an event and its effect on the answers.

        Parameters
        ----------
        kind, actor, key, body
            As in `Event`.

        Returns
        -------
        Event
            With its number, time and hash; on the disk when the transaction has ended.

        Raises
        ------
        ReaderStudyError
            If there is no key.
        """
        if not key:
            raise ReaderStudyError("a change without an idempotency key; send a key that is unique for each change")
        last = self._connection.execute("SELECT number, at, sha256 FROM events ORDER BY number DESC LIMIT 1").fetchone()
        number, earliest, previous = (last[0] + 1, last[1], last[2]) if last else (1, "", FIRST)
        # A clock that was set back never makes an event earlier than the one before.
        at = max(self.time.astimezone(UTC).isoformat(timespec="microseconds"), earliest)
        text = canonical(body)
        sha256 = _sha256(number, at, actor, kind, key, text, previous)
        row = (number, at, actor, kind, key, text, previous, sha256)
        self._connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        event = _event(row)
        projection.apply(self._connection, event)
        return event


class Journal:
    """An open journal; may be used by several threads and, through the file, by several processes.

    Parameters
    ----------
    path : Path
        The file of an existing journal.
    clock : callable
        Gives the time of the server.

    Raises
    ------
    ReaderStudyError
        If there is no journal.
    TamperedJournalError
        If the file is no journal.
    """

    def __init__(self, path: Path, clock: Clock = now) -> None:
        if not path.is_file():
            raise ReaderStudyError(f"there is no journal '{path.name}'; launch the study first:  pneumoscope study launch")
        self._connection, self._clock, self._lock = _connect(path), clock, threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Open a transaction: what is added in it is on the disk when the context ends, or nothing after an exception.

        Yields
        ------
        Change
            The transaction; no other process or thread writes meanwhile.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Change(self._connection, self._clock)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def record(self, kind: str, actor: str, key: str, body: Mapping[str, Any]) -> Event:
        """Add one event that needs no check of the state; a repeated request adds nothing.

        Parameters
        ----------
        kind, actor, key, body
            As in `Event`.

        Returns
        -------
        Event
            The event, or the earlier one of the same request.
        """
        with self.change() as change:
            return change.earlier(key, actor, kind, body) or change.add(kind, actor, key, body)

    def time(self) -> datetime:
        """Read the server's clock.

        Returns
        -------
        datetime
            The time.
        """
        return self._clock()

    def events(self, *kinds: str) -> tuple[Event, ...]:
        """Read events in their order.

        Parameters
        ----------
        *kinds : str
            Kinds to read; all by default.

        Returns
        -------
        tuple of Event
            The events.
        """
        marks = ", ".join("?" * len(kinds))
        chosen = f"WHERE kind IN ({marks})" if kinds else ""
        with self._lock:
            return tuple(map(_event, self._connection.execute(f"SELECT * FROM events {chosen} ORDER BY number", kinds)))

    def answers(self, reader: str | None = None) -> tuple[projection.Stored, ...]:
        """Read the table of answers.

        Parameters
        ----------
        reader : str, optional
            Pseudonym; all readers by default.

        Returns
        -------
        tuple of Stored
            One for each task that was shown.
        """
        with self._lock:
            return projection.all_stored(self._connection, reader)

    def saved(self, reader: str, task: int) -> tuple[Mapping[str, Any], ...]:
        """Read what a reader has saved of one task.

        Parameters
        ----------
        reader : str
            Pseudonym.
        task : int
            Number of the task.

        Returns
        -------
        tuple of mapping
            Bodies of the events ``saved``, in order.
        """
        query = "SELECT body FROM events WHERE actor = ? AND kind = 'saved' AND json_extract(body, '$.task') = ? ORDER BY number"
        with self._lock:
            return tuple(json.loads(body) for (body,) in self._connection.execute(query, (reader, task)))

    def head(self) -> tuple[int, str]:
        """Read number and hash of the last event: to be noted outside, as the proof that nothing was cut off later.

        Returns
        -------
        tuple of (int, str)
            Number and SHA-256.
        """
        with self._lock:
            number, sha256 = self._connection.execute("SELECT number, sha256 FROM events ORDER BY number DESC LIMIT 1").fetchone()
        return int(number), str(sha256)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    except sqlite3.DatabaseError as error:
        raise _broken(path, error) from error
    return connection


def _broken(path: Path, error: sqlite3.DatabaseError) -> ReaderStudyError:
    if isinstance(error, sqlite3.OperationalError):
        return ReaderStudyError(f"the journal '{path.name}' cannot be opened ({error}); check the folder and its permissions")
    return TamperedJournalError(f"the journal '{path.name}' is damaged ({error}); restore it from a backup")


def create(path: Path, actor: str, body: Mapping[str, Any], clock: Clock = now) -> Journal:
    """Create a journal with its first event, ``frozen``; a kill leaves no journal or a whole one.

    Parameters
    ----------
    path : Path
        File of the journal; must not exist.
    actor : str
        Who froze the study.
    body : mapping
        What was frozen, with the hash of the protocol.
    clock : callable
        Gives the time of the server.

    Returns
    -------
    Journal
        Open.

    Raises
    ------
    ConflictError
        If the file exists.
    """
    if path.exists():
        raise ConflictError(f"there is a journal '{path.name}' already; a study is frozen once")
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with closing(_connect(part)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {projection.TABLE} COMMIT;")
    with closing(Journal(part, clock)) as journal:
        journal.record("frozen", actor, "frozen", body)
    part.replace(path)
    atomic_files.sync_folder(path.parent)
    return Journal(path, clock)


def verify(path: Path, *, head: str = "") -> tuple[int, str]:
    """Verify every hash of a journal, its numbers, and that the table of answers follows from the events.

    Parameters
    ----------
    path : Path
        File of the journal.
    head : str
        SHA-256 of an event that was noted earlier; must be in the journal. Without one, a journal that was cut off at its end, or
        written again by someone who computed all hashes again, is not recognised.

    Returns
    -------
    tuple of (int, str)
        Number and SHA-256 of the last event.

    Raises
    ------
    TamperedJournalError
        Naming the first event that is not what was written, or the answer that does not follow from the events.
    ReaderStudyError
        If there is no journal.
    """
    with closing(Journal(path)) as journal:
        try:
            connection = journal._connection
            if (state := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                raise TamperedJournalError(f"the file of the journal is damaged ({state}); restore it from a backup")
            last = _verify_chain(connection, head)
            _verify_answers(connection, journal.events())
        except (sqlite3.DatabaseError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise TamperedJournalError(f"the journal '{path.name}' is damaged ({error}); restore it from a backup") from error
    return last


def _verify_chain(connection: sqlite3.Connection, head: str) -> tuple[int, str]:
    number, previous, seen = 0, FIRST, not head
    for row in connection.execute("SELECT * FROM events ORDER BY number"):
        number += 1
        if row[0] != number or row[6] != previous or row[7] != _sha256(*row[:7]):
            raise TamperedJournalError(
                f"event {number} of the journal is not what was written: it or one before it was changed, removed or inserted"
            )
        previous = row[7]
        seen = seen or previous == head
    if not number:
        raise TamperedJournalError("the journal has no event; its first one, of the freezing, was removed")
    if not seen:
        raise TamperedJournalError(
            f"no event of the journal has the hash {head[:12]}… noted earlier: events were cut off or rewritten"
        )
    return number, previous


def _verify_answers(connection: sqlite3.Connection, events: tuple[Event, ...]) -> None:
    with closing(sqlite3.connect(":memory:")) as rebuilt:
        rebuilt.executescript(projection.TABLE)
        for event in events:
            projection.apply(rebuilt, event)
        kept, right = projection.all_stored(connection, None), projection.all_stored(rebuilt, None)
    wrong = next((pair for pair in zip(kept, right, strict=False) if pair[0] != pair[1]), None)
    if wrong:
        raise TamperedJournalError(f"the stored answer to task {wrong[0].task} does not follow from the events: it was changed")
    if len(kept) != len(right):
        raise TamperedJournalError(
            f"{len(kept)} answers are stored where the events give {len(right)}: some were removed or added"
        )
