"""Instances in the ledger: recorded, claimed, read."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from pneumoscope.pacs.errors import LeaseLostError, ResultTakenError
from pneumoscope.pacs.ledger.database import Database
from pneumoscope.pacs.ledger.files import forget_removal
from pneumoscope.pacs.ledger.rows import Arrival, Instance, NewReading, NewResult, Reading, Recorded
from pneumoscope.pacs.ledger.tables import InstanceState, deliveries, instances, readings, results

CONFLICT = "the same SOP Instance UID was received with other content; drop this one, or requeue it if the other has no results"
TO_COMPARE = "the same SOP Instance UID was received in another transfer syntax; the two are compared before anything is read"
_UNCLAIMED: dict[str, None] = {"claimed_by": None, "claimed_until": None}


def _recording() -> Executable:
    """Insert an instance and return its row; nothing where a row has the same UID and content."""
    of_uid = instances.c.sop_instance_uid == bindparam("sop_instance_uid")
    other = select(instances.c.id).where(of_uid, instances.c.state != "failed")
    alike = other.where(instances.c.transfer_syntax == bindparam("transfer_syntax")).exists()
    same = select(instances.c.id).where(of_uid, instances.c.sha256 == bindparam("sha256")).exists()
    arriving = ("received_at", "next_try_at", *(field.name for field in fields(Arrival)))
    values = {name: bindparam(name, type_=instances.c[name].type) for name in arriving} | {
        "state": case((alike, "conflict"), else_="received"),
        "reason": case((alike, CONFLICT), (other.exists(), TO_COMPARE), else_=""),
    }
    new = insert(instances).from_select(list(values), select(*values.values()).where(~same))
    return new.returning(instances.c.id, instances.c.state)


_RECORD = _recording()
_SAME_CONTENT = select(instances).where(
    instances.c.sop_instance_uid == bindparam("sop_instance_uid"), instances.c.sha256 == bindparam("sha256")
)
"""Statements of every arrival, made once, since making them takes as long as running them."""


class InstanceLedger(Database):
    """The part of the ledger about instances: ``received -> working -> read | skipped | failed``, ``conflict``, ``dropped``."""

    def find_instance(self, sop_instance_uid: str, sha256: str) -> Instance | None:
        """Find the row of an instance by its UID and content.

        Parameters
        ----------
        sop_instance_uid : str
            Its UID.
        sha256 : str
            Hash of its data set.

        Returns
        -------
        Instance or None
            The row; None if it was never recorded.
        """
        with self.read() as connection:
            row = connection.execute(_SAME_CONTENT, {"sop_instance_uid": sop_instance_uid, "sha256": sha256}).first()
        return _instance(row) if row else None

    def record_instance(self, arrival: Arrival) -> Recorded:
        """Record an instance that has arrived; the row is safe on the disk when this returns.

        Parameters
        ----------
        arrival : Arrival
            The instance, whose file is safe in the spool.

        Returns
        -------
        Recorded
            Its row. The same UID with the same content has one row, whatever its state; the same UID with other content has a
            row of its own, in the state ``conflict`` unless all earlier contents failed, or have another transfer syntax: then
            a worker compares them (`TO_COMPARE`).

        Raises
        ------
        LedgerError
            If the row could not be written.
        """
        now = self.clock()
        values = asdict(arrival) | {"received_at": now, "next_try_at": now}
        with self.write() as connection:
            _one_at_a_time(connection, arrival.sop_instance_uid)
            new = connection.execute(_RECORD, values).first()
            if new is None:
                there = {"sop_instance_uid": arrival.sop_instance_uid, "sha256": arrival.sha256}
                return Recorded(connection.execute(_SAME_CONTENT, there).one().id, "duplicate")
        return Recorded(int(new.id), "conflict" if new.state == "conflict" else "new")

    def claim_instance(self, worker: str, seconds: float) -> Instance | None:
        """Claim the instance that has waited longest, for a time: a worker that ends without an outcome loses its claim then.

        Parameters
        ----------
        worker : str
            Name of the worker.
        seconds : float
            Length of the claim, > 0.

        Returns
        -------
        Instance or None
            The instance, now in the state ``working``; None if none waits.

        Raises
        ------
        LedgerError
            If the claim could not be written.
        """
        now = self.clock()
        claimable = or_(
            and_(instances.c.state == "received", instances.c.next_try_at <= now),
            and_(instances.c.state == "working", instances.c.claimed_until <= now),
        )
        with self.write() as connection:
            first = (
                select(instances.c.id)
                .where(claimable)
                .order_by(instances.c.next_try_at, instances.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            chosen = connection.execute(first).scalar()
            if chosen is None:
                return None
            claim = (
                update(instances)
                .where(instances.c.id == chosen)
                .values(
                    state="working",
                    attempts=instances.c.attempts + 1,
                    claimed_by=worker,
                    claimed_until=now + seconds,
                )
                .returning(instances)
            )
            return _instance(connection.execute(claim).one())

    def finish_instance(
        self, instance: Instance, state: Literal["skipped", "failed", "dropped", "conflict"], reason: str
    ) -> None:
        """End the work on an instance without a reading.

        Parameters
        ----------
        instance : Instance
            The instance, as it was claimed.
        state : {"skipped", "failed", "dropped", "conflict"}
            Its last state.
        reason : str
            Why, in one sentence without any identifier.

        Raises
        ------
        LeaseLostError
            If another worker has claimed it since.
        """
        with self.write() as connection:
            _checked(connection, _held(instance).values(state=state, reason=reason, **_UNCLAIMED))

    def retry_instance(self, instance: Instance, reason: str, next_try_at: float) -> None:
        """Give an instance back, to be claimed again later.

        Parameters
        ----------
        instance : Instance
            The instance, as it was claimed.
        reason : str
            Why, in one sentence without any identifier.
        next_try_at : float
            When it may be claimed, in seconds since 1970, UTC.

        Raises
        ------
        LeaseLostError
            If another worker has claimed it since.
        """
        with self.write() as connection:
            values = {
                "state": "received",
                "reason": reason,
                "next_try_at": next_try_at,
                "claimed_by": None,
                "claimed_until": None,
            }
            _checked(connection, _held(instance).values(**values))

    def record_readings(self, instance: Instance, made: Sequence[NewReading], device: str = "") -> None:
        """Record the readings of an instance, their results and a delivery for each result and destination, all or nothing.

        What is already there is kept as it is: a reading by the same model, a result with the same UID, and a delivery to the
        same destination. A reading that was kept in shadow is sent once it is recorded without.

        Parameters
        ----------
        instance : Instance
            The instance, as it was claimed; it gets the state ``read``.
        made : sequence of NewReading
            The readings, with their results.
        device : str
            Pseudonym of the device that made the image; empty where its file does not state the device.

        Raises
        ------
        LeaseLostError
            If another worker has claimed the instance since.
        ResultTakenError
            If a result has the UID of a result of another reading.
        LedgerError
            If the rows could not be written.
        """
        with self.write() as connection:
            _checked(connection, _held(instance).values(state="read", reason="", device=device, **_UNCLAIMED))
            for reading in made:
                reading_id = self._reading_id(connection, instance.id, reading)
                for result in reading.results:
                    result_id = self._result_id(connection, reading_id, result)
                    for destination in () if reading.shadow else result.destinations:
                        self._add_delivery(connection, result_id, destination)

    def _reading_id(self, connection: Connection, instance_id: int, reading: NewReading) -> int:
        """The row of a reading, which is inserted where it is not there."""
        there = _of(instance_id) & (readings.c.model_sha256 == reading.model_sha256)
        row = connection.execute(select(readings.c.id, readings.c.shadow).where(there)).first()
        if row is None:
            values = {name: value for name, value in asdict(reading).items() if name != "results"}
            created_at = self.clock() if reading.created_at is None else reading.created_at
            values |= {"instance_id": instance_id, "created_at": created_at}
            return int(connection.execute(insert(readings).values(values).returning(readings.c.id)).scalar_one())
        if row.shadow and not reading.shadow:
            connection.execute(update(readings).where(readings.c.id == row.id).values(shadow=False))
        return int(row.id)

    def _result_id(self, connection: Connection, reading_id: int, result: NewResult) -> int:
        there = select(results.c.id, results.c.reading_id).where(results.c.sop_instance_uid == result.sop_instance_uid)
        row = connection.execute(there).first()
        if row is not None and row.reading_id != reading_id:
            raise ResultTakenError(
                "results for an image with the same SOP Instance UID and other content are there already; a PACS would keep those"
            )
        if row is not None:
            forget_removal(connection, "result", row.id)  # whoever records it has put its file there again
            return int(row.id)
        values = {name: value for name, value in asdict(result).items() if name != "destinations"}
        values |= {"reading_id": reading_id, "created_at": self.clock()}
        return int(connection.execute(insert(results).values(values).returning(results.c.id)).scalar_one())

    def _add_delivery(self, connection: Connection, result_id: int, destination: str) -> None:
        there = (deliveries.c.result_id == result_id) & (deliveries.c.destination == destination)
        if connection.execute(select(deliveries.c.id).where(there)).first() is None:
            row = {"result_id": result_id, "destination": destination, "state": "waiting", "next_try_at": self.clock()}
            connection.execute(insert(deliveries).values(row))

    def readings_of(self, instance_id: int) -> list[Reading]:
        """List the readings of an instance.

        Parameters
        ----------
        instance_id : int
            Its row.

        Returns
        -------
        list of Reading
            The oldest first.
        """
        columns = [readings.c[name] for name in ("id", "model_sha256", "line", "shadow", "created_at")]
        with self.read() as connection:
            rows = connection.execute(select(*columns).where(_of(instance_id)).order_by(readings.c.id)).all()
        return [Reading(**row._mapping) for row in rows]

    def results_of(self, reading_id: int) -> list[NewResult]:
        """List the results of a reading.

        Parameters
        ----------
        reading_id : int
            Its row.

        Returns
        -------
        list of NewResult
            In the order in which they were made, without their destinations.
        """
        columns = [results.c[name] for name in ("kind", "profile", "sop_class_uid", "sop_instance_uid", "sha256", "path")]
        with self.read() as connection:
            rows = connection.execute(select(*columns).where(results.c.reading_id == reading_id).order_by(results.c.id)).all()
        return [NewResult(**row._mapping) for row in rows]

    def instance(self, instance_id: int) -> Instance | None:
        """Return an instance by its row.

        Parameters
        ----------
        instance_id : int
            Its row.

        Returns
        -------
        Instance or None
            The instance; None if there is no such row.
        """
        with self.read() as connection:
            row = connection.execute(select(instances).where(instances.c.id == instance_id)).first()
        return _instance(row) if row else None

    def instances(self, states: Sequence[InstanceState] = (), *, limit: int = 1000, after_id: int = 0) -> list[Instance]:
        """List instances by their rows.

        Parameters
        ----------
        states : sequence of str
            States that are wanted; all of them where it is empty.
        limit : int
            Most instances, >= 1.
        after_id : int
            Only rows after this one, to list page by page.

        Returns
        -------
        list of Instance
            In the order of their rows.
        """
        wanted = select(instances).where(instances.c.id > after_id).order_by(instances.c.id).limit(limit)
        with self.read() as connection:
            rows = connection.execute(wanted.where(instances.c.state.in_(states)) if states else wanted).all()
        return [_instance(row) for row in rows]

    def kept_content(self, instance: Instance) -> Instance | None:
        """Return the earlier instance with the same UID whose content is the one that is read.

        Parameters
        ----------
        instance : Instance
            An instance.

        Returns
        -------
        Instance or None
            The earliest that waits, is worked on, was read or was skipped; None if there is none.
        """
        kept = instances.c.state.in_(("received", "working", "read", "skipped")), instances.c.id < instance.id
        of_uid = instances.c.sop_instance_uid == instance.sop_instance_uid
        with self.read() as connection:
            row = connection.execute(select(instances).where(of_uid, *kept).order_by(instances.c.id).limit(1)).first()
        return _instance(row) if row else None

    def states_of(self, sop_instance_uids: Sequence[str]) -> dict[str, tuple[InstanceState, str]]:
        """Say in which state instances are, by their UIDs.

        Parameters
        ----------
        sop_instance_uids : sequence of str
            UIDs.

        Returns
        -------
        dict of str to (str, str)
            State and reason of each UID that was recorded. Where a UID has several contents, it is that of the first that
            neither failed nor was dropped.
        """
        stated: dict[str, tuple[InstanceState, str]] = {}
        order = case((instances.c.state.in_(("failed", "conflict", "dropped")), 1), else_=0)
        for start in range(0, len(sop_instance_uids), 500):
            some = list(sop_instance_uids[start : start + 500])
            query = (
                select(instances.c.sop_instance_uid, instances.c.state, instances.c.reason)
                .where(instances.c.sop_instance_uid.in_(some))
                .order_by(order, instances.c.id)
            )
            with self.read() as connection:
                for uid, state, reason in connection.execute(query):
                    stated.setdefault(uid, (state, reason))
        return stated

    def paths(self) -> set[str]:
        """List the files that instances have in the spool.

        Returns
        -------
        set of str
            Paths relative to the spool folder.
        """
        with self.read() as connection:
            return set(connection.execute(select(instances.c.path)).scalars())

    def waiting_bytes(self) -> int:
        """Add up the files of the instances that are not read yet.

        Returns
        -------
        int
            Bytes.
        """
        query = select(func.coalesce(func.sum(instances.c.size), 0)).where(instances.c.state.in_(("received", "working")))
        with self.read() as connection:
            return int(connection.execute(query).scalar_one())


def _one_at_a_time(connection: Connection, sop_instance_uid: str) -> None:
    """Let transactions about one UID follow one another; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:uid, 0))"), {"uid": sop_instance_uid})


def _of(instance_id: int) -> ColumnElement[bool]:
    return readings.c.instance_id == instance_id


def _held(instance: Instance) -> Update:
    """An update of an instance that changes nothing once another worker has claimed it: every claim adds to the attempts."""
    return update(instances).where(
        instances.c.id == instance.id,
        instances.c.state == "working",
        instances.c.claimed_by == instance.claimed_by,
        instances.c.attempts == instance.attempts,
    )


def _checked(connection: Connection, statement: Update) -> None:
    if connection.execute(statement).rowcount != 1:
        raise LeaseLostError("another worker has taken over the instance, since the time of the claim was over; its work counts")


def _instance(row: Row[Any]) -> Instance:
    return Instance(**row._mapping)
