"""Deliveries: sent once, tried again, given up; what destinations do wrong, and what was never answered."""

import logging
import random
import threading
from dataclasses import replace

import pytest

from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.send.outcome import Fate, Outcome
from pneumoscope.pacs.send.sender import Sender, serve, target_of
from tests.pacs.fake_pacs import FakeDimse, FakeStow, abort, failed
from tests.pacs.node_parts import BASE, image, node, receive, worker

HOUR = 3600.0


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.open(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        yield ledger


@pytest.fixture
def waiting(tmp_path, ledger):
    """Makes a node with one destination, and results that wait for it; gives the sender that sends them."""
    senders = []

    def make(destination, images=1, target=None):
        made = replace(node(tmp_path), destinations=(destination,))
        for number in range(1, images + 1):
            receive(made, ledger, image(number), number)
            assert worker(made, ledger).step("work")
        senders.append(Sender(made, ledger, destination, target or target_of(made, destination), random.Random(1)))
        return senders[-1]

    yield make
    for sender in senders:
        sender.target.close()


def state(ledger):
    """State and reason of the only delivery."""
    (delivery,) = ledger.deliveries()
    return delivery.state, delivery.reason


def once(fake):
    """Whether everything that was stored was stored once."""
    return set(fake.stored.values()) <= {1}


def step(sender, ledger, clock, seconds=0.0):
    clock.now += seconds
    try:
        return sender.step("send/pacs/0")
    finally:
        sender.target.rest()


@pytest.mark.parametrize("fake", [FakeDimse, FakeStow])
def test_results_are_sent_once_as_the_very_bytes_of_their_files(waiting, ledger, clock, fake, caplog):
    with fake() as pacs, caplog.at_level(logging.INFO, "pneumoscope"):
        sender = waiting(pacs.destination(), images=3)
        assert [step(sender, ledger, clock) for _ in range(4)] == [True, True, True, False]
    assert (ledger.counts().deliveries, sum(pacs.stored.values()), once(pacs)) == ({"sent": 3}, 3, True)
    files = {one.sop_instance_uid: sender.config.spool_folder / one.path for one in ledger.deliveries()}
    for uid, content in pacs.contents.items():
        assert files[uid].read_bytes().endswith(content)
        assert uid not in caplog.text
    assert "Doe" not in caplog.text


@pytest.mark.parametrize(
    ("fake", "answer", "reason"),
    [
        (FakeDimse, 0xA700, "answers 0xA700 (out of resources)"),
        (FakeStow, (409, failed(0xA700)), "answers 0xA700 (out of resources)"),
        (FakeStow, (503, ""), "answers with status 503"),
    ],
)
def test_a_transient_error_is_tried_again_until_it_passes(waiting, ledger, clock, fake, answer, reason):
    with fake(answer, answer, 0 if fake is FakeDimse else (200, None)) as pacs:
        sender = waiting(pacs.destination())
        assert step(sender, ledger, clock)
        assert (state(ledger)[0], reason in state(ledger)[1]) == ("waiting", True)
        assert not step(sender, ledger, clock)  # the wait is not over
        assert step(sender, ledger, clock, 1.0)
        assert step(sender, ledger, clock, 2.0)
    assert (state(ledger)[0], sum(pacs.stored.values())) == ("sent", 1)


@pytest.mark.parametrize(
    ("fake", "answer", "reason"),
    [
        (FakeDimse, 0xA900, "answers 0xA900 (data set does not match SOP class)"),
        (FakeDimse, 0xC000, "answers 0xC000 (cannot understand)"),
        (FakeStow, (409, failed(0x0122)), "answers 0x0122 (SOP class not supported)"),
        (FakeStow, (400, ""), "answers with status 400"),
    ],
)
def test_a_permanent_error_is_a_dead_letter_at_once(waiting, ledger, clock, fake, answer, reason):
    with fake(answer) as pacs:
        sender = waiting(pacs.destination())
        step(sender, ledger, clock)
        assert (state(ledger)[0], reason in state(ledger)[1]) == ("dead", True)
        assert not step(sender, ledger, clock, 100 * HOUR)
        ledger.requeue("deliveries", [1])
        if fake is FakeDimse:
            pacs.statuses = [0]
            assert step(sender, ledger, clock)
            assert state(ledger)[0] == "sent"


def test_a_rejected_association_is_a_dead_letter_that_says_what_to_correct(waiting, ledger, clock):
    with FakeDimse(require=["FRIEND"]) as pacs:
        sender = waiting(pacs.destination())
        step(sender, ledger, clock)
    assert state(ledger)[0] == "dead"
    assert "it does not know the calling AE title; enter it there" in state(ledger)[1]


def test_a_warning_counts_as_sent_and_is_noted(waiting, ledger, clock):
    with FakeDimse(0xB000) as pacs:
        sender = waiting(pacs.destination())
        step(sender, ledger, clock)
        assert not step(sender, ledger, clock, HOUR)
    assert state(ledger) == ("sent", "the destination 'pacs' answers 0xB000 (stored with a warning)")
    assert once(pacs)


def test_an_abort_half_way_is_asked_about_and_then_sent_again(waiting, ledger, clock):
    with FakeDimse(abort, 0) as pacs:
        sender = waiting(pacs.destination())
        step(sender, ledger, clock)
        assert "did not answer" in state(ledger)[1]
        step(sender, ledger, clock, 1.0)
    assert (state(ledger)[0], pacs.finds, sum(pacs.stored.values())) == ("sent", 1, 1)


@pytest.mark.parametrize("fake", [FakeDimse, FakeStow])
def test_a_result_that_arrived_without_an_answer_is_not_sent_twice(waiting, ledger, clock, fake):
    def keep_and_abort(event):
        pacs.keep(event)
        return abort(event)

    with fake(keep_and_abort if fake is FakeDimse else ("store and close", None)) as pacs:
        sender = waiting(pacs.destination())
        step(sender, ledger, clock)
        step(sender, ledger, clock, 1.0)
    assert state(ledger) == ("sent", "the destination had it already when it was asked")
    assert sum(pacs.stored.values()) == 1


@pytest.mark.parametrize("fake", [FakeDimse, FakeStow])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_sender_that_was_killed_while_sending(waiting, ledger, clock, fake, arrived):
    with fake() as pacs:
        sender = waiting(pacs.destination())
        killed = ledger.claim_delivery("send/0", 120)
        if arrived:  # killed after sending and before the row
            assert sender._tried(killed).fate == "sent"
        assert not step(sender, ledger, clock)  # the lease still holds
        step(sender, ledger, clock, 121.0)
        assert not step(sender, ledger, clock, HOUR)
    assert (state(ledger)[0], sum(pacs.stored.values())) == ("sent", 1)


class Down:
    """A destination that cannot be reached."""

    tries = 0

    def store(self, result):
        self.tries += 1
        return Outcome(Fate.LATER, "the destination 'pacs' could not be reached", unreachable=True)

    def rest(self):
        pass

    close = rest


def test_a_destination_that_is_down_is_left_in_peace_and_given_up_after_three_days(waiting, ledger, clock):
    down = Down()
    sender = waiting(Destination("pacs", "dimse", host="127.0.0.1", port=104, ae_title="A"), images=2, target=down)
    assert step(sender, ledger, clock)
    assert not step(sender, ledger, clock)  # the other one is not tried on a destination that is down
    for _ in range(80):
        step(sender, ledger, clock, HOUR)
    assert {one.state for one in ledger.deliveries()} == {"dead"}
    assert all(one.reason.startswith("given up after 72 hours: the destination 'pacs'") for one in ledger.deliveries())
    assert 15 < down.tries < 160


def test_an_unexpected_error_of_a_library_is_no_end_of_the_thread(waiting, ledger, clock):
    class Broken(Down):
        def store(self, result):
            raise KeyError("Doe^Jane")

    sender = waiting(Destination("pacs", "dimse", host="127.0.0.1", port=104, ae_title="A"), target=Broken())
    step(sender, ledger, clock)
    assert state(ledger) == ("sending", "sending ended with an unexpected KeyError")


def test_a_result_file_that_was_changed_is_never_sent(waiting, ledger, clock):
    with FakeDimse() as pacs:
        sender = waiting(pacs.destination())
        path = sender.config.spool_folder / ledger.deliveries()[0].path
        path.write_bytes(path.read_bytes() + b"\0\0")
        step(sender, ledger, clock)
    assert (state(ledger)[0], "other bytes" in state(ledger)[1]) == ("dead", True)
    assert not pacs.stored


def test_a_destination_that_cannot_be_asked_is_not_sent_to_until_it_can(waiting, ledger, clock):
    with FakeStow() as web:
        sender = waiting(web.destination())
        ledger.claim_delivery("send/0", 120)
        web.search_status = 503
        step(sender, ledger, clock, 121.0)
        assert (state(ledger)[0], "when it is asked for the result" in state(ledger)[1]) == ("sending", True)
        assert not web.stored
        web.search_status = 200
        step(sender, ledger, clock, 10.0)
    assert (state(ledger)[0], sum(web.stored.values())) == ("sent", 1)


class StopsOnceWaitedFor(threading.Event):
    """Tells whether anybody waited for it."""

    was_waited_for = False

    def wait(self, timeout=None):
        self.was_waited_for = True
        self.set()
        return True


def test_the_process_of_a_node_without_destinations_waits_for_its_stop(tmp_path):
    stop = StopsOnceWaitedFor()
    serve(node(tmp_path, base="shadow = true\n" + BASE[: BASE.index("[[destinations]]")]), stop)
    assert stop.was_waited_for
