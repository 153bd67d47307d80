"""The ledger: the only place, apart from the spool folder, where the processes of a node meet."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pneumoscope.pacs.ledger.deliveries import DeliveryLedger
from pneumoscope.pacs.ledger.files import FileLedger, removed_rows, without_removals
from pneumoscope.pacs.ledger.instances import InstanceLedger
from pneumoscope.pacs.ledger.rows import STOPPED, Counts, Heartbeat
from pneumoscope.pacs.ledger.tables import deliveries, heartbeats, instances, readings, results, watermarks

Queue = Literal["instances", "deliveries"]

_REQUEUED = {"instances": ("read", "skipped", "failed", "conflict", "dropped"), "deliveries": ("dead", "dropped")}
_DROPPED = {"instances": ("received", "skipped", "failed", "conflict"), "deliveries": ("waiting", "dead")}
_FIRST = {"instances": "received", "deliveries": "sending"}
_TABLES = {"instances": instances, "deliveries": deliveries}


class Ledger(InstanceLedger, DeliveryLedger, FileLedger):
    """Every instance, reading, result and delivery of a node, in a database.

    A claim is a lease: it ends by itself, so that a worker that was killed loses nothing. Each change of a claimed row is checked
    against the claim, so that a worker that was only slow changes nothing either.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Ledger.open(f"{folder}/ledger.sqlite") as ledger:
    ...     ledger.counts()
    Counts(instances={}, deliveries={}, oldest_received_at=None, oldest_waiting_since=None)
    """

    def release(self, worker: str) -> int:
        """End the claims of a worker whose process has ended.

        Parameters
        ----------
        worker : str
            Name of the worker; claims of workers whose names begin with it and a slash end too.

        Returns
        -------
        int
            Number of claims.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        now = self.clock()
        with self.write() as connection:
            working = _claimed_by(instances, worker, "working").values(state="received", claimed_by=None, claimed_until=None)
            # The result may have reached its destination: the state stays, and the next claim says so.
            sending = _claimed_by(deliveries, worker, "sending").values(claimed_by=None, claimed_until=now)
            return connection.execute(working).rowcount + connection.execute(sending).rowcount

    def requeue(self, queue: Queue, ids: Sequence[int]) -> int:
        """Let rows that have come to an end be worked on again, from the first attempt.

        Parameters
        ----------
        queue : {"instances", "deliveries"}
            Which table.
        ids : sequence of int
            Rows. Those that wait, are worked on, or were sent, those whose file was removed, and instances with the SOP Instance
            UID of another one that has results, are left as they are.

        Returns
        -------
        int
            Number of rows that wait now.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        now = self.clock()
        values: dict[str, Any] = {"state": _FIRST[queue], "reason": "", "attempts": 0, "next_try_at": now}
        if queue == "deliveries":
            # As after a claim that has ended: a dead letter may have arrived, so that its destination is asked first.
            values |= {"first_try_at": None, "claimed_by": None, "claimed_until": now}
        is_there = {
            "instances": and_(instances.c.id.not_in(removed_rows("source")), ~_other_has_results()),
            "deliveries": deliveries.c.result_id.not_in(removed_rows("result")),
        }
        return self._change(queue, ids, _REQUEUED[queue], values, is_there[queue])

    def drop(self, queue: Queue, ids: Sequence[int], reason: str) -> int:
        """Give rows up that nobody works on.

        Parameters
        ----------
        queue : {"instances", "deliveries"}
            Which table.
        ids : sequence of int
            Rows. Those that are worked on, read, sent or dropped are left as they are.
        reason : str
            Why, in one sentence without any identifier.

        Returns
        -------
        int
            Number of rows that were dropped.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        return self._change(queue, ids, _DROPPED[queue], {"state": "dropped", "reason": reason})

    def _change(
        self, queue: Queue, ids: Sequence[int], states: Sequence[str], values: dict[str, Any], *more: ColumnElement[bool]
    ) -> int:
        table, changed = _TABLES[queue], 0
        with self.write() as connection:
            without_removals(connection)
            for start in range(0, len(ids), 500):
                rows = table.c.id.in_(list(ids[start : start + 500]))
                statement = update(table).where(rows, table.c.state.in_(states), *more).values(values)
                changed += connection.execute(statement).rowcount
        return changed

    def counts(self) -> Counts:
        """Count the rows by state.

        Returns
        -------
        Counts
            The numbers, and since when the oldest rows wait.
        """
        oldest = select(func.min(instances.c.received_at)).where(instances.c.state.in_(("received", "working")))
        unsent = (
            select(func.min(results.c.created_at))
            .join(deliveries, deliveries.c.result_id == results.c.id)
            .where(deliveries.c.state.in_(("waiting", "sending")))
        )
        with self.read() as connection:
            by_state = _by_state(connection, instances), _by_state(connection, deliveries)
            return Counts(*by_state, connection.execute(oldest).scalar(), connection.execute(unsent).scalar())

    def watermark(self, source: str) -> str | None:
        """Return how far a source was searched.

        Parameters
        ----------
        source : str
            Name of the source.

        Returns
        -------
        str or None
            The watermark; None if the source was never searched.
        """
        with self.read() as connection:
            return connection.execute(select(watermarks.c.value).where(watermarks.c.source == source)).scalar()

    def set_watermark(self, source: str, value: str) -> None:
        """Note how far a source was searched.

        Parameters
        ----------
        source : str
            Name of the source.
        value : str
            The watermark.

        Raises
        ------
        LedgerError
            If the row could not be written.
        """
        with self.write() as connection:
            _put(connection, watermarks, {"source": source, "value": value})

    def watermarks(self) -> dict[str, str]:
        """List how far each source was searched.

        Returns
        -------
        dict of str to str
            Watermark by the name of the source.
        """
        with self.read() as connection:
            rows = connection.execute(select(watermarks).order_by(watermarks.c.source)).all()
        return {row.source: row.value for row in rows}

    def beat(self, process: str, pid: int) -> None:
        """Note a sign of life of a process.

        Parameters
        ----------
        process : str
            Name of the process.
        pid : int
            Its process number.

        Raises
        ------
        LedgerError
            If the row could not be written.
        """
        with self.write() as connection:
            _put(connection, heartbeats, {"process": process, "at": self.clock(), "pid": pid})

    def end_beat(self, process: str, pid: int) -> None:
        """Note that a process was stopped, unless another one has taken its place since.

        Parameters
        ----------
        process : str
            Name of the process.
        pid : int
            Its process number.

        Raises
        ------
        LedgerError
            If the row could not be written.
        """
        of_process = (heartbeats.c.process == process) & (heartbeats.c.pid == pid)
        with self.write() as connection:
            connection.execute(update(heartbeats).where(of_process).values(at=self.clock(), pid=STOPPED))

    def heartbeats(self) -> list[Heartbeat]:
        """List the last sign of life of each process.

        Returns
        -------
        list of Heartbeat
            In the order of their names.
        """
        with self.read() as connection:
            rows = connection.execute(select(heartbeats).order_by(heartbeats.c.process)).all()
        return [Heartbeat(**row._mapping) for row in rows]


def _claimed_by(table: Table, worker: str, state: str) -> Update:
    of_worker = (table.c.claimed_by == worker) | table.c.claimed_by.startswith(f"{worker}/", autoescape=True)
    return update(table).where(table.c.state == state, of_worker)


def _other_has_results() -> ColumnElement[bool]:
    """Whether another content of the same SOP Instance UID has results: a PACS would keep those, whatever is read later."""
    other = instances.alias()
    with_results = results.join(readings, results.c.reading_id == readings.c.id).join(other, readings.c.instance_id == other.c.id)
    same_uid = (other.c.sop_instance_uid == instances.c.sop_instance_uid) & (other.c.id != instances.c.id)
    return select(results.c.id).select_from(with_results).where(same_uid).correlate(instances).exists()


def _by_state(connection: Connection, table: Table) -> dict[str, int]:
    query = select(table.c.state, func.count()).group_by(table.c.state).order_by(table.c.state)
    return {state: int(number) for state, number in connection.execute(query)}


def _put(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    """Insert a row, or replace the one with the same primary key."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in key}
    connection.execute(dialect.insert(table).values(values).on_conflict_do_update(index_elements=key, set_=others))
