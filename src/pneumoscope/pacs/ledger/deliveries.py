"""Deliveries in the ledger: claimed, sent, committed, or given up."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, and_, func, or_, select, update

from pneumoscope.pacs.errors import LeaseLostError
from pneumoscope.pacs.ledger.database import Database
from pneumoscope.pacs.ledger.rows import Delivery
from pneumoscope.pacs.ledger.tables import DeliveryState, deliveries, readings, results

_OF_DELIVERY = (
    "id", "result_id", "destination", "state", "reason", "attempts", "claimed_by", "claimed_until", "next_try_at", "first_try_at",
    "sent_at",
)  # fmt: skip
_MOST_COMMITTED = 100
_OF_RESULT = ("kind", "profile", "sop_class_uid", "sop_instance_uid", "sha256", "path")


class DeliveryLedger(Database):
    """The part of the ledger about deliveries: ``waiting -> sending -> sent -> committed``, and ``dead``, ``dropped``."""

    def claim_delivery(
        self, sender: str, seconds: float, destinations: Sequence[str] = (), *, after: Sequence[str] | None = None
    ) -> Delivery | None:
        """Claim the delivery that has waited longest, for a time.

        Parameters
        ----------
        sender : str
            Name of the sender.
        seconds : float
            Length of the claim, > 0.
        destinations : sequence of str
            Only deliveries for these; all of them where it is empty.
        after : sequence of str, optional
            Given for a notification: its delivery is claimed only when no delivery of the same reading to these destinations
            waits, is being sent or is dead, and no notification of an earlier reading of the same image still waits.

        Returns
        -------
        Delivery or None
            The delivery, now in the state ``sending``; None if none waits. Where an earlier claim ended without an outcome, its
            ``was_sending`` says that the destination must be asked before it is sent again.

        Raises
        ------
        LedgerError
            If the claim could not be written.
        """
        now = self.clock()
        claimable = or_(
            and_(deliveries.c.state == "waiting", deliveries.c.next_try_at <= now),
            and_(deliveries.c.state == "sending", deliveries.c.claimed_until <= now),
        )
        first = select(deliveries.c.id, deliveries.c.state).where(claimable)
        if destinations:
            first = first.where(deliveries.c.destination.in_(destinations))
        if after is not None:
            first = first.where(~_objects_wait(after), ~_earlier_waits())
        first = first.order_by(deliveries.c.next_try_at, deliveries.c.id).limit(1).with_for_update(skip_locked=True)
        with self.write() as connection:
            chosen = connection.execute(first).first()
            if chosen is None:
                return None
            values = {
                "state": "sending",
                "attempts": deliveries.c.attempts + 1,
                "claimed_by": sender,
                "claimed_until": now + seconds,
                "first_try_at": func.coalesce(deliveries.c.first_try_at, now),
            }
            connection.execute(update(deliveries).where(deliveries.c.id == chosen.id).values(values))
            row = connection.execute(delivery_rows().where(deliveries.c.id == chosen.id)).one()
        return _delivery(row, was_sending=chosen.state == "sending")

    def is_superseded(self, delivery: Delivery) -> bool:
        """Whether a later result of the same kind about the same image was sent to the same destination.

        Parameters
        ----------
        delivery : Delivery
            The delivery of a notification.

        Returns
        -------
        bool
            True where sending it now would replace news by what is old.
        """
        later = (
            select(deliveries.c.id)
            .join(results, deliveries.c.result_id == results.c.id)
            .join(readings, results.c.reading_id == readings.c.id)
            .where(
                readings.c.instance_id == delivery.instance_id,
                deliveries.c.destination == delivery.destination,
                deliveries.c.state == "sent",
                results.c.id > delivery.result_id,
            )
        )
        with self.read() as connection:
            return connection.execute(later.limit(1)).first() is not None

    def finish_delivery(
        self, delivery: Delivery, state: Literal["sent", "committed", "dead", "dropped"], reason: str = ""
    ) -> None:
        """End a delivery.

        Parameters
        ----------
        delivery : Delivery
            The delivery, as it was claimed.
        state : {"sent", "committed", "dead", "dropped"}
            Its outcome; ``dead`` is the dead letter, which only a user requeues.
        reason : str
            Why, in one sentence without any identifier.

        Raises
        ------
        LeaseLostError
            If another sender has claimed it since.
        """
        values: dict[str, Any] = {"state": state, "reason": reason, "claimed_by": None, "claimed_until": None}
        if state in ("sent", "committed"):
            values["sent_at"] = self.clock()
        with self.write() as connection:
            _checked(connection, _held(delivery).values(**values))

    def retry_delivery(self, delivery: Delivery, reason: str, next_try_at: float) -> None:
        """Give a delivery back, to be claimed again later: the destination certainly does not have the result.

        Parameters
        ----------
        delivery : Delivery
            The delivery, as it was claimed.
        reason : str
            Why, in one sentence without any identifier.
        next_try_at : float
            When it may be claimed, in seconds since 1970, UTC.

        Raises
        ------
        LeaseLostError
            If another sender has claimed it since.
        """
        values = {"state": "waiting", "reason": reason, "next_try_at": next_try_at, "claimed_by": None, "claimed_until": None}
        with self.write() as connection:
            _checked(connection, _held(delivery).values(**values))

    def doubt_delivery(self, delivery: Delivery, reason: str, next_try_at: float) -> None:
        """Give a delivery back whose outcome is unknown: the next claim has ``was_sending`` and asks the destination first.

        Parameters
        ----------
        delivery : Delivery
            The delivery, as it was claimed.
        reason : str
            Why, in one sentence without any identifier.
        next_try_at : float
            When it may be claimed, in seconds since 1970, UTC.

        Raises
        ------
        LeaseLostError
            If another sender has claimed it since.
        """
        values = {"reason": reason, "next_try_at": next_try_at, "claimed_by": None, "claimed_until": next_try_at}
        with self.write() as connection:
            _checked(connection, _held(delivery).values(**values))

    def claim_commitment(self, destination: str, seconds: float, since: float) -> list[Delivery]:
        """List the deliveries for which the destination is to be asked now to commit itself to keep the results.

        Parameters
        ----------
        destination : str
            Name of the destination.
        seconds : float
            Time after which it is asked again, > 0.
        since : float
            Only what was sent since then, in seconds since 1970, UTC.

        Returns
        -------
        list of Delivery
            At most 100, in the state ``sent``.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        now = self.clock()
        due = (
            deliveries.c.state == "sent",
            deliveries.c.destination == destination,
            deliveries.c.sent_at >= since,
            deliveries.c.next_try_at <= now,
        )
        with self.read() as connection:
            if connection.execute(select(deliveries.c.id).where(*due).limit(1)).first() is None:
                return []
        with self.write() as connection:
            rows = connection.execute(delivery_rows().where(*due).order_by(deliveries.c.id).limit(_MOST_COMMITTED)).all()
            asked = deliveries.c.id.in_([row.id for row in rows])
            connection.execute(update(deliveries).where(asked).values(next_try_at=now + seconds))
        return [_delivery(row, was_sending=False) for row in rows]

    def commit_deliveries(self, sop_instance_uids: Sequence[str], destinations: Sequence[str]) -> int:
        """Note that destinations have committed themselves to keep results (storage commitment, PS3.4 annex J).

        Parameters
        ----------
        sop_instance_uids : sequence of str
            UIDs of the results.
        destinations : sequence of str
            Names of the destinations.

        Returns
        -------
        int
            Number of deliveries that were in the state ``sent`` and are ``committed`` now.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        return self._change_sent(sop_instance_uids, destinations, {"state": "committed", "reason": ""})

    def refuse_commitment(self, sop_instance_uids: Sequence[str], destinations: Sequence[str], reason: str) -> int:
        """Note that destinations do not hold results that they had accepted: they are asked again, and then sent again.

        Parameters
        ----------
        sop_instance_uids : sequence of str
            UIDs of the results.
        destinations : sequence of str
            Names of the destinations.
        reason : str
            Why, in one sentence without any identifier.

        Returns
        -------
        int
            Number of deliveries.

        Raises
        ------
        LedgerError
            If the rows could not be written.
        """
        now = self.clock()
        values = {"state": "sending", "reason": reason, "claimed_until": now, "next_try_at": now, "first_try_at": None}
        return self._change_sent(sop_instance_uids, destinations, values)

    def _change_sent(self, uids: Sequence[str], destinations: Sequence[str], values: dict[str, Any]) -> int:
        of_results = select(results.c.id).where(results.c.sop_instance_uid.in_(list(uids)))
        change = update(deliveries).where(
            deliveries.c.result_id.in_(of_results),
            deliveries.c.destination.in_(list(destinations)),
            deliveries.c.state == "sent",
        )
        with self.write() as connection:
            return connection.execute(change.values(values)).rowcount

    def deliveries(self, states: Sequence[DeliveryState] = (), *, limit: int = 1000, after_id: int = 0) -> list[Delivery]:
        """List deliveries by their rows.

        Parameters
        ----------
        states : sequence of str
            States that are wanted; all of them where it is empty.
        limit : int
            Most deliveries, >= 1.
        after_id : int
            Only rows after this one, to list page by page.

        Returns
        -------
        list of Delivery
            In the order of their rows.
        """
        wanted = delivery_rows().where(deliveries.c.id > after_id).order_by(deliveries.c.id).limit(limit)
        with self.read() as connection:
            rows = connection.execute(wanted.where(deliveries.c.state.in_(states)) if states else wanted).all()
        return [_delivery(row, was_sending=False) for row in rows]


def delivery_rows() -> Select[Any]:
    """Select deliveries with what is sent of their results, in the columns of `Delivery`.

    Returns
    -------
    Select
        The statement, to be narrowed.
    """
    columns = [*(deliveries.c[name] for name in _OF_DELIVERY), *(results.c[name] for name in _OF_RESULT), readings.c.instance_id]
    return (
        select(*columns)
        .join(results, deliveries.c.result_id == results.c.id)
        .join(readings, results.c.reading_id == readings.c.id)
    )


def _objects_wait(destinations: Sequence[str]) -> ColumnElement[bool]:
    """Whether a delivery of the same reading to one of the destinations is not done."""
    own, result, delivery = results.alias(), results.alias(), deliveries.alias()
    return (
        select(delivery.c.id)
        .join(result, delivery.c.result_id == result.c.id)
        .join(own, own.c.reading_id == result.c.reading_id)
        .where(
            own.c.id == deliveries.c.result_id,
            delivery.c.destination.in_(list(destinations)),
            delivery.c.state.in_(("waiting", "sending", "dead")),
        )
        .correlate(deliveries)
        .exists()
    )


def _earlier_waits() -> ColumnElement[bool]:
    """Whether an earlier result about the same image waits for the same destination."""
    own, result, delivery = results.alias(), results.alias(), deliveries.alias()
    own_reading, reading = readings.alias(), readings.alias()
    return (
        select(delivery.c.id)
        .join(result, delivery.c.result_id == result.c.id)
        .join(reading, result.c.reading_id == reading.c.id)
        .join(own_reading, own_reading.c.instance_id == reading.c.instance_id)
        .join(own, own.c.reading_id == own_reading.c.id)
        .where(
            own.c.id == deliveries.c.result_id,
            delivery.c.destination == deliveries.c.destination,
            delivery.c.state.in_(("waiting", "sending")),
            result.c.id < own.c.id,
        )
        .correlate(deliveries)
        .exists()
    )


def _held(delivery: Delivery) -> Update:
    """An update of a delivery that changes nothing once another sender has claimed it."""
    return update(deliveries).where(
        deliveries.c.id == delivery.id,
        deliveries.c.state == "sending",
        deliveries.c.claimed_by == delivery.claimed_by,
        deliveries.c.attempts == delivery.attempts,
    )


def _checked(connection: Connection, statement: Update) -> None:
    if connection.execute(statement).rowcount != 1:
        raise LeaseLostError("another sender has taken over the delivery, since the time of the claim was over; its work counts")


def _delivery(row: Row[Any], *, was_sending: bool) -> Delivery:
    return Delivery(**row._mapping, was_sending=was_sending)
