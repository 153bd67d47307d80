"""Search the ledger: which instances, and which deliveries."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select

from pneumoscope.pacs.ledger.deliveries import delivery_rows
from pneumoscope.pacs.ledger.ledger import Ledger
from pneumoscope.pacs.ledger.rows import Delivery, Instance
from pneumoscope.pacs.ledger.tables import DeliveryState, InstanceState, deliveries, instances, readings


@dataclass(frozen=True)
class InstanceQuery:
    """Which instances are wanted; a condition that is empty holds for all.

    Parameters
    ----------
    ids : tuple of int
        Rows.
    states : tuple of str
        States.
    senders : tuple of str
        AE titles or names of services that they came from.
    since, before : float, optional
        When they were received, in seconds since 1970, UTC.
    sop_instance_uid : str
        SOP Instance UID.
    not_read_by : str
        Identity of a model that has not read them.
    """

    ids: tuple[int, ...] = ()
    states: tuple[InstanceState, ...] = ()
    senders: tuple[str, ...] = ()
    since: float | None = None
    before: float | None = None
    sop_instance_uid: str = ""
    not_read_by: str = ""


@dataclass(frozen=True)
class DeliveryQuery:
    """Which deliveries are wanted; a condition that is empty holds for all.

    Parameters
    ----------
    ids : tuple of int
        Rows.
    states : tuple of str
        States.
    destinations : tuple of str
        Names of destinations.
    instance_ids : tuple of int
        Rows of the instances that the results are about.
    """

    ids: tuple[int, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    destinations: tuple[str, ...] = ()
    instance_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReadImage:
    """A reading with the origin of its image.

    Parameters
    ----------
    id : int
        Row of the reading.
    sender : str
        AE title, or name of the service, that the image came from.
    device : str
        Pseudonym of the device that made the image; empty where that is not known.
    model_sha256 : str
        Identity of the model.
    line : str
        The line of form 5, JSON.
    created_at : float
        When the image was read, in seconds since 1970, UTC.
    """

    id: int
    sender: str
    device: str
    model_sha256: str
    line: str = field(repr=False)
    created_at: float


def readings_after(ledger: Ledger, reading_id: int, limit: int) -> list[ReadImage]:
    """List readings page by page.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    reading_id : int
        Only rows after this one.
    limit : int
        Most readings, >= 1.

    Returns
    -------
    list of ReadImage
        In the order of their rows.
    """
    of_reading = [readings.c[name] for name in ("id", "model_sha256", "line", "created_at")]
    query = (
        select(*of_reading, instances.c.sender, instances.c.device)
        .join(instances, instances.c.id == readings.c.instance_id)
        .where(readings.c.id > reading_id)
    )
    with ledger.read() as connection:
        return [ReadImage(**row._mapping) for row in connection.execute(query.order_by(readings.c.id).limit(limit))]


def search_instances(ledger: Ledger, query: InstanceQuery, limit: int | None = None) -> list[Instance]:
    """Search for instances.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    query : InstanceQuery
        Which.
    limit : int, optional
        Most results; the newest. All where it is None.

    Returns
    -------
    list of Instance
        The newest first.
    """
    wanted = select(instances).where(*_of_instances(query)).order_by(instances.c.id.desc()).limit(limit)
    with ledger.read() as connection:
        return [Instance(**row._mapping) for row in connection.execute(wanted)]


def search_deliveries(ledger: Ledger, query: DeliveryQuery, limit: int | None = None) -> list[Delivery]:
    """Search for deliveries.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    query : DeliveryQuery
        Which.
    limit : int, optional
        Most results; the newest. All where it is None.

    Returns
    -------
    list of Delivery
        The newest first.
    """
    wanted = delivery_rows().where(*_of_deliveries(query)).order_by(deliveries.c.id.desc()).limit(limit)
    with ledger.read() as connection:
        return [Delivery(**row._mapping) for row in connection.execute(wanted)]


def senders_of_images(ledger: Ledger) -> set[str]:
    """List whom the images came from.

    Parameters
    ----------
    ledger : Ledger
        The ledger.

    Returns
    -------
    set of str
        AE titles, and names of polls and services.
    """
    with ledger.read() as connection:
        return set(connection.execute(select(instances.c.sender).distinct()).scalars())


def count_by_destination(ledger: Ledger) -> dict[str, dict[DeliveryState, int]]:
    """Count deliveries by destination and state.

    Parameters
    ----------
    ledger : Ledger
        The ledger.

    Returns
    -------
    dict of str to dict
        Number of deliveries by state, by the name of the destination.
    """
    query = select(deliveries.c.destination, deliveries.c.state, func.count()).group_by(
        deliveries.c.destination, deliveries.c.state
    )
    counted: dict[str, dict[DeliveryState, int]] = {}
    with ledger.read() as connection:
        for destination, state, number in connection.execute(query):
            counted.setdefault(destination, {})[state] = int(number)
    return counted


def count_dead_letters(ledger: Ledger, limit: int) -> list[tuple[str, str, int]]:
    """Count dead letters by destination and reason.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    limit : int
        Most rows, >= 1; the most frequent ones.

    Returns
    -------
    list of (str, str, int)
        Destination, reason and number.
    """
    number = func.count().label("number")
    columns = deliveries.c.destination, deliveries.c.reason
    query = select(*columns, number).where(deliveries.c.state == "dead").group_by(*columns)
    with ledger.read() as connection:
        rows = connection.execute(query.order_by(number.desc(), *columns).limit(limit)).all()
    return [(row.destination, row.reason, int(row.number)) for row in rows]


def _of_instances(query: InstanceQuery) -> list[ColumnElement[bool]]:
    conditions = _in(instances.c.id, query.ids) + _in(instances.c.state, query.states) + _in(instances.c.sender, query.senders)
    if query.since is not None:
        conditions.append(instances.c.received_at >= query.since)
    if query.before is not None:
        conditions.append(instances.c.received_at < query.before)
    if query.sop_instance_uid:
        conditions.append(instances.c.sop_instance_uid == query.sop_instance_uid)
    if query.not_read_by:
        read = select(readings.c.instance_id).where(readings.c.model_sha256 == query.not_read_by)
        conditions.append(instances.c.id.not_in(read))
    return conditions


def _of_deliveries(query: DeliveryQuery) -> list[ColumnElement[bool]]:
    return (
        _in(deliveries.c.id, query.ids)
        + _in(deliveries.c.state, query.states)
        + _in(deliveries.c.destination, query.destinations)
        + _in(readings.c.instance_id, query.instance_ids)
    )


def _in(column: Any, values: tuple[Any, ...]) -> list[ColumnElement[bool]]:
    return [column.in_(values)] if values else []
