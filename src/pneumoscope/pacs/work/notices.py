"""Write the notifications of a reading, next to its DICOM objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pneumoscope.dicom_objects import DicomObject, Result
from pneumoscope.pacs.notifications.message import Message, message_uid, write
from pneumoscope.pacs.notifications.notice import Notice, StoredObject
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.readings.line import Line


@dataclass(frozen=True)
class EarlierReading:
    """A reading of the same image by a model whose readings are no longer sent.

    Parameters
    ----------
    line : Line
        The reading.
    result_uids : frozenset of str
        Identifiers of its results in the ledger, among them its notifications.
    """

    line: Line
    result_uids: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class SentObject:
    """A DICOM object of the reading.

    Parameters
    ----------
    made : DicomObject
        The object.
    destinations : tuple of str
        Names of the destinations that it goes to.
    """

    made: DicomObject
    destinations: tuple[str, ...]


def messages(
    result: Result, notifications: Sequence[Notification], objects: Sequence[SentObject], earlier: Sequence[EarlierReading]
) -> Iterator[tuple[Notification, Message]]:
    """Write the notifications of a reading.

    Parameters
    ----------
    result : Result
        The reading.
    notifications : sequence of Notification
        Which systems are told.
    objects : sequence of SentObject
        Its DICOM objects.
    earlier : sequence of EarlierReading
        Earlier readings of the image, the oldest first.

    Yields
    ------
    tuple of Notification and Message
        One for each system.
    """
    for one in notifications:
        stored = tuple(StoredObject.of(each.made) for each in objects if set(each.destinations) & set(one.after))
        source_uid = result.source.sop_instance_uid
        before = tuple(each.line for each in earlier if message_uid(source_uid, each.line, one) in each.result_uids)
        yield one, write(Notice(result, stored, before), one)
