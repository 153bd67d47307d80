"""Rows of the ledger as the rest of the node sees them."""

from dataclasses import dataclass, field
from typing import Literal

from pneumoscope.pacs.ledger.tables import DeliveryState, InstanceState, Route


@dataclass(frozen=True)
class Arrival:
    """An instance whose file is safe in the spool.

    Parameters
    ----------
    sop_instance_uid, sop_class_uid, study_uid, series_uid, transfer_syntax : str
        UIDs of the instance.
    sha256 : str
        Hash of the data set as it was sent, without the file meta information.
    size : int
        Bytes of the file.
    path : str
        The file, relative to the spool folder.
    sender : str
        AE title, or name of the service that it came from.
    route : {"dimse", "stow", "poll"}
        How it came.
    """

    sop_instance_uid: str = field(repr=False)
    sop_class_uid: str
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    transfer_syntax: str
    sha256: str
    size: int
    path: str
    sender: str
    route: Route


@dataclass(frozen=True)
class Recorded:
    """What became of an arrival.

    Parameters
    ----------
    instance_id : int
        Its row.
    outcome : {"new", "duplicate", "conflict"}
        Whether it is new, was received before with the same content, or has the SOP Instance UID of another content.
    """

    instance_id: int
    outcome: Literal["new", "duplicate", "conflict"]


@dataclass(frozen=True)
class Instance:
    """A received instance; the columns are those of the table ``instances``.

    Parameters
    ----------
    id : int
        Its row.
    sop_instance_uid, sop_class_uid, study_uid, series_uid, transfer_syntax, sha256, size, path, sender, route
        As in `Arrival`.
    received_at, next_try_at : float
        Seconds since 1970, UTC.
    state : str
        One of `InstanceState`.
    reason : str
        Why it is in this state; empty where there is nothing to say.
    attempts : int
        How often it was claimed.
    claimed_by : str, optional
        Worker that has claimed it.
    claimed_until : float, optional
        When the claim ends, in seconds since 1970, UTC.
    device : str
        Pseudonym of the device that made it; empty until it is read, and where its file does not state the device.
    """

    id: int
    sop_instance_uid: str = field(repr=False)
    sop_class_uid: str
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    transfer_syntax: str
    sha256: str
    size: int
    path: str
    sender: str
    route: Route
    received_at: float
    state: InstanceState
    reason: str
    attempts: int
    claimed_by: str | None
    claimed_until: float | None
    next_try_at: float
    device: str


@dataclass(frozen=True)
class NewResult:
    """A DICOM object of a reading, written to its file once.

    Parameters
    ----------
    kind, profile, sop_class_uid, sop_instance_uid : str
        Of the object.
    sha256 : str
        Hash of its data set.
    path : str
        Its file, relative to the spool folder; these very bytes are sent.
    destinations : tuple of str
        Names of the destinations that it goes to; without effect for a reading in shadow mode.
    """

    kind: str
    profile: str
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    sha256: str
    path: str
    destinations: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewReading:
    """A model's reading of an instance.

    Parameters
    ----------
    model_sha256 : str
        Identity of the model's bundle.
    line : str
        The line of form 5, JSON.
    shadow : bool
        Whether the reading is kept and not sent.
    results : tuple of NewResult
        Its DICOM objects, whose files are safe on the disk.
    created_at : float, optional
        When the image was read, in seconds since 1970, UTC; the present time where it is None.
    """

    model_sha256: str
    line: str = field(repr=False)
    shadow: bool = False
    results: tuple[NewResult, ...] = ()
    created_at: float | None = None


@dataclass(frozen=True)
class Reading:
    """A reading in the ledger.

    Parameters
    ----------
    id : int
        Its row.
    model_sha256, line, shadow
        As in `NewReading`.
    created_at : float
        Seconds since 1970, UTC.
    """

    id: int
    model_sha256: str
    line: str = field(repr=False)
    shadow: bool
    created_at: float


@dataclass(frozen=True)
class Delivery:
    """One result for one destination.

    Parameters
    ----------
    id, result_id : int
        Rows of the delivery and of its result.
    destination : str
        Name of the destination.
    state : str
        One of `DeliveryState`.
    reason : str
        Why it is in this state; empty where there is nothing to say.
    attempts : int
        How often it was claimed.
    claimed_by : str, optional
        Sender that has claimed it.
    claimed_until : float, optional
        When the claim ends, in seconds since 1970, UTC.
    next_try_at : float
        When it may be claimed.
    first_try_at, sent_at : float, optional
        When it was claimed first, and when the destination accepted it.
    kind, profile, sop_class_uid, sop_instance_uid, sha256, path : str
        Of the result.
    instance_id : int
        Row of the instance that the result is about.
    was_sending : bool
        Whether an earlier claim ended without an outcome, so that the destination may already have the result.
    """

    id: int
    result_id: int
    destination: str
    state: DeliveryState
    reason: str
    attempts: int
    claimed_by: str | None
    claimed_until: float | None
    next_try_at: float
    first_try_at: float | None
    sent_at: float | None
    kind: str
    profile: str
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    sha256: str
    path: str
    instance_id: int
    was_sending: bool = False


STOPPED = 0
"""Stands for the number of a process that was stopped; no process of a node has it."""


@dataclass(frozen=True)
class Heartbeat:
    """The last sign of life of a process.

    Parameters
    ----------
    process : str
        Name of the process.
    at : float
        Seconds since 1970, UTC.
    pid : int
        Its process number; `STOPPED` once it was stopped.
    """

    process: str
    at: float
    pid: int

    @property
    def stopped(self) -> bool:
        """Whether the process was stopped and ended as it should, at that time."""
        return self.pid == STOPPED


@dataclass(frozen=True)
class Counts:
    """How many rows are in which state.

    Parameters
    ----------
    instances, deliveries : dict of str to int
        Number of rows by state; states without rows are left out.
    oldest_received_at, oldest_waiting_since : float, optional
        Arrival of the instance that has waited longest to be read, and creation of the result that has waited longest to be
        sent, in seconds since 1970, UTC; None where nothing waits.
    """

    instances: dict[str, int]
    deliveries: dict[str, int]
    oldest_received_at: float | None
    oldest_waiting_since: float | None
