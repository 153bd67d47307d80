"""Open the ledger's database: SQLite in a file, or PostgreSQL by URL."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import filelock
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from pneumoscope.pacs.errors import LedgerBusyError, LedgerError, NodeError
from pneumoscope.pacs.ledger.advisory_lock import AdvisoryLock
from pneumoscope.pacs.ledger.tables import VERSION, metadata, versions
from pneumoscope.pacs.ledger.upgrades import upgrade

BUSY_S = 30.0
"""Seconds to wait for a database that another process has locked."""
_SCHEMA_LOCK = 7_360_105_466  # any number that no other program uses for PostgreSQL's advisory locks
_OTHER_NODE = "another node uses this ledger; stop it, or give this one its own 'ledger'"


@dataclass(frozen=True)
class Database:
    """A database, and transactions on it; safe to be used by several threads and processes.

    Parameters
    ----------
    engine : Engine
        SQLAlchemy's engine.
    clock : callable
        Gives the present time in seconds since 1970, UTC.
    """

    engine: Engine = field(repr=False)
    clock: Callable[[], float] = time.time
    _one_writer: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def open(cls, where: str | Path, *, busy_s: float = BUSY_S, clock: Callable[[], float] = time.time) -> Self:
        """Open a ledger; create its tables where there are none, and upgrade those of an earlier version.

        Parameters
        ----------
        where : str or Path
            A file for SQLite, or a URL such as ``postgresql://user@host/database``.
        busy_s : float
            Seconds to wait for a database that is locked, >= 0.
        clock : callable
            Gives the present time in seconds since 1970, UTC.

        Returns
        -------
        Database
            The open ledger.

        Raises
        ------
        LedgerError
            If the URL cannot be used, the database cannot be reached, or its tables are of a later version.
        LedgerBusyError
            If the database is locked for longer than `busy_s`.
        """
        database = cls(_engine(_url(where), busy_s), clock)
        with database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))
            _create_tables(connection)
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction that is safe on the disk when the context ends, and undone after an exception.

        Yields
        ------
        Connection
            For statements within the transaction.

        Raises
        ------
        LedgerBusyError
            If the database is locked for longer than the configured wait.
        LedgerError
            If the database cannot be written, such as on a full disk.
        """
        # Threads of one process queue here, since SQLite's own wait for a lock polls.
        with _named(), self._one_writer if self._is_sqlite else contextlib.nullcontext(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a transaction that only reads.

        Yields
        ------
        Connection
            For statements within the transaction.

        Raises
        ------
        LedgerError
            If the database cannot be read.
        """
        with _named(), self.engine.connect() as connection:
            yield connection.execution_options(only_reads=True)

    @contextmanager
    def of_one_node(self) -> Iterator[Callable[[], None]]:
        """Hold the ledger for one node; the system, or the database, gives it back when the process ends, however it ends.

        Yields
        ------
        callable
            To be called now and then: raises a NodeError where the lock of PostgreSQL was lost with its connection and another
            node has it now.

        Raises
        ------
        NodeError
            If another node uses the ledger.
        LedgerError
            If the database cannot be reached.
        """
        with self._file_lock() if self._is_sqlite else self._advisory_lock() as check:
            yield check

    @contextmanager
    def _file_lock(self) -> Iterator[Callable[[], None]]:
        file = Path(self.engine.url.database or "").resolve()
        lock = filelock.FileLock(file.with_name(f"{file.name}.lock"))
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise NodeError(_OTHER_NODE) from None
        try:
            yield lambda: None  # the system never takes it away
        finally:
            lock.release()

    @contextmanager
    def _advisory_lock(self) -> Iterator[Callable[[], None]]:
        lock = AdvisoryLock(self.engine)

        def check() -> None:
            if not lock.is_held():
                raise NodeError(_OTHER_NODE)

        with _named():
            is_free = lock.take()
        if not is_free:
            raise NodeError(_OTHER_NODE)
        try:
            yield check
        finally:
            lock.give_back()

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def _url(where: str | Path) -> URL:
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=str(Path(where).absolute()))
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise LedgerError("the URL of the ledger cannot be parsed; give a file or postgresql://user@host/database") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(f"the ledger cannot lie in '{url.get_backend_name()}'; give a file, or postgresql://user@host/database")
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


def _engine(url: URL, busy_s: float) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": busy_s, "isolation_level": None} if is_sqlite else {}
    if not is_sqlite:
        arguments = {"connect_timeout": 10, "options": f"-c lock_timeout={int(busy_s * 1000)} -c synchronous_commit=on"}
    try:
        engine = create_engine(
            url, hide_parameters=True, connect_args=arguments, pool_size=16, max_overflow=48, pool_pre_ping=not is_sqlite
        )
    except NoSuchModuleError:
        raise LedgerError("the ledger's database has no driver here") from None
    except ModuleNotFoundError:
        raise LedgerError("the ledger's database needs a package:  pip install 'pneumoscope[postgresql]'") from None
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # A commit is on the disk before it returns (FULL), and readers do not wait for writers (WAL).
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the lock at the start, where waiting helps; a lock that is taken later fails at once.
    only_reads = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _create_tables(connection: Connection) -> None:
    connection.execute(CreateTable(versions, if_not_exists=True))
    version = connection.execute(select(versions.c.version)).scalar()
    if version is None:
        connection.execute(insert(versions).values(version=VERSION))
    elif version != VERSION:
        upgrade(connection, version)
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


@contextmanager
def _named() -> Iterator[None]:
    """Name the errors of the database, without their texts, which quote statements."""
    try:
        yield
    except DBAPIError as error:
        raise _error_of(error.orig) from None
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger's database failed ({type(error).__name__}); check that it runs") from None


def _error_of(cause: BaseException | None) -> LedgerError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    state = str(getattr(cause, "sqlstate", "") or "")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or state in ("55P03", "40P01", "40001"):
        return LedgerBusyError("the ledger's database is locked by another process; try again, and stop what holds it")
    if code == sqlite3.SQLITE_FULL or state == "53100":
        return LedgerError("the disk of the ledger's database is full; free some space")
    if code == sqlite3.SQLITE_CANTOPEN:
        return LedgerError("the ledger's file cannot be opened; check that its folder is there and may be written")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
        return LedgerError("the ledger's file cannot be written; check its disk and its permissions")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return LedgerError("the ledger's file is damaged or no SQLite database; restore a copy")
    return LedgerError(f"the ledger's database failed ({f'{type(cause).__name__} {state}'.strip()}); check that it runs")
