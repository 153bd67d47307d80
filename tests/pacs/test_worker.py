"""Work on received images: read, skipped, failed or tried again; every result once."""

import errno
import json
import logging

import pytest

from pneumoscope.dicom_objects import write_objects
from pneumoscope.limited_process import CrashedError, LimitedPool, Limits
from pneumoscope.pacs.decision import NO_RULE
from pneumoscope.pacs.errors import ConfigError, LedgerError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.send.result_file import data_set_sha256
from pneumoscope.pacs.work import readers
from pneumoscope.radiograph import read as read_radiograph
from pneumoscope.reader import ModelOutputError
from pneumoscope.readings import form
from tests.pacs.node_parts import BASE, image, model, node, receive, worker, write_small

SECRETS = ("SECRET-4711", "Doe", "1.2.3.1", "ACC-0815")
TWO_DESTINATIONS = """
[[destinations]]
name = "viewer"
protocol = "stow"
url = "http://127.0.0.1:8042/dicom-web"
profile = "ohif"
kinds = ["sr", "sc"]
"""


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.open(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        yield ledger


def only(ledger):
    (instance,) = ledger.instances()
    return instance


def test_an_image_is_read_and_every_destination_gets_its_kinds(tmp_path, ledger):
    made = node(tmp_path, TWO_DESTINATIONS)
    receive(made, ledger, image())
    work = worker(made, ledger)
    assert [work.step("work/0"), work.step("work/0")] == [True, False]
    assert only(ledger).state == "read"
    sent = {(one.destination, one.profile, one.kind) for one in ledger.deliveries()}
    assert sent == {("pacs", "plain", "sr"), ("viewer", "ohif", "sr"), ("viewer", "ohif", "sc")}
    for delivery in ledger.deliveries():
        assert data_set_sha256(made.spool_folder / delivery.path) == delivery.sha256
    line = form.parse_line(ledger.readings_of(1)[0].line)
    assert (line.probability, line.model.sha256) == (0.9, "ab" * 32)
    assert not any(secret in ledger.readings_of(1)[0].line for secret in SECRETS)


def test_an_image_that_no_rule_applies_to_is_skipped_with_the_reason(tmp_path, ledger):
    rules = '[[rules]]\nname = "other"\nae_titles = ["CR7"]'
    made = node(tmp_path, rules)
    receive(made, ledger, image())
    worker(made, ledger).step("work")
    assert (only(ledger).state, only(ledger).reason) == ("skipped", NO_RULE)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ViewPosition": "LL"}, "lateral views are not read here"),
        ({"BodyPartExamined": "HAND"}, "the DICOM Body Part Examined is HAND, not the chest"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "the image is raw detector data (FOR PROCESSING), not for presentation"),
    ],
)
def test_rules_come_first_and_then_what_the_reader_accepts(tmp_path, ledger, elements, reason):
    rules = """
[[rules]]
name = "lateral"
action = "skip"
reason = "lateral views are not read here"
views = ["LL", "RL"]

[[rules]]
name = "chest"
modalities = ["CR"]
"""
    made = node(tmp_path, rules)
    receive(made, ledger, image(**elements))
    worker(made, ledger).step("work")
    assert (only(ledger).state, only(ledger).reason) == ("skipped", reason)


def test_a_file_that_cannot_be_decoded_fails_at_once_without_any_identifier(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image(BitsAllocated=13))
    worker(made, ledger).step("work")
    assert only(ledger).state == "failed"
    assert only(ledger).reason
    assert not any(secret in only(ledger).reason for secret in SECRETS)


def test_a_file_whose_bytes_have_changed_is_not_read(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image())
    path = made.spool_folder / "1.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    worker(made, ledger).step("work")
    assert (only(ledger).state, "other bytes" in only(ledger).reason) == ("failed", True)


def test_a_crash_of_the_decoder_is_tried_again_and_then_fails(tmp_path, ledger, clock):
    made = node(tmp_path)
    receive(made, ledger, image())

    def crash(content):
        raise CrashedError("decoding failed: its process ended without an answer")

    states = []
    for _ in range(3):
        worker(made, ledger, decode=crash).step("work")
        states.append(only(ledger).state)
        clock.now += 100
    assert states == ["received", "received", "failed"]


def test_an_error_of_a_library_is_named_by_its_class_and_not_quoted(tmp_path, ledger):
    made = node(tmp_path, "[work]\nattempts = 1")
    receive(made, ledger, image())

    def fail(content):
        raise KeyError("Doe^Jane")

    worker(made, ledger, decode=fail).step("work")
    assert (only(ledger).state, only(ledger).reason) == ("failed", "reading ended with an unexpected KeyError")


def test_a_model_that_fails_names_why(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image())

    def fail(radiograph):
        raise ModelOutputError("the probability is not finite")

    worker(made, ledger, model(read=fail)).step("work")
    assert (only(ledger).state, only(ledger).reason) == ("failed", "the probability is not finite")


def test_a_full_disk_is_no_fault_of_the_image(tmp_path, ledger, clock):
    made = node(tmp_path)
    receive(made, ledger, image())

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(10):
        worker(made, ledger, write=full).step("work")
        assert only(ledger).state == "received"
        assert only(ledger).reason.startswith("results cannot be written (no space left on device)")
        clock.now += 3600
    worker(made, ledger).step("work")
    assert only(ledger).state == "read"


def test_an_image_that_ends_the_process_again_and_again_is_given_up(tmp_path, ledger, clock):
    made = node(tmp_path)
    receive(made, ledger, image())
    for _ in range(3):  # claimed, and the process killed
        assert ledger.claim_instance("work", 300).state == "working"
        clock.now += 301
    worker(made, ledger).step("work")
    assert (only(ledger).state, only(ledger).reason) == ("failed", "reading was begun 3 times and never ended")


def test_a_worker_that_was_killed_between_results_leaves_nothing_behind_that_counts(tmp_path, ledger, clock):
    made = node(tmp_path, TWO_DESTINATIONS)
    receive(made, ledger, image())

    def killed(content, radiograph, reading, kinds, profile, created, **rest):
        if profile == "ohif":
            raise SystemExit("killed")
        return write_small(content, radiograph, reading, kinds, profile, created, **rest)

    with pytest.raises(SystemExit):
        worker(made, ledger, write=killed).step("work/0")
    assert ledger.counts().deliveries == {}
    clock.now += 301
    worker(made, ledger).step("work/1")
    assert only(ledger).state == "read"
    assert ledger.counts().deliveries == {"waiting": 3}


def test_a_worker_that_was_too_slow_changes_nothing(tmp_path, ledger, clock, caplog):
    made = node(tmp_path)
    receive(made, ledger, image())

    def slow(content):
        clock.now += 301
        worker(made, ledger).step("work/1")
        return read_radiograph(content)

    with caplog.at_level(logging.INFO):
        worker(made, ledger, decode=slow).step("work/0")
    assert ledger.counts().deliveries == {"waiting": 1}
    assert "another worker has taken over" in caplog.text
    assert not any(secret in caplog.text for secret in SECRETS)


def test_shadow_mode_reads_and_keeps_and_sends_nothing_until_it_ends(tmp_path, ledger):
    shadow = node(tmp_path, base="shadow = true" + BASE)
    receive(shadow, ledger, image())
    worker(shadow, ledger).step("work")
    assert (only(ledger).state, ledger.counts().deliveries) == ("read", {})
    assert [one.kind for one in ledger.results_of(1)] == ["sr"]
    ledger.requeue("instances", [1])
    worker(node(tmp_path), ledger).step("work")
    assert ledger.counts().deliveries == {"waiting": 1}


def test_a_shadow_model_reads_next_to_the_one_that_is_sent(tmp_path, ledger):
    made = node(tmp_path, '[[models]]\nname = "new"\nbundle = "whole"\nshadow = true')
    receive(made, ledger, image())
    worker(made, ledger, model(), model("new", "cd" * 32, shadow=True)).step("work")
    assert [(one.model_sha256[:2], one.shadow) for one in ledger.readings_of(1)] == [("ab", False), ("cd", True)]
    assert ledger.counts().deliveries == {"waiting": 1}


def test_after_a_switch_of_the_model_both_results_are_kept_and_the_new_one_names_the_old_one(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image())
    worker(made, ledger).step("work")
    ledger.requeue("instances", [1])
    worker(made, ledger, model(sha256="cd" * 32)).step("work")
    first, second = (ledger.results_of(one.id)[0] for one in ledger.readings_of(1))
    assert first.sop_instance_uid != second.sop_instance_uid
    assert b"0 predecessors" in (made.spool_folder / first.path).read_bytes()
    assert b"1 predecessors" in (made.spool_folder / second.path).read_bytes()
    assert ledger.counts().deliveries == {"waiting": 2}


def test_the_same_model_again_gives_the_same_bytes_and_no_second_delivery(tmp_path, ledger, clock):
    made = node(tmp_path)
    receive(made, ledger, image())
    worker(made, ledger).step("work")
    (before,) = made.spool_folder.glob("results/*/*.dcm")
    clock.now += 1000
    ledger.requeue("instances", [1])
    worker(node(tmp_path, TWO_DESTINATIONS), ledger).step("work")
    assert sorted(one.destination for one in ledger.deliveries()) == ["pacs", "viewer", "viewer"]
    assert before in set(made.spool_folder.glob("results/*/*.dcm"))
    assert len(ledger.readings_of(1)) == 1


def test_another_content_under_the_same_uid_is_not_sent_under_the_same_uids(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image(), path="first.dcm")
    (made.spool_folder / "1.dcm").rename(made.spool_folder / "first.dcm")
    receive(made, ledger, image(RescaleSlope="2", RescaleIntercept="0"))
    ledger.requeue("instances", [2])
    for _ in range(2):
        worker(made, ledger).step("work")
    assert ledger.instance(2).state == "failed"
    assert "a PACS would keep those" in ledger.instance(2).reason


def test_a_locked_ledger_is_an_error_of_the_step_and_the_claim_ends_by_itself(tmp_path, ledger, monkeypatch):
    made = node(tmp_path)
    receive(made, ledger, image())

    def busy(*_):
        raise LedgerError("the ledger's database is locked")

    monkeypatch.setattr(Ledger, "record_readings", busy)
    with pytest.raises(LedgerError, match="locked"):
        worker(made, ledger).step("work")
    assert only(ledger).state == "working"


def test_two_models_of_one_bundle_are_refused(tmp_path):
    made = node(tmp_path, '[[models]]\nname = "again"')
    with pytest.raises(ConfigError, match="the models 'lungs' and 'again' are the same bundle"):
        readers.load(made)


@pytest.mark.slow
def test_the_shipped_model_reads_and_reports_in_a_limited_process(tmp_path, ledger):
    made = node(tmp_path)
    receive(made, ledger, image())
    with LimitedPool(read_radiograph, "decoding", Limits(60)) as decode:
        work = worker(made, ledger, *readers.load(made).values(), decode=decode, write=write_objects)
        work.step("work")
    assert only(ledger).state == "read", only(ledger).reason
    (delivery,) = ledger.deliveries()
    assert delivery.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.33"
    assert json.loads(ledger.readings_of(1)[0].line)["schema"] == 5
