"""Write the results of a reading: each object once, in a file whose bytes are what is sent."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pneumoscope import atomic_files
from pneumoscope.dicom_objects import DicomObject, Kind, Profile
from pneumoscope.pacs.ledger import NewResult
from pneumoscope.pacs.notifications.message import Message
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.send.result_file import data_set_sha256
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading

RESULTS = "results"
"""Folder of the results within the spool."""
_SUFFIXES = {"fhir": ".json", "hl7": ".hl7"}


class WritesObjects(Protocol):
    """Writes a reading as DICOM objects, as `pneumoscope.dicom_objects.objects.write_objects` does."""

    def __call__(
        self,
        content: bytes,
        radiograph: Radiograph,
        reading: ModelReading,
        kinds: Collection[Kind],
        profile: Profile,
        created: datetime,
        *,
        predecessors: Sequence[bytes],
    ) -> tuple[DicomObject, ...]:
        """Write the objects."""


def kinds_by_profile(destinations: Sequence[Destination]) -> Mapping[Profile, tuple[Kind, ...]]:
    """Collect which kinds of object each profile needs.

    Parameters
    ----------
    destinations : sequence of Destination
        Where results go.

    Returns
    -------
    mapping of str to tuple of str
        The kinds by profile, each once.
    """
    kinds: dict[Profile, dict[Kind, None]] = {}
    for destination in destinations:
        kinds.setdefault(destination.profile, {}).update(dict.fromkeys(destination.kinds))
    return {profile: tuple(wanted) for profile, wanted in kinds.items()}


def takers(destinations: Sequence[Destination], profile: str, kind: str) -> tuple[str, ...]:
    """List the destinations that take an object.

    Parameters
    ----------
    destinations : sequence of Destination
        Where results go.
    profile : str
        Profile of the object.
    kind : str
        Kind of the object.

    Returns
    -------
    tuple of str
        Names of destinations.
    """
    return tuple(one.name for one in destinations if one.profile == profile and kind in one.kinds)


def path_of(made: DicomObject | Message) -> Path:
    """Name the file of a result.

    Parameters
    ----------
    made : DicomObject or Message
        The result.

    Returns
    -------
    Path
        Relative to the spool folder; it follows from the bytes of the result.
    """
    name = hashlib.sha256(made.content).hexdigest()
    return Path(RESULTS, name[:2], name + _SUFFIXES.get(made.kind, ".dcm"))


def save(spool: Path, made: DicomObject | Message, profile: str, destinations: tuple[str, ...]) -> NewResult:
    """Write a result into the spool; its file is safe on the disk when this returns.

    Parameters
    ----------
    spool : Path
        The spool folder.
    made : DicomObject or Message
        The result.
    profile : str
        Its profile; of a notification, the version of its standard.
    destinations : tuple of str
        Names of the destinations that it goes to.

    Returns
    -------
    NewResult
        Its row for the ledger.

    Raises
    ------
    OSError
        If it cannot be written, such as on a full disk.
    """
    path = path_of(made)
    if not _holds(spool / path, made.content):
        with atomic_files.binary(spool / path) as stream:
            stream.write(made.content)
    sha256 = path.stem if isinstance(made, Message) else data_set_sha256(spool / path)
    return NewResult(made.kind, profile, made.sop_class_uid, made.sop_instance_uid, sha256, str(path), destinations)


def _holds(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content
    except FileNotFoundError:
        return False


def time_of(seconds: float) -> datetime:
    """Convert a time of the ledger.

    Parameters
    ----------
    seconds : float
        Seconds since 1970, UTC.

    Returns
    -------
    datetime
        The same time in the time zone of this machine, since times in DICOM are local where no time zone is stated.
    """
    return datetime.fromtimestamp(seconds, UTC).astimezone()
