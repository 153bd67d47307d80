"""Files in the ledger: since when nobody needs them, and which were removed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

from sqlalchemy import Connection, Select, delete, exists, insert, literal, select, text, update

from pneumoscope.pacs.ledger.database import Database
from pneumoscope.pacs.ledger.tables import FileKind, deliveries, finished_files, instances, readings, results

_FINISHED = ("read", "skipped", "failed", "dropped")
_OPEN = ("waiting", "sending", "dead")
_REMOVAL_LOCK = 7_360_105_467  # any number that no other program uses for PostgreSQL's advisory locks


class FileLedger(Database):
    """The part of the ledger about files: needed, finished since a time, removed. The rows of instances and results stay."""

    def note_finished_files(self) -> None:
        """Note since when nobody needs a file, and forget this for a file that is needed again.

        A received file is finished when its instance is read, skipped, failed or dropped and no delivery of its results waits, is
        being sent or is dead; the file of a result when this holds for its instance's state and its own deliveries.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        with self.write() as connection:
            for kind in get_args(FileKind):
                finished = _finished(kind)
                of_kind = finished_files.c.kind == kind
                needed_again = delete(finished_files).where(
                    of_kind, finished_files.c.removed_at.is_(None), finished_files.c.row_id.not_in(finished)
                )
                connection.execute(needed_again)
                row_id = finished.selected_columns[0]
                new = finished.add_columns(literal(kind), literal(self.clock())).where(
                    row_id.not_in(select(finished_files.c.row_id).where(of_kind))
                )
                connection.execute(insert(finished_files).from_select(["row_id", "kind", "finished_at"], new))

    def remove_finished_files(self, kind: FileKind, before: float, remove: Callable[[str], None], limit: int = 100) -> int:
        """Remove files that nobody has needed since a time, and mark their rows.

        The files are removed within the transaction that marks their rows, so that no row can be requeued and no file can arrive
        again in between. A process that is killed in between leaves a row that is marked the next time.

        Parameters
        ----------
        kind : {"source", "result"}
            Received files, or results.
        before : float
            Only files that were finished by then, in seconds since 1970, UTC.
        remove : callable
            Removes a file, given its path relative to the spool folder; a file that is not there is no error.
        limit : int
            Most files, >= 1.

        Returns
        -------
        int
            Number of files.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        with self.write() as connection:
            without_removals(connection)
            due = _due(kind, before).limit(limit)
            paths = {row.row_id: row.path for row in connection.execute(due)}
            for path in paths.values():
                remove(path)
            marked = finished_files.c.kind == kind, finished_files.c.row_id.in_(list(paths))
            connection.execute(update(finished_files).where(*marked).values(removed_at=self.clock()))
        return len(paths)

    def count_finished_files(self, kind: FileKind, before: float) -> int:
        """Count the files that `remove_finished_files` would remove.

        Parameters
        ----------
        kind : {"source", "result"}
            Received files, or results.
        before : float
            Only files that were finished by then, in seconds since 1970, UTC.

        Returns
        -------
        int
            Number of files.
        """
        with self.read() as connection:
            return len(connection.execute(_due(kind, before)).all())

    def removed_at(self, kind: FileKind, row_id: int) -> float | None:
        """Say when the file of a row was removed.

        Parameters
        ----------
        kind : {"source", "result"}
            Whether the row is an instance or a result.
        row_id : int
            The row.

        Returns
        -------
        float or None
            Seconds since 1970, UTC; None if the file was not removed.
        """
        query = select(finished_files.c.removed_at).where(finished_files.c.kind == kind, finished_files.c.row_id == row_id)
        with self.read() as connection:
            return connection.execute(query).scalar()

    @contextmanager
    def restoring(self, kind: FileKind, row_id: int) -> Iterator[None]:
        """Note that the file of a row is there again; within the context it is put there, and no file is removed.

        Parameters
        ----------
        kind : {"source", "result"}
            Whether the row is an instance or a result.
        row_id : int
            The row.

        Raises
        ------
        LedgerError
            If the row could not be written.
        """
        with self.write() as connection:
            without_removals(connection)
            forget_removal(connection, kind, row_id)
            yield


def removed_rows(kind: FileKind) -> Select[Any]:
    """Select the rows whose file was removed.

    Parameters
    ----------
    kind : {"source", "result"}
        Whether the rows are instances or results.

    Returns
    -------
    Select
        One column, the row.
    """
    return select(finished_files.c.row_id).where(finished_files.c.kind == kind, finished_files.c.removed_at.is_not(None))


def forget_removal(connection: Connection, kind: FileKind, row_id: int) -> None:
    """Forget since when a file is finished or removed.

    Parameters
    ----------
    connection : Connection
        A transaction that writes.
    kind : {"source", "result"}
        Whether the row is an instance or a result.
    row_id : int
        The row.
    """
    connection.execute(delete(finished_files).where(finished_files.c.kind == kind, finished_files.c.row_id == row_id))


def without_removals(connection: Connection) -> None:
    """Let no other transaction that removes or needs files run at the same time; SQLite has one writer anyway.

    Parameters
    ----------
    connection : Connection
        A transaction that writes.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_REMOVAL_LOCK})"))


def _finished(kind: FileKind) -> Select[Any]:
    """Rows whose file nobody needs."""
    is_open = deliveries.c.state.in_(_OPEN)
    if kind == "result":
        open_delivery = exists().where(deliveries.c.result_id == results.c.id, is_open)
        rows = select(results.c.id).join(readings, readings.c.id == results.c.reading_id)
        rows = rows.join(instances, instances.c.id == readings.c.instance_id)
    else:
        of_instance = select(deliveries.c.id).join(results, results.c.id == deliveries.c.result_id)
        of_instance = of_instance.join(readings, readings.c.id == results.c.reading_id)
        open_delivery = of_instance.where(readings.c.instance_id == instances.c.id, is_open).correlate(instances).exists()
        rows = select(instances.c.id)
    return rows.where(instances.c.state.in_(_FINISHED), ~open_delivery)


def _due(kind: FileKind, before: float) -> Select[Any]:
    """Rows and paths of files that nobody has needed since a time and that are still there."""
    table = instances if kind == "source" else results
    finished = _finished(kind).add_columns(table.c.path, finished_files.c.row_id)
    return (
        finished.join(finished_files, (finished_files.c.row_id == table.c.id) & (finished_files.c.kind == kind))
        .where(finished_files.c.removed_at.is_(None), finished_files.c.finished_at <= before)
        .order_by(table.c.id)
    )
