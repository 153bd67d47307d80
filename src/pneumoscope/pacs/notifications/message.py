"""Write a notification in the form that its system takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.pacs.notifications import fhir, hl7
from pneumoscope.pacs.notifications.notice import Notice, report_uid
from pneumoscope.pacs.notifications.settings import Notification, Protocol
from pneumoscope.readings.line import Line

WRITERS: Mapping[Protocol, Callable[[Notice, Notification], bytes]] = {"fhir": fhir.write, "hl7": hl7.write}
FORMS: Mapping[Protocol, str] = {"fhir": "R5", "hl7": "2.5.1"}
"""Version of the standard by protocol; it stands where an object of DICOM has its profile."""


@dataclass(frozen=True)
class Message:
    """A notification as it is sent. It is a row of the same table as a `DicomObject`, whose names its attributes have.

    Parameters
    ----------
    kind : {"fhir", "hl7"}
        Its form.
    sop_instance_uid : str
        Identifier of the message in the ledger.
    content : bytes
        What is sent.
    sop_class_uid : str
        Empty.
    """

    kind: Protocol
    sop_instance_uid: str = field(repr=False)
    content: bytes = field(repr=False)
    sop_class_uid: str = ""


def write(notice: Notice, settings: Notification) -> Message:
    """Write a notification.

    Parameters
    ----------
    notice : Notice
        What it says.
    settings : Notification
        The system that is told.

    Returns
    -------
    Message
        The same bytes for the same arguments.
    """
    uid = message_uid(notice.source.sop_instance_uid, notice.line, settings)
    return Message(settings.protocol, uid, WRITERS[settings.protocol](notice, settings))


def message_uid(source_uid: str, line: Line, settings: Notification) -> str:
    """Derive the identifier of a message in the ledger.

    Parameters
    ----------
    source_uid : str
        SOP Instance UID of the image that was read.
    line : Line
        The reading.
    settings : Notification
        The system that is told.

    Returns
    -------
    str
        A UID.
    """
    return derived_uid("notification", settings.protocol, settings.name, report_uid(source_uid, line))
