"""One try to send a result, against destinations that answer, refuse, abort and hang."""

import json
import random
import re
import socket
import ssl
import threading

import pytest
import trustme

from pneumoscope.pacs.peers import Credentials, Destination, Tls
from pneumoscope.pacs.send.dimse import DimseTarget
from pneumoscope.pacs.send.outcome import Fate, of_status, wait_seconds
from pneumoscope.pacs.send.result_file import ResultFileError, data_set_sha256, open_result
from pneumoscope.pacs.send.stow import StowTarget, outcome_of
from pneumoscope.pacs.send.target import UnreachableTargetError
from pneumoscope.pacs.settings import Sending
from tests.free_port import free_port
from tests.pacs.fake_pacs import FakeDimse, FakeStow, abort, failed, referenced, silent_listener
from tests.pacs.result_files import result_file

SECRETS = ("SECRET-4711", "Doe", "2.25.1")


def tried(destination, result, action="store"):
    """What one try says; no reason holds an identifier."""
    target = DimseTarget(destination, "NODE") if destination.protocol == "dimse" else StowTarget(destination)
    try:
        outcome = getattr(target, action)(result)
    finally:
        target.close()
    assert not any(secret in str(outcome) for secret in SECRETS)
    return outcome


def test_c_store_sends_the_very_bytes_of_the_file(tmp_path):
    result = result_file(tmp_path)
    with FakeDimse() as pacs:
        assert tried(pacs.destination(), result).fate is Fate.SENT
    (content,) = pacs.contents.values()
    assert result.path.read_bytes().endswith(content)
    assert len(content) > 100


def test_one_association_serves_several_results_without_nagle(tmp_path):
    results = [result_file(tmp_path, number) for number in range(5)]
    context = [(results[0].sop_class_uid, results[0].transfer_syntax)]
    with FakeDimse() as pacs:
        target = DimseTarget(pacs.destination(), "NODE")
        association = target.associated(context)
        assert association.dul.socket.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert [target.store(result).fate for result in results] == [Fate.SENT] * 5
        assert target.associated(context) is association
        target.close()
    assert sum(pacs.stored.values()) == 5


def test_the_associations_own_thread_takes_no_answer_that_a_request_waits_for(tmp_path):
    result = result_file(tmp_path)
    with FakeDimse() as pacs:
        target = DimseTarget(pacs.destination(), "NODE")
        association = target.associated([(result.sop_class_uid, result.transfer_syntax)])
        association._reactor_checkpoint.clear()  # as a request does before it is sent
        association.dimse.msg_queue.put((1, "answer"))
        assert association.dimse.get_msg(block=False) == (None, None)
        assert association.dimse.get_msg(block=True) == (1, "answer")
        association._reactor_checkpoint.set()
        assert target.store(result).fate is Fate.SENT
        target.close()


@pytest.mark.parametrize(
    ("status", "fate", "sentence"),
    [
        (0xA700, Fate.LATER, "answers 0xA700 (out of resources)"),
        (0xA900, Fate.NEVER, "answers 0xA900 (data set does not match SOP class)"),
        (0xB000, Fate.SENT, "answers 0xB000 (stored with a warning)"),
        (0xC001, Fate.NEVER, "answers 0xC001 (cannot understand)"),
        (0x0110, Fate.LATER, "answers 0x0110 (processing failure)"),
        (0x0122, Fate.NEVER, "answers 0x0122 (SOP class not supported)"),
    ],
)
def test_the_status_of_c_store_decides(tmp_path, status, fate, sentence):
    with FakeDimse(status) as pacs:
        outcome = tried(pacs.destination(), result_file(tmp_path))
    assert (outcome.fate, outcome.reason) == (fate, f"the destination 'pacs' {sentence}")


def test_a_status_that_the_standard_does_not_know_is_tried_again():
    assert of_status(0xD123, "it").fate is Fate.LATER


def test_an_abort_instead_of_an_answer_leaves_doubt(tmp_path):
    with FakeDimse(abort) as pacs:
        outcome = tried(pacs.destination(), result_file(tmp_path))
    assert outcome.fate is Fate.DOUBT
    assert "did not answer" in outcome.reason


def test_a_destination_that_does_not_answer_in_time_leaves_doubt(tmp_path):
    left = threading.Event()
    with FakeDimse(lambda event: left.wait(60) and 0) as pacs:
        try:  # long enough for the association, which is answered at once
            assert tried(pacs.destination(seconds=1.0), result_file(tmp_path)).fate is Fate.DOUBT
        finally:
            left.set()


def test_a_port_that_accepts_and_says_nothing_is_given_up(tmp_path):
    with silent_listener() as port:
        outcome = tried(
            Destination("pacs", "dimse", host="127.0.0.1", port=port, ae_title="A", seconds=0.3), result_file(tmp_path)
        )
    assert (outcome.fate, outcome.unreachable) == (Fate.LATER, True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom lets the collector close the socket
def test_a_port_on_which_nothing_listens(tmp_path):
    outcome = tried(Destination("pacs", "dimse", host="127.0.0.1", port=free_port(), ae_title="A"), result_file(tmp_path))
    assert (outcome.fate, outcome.unreachable) == (Fate.LATER, True)


@pytest.mark.parametrize(
    ("changes", "settings", "sentence"),
    [
        ({"ae_title": "OTHER"}, {}, "it does not know the called AE title; correct 'ae_title' of the destination"),
        ({}, {"require": ["FRIEND"]}, "it does not know the calling AE title; enter it there"),
    ],
)
def test_an_unknown_ae_title_is_rejected_for_good(tmp_path, changes, settings, sentence):
    with FakeDimse(**settings) as pacs:
        outcome = tried(pacs.destination(**changes), result_file(tmp_path))
    assert outcome.fate is Fate.NEVER
    assert sentence in outcome.reason


def test_a_destination_with_too_many_associations_is_tried_again(tmp_path):
    with FakeDimse(max_associations=1) as pacs:
        other = DimseTarget(pacs.destination(), "NODE")
        other.echo()
        outcome = tried(pacs.destination(), result_file(tmp_path))
        other.close()
    assert (outcome.fate, outcome.unreachable) == (Fate.LATER, True)


def test_a_destination_that_does_not_take_the_sop_class(tmp_path):
    with FakeDimse(classes=("1.2.840.10008.5.1.4.1.1.7",)) as pacs:
        outcome = tried(pacs.destination(), result_file(tmp_path))
    assert outcome.fate is Fate.NEVER


def test_c_find_tells_what_the_destination_holds(tmp_path):
    first, second = result_file(tmp_path, 1), result_file(tmp_path, 2)
    with FakeDimse() as pacs:
        tried(pacs.destination(), first)
        assert [tried(pacs.destination(), result, "holds") for result in (first, second)] == [True, False]
    with FakeDimse(find=False) as pacs:
        target = DimseTarget(pacs.destination(), "NODE")
        target.store(first)
        assert target.holds(first) is None
        target.close()


def test_a_destination_that_cannot_be_asked_now_is_not_one_that_does_not_hold_the_result(tmp_path):
    with silent_listener() as port:
        hanging = Destination("pacs", "dimse", host="127.0.0.1", port=port, ae_title="A", seconds=0.3)
        with pytest.raises(UnreachableTargetError, match="the destination 'pacs' does not answer"):
            tried(hanging, result_file(tmp_path), "holds")


def test_stow_sends_the_very_file_in_one_message(tmp_path):
    result = result_file(tmp_path)
    with FakeStow() as web:
        assert tried(web.destination(), result).fate is Fate.SENT
    assert list(web.contents.values()) == [result.path.read_bytes()]
    assert web.headers[0]["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')


@pytest.mark.parametrize(
    ("answer", "fate", "sentence"),
    [
        ((409, failed(0xA700)), Fate.LATER, "answers 0xA700 (out of resources)"),
        ((409, failed(0xA900)), Fate.NEVER, "answers 0xA900 (data set does not match SOP class)"),
        ((409, ""), Fate.NEVER, "answers with status 409"),
        ((503, ""), Fate.LATER, "answers with status 503"),
        ((500, ""), Fate.DOUBT, "answers with status 500"),
        ((401, ""), Fate.NEVER, "answers with status 401: it asks for credentials"),
        ((202, failed(0x0122)), Fate.NEVER, "answers 0x0122 (SOP class not supported)"),
        ((200, lambda uid: referenced(uid, 0xB000)), Fate.SENT, "answers 0xB000 (stored with a warning)"),
        (("close", None), Fate.DOUBT, "did not answer"),
    ],
)
def test_the_answer_to_stow_decides(tmp_path, answer, fate, sentence):
    with FakeStow(answer) as web:
        outcome = tried(web.destination(), result_file(tmp_path))
    assert outcome.fate is fate
    assert re.match(rf"the destination 'web' {re.escape(sentence)}", outcome.reason)


def test_the_failure_of_another_instance_is_not_that_of_this_one():
    answer = json.dumps(failed(0xA700)("1.2.3") | referenced("4.5.6")).encode()
    assert outcome_of(202, answer, "4.5.6", "it").fate is Fate.SENT
    assert outcome_of(202, answer, "9.9.9", "it").fate is Fate.NEVER
    assert outcome_of(202, answer, "7.8.9", "it").fate is Fate.DOUBT


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"00081198": {}}', b"[1]", b"null", b'{"00081198": {"Value": [null]}}'])
def test_an_answer_that_is_no_dicom_json_leaves_the_decision_to_the_status(body):
    assert outcome_of(503, body, "1.2.3", "it").fate is Fate.LATER
    assert outcome_of(200, body, "1.2.3", "it").fate is Fate.SENT


def test_a_service_that_hangs_leaves_doubt_and_one_that_is_not_there_none(tmp_path):
    with silent_listener() as port:
        hanging = Destination("web", "stow", url=f"http://127.0.0.1:{port}/dicom-web", seconds=0.3)
        assert tried(hanging, result_file(tmp_path)).fate is Fate.DOUBT
        with pytest.raises(UnreachableTargetError, match="could not be asked"):
            tried(hanging, result_file(tmp_path), "holds")
    outcome = tried(Destination("web", "stow", url=f"http://127.0.0.1:{free_port()}/x"), result_file(tmp_path))
    assert (outcome.fate, outcome.unreachable) == (Fate.LATER, True)


def test_qido_tells_what_the_service_holds(tmp_path):
    first, second = result_file(tmp_path, 1), result_file(tmp_path, 2)
    with FakeStow() as web:
        tried(web.destination(), first)
        assert [tried(web.destination(), result, "holds") for result in (first, second)] == [True, False]


def test_a_token_and_a_password_come_from_files(tmp_path):
    (tmp_path / "secret").write_text("wonder\n", encoding="utf-8")
    for credentials, header in (
        (Credentials(token_file=str(tmp_path / "secret")), "Bearer wonder"),
        (Credentials("alice", str(tmp_path / "secret")), "Basic YWxpY2U6d29uZGVy"),
    ):
        with FakeStow() as web:
            tried(web.destination(credentials=credentials), result_file(tmp_path))
        assert web.headers[0]["Authorization"] == header
        assert "wonder" not in repr(web.destination(credentials=credentials))


def test_a_result_whose_bytes_have_changed_is_not_sent(tmp_path):
    result = result_file(tmp_path)
    sha256 = data_set_sha256(result.path)
    content = bytearray(result.path.read_bytes())
    content[-1] ^= 1
    result.path.write_bytes(content)
    with pytest.raises(ResultFileError, match="other bytes than those that were written"):
        open_result(result.path, sha256)
    for damaged in (b"", b"no DICOM"):
        result.path.write_bytes(damaged)
        with pytest.raises(ResultFileError, match="reprocess"):
            open_result(result.path, sha256)
    result.path.unlink()
    with pytest.raises(ResultFileError, match="missing or damaged"):
        open_result(result.path, sha256)


def test_waits_double_up_to_the_longest_with_jitter():
    settings = Sending(first_wait_seconds=5, longest_wait_seconds=1800)
    chance = random.Random(3)
    for attempts, longest in ((1, 5), (2, 10), (3, 20), (9, 1280), (10, 1800), (10_000, 1800)):
        waits = [wait_seconds(attempts, settings, chance) for _ in range(200)]
        assert longest / 2 <= min(waits) < longest * 0.55
        assert longest * 0.95 < max(waits) <= longest


def certificates(folder):
    """Files of an authority, and of a certificate of this machine by it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
    return Tls(str(folder / "ca.pem"), str(folder / "own.pem"), str(folder / "own.pem"))


def test_tls_with_certificates_on_both_sides(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    tls, other = certificates(tmp_path / "one"), certificates(tmp_path / "other")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.authority)
    server.load_cert_chain(tls.certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    result = result_file(tmp_path)
    with FakeDimse(tls=server) as pacs:
        assert tried(pacs.destination(tls=tls), result).fate is Fate.SENT
        refused = tried(pacs.destination(tls=other), result)
        assert (refused.fate, refused.unreachable) == (Fate.LATER, True)
        assert refused.reason.endswith("could not be reached; check its host, its port and the certificates of both sides")
    assert sum(pacs.stored.values()) == 1
