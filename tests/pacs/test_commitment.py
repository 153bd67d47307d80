"""Storage commitment: asked for after a store, reported on either association, and sent again where the PACS lost a result."""

import random
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.send import commitment
from pneumoscope.pacs.send.sender import Sender, target_of
from tests.pacs.fake_pacs import FakeDimse
from tests.pacs.node_parts import image, node, receive, worker

PUSH = StorageCommitmentPushModel


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.open(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        yield ledger


class Committing(FakeDimse):
    """A provider that takes requests for storage commitment."""

    def __init__(self):
        super().__init__()
        self.requests = []
        self.server.ae.add_supported_context(PUSH, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        self.server.contexts = self.server.ae.supported_contexts
        self.server.bind(evt.EVT_N_ACTION, self._asked)

    def _asked(self, event):
        self.requests.append(event.action_information)
        return 0, None


def report(uids, missing=(), reason=0x0112):
    """Event Information, PS3.4 table J.3-2."""
    information = Dataset()
    information.TransactionUID = "1.2.3"
    information.ReferencedSOPSequence = [item(uid) for uid in uids]
    information.FailedSOPSequence = [item(uid, reason) for uid in missing]
    return information


def item(uid, reason=None):
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", uid
    if reason is not None:
        made.FailureReason = reason
    return made


def sent(tmp_path, ledger, pacs, clock):
    """A node whose two results were sent and whose destination was asked; the node, the sender and their UIDs."""
    destination = pacs.destination(commitment=True)
    made = replace(node(tmp_path), destinations=(destination,))
    for number in (1, 2):
        receive(made, ledger, image(number), number)
        assert worker(made, ledger).step("work")
    sender = Sender(made, ledger, destination, target_of(made, destination), random.Random(1))
    for _ in range(3):
        sender.step("send/0")
    return made, sender, [one.sop_instance_uid for one in ledger.deliveries()]


def send_report(config, ledger, information, event_type, ae_title="PACS"):
    """Send a report to a listener with the node's handler; give the status."""
    entity = AE("PNEUMOSCOPE")
    entity.add_supported_context(PUSH, scu_role=True, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, commitment.handler(config, ledger))]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    other = AE(ae_title)
    other.add_requested_context(PUSH)
    association = other.associate("127.0.0.1", server.socket.getsockname()[1])
    status, _ = association.send_n_event_report(information, event_type, PUSH, commitment.PUSH_MODEL_INSTANCE)
    association.release()
    server.shutdown()
    return status.Status


def test_the_destination_is_asked_once_for_what_it_has_stored(tmp_path, ledger, clock):
    with Committing() as pacs:
        _, sender, uids = sent(tmp_path, ledger, pacs, clock)
        (request,) = pacs.requests
        assert sorted(one.ReferencedSOPInstanceUID for one in request.ReferencedSOPSequence) == sorted(uids)
        sender.step("send/0")
        assert len(pacs.requests) == 1
        clock.now += 601  # no report came: it is asked again, under another transaction
        sender.step("send/0")
        sender.target.close()
        assert len({one.TransactionUID for one in pacs.requests}) == 2
        assert ledger.counts().deliveries == {"sent": 2}


def test_a_report_commits_and_a_missing_result_is_sent_again(tmp_path, ledger, clock):
    with Committing() as pacs:
        config, sender, (first, second) = sent(tmp_path, ledger, pacs, clock)
        assert send_report(config, ledger, report([first], [second]), commitment.FAILURES) == 0
        assert ledger.counts().deliveries == {"committed": 1, "sending": 1}
        del pacs.stored[second]  # the PACS lost it
        sender.step("send/0")
        sender.target.close()
        assert ledger.counts().deliveries == {"committed": 1, "sent": 1}
        assert pacs.stored[second] == 1


def test_a_result_that_the_destination_holds_after_all_is_not_sent_again(tmp_path, ledger, clock):
    with Committing() as pacs:
        config, sender, (first, second) = sent(tmp_path, ledger, pacs, clock)
        send_report(config, ledger, report([], [first]), commitment.FAILURES)
        sender.step("send/0")
        sender.target.close()
        assert pacs.stored[first] == 1
        assert ledger.counts().deliveries == {"sent": 2}
        assert second in pacs.stored


def test_a_report_of_another_application_entity_or_for_another_reason_changes_nothing(tmp_path, ledger, clock):
    with Committing() as pacs:
        config, sender, (first, second) = sent(tmp_path, ledger, pacs, clock)
        sender.target.close()
        assert send_report(config, ledger, report([first]), commitment.COMPLETE, ae_title="OTHER") == 0x0113
        assert send_report(config, ledger, report([], [second], reason=0x0213), commitment.FAILURES) == 0
        assert send_report(config, ledger, report([first]), 7) == 0x0113
        assert ledger.counts().deliveries == {"sent": 2}


def test_a_destination_without_storage_commitment_is_no_trouble(tmp_path, ledger, clock, caplog):
    with FakeDimse() as pacs:
        _, sender, _ = sent(tmp_path, ledger, pacs, clock)
        sender.target.close()
    assert ledger.counts().deliveries == {"sent": 2}
    assert "storage commitment by 'pacs': the destination does not take requests" in caplog.text
