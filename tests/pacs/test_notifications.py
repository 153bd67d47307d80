"""Notifications from the reading to the other system: once, in order, after the objects, and none lost whatever breaks."""

import hashlib
import json
import logging
import random
import socket
import ssl
import time
from dataclasses import replace

import hl7
import pytest

from pneumoscope.pacs import decision
from pneumoscope.pacs.check import check
from pneumoscope.pacs.errors import ConfigError, InvalidMessageError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.notifications import validity
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.peers import Credentials, Tls
from pneumoscope.pacs.send.fhir import FhirTarget, what_is_missing
from pneumoscope.pacs.send.mllp import MOST_ANSWER_BYTES, MllpTarget, framed
from pneumoscope.pacs.send.operation_outcome import summary
from pneumoscope.pacs.send.outcome import Fate
from pneumoscope.pacs.send.result_file import open_message
from pneumoscope.pacs.send.sender import Sender, target_of
from pneumoscope.pacs.send.target import UnreachableTargetError
from pneumoscope.readings import ModelIdentity
from tests.cli.run import run
from tests.dicom_objects.builders import reading
from tests.free_port import free_port
from tests.pacs.fake_fhir import CAPABILITIES, FakeFhir, outcome
from tests.pacs.fake_mllp import Listener, Misbehaving, acknowledged
from tests.pacs.fake_pacs import FakeDimse
from tests.pacs.node_parts import BASE, image, model, node, receive, worker

PATIENT = {"PatientID": "SECRET-4711", "PatientName": "Doe^Jane", "AccessionNumber": "ACC-0815"}


@pytest.fixture
def sending(tmp_path, ledger, clock):
    """Makes a node that tells one system, with results that wait; gives a function that sends once to an outlet by its name."""
    senders = {}

    def make(notification, destinations=(), images=1, models=()):
        made = replace(node(tmp_path), destinations=tuple(destinations), notifications=(notification,))
        for number in range(1, images + 1):
            receive(made, ledger, image(number, **PATIENT), number)
            assert worker(made, ledger, *models).step("work")
        senders.update({one.name: Sender(made, ledger, one, target_of(made, one), random.Random(1)) for one in made.outlets})

        def step(name=notification.name, seconds=0.0):
            clock.now += seconds
            try:
                return senders[name].step(f"send/{name}/0")
            finally:
                senders[name].target.rest()

        step.config, step.senders = made, senders
        return step

    yield make
    for sender in senders.values():
        sender.target.close()


def states(ledger):
    return [one.state for one in ledger.deliveries()]


def reason(ledger):
    """Reason of the only delivery; no reason quotes an identifier."""
    (delivery,) = ledger.deliveries()
    assert not any(secret in delivery.reason for secret in (*PATIENT.values(), "2.25.", "1.2.3"))
    return delivery.reason


def test_a_report_is_made_once_and_its_bytes_are_those_of_its_file(sending, ledger, caplog):
    with FakeFhir() as server, caplog.at_level(logging.INFO):
        step = sending(server.notification(), images=2)
        assert [step(), step(), step()] == [True, True, False]
        assert list(server.reports.values()) == [1, 1]
        assert server.created["Device", next(c for k, c in server.created if k == "Device")] == 1  # both images share it
    assert states(ledger) == ["sent", "sent"]
    assert not any(secret in caplog.text for secret in (*PATIENT.values(), "2.25."))


def test_a_message_arrives_at_a_listener_of_another_library_as_it_was_written(sending, ledger):
    with Listener() as listener:
        step = sending(listener.notification(), images=2)
        assert [step(), step(), step()] == [True, True, False]
        first, second = listener.messages
    assert states(ledger) == ["sent", "sent"]
    files = [(step.config.spool_folder / one.path).read_bytes().decode() for one in ledger.deliveries()]
    assert [str(first), str(second)] == files
    assert str(first.segment("PID")[3]) == "SECRET-4711"


@pytest.mark.parametrize("protocol", ["fhir", "hl7"])
def test_it_waits_until_the_objects_it_refers_to_are_stored(sending, ledger, protocol):
    with FakeDimse(0xA700, 0) as pacs, FakeFhir() as server, Listener() as listener:
        notification = (server if protocol == "fhir" else listener).notification(after=("pacs",))
        step = sending(notification, [pacs.destination()])
        assert not step()
        assert step("pacs")  # 0xA700: tried again later
        assert not step()
        assert step("pacs", 2.0)
        assert step()
        stored = next(iter(pacs.stored))
        told = str(list(server.resources.values())) if protocol == "fhir" else str(listener.messages[0])
        assert stored in told
    assert states(ledger) == ["sent", "sent"]


def test_a_dead_object_holds_it_back_and_a_dropped_one_does_not(sending, ledger):
    with FakeDimse(0xA900) as pacs, Listener() as listener:
        step = sending(listener.notification(after=("pacs",)), [pacs.destination()])
        assert step("pacs")
        assert not step()
        ledger.drop("deliveries", [ledger.deliveries(("dead",))[0].id], "not wanted")
        assert step()
    assert sorted(states(ledger)) == ["dropped", "sent"]


@pytest.mark.parametrize("arrived", [True, False])
def test_kill_while_a_report_is_sent(sending, ledger, arrived):
    with FakeFhir() as server:
        step = sending(server.notification())
        killed = ledger.claim_delivery("send/ehr/0", 120, ["ehr"], after=())
        if arrived:  # killed after sending and before the row
            assert step.senders["ehr"]._tried(killed).fate is Fate.SENT
        assert not step()  # the lease still holds
        assert step(seconds=121.0)
        assert list(server.reports.values()) == [1]
        assert server.posts == 1
    assert states(ledger) == ["sent"]


def test_a_server_that_cannot_be_asked_still_gets_no_second_report(sending, ledger):
    with FakeFhir(search=404) as server:
        step = sending(server.notification())
        step.senders["ehr"]._tried(ledger.claim_delivery("send/ehr/0", 120, ["ehr"], after=()))
        assert step(seconds=121.0)
        assert (server.posts, list(server.reports.values())) == (2, [1])
    assert states(ledger) == ["sent"]


def test_kill_while_a_message_is_sent_repeats_it_with_the_same_control_id(sending, ledger):
    with Listener() as listener:
        step = sending(listener.notification())
        step.senders["ris"]._tried(ledger.claim_delivery("send/ris/0", 120, ["ris"], after=()))
        assert step(seconds=121.0)
        assert len({str(one) for one in listener.messages}) == 1
        assert len(listener.messages) == 2
    assert states(ledger) == ["sent"]


@pytest.mark.parametrize(
    ("answer", "state", "sentence"),
    [
        ((503, ""), "waiting", "status 503"),
        ((429, ""), "waiting", "status 429"),
        ((500, outcome("exception")), "sending", "status 500 (exception)"),
        ((409, outcome("conflict")), "sending", "status 409 (conflict)"),
        ((200, "<html>login</html>"), "sending", "no transaction response"),
        ((200, {"resourceType": "Bundle", "type": "transaction-response", "entry": []}), "sending", "no transaction response"),
        ((400, outcome("structure")), "dead", "status 400 (structure)"),
        ((401, ""), "dead", "credentials"),
        ((422, outcome("required", expression=["Bundle.entry[2].resource.code"])), "dead",
         "status 422 (required at Bundle.entry[2].resource.code)"),
        ((422, outcome("invalid", expression=["Patient.where(identifier='4711')"])), "dead", "status 422 (invalid)"),
        ((301, ""), "dead", "status 301"),
    ],
)  # fmt: skip
def test_what_a_fhir_server_answers_decides(sending, ledger, answer, state, sentence):
    with FakeFhir(answer, None) as server:
        step = sending(server.notification())
        step()
        assert (states(ledger), sentence in reason(ledger)) == ([state], True), reason(ledger)
        if state != "dead":
            step(seconds=60.0)
            assert (states(ledger), list(server.reports.values())) == (["sent"], [1])


def test_several_resources_with_one_identifier_are_a_dead_letter_that_says_so(sending, ledger):
    with FakeFhir() as server:
        step = sending(server.notification())
        server.resources = {key: [{}, {}] for key in conditions_of(step, ledger)}
        step()
    assert states(ledger) == ["dead"]
    assert "several resources with one identifier" in reason(ledger)


def conditions_of(step, ledger):
    """Kind and condition of each entry of the only transaction."""
    content = (step.config.spool_folder / ledger.deliveries()[0].path).read_text(encoding="utf-8")
    requests = [entry["request"] for entry in json.loads(content)["entry"]]
    return [(one["url"], one["ifNoneExist"].removeprefix("identifier=")) for one in requests]


def test_a_report_whose_answer_was_lost_is_asked_for_and_not_sent_again(sending, ledger):
    with FakeFhir("lost", None) as server:
        step = sending(server.notification())
        step()
        assert step(seconds=60.0)
        assert (server.posts, server.searches, list(server.reports.values())) == (1, 1, [1])
    assert (states(ledger), reason(ledger)) == (["sent"], "the destination had it already when it was asked")


@pytest.mark.parametrize("how", ["silent", "slow"])
def test_a_fhir_server_that_hangs_is_left_after_a_time(sending, ledger, how):
    with FakeFhir(how) as server:
        step = sending(server.notification(seconds=0.2))
        begun = time.monotonic()
        step()
        assert time.monotonic() - begun < 30
    assert states(ledger) == ["sending"]
    assert "was not answered" in reason(ledger)


def test_systems_that_are_down_are_tried_again(sending, ledger):
    step = sending(Notification("ehr", "fhir", url=f"http://127.0.0.1:{free_port()}/fhir", seconds=5.0))
    step()
    assert (states(ledger), "no connection" in reason(ledger)) == (["waiting"], True)
    assert not step()  # left in peace


def nothing(connection, message):
    """Take the message and say nothing."""


def close(connection, message):
    connection.shutdown(socket.SHUT_RDWR)


def send(content):
    def answer(connection, message):
        connection.sendall(content(message) if callable(content) else content)

    return answer


def half(connection, message):
    connection.sendall(acknowledged(message)[:-8])
    connection.shutdown(socket.SHUT_WR)


def endless(connection, message):
    for _ in range(2 * MOST_ANSWER_BYTES // 2**16):
        connection.sendall(b"\x0b" + b"x" * 2**16)


@pytest.mark.parametrize(
    ("answer", "state", "sentence"),
    [
        (close, "sending", "the listener closed the connection"),
        (half, "sending", "the listener closed the connection"),
        (endless, "sending", "the answer is too long"),
        (send(b"\x0bHTTP/1.1 400 Bad Request\x1c\r"), "sending", "no acknowledgement"),
        (send(lambda message: acknowledged(message, control="OTHER")), "sending", "acknowledged another message"),
        (send(lambda message: acknowledged(message, "AE")), "waiting", "answers AE"),
        (send(lambda message: acknowledged(message, "AR")), "dead", "answers AR"),
        (send(lambda message: b"\xff\x00junk" + acknowledged(message)), "sent", ""),
        (send(lambda message: acknowledged(message, "CA")), "sent", ""),
    ],
)
def test_what_a_listener_answers_decides(sending, ledger, answer, state, sentence):
    with Misbehaving(answer, send(acknowledged)) as listener:
        step = sending(listener.notification())
        step()
        assert (states(ledger), sentence in reason(ledger)) == ([state], True), reason(ledger)
        if state in ("sending", "waiting"):
            step(seconds=60.0)
            assert states(ledger) == ["sent"]
        assert len(set(listener.messages)) == 1


def test_a_listener_that_hangs_is_left_after_a_time(sending, ledger):
    with Misbehaving(nothing) as listener:
        step = sending(listener.notification(seconds=0.2))
        begun = time.monotonic()
        step()
        assert time.monotonic() - begun < 30
    assert (states(ledger), "no answer in time" in reason(ledger)) == (["sending"], True)


def test_each_message_has_a_connection_of_its_own(sending, ledger):
    with Misbehaving(send(acknowledged)) as listener:  # which takes one message a connection
        step = sending(listener.notification(), images=2)
        assert step()
        assert step()
        assert len(set(listener.messages)) == 2
    assert states(ledger) == ["sent", "sent"]


def switched(sending, ledger, notification, **later):
    """An image that was read by a model, and was read again after a switch to another one."""
    step = sending(notification)
    old, new = (
        model("lungs", shadow=True),
        model("newer", "cd" * 32, lambda _: reading(model=ModelIdentity("newer", "cd" * 32), **later)),
    )
    config = replace(step.config, models=(old.model, new.model))
    return step, lambda: ledger.requeue("instances", [1]) and worker(config, ledger, old, new).step("work")


def test_a_switch_of_the_model_corrects_the_message_of_the_earlier_one(sending, ledger):
    with Listener() as listener:
        step, read_again = switched(sending, ledger, listener.notification(), findings=())
        assert step()
        assert read_again()
        assert step()
        first, second = listener.messages
    assert (str(first.segment("OBR")[25]), str(second.segment("OBR")[25])) == ("P", "C")
    assert str(first.segment("OBR")[3]) == str(second.segment("OBR")[3])
    assert {str(one[11]) for one in second.segments("OBX")} == {"C", "D", "O"}


def test_a_correction_never_overtakes_what_it_corrects(sending, ledger):
    with Misbehaving(send(lambda message: acknowledged(message, "AE")), send(acknowledged)) as listener:
        step, read_again = switched(sending, ledger, listener.notification())
        assert step()  # tried again later
        assert read_again()
        assert not step()  # the correction waits for the first message
        assert step(seconds=2.0)
        assert step()
        assert [str(hl7.parse(one.decode()).segment("OBR")[25]) for one in listener.messages] == ["P", "P", "C"]


def test_an_old_dead_letter_does_not_replace_a_later_message(sending, ledger):
    with Misbehaving(send(lambda message: acknowledged(message, "AR")), send(acknowledged)) as listener:
        step, read_again = switched(sending, ledger, listener.notification())
        assert step()
        assert read_again()
        assert step()
        ledger.requeue("deliveries", [1])
        assert step()
        assert len(listener.messages) == 2
    assert "later reading" in ledger.deliveries()[0].reason


def test_a_switch_of_the_model_makes_a_second_report_that_names_the_first(sending, ledger):
    with FakeFhir() as server:
        step, read_again = switched(sending, ledger, server.notification())
        assert step()
        assert read_again()
        assert step()
        reports = [one for (kind, _), (one,) in server.resources.items() if kind == "DiagnosticReport"]
    assert sorted(one["status"] for one in reports) == ["modified", "preliminary"]


def test_reading_again_by_the_same_model_tells_nobody_twice(sending, ledger):
    with Listener() as listener:
        step = sending(listener.notification())
        assert step()
        ledger.requeue("instances", [1])
        assert worker(step.config, ledger).step("work")
        assert not step()
        assert len(listener.messages) == 1


def test_a_node_in_shadow_mode_tells_nobody(tmp_path, ledger):
    config = replace(node(tmp_path), shadow=True, notifications=(Notification("ris", "hl7", host="127.0.0.1", port=1),))
    receive(config, ledger, image())
    assert worker(config, ledger).step("work")
    assert states(ledger) == []


def test_a_rule_names_which_systems_are_told(tmp_path):
    rule = '[[rules]]\nname = "all"\ndestinations = ["pacs"]\n'
    told = '[[notifications]]\nname = "ris"\nprotocol = "hl7"\nhost = "h"\nport = 1\n'
    config = node(tmp_path, rule + told)
    assert decision.notifications_of(config, config.rules[0]) == ()
    assert decision.notifications_of(config, replace(config.rules[0], destinations=("ris",))) == config.notifications


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('protocol = "fhir"\nurl = "ftp://host"', "base URL of a FHIR server"),
        ('protocol = "fhir"\nurl = "https://h/f"\nhost = "h"', "does not take 'host'"),
        ('protocol = "hl7"\nhost = "h"\nport = 1\nurl = "https://h/f"', "does not take 'url'"),
        ('protocol = "hl7"\nport = 1', "needs the 'host'"),
        ('protocol = "hl7"\nhost = "h"\nport = 70000', "port of the notification 'x'"),
        ('protocol = "hl7"\nhost = "h"\nport = 1\nafter = ["other"]', "names the destination 'other'"),
        ('protocol = "fhir"\nurl = "https://h/f"\npatient_id_system = "no uri"', "must be a URI"),
        ('protocol = "fhir"\nurl = "https://h/f"\nseconds = 0', "'seconds' of the notification 'x'"),
        ('protocol = "fhir"\nurl = "http://h.example/f"\ncredentials = {token_file = "t"}', "use https"),
    ],
)
def test_what_is_wrong_in_a_notification_is_said(tmp_path, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        node(tmp_path, f'\n[[notifications]]\nname = "x"\n{text}\n')


@pytest.mark.parametrize(
    ("statement", "lacks"),
    [
        (CAPABILITIES, ""),
        (CAPABILITIES | {"fhirVersion": "4.0.1"}, "FHIR 4.0.1, and notifications need R5"),
        (CAPABILITIES | {"rest": [{"resource": []}]}, "no transactions"),
        (CAPABILITIES | {"rest": [{"interaction": [{"code": "transaction"}]}]}, "no conditional create"),
        ({"resourceType": "Bundle"}, "no capability statement"),
    ],
)
def test_the_capability_statement_is_looked_at(statement, lacks):
    assert what_is_missing(statement).startswith(lacks)
    assert bool(what_is_missing(statement)) == bool(lacks)


def test_echo_asks_both_kinds_of_system():
    with FakeFhir() as server, Listener() as listener:
        for target in (FhirTarget(server.notification()), MllpTarget(listener.notification())):
            target.echo()
            target.close()
    with FakeFhir(capabilities=CAPABILITIES | {"fhirVersion": "4.0.1"}) as server:
        target = FhirTarget(server.notification())
        with pytest.raises(UnreachableTargetError, match=r"FHIR 4\.0\.1"):
            target.echo()
        target.close()
    with pytest.raises(UnreachableTargetError, match="no connection"):
        MllpTarget(Notification("ris", "hl7", host="127.0.0.1", port=free_port())).echo()


def test_certificates_and_tokens(sending, ledger, certificates, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates / "node.pem", certificates / "node.key")
    own = Tls(*(str(certificates / name) for name in ("authority.pem", "client.pem", "client.key")))
    stranger = Tls(*(str(certificates / name) for name in ("authority.pem", "stranger.pem", "stranger.key")))
    (tmp_path / "token").write_text("abc\n")
    with FakeFhir(tls=context) as server, Listener(tls=context) as listener:
        step = sending(server.notification(tls=own, credentials=Credentials(token_file=str(tmp_path / "token"))))
        assert step()
        assert server.headers[0]["Authorization"] == "Bearer abc"
        message = tmp_path / "m.hl7"
        message.write_bytes(MESSAGE)
        file = open_message(message, hashlib.sha256(MESSAGE).hexdigest(), "")
        good, refused = MllpTarget(listener.notification(tls=own)), MllpTarget(listener.notification(tls=stranger))
        assert good.store(file).fate is Fate.SENT
        assert refused.store(file).fate in (Fate.LATER, Fate.DOUBT)
        good.close()
        refused.close()
        assert len(listener.messages) == 1
    assert states(ledger) == ["sent"]


MESSAGE = b"MSH|^~\\&|A|B|C|D|20260101||ORU^R01^ORU_R01|ID1|P|2.5.1\rOBR|1||1^A|1^X^LN\r"


def test_a_message_that_is_not_valid_is_never_sent(tmp_path):
    for protocol, content in (("fhir", b'{"resourceType": "Bundle", "typo": "Doe^Jane"}'), ("hl7", b"MSH|^~\\&|Doe^Jane\r")):
        with pytest.raises(InvalidMessageError, match="is no valid") as error:
            validity.check(protocol, content)
        assert "Doe" not in str(error.value)


def test_a_block_cannot_be_ended_by_its_message():
    assert framed(b"a") == b"\x0ba\x1c\r"
    for content in (b"\x0b", b"a\x1c"):
        with pytest.raises(ValueError, match="begin and end its block"):
            framed(content)


@pytest.mark.parametrize(
    "body", [None, [], {"resourceType": "OperationOutcome", "issue": "x"}, outcome("Doe Jane"), outcome("x", "warning")]
)
def test_an_answer_without_errors_has_no_summary(body):
    assert summary(body) == ""


@pytest.mark.parametrize(("protocol", "name"), [("fhir", "fhir.resources"), ("hl7", "hl7apy")])
def test_a_library_that_is_not_installed_is_named(monkeypatch, protocol, name):
    def absent(*_):
        raise ImportError

    monkeypatch.setattr(validity.importlib, "import_module", absent)
    with pytest.raises(ConfigError, match=rf"{name} is not installed.*pneumoscope\[notify\]"):
        validity.check(protocol, b"")


@pytest.mark.parametrize(("host", "readable"), [("127.0.0.1", False), ("ris.example", True)])
def test_check_names_the_libraries_and_messages_that_everyone_can_read(tmp_path, host, readable):
    config = replace(node(tmp_path), notifications=(Notification("ris", "hl7", host=host, port=1),))
    said = [sentence for good, sentence in check(config) if good]
    assert any(sentence.startswith("'ris': messages are checked by hl7apy") for sentence in said)
    assert any("'ris' is reached without TLS" in sentence for sentence in said) == readable


def test_the_verbs_of_the_node_know_notifications(tmp_path):
    file, dicom = tmp_path / "node.toml", tmp_path / "image.dcm"
    dicom.write_bytes(image(**PATIENT))
    with FakeFhir() as server, Misbehaving(nothing) as listener:
        told = f'''[[notifications]]\nname = "ehr"\nprotocol = "fhir"\nurl = "{server.url}"\nafter = ["pacs"]\n
            [[notifications]]\nname = "ris"\nprotocol = "hl7"\nhost = "127.0.0.1"\nport = {listener.port}\n'''
        file.write_text(BASE + told, encoding="utf-8")
        echoed = run("node", "echo", "ehr", "ris", "--config", file)
        assert (echoed.code, echoed.out.splitlines()) == (
            0,
            [f"ok     ehr: FHIR R5 to {server.url}", f"ok     ris: HL7 v2 by MLLP to 127.0.0.1:{listener.port}"],
        )
    refused = run("node", "echo", "ris", "--config", file)
    assert (refused.code, "no connection" in refused.out) == (2, True)
    explained = run("node", "explain", dicom, "--config", file).out
    assert f"'ehr' would be told (FHIR R5 to {server.url}), once pacs stored the objects" in explained
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        receive(node(tmp_path, told), ledger, image(**PATIENT))
        assert worker(node(tmp_path, told), ledger).step("work")
    listed = run("node", "list", "deliveries", "--config", file).out
    assert "fhir (R5) to ehr  waiting" in listed
    assert "hl7 (2.5.1) to ris  waiting" in listed
    dropped = run("node", "drop", "deliveries", "--state", "waiting", "--to", "ris", "--reason", "test", "--config", file)
    assert (dropped.code, dropped.out[:20]) == (0, "1 of 1 deliveries ar")
    assert not any(secret in explained + listed for secret in PATIENT.values())
