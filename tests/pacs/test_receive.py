"""Receiving by DIMSE: an instance is acknowledged when its file and its row are safe, and only then."""

import hashlib
import socket
import struct

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ImplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import build_role

from pneumoscope.pacs.peers import Destination, Peer
from pneumoscope.pacs.receive.contexts import STORAGE_COMMITMENT, TRANSFER_SYNTAXES
from pneumoscope.pacs.receive.process import reporters
from tests.pacs.receiving import (
    associate_rq,
    association,
    echo,
    element,
    instance,
    node,
    p_data,
    read_pdu,
    store_command,
    stored,
)
from tests.radiograph.builders import written


@pytest.fixture
def receiving(tmp_path):
    with node(tmp_path) as one:
        yield one


def test_an_echo_is_answered(receiving):
    assert echo(receiving)


def test_an_instance_is_stored_with_its_pixels_and_recorded(receiving):
    sent = instance(7, value=300)
    assert stored(receiving, sent) == [0x0000]
    (row,) = receiving.ledger.instances()
    assert (row.sop_instance_uid, row.study_uid, row.series_uid) == ("1.2.3.7", "1.2.3.7.8", "1.2.3.7.9")
    assert (row.sender, row.route, row.state, row.transfer_syntax) == ("STORESCU", "dimse", "received", "1.2.840.10008.1.2.1")
    (file,) = receiving.files()
    assert (receiving.spool.folder / row.path, row.size) == (file, file.stat().st_size)
    assert dcmread(file) == sent
    assert receiving.leftovers() == []


def test_the_same_instance_again_is_acknowledged_and_kept_once(receiving):
    assert stored(receiving, instance(1), instance(1)) == [0, 0]
    assert stored(receiving, instance(1), title="CR1") == [0]
    assert [(row.sop_instance_uid, row.state) for row in receiving.ledger.instances()] == [("1.2.3.1", "received")]
    assert len(receiving.files()) == 1


def test_the_same_instance_again_brings_back_its_file_that_is_gone(receiving):
    assert stored(receiving, instance(1)) == [0]
    (file,) = receiving.files()
    content = file.read_bytes()
    file.unlink()
    assert stored(receiving, instance(1)) == [0]
    assert receiving.files() == [file]
    assert file.read_bytes() == content
    assert len(receiving.ledger.instances()) == 1


def test_an_instance_that_is_cut_off_is_refused_and_taken_when_it_is_whole(receiving):
    whole = written(instance(1))
    data_set = whole[whole.index(b"\x08\x00\x16\x00UI") :]
    with receiving.connect() as sock:
        sock.sendall(associate_rq())
        read_pdu(sock)
        statuses = []
        for content in (data_set[:-6], data_set):
            sock.sendall(p_data(store_command(), is_command=True, is_last=True))
            sock.sendall(p_data(content, is_command=False, is_last=True))
            _, answer = read_pdu(sock)
            statuses += [status for status in (0xC000, 0) if element(0x0900, struct.pack("<H", status)) in answer]
    assert statuses == [0xC000, 0]
    assert [row.sha256 for row in receiving.ledger.instances()] == [hashlib.sha256(data_set).hexdigest()]
    assert receiving.leftovers() == []


def test_a_sender_that_takes_only_tiny_messages_gets_its_answer(receiving):
    with receiving.connect() as sock:
        sock.sendall(associate_rq(maximum=64))
        read_pdu(sock)
        sock.sendall(p_data(store_command(), is_command=True, is_last=True))
        whole = written(instance(1))
        sock.sendall(p_data(whole[whole.index(b"\x08\x00\x16\x00UI") :], is_command=False, is_last=True))
        answer = b""
        while element(0x0900, b"\0\0") not in answer:
            _, body = read_pdu(sock)
            assert len(body) <= 64
            answer += body[6:]
    assert len(receiving.ledger.instances()) == 1


def test_the_same_uid_with_other_content_is_read_where_the_first_could_not_be(receiving):
    assert stored(receiving, instance(1, value=1)) == [0]
    receiving.ledger.finish_instance(receiving.ledger.claim_instance("work", 60), "failed", "truncated; send the file again")
    assert stored(receiving, instance(1, value=2), instance(1, value=3)) == [0, 0]
    assert [row.state for row in receiving.ledger.instances()] == ["failed", "received", "conflict"]
    assert receiving.ledger.states_of(["1.2.3.1"])["1.2.3.1"] == ("received", "")


def test_the_same_uid_with_other_content_is_kept_as_a_conflict(receiving):
    assert stored(receiving, instance(1, value=1), instance(1, value=2)) == [0, 0]
    assert [row.state for row in receiving.ledger.instances()] == ["received", "conflict"]
    assert len(receiving.files()) == 2


@pytest.mark.parametrize("sop_class", [DigitalXRayImageStorageForPresentation, SecondaryCaptureImageStorage])
def test_other_classes_are_taken(receiving, sop_class):
    assert stored(receiving, instance(SOPClassUID=sop_class), classes=[sop_class]) == [0]
    assert receiving.ledger.instances()[0].sop_class_uid == sop_class


def test_every_transfer_syntax_that_is_decoded_is_accepted(receiving):
    for syntax in TRANSFER_SYNTAXES:
        with association(receiving, syntaxes=[syntax]) as made:
            assert [str(one.transfer_syntax[0]) for one in made.accepted_contexts[1:]] == [str(syntax)]


def test_implicit_vr_is_received(receiving):
    assert stored(receiving, instance(syntax=ImplicitVRLittleEndian), syntaxes=[ImplicitVRLittleEndian]) == [0]
    assert receiving.ledger.instances()[0].study_uid == "1.2.3.1.8"


def test_a_class_that_is_not_read_is_not_accepted(receiving):
    with association(receiving, classes=["1.2.840.10008.5.1.4.1.1.2"]) as made:
        assert [one.abstract_syntax for one in made.rejected_contexts] == ["1.2.840.10008.5.1.4.1.1.2"]


@pytest.mark.parametrize("titles", [{"title": "STRANGER"}, {"called": "OTHER"}])
def test_an_unknown_application_entity_is_rejected(receiving, titles):
    with association(receiving, **titles) as made:
        assert made.is_rejected


def test_a_known_title_from_another_address_is_rejected(tmp_path):
    with node(tmp_path, peers=(Peer("STORESCU", ("127.0.0.9",)), Peer("CR1"))) as receiving:
        with association(receiving) as made:
            assert made.is_rejected
        assert echo(receiving, title="CR1")


def test_an_address_from_which_no_peer_may_connect_is_closed_at_once(tmp_path):
    with node(tmp_path, peers=(Peer("STORESCU", ("10.0.0.0/8",)),)) as receiving, receiving.connect() as sock:
        assert sock.recv(10) == b""


def test_who_may_only_report_storage_commitment_stores_nothing(tmp_path):
    with node(tmp_path, peers=(Peer("CR1"),), reports=lambda _: (0, None), reporters=(Peer("STORESCU"),)) as receiving:
        assert echo(receiving)
        assert stored(receiving, instance(1)) == [0x0124]
        assert (receiving.ledger.instances(), receiving.files(), receiving.leftovers()) == ([], [], [])
        assert stored(receiving, instance(1), title="CR1") == [0]


def test_reports_of_storage_commitment_come_from_the_addresses_of_the_destination():
    destination = Destination("pacs", "dimse", host="localhost", port=104, ae_title="PACS", kinds=("sr",), commitment=True)
    (reporter,) = reporters((destination,))
    assert reporter.may_connect_from("127.0.0.1")
    assert not reporter.may_connect_from("192.0.2.1")


def test_a_destination_without_an_address_may_not_connect(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    destination = Destination("pacs", "dimse", host="pacs.example.org", port=104, ae_title="PACS", kinds=("sr",), commitment=True)
    assert reporters((destination,)) == ()


def test_a_data_set_with_another_uid_than_announced_is_refused(receiving):
    sent = instance(1)
    with association(receiving) as made:
        sent.file_meta.MediaStorageSOPInstanceUID = "1.2.3.2"
        sent.SOPInstanceUID = "1.2.3.1"
        made.dimse.send_msg, send = (lambda message, context: send(_renamed(message), context)), made.dimse.send_msg
        assert made.send_c_store(sent).Status == 0xA900
    assert (receiving.ledger.instances(), receiving.files(), receiving.leftovers()) == ([], [], [])


def _renamed(message):
    if message.__class__.__name__ == "C_STORE":
        message.AffectedSOPInstanceUID = "1.2.3.99"
    return message


def test_a_report_of_storage_commitment_reaches_its_handler(tmp_path):
    reported = []

    def handle(event):
        reported.append([item.ReferencedSOPInstanceUID for item in event.event_information.ReferencedSOPSequence])
        return 0x0000, None

    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    with node(tmp_path, reports=handle) as receiving:
        with association(receiving, classes=[STORAGE_COMMITMENT], ext_neg=[role]) as made:
            item, information = Dataset(), Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "2.25.1"
            information.TransactionUID, information.ReferencedSOPSequence = "2.25.9", [item]
            status, _ = made.send_n_event_report(information, 1, STORAGE_COMMITMENT, "1.2.840.10008.1.20.1.1")
        assert status.Status == 0x0000
    assert reported == [["2.25.1"]]


def test_without_a_destination_that_commits_itself_no_report_is_taken(receiving):
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    with association(receiving, classes=[STORAGE_COMMITMENT], ext_neg=[role]) as made:
        assert [one.abstract_syntax for one in made.rejected_contexts] == [STORAGE_COMMITMENT]
