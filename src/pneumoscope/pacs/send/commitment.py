"""Storage commitment: ask a destination to commit itself to keep results, and note what it reports (PS3.4 annex J)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]  # made when the module is imported

from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Delivery, Ledger
from pneumoscope.pacs.send.dimse import DimseTarget
from pneumoscope.pacs.send.target import UnreachableTargetError

PUSH_MODEL = str(StorageCommitmentPushModel)
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known SOP Instance of the Storage Commitment Push Model."""
REQUEST, COMPLETE, FAILURES = 1, 1, 2
"""Action Type ID of a request, and Event Type IDs of a report without and with failures."""
_NO_SUCH_OBJECT = 0x0112
_SUCCESS, _PROCESSING_FAILURE, _NO_SUCH_EVENT = 0x0000, 0x0110, 0x0113


@dataclass(frozen=True)
class Report:
    """What a destination reports.

    Parameters
    ----------
    committed : tuple of str
        SOP Instance UIDs that it commits itself to keep.
    missing : tuple of str
        SOP Instance UIDs that it does not hold.
    """

    committed: tuple[str, ...]
    missing: tuple[str, ...]


def report_of(dataset: Dataset) -> Report:
    """Read a report.

    Parameters
    ----------
    dataset : Dataset
        Event Information of an N-EVENT-REPORT, PS3.4 table J.3-2.

    Returns
    -------
    Report
        What it says; failures for other reasons than a missing object are left out, so that it is asked again for them.
    """
    committed = tuple(str(item.ReferencedSOPInstanceUID) for item in dataset.get("ReferencedSOPSequence", None) or ())
    failed = dataset.get("FailedSOPSequence", None) or ()
    missing = (item for item in failed if item.get("FailureReason", 0) == _NO_SUCH_OBJECT)
    return Report(committed, tuple(str(item.ReferencedSOPInstanceUID) for item in missing))


def record_report(ledger: Ledger, report: Report, destinations: Sequence[str]) -> None:
    """Record a report.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    report : Report
        The report.
    destinations : sequence of str
        Names of the destinations that it may come from.

    Raises
    ------
    LedgerError
        If it could not be written.
    """
    ledger.commit_deliveries(report.committed, destinations)
    ledger.refuse_commitment(report.missing, destinations, "the destination reports that it does not hold the result")


def handler(config: NodeConfig, ledger: Ledger) -> Callable[[evt.Event], tuple[int, None]]:
    """Make the handler of N-EVENT-REPORT, for the listener of the node and for associations that it opens.

    Parameters
    ----------
    config : NodeConfig
        The destinations; a report counts for those with the AE title that the peer has stated.
    ledger : Ledger
        Where it is recorded.

    Returns
    -------
    callable
        Handler of ``evt.EVT_N_EVENT_REPORT``.
    """

    def handle(event: evt.Event) -> tuple[int, None]:
        peer = event.assoc.requestor if event.assoc.is_acceptor else event.assoc.acceptor
        names = [one.name for one in config.destinations if one.commitment and one.ae_title.strip() == str(peer.ae_title).strip()]
        request: Any = event.request
        if request.EventTypeID not in (COMPLETE, FAILURES) or not names:
            return _NO_SUCH_EVENT, None
        try:
            record_report(ledger, report_of(event.event_information), names)
        except Exception:  # a report that cannot be read or recorded is to be sent again; the peer learns no more
            return _PROCESSING_FAILURE, None
        return _SUCCESS, None

    return handle


def request(target: DimseTarget, deliveries: Sequence[Delivery]) -> None:
    """Ask a destination to commit itself to keep results.

    Parameters
    ----------
    target : DimseTarget
        The destination.
    deliveries : sequence of Delivery
        What it has stored.

    Raises
    ------
    UnreachableTargetError
        If it cannot be asked, or does not support storage commitment.
    """
    contexts = [(PUSH_MODEL, str(ExplicitVRLittleEndian)), (PUSH_MODEL, str(ImplicitVRLittleEndian))]
    association = target.associated(contexts)
    information = Dataset()
    information.TransactionUID = derived_uid("commitment", *(f"{one.id} {one.attempts} {one.next_try_at}" for one in deliveries))
    information.ReferencedSOPSequence = [_reference(one) for one in deliveries]
    try:
        status, _ = association.send_n_action(information, REQUEST, PUSH_MODEL, PUSH_MODEL_INSTANCE)
    except (ValueError, RuntimeError) as error:
        raise UnreachableTargetError("the destination does not take requests for storage commitment") from error
    if "Status" not in status or status.Status != _SUCCESS:
        raise UnreachableTargetError("the destination did not take the request for storage commitment")


def _reference(delivery: Delivery) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = delivery.sop_class_uid, delivery.sop_instance_uid
    return item
