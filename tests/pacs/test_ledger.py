"""The ledger: nothing is lost, nothing is done twice, whoever is killed in between."""

import sqlite3
import threading
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pneumoscope.pacs.errors import LeaseLostError, LedgerBusyError, LedgerError, ResultTakenError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.tables import metadata
from tests.pacs import version_1
from tests.pacs.builders import READING, arrival, read_with, result


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def where(request, tmp_path):
    """Where the ledger lies: a new file, or a server whose tables are emptied."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite"
    server = request.getfixturevalue("postgresql")
    with Ledger.open(server) as ledger, ledger.write() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    return server


@pytest.fixture
def ledger(where, clock):
    with Ledger.open(where, clock=clock) as ledger:
        yield ledger


def received(ledger, *numbers):
    return [ledger.record_instance(arrival(number)).instance_id for number in numbers]


def claimed(ledger, *numbers):
    """Instances that were received and are worked on."""
    received(ledger, *numbers)
    return [ledger.claim_instance("work", 60) for _ in numbers]


def sent_to(ledger, *destinations):
    received(ledger, 1)
    instance = ledger.claim_instance("work", 60)
    ledger.record_readings(instance, [read_with(result(1), to=destinations)])


# Instances.


def test_an_instance_is_recorded_as_it_arrived(ledger, clock):
    recorded = ledger.record_instance(arrival(7))
    instance = ledger.instance(recorded.instance_id)
    assert recorded.outcome == "new"
    assert (instance.state, instance.reason, instance.attempts, instance.received_at) == ("received", "", 0, clock.now)
    assert [getattr(instance, name) for name in vars(arrival(7))] == list(vars(arrival(7)).values())


def test_the_same_uid_with_the_same_content_is_one_row(ledger):
    first = ledger.record_instance(arrival(1))
    again = ledger.record_instance(arrival(1, sender="OTHER", route="poll"))
    assert (again.outcome, again.instance_id) == ("duplicate", first.instance_id)
    assert ledger.counts().instances == {"received": 1}


def test_the_same_uid_with_other_content_is_a_conflict_with_a_reason(ledger):
    ledger.record_instance(arrival(1))
    other = ledger.record_instance(arrival(1, content=b"other pixels"))
    assert other.outcome == "conflict"
    assert "with other content" in ledger.instance(other.instance_id).reason
    assert [one.id for one in ledger.instances(["conflict"])] == [other.instance_id]
    assert ledger.claim_instance("work", 60).sha256 == arrival(1).sha256
    assert ledger.claim_instance("work", 60) is None


def test_a_conflict_that_is_requeued_is_worked_on(ledger):
    ledger.record_instance(arrival(1))
    other = ledger.record_instance(arrival(1, content=b"other pixels"))
    assert ledger.requeue("instances", [other.instance_id]) == 1
    assert ledger.instance(other.instance_id).state == "received"


def test_a_conflict_with_an_image_that_has_results_is_not_requeued(ledger):
    ledger.record_instance(arrival(1))
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result())])
    other = ledger.record_instance(arrival(1, content=b"other pixels"))
    assert "requeue it if the other has no results" in ledger.instance(other.instance_id).reason
    assert ledger.requeue("instances", [other.instance_id]) == 0
    assert ledger.instance(other.instance_id).state == "conflict"
    assert ledger.requeue("instances", [1]) == 1, "the image with the results is read again"


def test_claims_go_to_the_oldest_and_to_one_worker(ledger, clock):
    first, second = received(ledger, 1, 2)
    assert [ledger.claim_instance(name, 60).id for name in "ab"] == [first, second]
    assert ledger.claim_instance("c", 60) is None
    assert ledger.instance(first).claimed_until == clock.now + 60


def test_many_threads_claim_each_instance_once(ledger):
    received(ledger, *range(20))
    claimed = []

    def work():
        while instance := ledger.claim_instance("work", 60):
            claimed.append(instance.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Counter(claimed).items()) == [(number, 1) for number in range(1, 21)]


def test_a_claim_that_has_run_out_goes_to_another_worker_and_the_first_can_change_nothing(ledger, clock):
    received(ledger, 1)
    slow = ledger.claim_instance("slow", 60)
    clock.now += 61
    other = ledger.claim_instance("other", 60)
    assert (other.id, other.attempts) == (slow.id, 2)
    with pytest.raises(LeaseLostError, match="another worker has taken over"):
        ledger.record_readings(slow, [read_with(result(1))])
    with pytest.raises(LeaseLostError, match="another worker has taken over"):
        ledger.finish_instance(slow, "failed", "no")
    with pytest.raises(LeaseLostError, match="another worker has taken over"):
        ledger.retry_instance(slow, "later", clock.now)
    assert ledger.counts().deliveries == {}
    ledger.finish_instance(other, "skipped", "lateral view")
    assert ledger.states_of(["1.2.3.1", "1.2.3.2"]) == {"1.2.3.1": ("skipped", "lateral view")}


def test_the_same_worker_that_claims_again_cannot_use_its_first_claim(ledger, clock):
    received(ledger, 1)
    first = ledger.claim_instance("work", 60)
    clock.now += 61
    ledger.claim_instance("work", 60)
    with pytest.raises(LeaseLostError, match="another worker has taken over"):
        ledger.finish_instance(first, "failed", "no")


def test_claims_of_a_process_that_ended_are_released_at_once(ledger):
    received(ledger, 1, 2, 3)
    for name in ("work/1", "work/2", "work_2"):
        ledger.claim_instance(name, 3600)
    assert ledger.release("work") == 2
    assert ledger.counts().instances == {"received": 2, "working": 1}
    assert ledger.claim_instance("work/1", 60).attempts == 2


def test_an_instance_that_is_given_back_waits_its_time(ledger, clock):
    received(ledger, 1)
    ledger.retry_instance(ledger.claim_instance("work", 60), "no memory", clock.now + 10)
    assert ledger.claim_instance("work", 60) is None
    clock.now += 10
    assert ledger.claim_instance("work", 60).reason == "no memory"


def test_a_reading_is_recorded_with_everything_or_not_at_all(ledger):
    received(ledger, 1)
    instance = ledger.claim_instance("work", 60)
    nameless = replace(result(2), sop_class_uid=None)
    with pytest.raises(LedgerError):
        ledger.record_readings(instance, [read_with(result(1), nameless)])
    assert (ledger.counts().instances, ledger.counts().deliveries) == ({"working": 1}, {})
    ledger.record_readings(instance, [read_with(result(1, "sr"), result(2, "seg"), to=("pacs", "archive"))])
    assert (ledger.counts().instances, ledger.counts().deliveries) == ({"read": 1}, {"waiting": 4})


def test_a_reading_in_shadow_is_kept_and_not_sent(ledger):
    received(ledger, 1)
    shadow = replace(READING, shadow=True)
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(1), reading=shadow)])
    assert ledger.counts().deliveries == {}
    assert [(one.model_sha256, one.shadow) for one in ledger.readings_of(1)] == [("m" * 64, True)]


def test_a_reading_in_shadow_is_sent_once_it_is_recorded_without(ledger):
    received(ledger, 1)
    shadow = replace(READING, shadow=True)
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(1), reading=shadow)])
    ledger.requeue("instances", [1])
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(1))])
    assert (ledger.counts().deliveries, len(ledger.readings_of(1))) == ({"waiting": 1}, 1)
    assert not ledger.readings_of(1)[0].shadow


def test_a_second_reading_by_the_same_model_adds_nothing_but_new_destinations(ledger):
    sent_to(ledger, "pacs")
    for to in (("pacs",), ("pacs", "archive")):
        ledger.requeue("instances", [1])
        ledger.record_readings(ledger.claim_instance("work", 60), [read_with(replace(result(1), path="other.dcm"), to=to)])
    assert (ledger.counts().instances, ledger.counts().deliveries) == ({"read": 1}, {"waiting": 2})
    assert [one.path for one in ledger.results_of(1)] == ["1.sr.dcm"]


def test_readings_by_two_models_are_recorded_in_one_transaction(ledger):
    received(ledger, 1)
    other = replace(READING, model_sha256="n" * 64, shadow=True)
    made = [read_with(result(1)), read_with(result(2), reading=other)]
    ledger.record_readings(ledger.claim_instance("work", 60), made)
    assert ledger.counts().deliveries == {"waiting": 1}
    assert [(one.model_sha256[0], one.shadow) for one in ledger.readings_of(1)] == [("m", False), ("n", True)]


def test_a_result_with_the_uid_of_another_image_is_refused(ledger):
    received(ledger, 1)
    ledger.record_instance(arrival(1, b"other"))
    ledger.requeue("instances", [2])
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(1))])
    with pytest.raises(ResultTakenError, match="a PACS would keep those"):
        ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(1))])
    assert ledger.counts().instances == {"read": 1, "working": 1}


# Deliveries.


def test_a_delivery_is_claimed_with_what_is_sent(ledger, clock):
    sent_to(ledger, "pacs")
    delivery = ledger.claim_delivery("send", 60)
    assert (delivery.destination, delivery.path, delivery.sop_instance_uid) == ("pacs", "1.sr.dcm", "2.25.1")
    assert (delivery.instance_id, delivery.attempts, delivery.was_sending, delivery.first_try_at) == (1, 1, False, clock.now)
    assert ledger.claim_delivery("send", 60) is None
    ledger.finish_delivery(delivery, "sent")
    assert ledger.commit_deliveries(["2.25.1"], ["pacs"]) == 1
    (row,) = ledger.deliveries(["committed"])
    assert row.sent_at == clock.now


def test_a_sender_that_ended_while_sending_leaves_a_question(ledger, clock):
    sent_to(ledger, "pacs")
    lost = ledger.claim_delivery("send", 60)
    clock.now += 61
    again = ledger.claim_delivery("send", 60)
    assert (again.was_sending, again.attempts, again.first_try_at) == (True, 2, clock.now - 61)
    with pytest.raises(LeaseLostError, match="another sender has taken over"):
        ledger.finish_delivery(lost, "sent")
    ledger.retry_delivery(again, "refused", clock.now)
    assert not ledger.claim_delivery("send", 60).was_sending
    assert ledger.release("send") == 1
    assert ledger.claim_delivery("send", 60).was_sending


def test_a_delivery_in_doubt_is_asked_about_later(ledger, clock):
    sent_to(ledger, "pacs")
    ledger.doubt_delivery(ledger.claim_delivery("send", 60), "the connection broke", clock.now + 5)
    assert ledger.claim_delivery("send", 60) is None
    clock.now += 5
    assert ledger.claim_delivery("send", 60).was_sending


def test_a_sender_claims_only_for_the_destinations_that_it_serves(ledger):
    sent_to(ledger, "a", "b")
    assert ledger.claim_delivery("send", 60, ["b"]).destination == "b"
    assert ledger.claim_delivery("send", 60, ["b"]) is None


def read_by(ledger, instance, model, *results):
    """Record the reading of a model with results, each with its destination."""
    told = tuple(replace(one, destinations=(name,)) for one, name in results)
    ledger.record_readings(instance, [replace(READING, model_sha256=model * 64, results=told)])


def test_a_notification_is_claimed_once_the_objects_of_its_reading_are_stored(ledger):
    (instance,) = claimed(ledger, 1)
    read_by(ledger, instance, "m", (result(1), "pacs"), (result(2, "hl7"), "ris"))
    assert ledger.claim_delivery("send", 60, ["ris"], after=("pacs",)) is None
    stored = ledger.claim_delivery("send", 60, ["pacs"])
    assert ledger.claim_delivery("send", 60, ["ris"], after=("pacs",)) is None
    ledger.finish_delivery(stored, "sent")
    assert ledger.claim_delivery("send", 60, ["ris"], after=("pacs",)).kind == "hl7"


def test_a_notification_of_another_image_is_not_waited_for(ledger):
    first, second = claimed(ledger, 1, 2)
    read_by(ledger, first, "m", (result(1), "pacs"), (result(2, "hl7"), "ris"))
    read_by(ledger, second, "m", (result(3, "hl7"), "ris"))
    assert ledger.claim_delivery("send", 60, ["ris"], after=("pacs",)).instance_id == second.id


def test_notifications_about_an_image_go_in_the_order_of_its_readings(ledger, clock):
    (instance,) = claimed(ledger, 1)
    read_by(ledger, instance, "m", (result(1, "hl7"), "ris"))
    first = ledger.claim_delivery("send", 60, ["ris"], after=())
    ledger.retry_delivery(first, "busy", clock.now + 100)
    ledger.requeue("instances", [instance.id])
    read_by(ledger, ledger.claim_instance("work", 60), "n", (result(2, "hl7"), "ris"))
    assert ledger.claim_delivery("send", 60, ["ris"], after=()) is None
    clock.now += 100
    ledger.finish_delivery(ledger.claim_delivery("send", 60, ["ris"], after=()), "dead", "refused")
    second = ledger.claim_delivery("send", 60, ["ris"], after=())
    ledger.finish_delivery(second, "sent")
    assert (first.id, second.id) == (1, 2)
    assert (ledger.is_superseded(first), ledger.is_superseded(second)) == (True, False)


def test_a_dead_letter_is_requeued_from_its_first_attempt(ledger):
    sent_to(ledger, "pacs")
    ledger.finish_delivery(ledger.claim_delivery("send", 60), "dead", "the destination does not know this class")
    assert ledger.claim_delivery("send", 60) is None
    assert ledger.requeue("deliveries", [1, 99]) == 1
    assert ledger.claim_delivery("send", 60).attempts == 1


def test_what_was_sent_or_is_worked_on_cannot_be_dropped_or_requeued(ledger):
    sent_to(ledger, "pacs")
    ledger.finish_delivery(ledger.claim_delivery("send", 60), "sent")
    received(ledger, 2)
    ledger.claim_instance("work", 60)
    assert [ledger.drop("deliveries", [1], "no"), ledger.requeue("deliveries", [1])] == [0, 0]
    assert [ledger.drop("instances", [1, 2], "no"), ledger.requeue("instances", [2])] == [0, 0]
    received(ledger, 3)
    assert ledger.drop("instances", [3], "asked for") == 1
    assert ledger.instance(3).reason == "asked for"


# The rest.


def test_counts_say_since_when_the_oldest_waits(ledger, clock):
    sent_to(ledger, "pacs")
    clock.now += 5
    received(ledger, 2)
    counts = ledger.counts()
    assert (counts.instances, counts.deliveries) == ({"read": 1, "received": 1}, {"waiting": 1})
    assert (counts.oldest_received_at, counts.oldest_waiting_since) == (clock.now, clock.now - 5)
    assert ledger.waiting_bytes() == len(b"pixels")
    assert ledger.paths() == {"1.dcm", "2.dcm"}


def test_watermarks_and_heartbeats_are_replaced(ledger, clock):
    assert ledger.watermark("pacs") is None
    for value in ("20240101", "20240102"):
        ledger.set_watermark("pacs", value)
        ledger.beat("receive", 10)
        clock.now += 1
    ledger.beat("receive", 11)
    assert ledger.watermark("pacs") == "20240102"
    assert [(beat.process, beat.at, beat.pid) for beat in ledger.heartbeats()] == [("receive", clock.now, 11)]


def test_a_process_that_stopped_is_noted_and_never_hides_the_one_that_took_its_place(ledger, clock):
    ledger.beat("work", 10)
    clock.now += 1
    ledger.end_beat("work", 10)
    (ended,) = ledger.heartbeats()
    assert (ended.stopped, ended.at) == (True, clock.now)
    ledger.beat("work", 11)
    ledger.end_beat("work", 10)
    (beat,) = ledger.heartbeats()
    assert (beat.stopped, beat.pid) == (False, 11)


def test_rows_are_listed_page_by_page(ledger):
    received(ledger, *range(5))
    pages = [ledger.instances(limit=2), ledger.instances(limit=2, after_id=2), ledger.instances(limit=2, after_id=4)]
    assert [[one.id for one in page] for page in pages] == [[1, 2], [3, 4], [5]]


def test_several_ledgers_open_one_new_database_at_the_same_time(where):
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger.open(where))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    received(opened[0], 1)
    assert [one.counts().instances for one in opened] == [{"received": 1}] * 4
    for one in opened:
        one.close()


def test_two_processes_that_record_two_contents_at_once_make_one_conflict(ledger, where):
    with Ledger.open(where) as other:
        outcomes = []

        def record(one, content):
            outcomes.append(one.record_instance(arrival(1, content=content)).outcome)

        threads = [threading.Thread(target=record, args=pair) for pair in ((ledger, b"a"), (other, b"b"), (ledger, b"c"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "new"]


# Databases that cannot be used.


def test_a_locked_database_is_named_after_the_wait(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite", busy_s=0.1) as ledger:
        other = sqlite3.connect(tmp_path / "ledger.sqlite")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusyError, match="locked by another process"):
            ledger.record_instance(arrival(1))
        other.close()
        assert ledger.record_instance(arrival(1)).outcome == "new"


def test_rows_are_written_with_wal_and_full_synchronisation(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger, ledger.read() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("mysql://host/x", "cannot lie in 'mysql'"),
        ("postgresql://host:port/x", "the URL of the ledger cannot be parsed"),
        ("nowhere/ledger.sqlite", "the ledger's file cannot be opened"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_sentence(where, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerError, match=sentence):
        Ledger.open(where)


def test_a_damaged_file_and_another_version_are_refused(tmp_path):
    (tmp_path / "damaged").write_bytes(b"no database at all, and long enough to be taken for one" * 100)
    with pytest.raises(LedgerError, match="damaged or no SQLite database"):
        Ledger.open(tmp_path / "damaged")
    with Ledger.open(tmp_path / "later") as ledger, ledger.write() as connection:
        connection.execute(text("UPDATE versions SET version = 99"))
    with pytest.raises(LedgerError, match="tables of version 99, this program uses version 2"):
        Ledger.open(tmp_path / "later")


def test_a_ledger_of_version_1_is_upgraded_and_keeps_its_rows(where, clock):
    version_1.make(where)
    for _ in range(2):  # the second opens the tables as they are
        with Ledger.open(where, clock=clock) as ledger:
            (kept,), reading = ledger.instances(), ledger.readings_of(1)[0]
            assert (kept.id, kept.sop_instance_uid, kept.state, kept.device) == (1, "1.2.3.1", "read", "")
            assert reading.model_sha256 == "m" * 64
    with Ledger.open(where, clock=clock) as ledger:
        new = ledger.record_instance(arrival(2)).instance_id
        ledger.record_readings(ledger.claim_instance("work", 60), [READING], device="0123456789ab")
        assert ledger.instance(new).device == "0123456789ab"


def test_several_processes_upgrade_one_ledger_at_the_same_time(where):
    version_1.make(where)
    faults = []

    def open_it():
        try:
            Ledger.open(where).close()
        except LedgerError as error:
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_errors_of_the_database_quote_no_identifier(ledger):
    with pytest.raises(LedgerError) as error:
        ledger.record_instance(arrival(1, route="carrier pigeon"))
    assert "1.2.3" not in str(error.value)
    assert not isinstance(error.value.__cause__, IntegrityError)


# Files.


def test_files_are_removed_once_and_their_rows_are_not_requeued(ledger, clock):
    sent_to(ledger, "pacs")
    ledger.finish_delivery(ledger.claim_delivery("send", 60), "sent")
    removed = []
    ledger.note_finished_files()
    for kind in ("source", "result", "source"):
        assert ledger.remove_finished_files(kind, clock.now - 1, removed.append) == 0
        ledger.remove_finished_files(kind, clock.now, removed.append)
    assert removed == ["1.dcm", "1.sr.dcm"]
    assert (ledger.removed_at("source", 1), ledger.removed_at("result", 1)) == (clock.now, clock.now)
    assert ledger.requeue("instances", [1]) == 0
    with ledger.restoring("source", 1):
        pass
    assert ledger.removed_at("source", 1) is None
    assert ledger.requeue("instances", [1]) == 1
