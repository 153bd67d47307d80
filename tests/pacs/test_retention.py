"""Retention: a file goes when nobody needs it any more, and never before."""

import threading

import pytest

from pneumoscope.pacs import config
from pneumoscope.pacs.errors import SpoolError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.retention import EVERY_SECONDS, Removed, keep_removing, remove_old_files
from pneumoscope.pacs.spool import Spool
from tests.cli.run import run
from tests.pacs.node_parts import BASE, image, node, receive, worker
from tests.pacs.receiving import PATIENT

DAY = 86400.0
RETENTION = "[retention]\nsource_days = 7\nresult_days = 30\n"


@pytest.fixture
def site(tmp_path):
    return node(tmp_path, RETENTION)


def read_image(site, ledger, number=1, **elements):
    """An image that was read, or skipped."""
    receive(site, ledger, image(number, **elements), number)
    assert worker(site, ledger).step("work")


def deliver(ledger, state):
    ledger.finish_delivery(ledger.claim_delivery("send", 60), state)


def source(site, number=1):
    return (site.spool_folder / f"{number}.dcm").exists()


def result(site, ledger):
    return (site.spool_folder / ledger.results_of(1)[0].path).exists()


@pytest.mark.parametrize("state", ["sent", "committed", "dropped"])
def test_files_go_the_stated_days_after_the_last_delivery_and_rows_stay(site, ledger, clock, state):
    read_image(site, ledger)
    deliver(ledger, state)
    assert remove_old_files(site, ledger) == Removed(0, 0)
    clock.now += 7 * DAY - 1
    assert remove_old_files(site, ledger) == Removed(0, 0)
    clock.now += 1
    assert remove_old_files(site, ledger) == Removed(1, 0)
    assert (source(site), result(site, ledger), ledger.removed_at("source", 1)) == (False, True, clock.now)
    clock.now += 23 * DAY
    assert remove_old_files(site, ledger) == Removed(0, 1)
    assert (result(site, ledger), ledger.removed_at("result", 1)) == (False, clock.now)
    assert (ledger.counts().instances, ledger.counts().deliveries) == ({"read": 1}, {state: 1})
    assert remove_old_files(site, ledger) == Removed(0, 0)


@pytest.mark.parametrize("state", ["waiting", "sending", "dead"])
def test_no_file_goes_whose_delivery_waits_or_is_dead(site, ledger, clock, state):
    read_image(site, ledger)
    if state != "waiting":
        delivery = ledger.claim_delivery("send", 1e9)
        if state == "dead":
            ledger.finish_delivery(delivery, "dead", "refused")
    remove_old_files(site, ledger)
    clock.now += 1000 * DAY
    assert remove_old_files(site, ledger) == Removed(0, 0)
    assert (source(site), result(site, ledger)) == (True, True)


def test_the_days_begin_again_after_a_delivery_was_requeued(site, ledger, clock):
    read_image(site, ledger)
    deliver(ledger, "dropped")
    remove_old_files(site, ledger)
    clock.now += 6 * DAY
    assert ledger.requeue("deliveries", [1]) == 1
    remove_old_files(site, ledger)
    deliver(ledger, "sent")
    clock.now += 2 * DAY
    assert remove_old_files(site, ledger) == Removed(0, 0)
    clock.now += 7 * DAY
    assert remove_old_files(site, ledger) == Removed(1, 0)


def test_skipped_and_dropped_images_go_and_those_that_wait_or_conflict_stay(site, ledger, clock):
    read_image(site, ledger, 1, ViewPosition="LL")
    for number in (2, 3):
        receive(site, ledger, image(number), number)
    ledger.drop("instances", [2], "a phantom")
    receive(site, ledger, image(3, Rows=None), 4, sop_instance_uid="1.2.3.3.3")
    assert [one.state for one in ledger.instances()] == ["skipped", "dropped", "received", "conflict"]
    remove_old_files(site, ledger)
    clock.now += 8 * DAY
    assert remove_old_files(site, ledger) == Removed(2, 0)
    assert [source(site, number) for number in (1, 2, 3, 4)] == [False, False, True, True]


def test_results_that_a_destination_may_still_disown_stay_while_it_is_asked(tmp_path, ledger, clock):
    eager = "[retention]\nsource_days = 0\nresult_days = 0\n"
    site = node(tmp_path, eager, BASE.replace('kinds = ["sr"]', 'kinds = ["sr"]\ncommitment = true'))
    read_image(site, ledger)
    deliver(ledger, "sent")
    assert remove_old_files(site, ledger) == Removed(1, 0)
    clock.now += 3 * DAY
    assert remove_old_files(site, ledger) == Removed(0, 1)


def test_a_removed_file_is_not_requeued_until_it_has_arrived_again(tmp_path, ledger, clock):
    site = node(tmp_path, RETENTION)
    spool = Spool(site.spool_folder, PATIENT)
    spool.prepare()
    admission = Admission(spool, ledger, site.salt)

    def arrive():
        with spool.new_file() as (file, stream):
            stream.write(image())
            stream.flush()
            return admission.admit(file, "MODALITY", "dimse")[1].outcome

    assert arrive() == "new"
    assert worker(site, ledger).step("work")
    deliver(ledger, "sent")
    remove_old_files(site, ledger)
    clock.now += 100 * DAY
    assert remove_old_files(site, ledger) == Removed(1, 1)
    assert ledger.requeue("instances", [1]) == 0
    path = site.spool_folder / ledger.instance(1).path
    assert not path.exists()
    assert arrive() == "duplicate"
    assert path.read_bytes() == image()
    assert ledger.removed_at("source", 1) is None
    path.unlink()  # by somebody else
    assert arrive() == "duplicate"
    assert path.read_bytes() == image()
    assert ledger.requeue("instances", [1]) == 1
    assert worker(site, ledger).step("work")
    assert result(site, ledger), "reading again puts the removed file of the result there again"
    assert (ledger.removed_at("result", 1), ledger.counts().deliveries) == (None, {"sent": 1})


def test_a_process_that_is_killed_between_file_and_row_marks_the_row_the_next_time(site, ledger, clock, monkeypatch):
    read_image(site, ledger)
    deliver(ledger, "sent")
    remove_old_files(site, ledger)
    clock.now += 8 * DAY
    removes = Spool.remove

    def killed(spool, path):
        removes(spool, path)
        raise SpoolError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "remove", killed)
        with pytest.raises(SpoolError, match="killed"):
            remove_old_files(site, ledger)
    assert (source(site), ledger.removed_at("source", 1)) == (False, None)
    assert remove_old_files(site, ledger) == Removed(1, 0)
    assert ledger.removed_at("source", 1) == clock.now


def test_the_verb_counts_and_removes_and_show_and_reprocess_say_so(tmp_path, monkeypatch):
    file = tmp_path / "node.toml"
    file.write_text(BASE + "[retention]\nsource_days = 0\nresult_days = 9\n", encoding="utf-8")
    site = config.read(file)
    with Ledger.open(site.ledger_url) as ledger:
        read_image(site, ledger, 1, ViewPosition="LL")
    said = "1 received files and 0 results {} removed from the spool; the rows of the ledger stay\n"
    assert run("node", "remove-old-files", "--dry-run", "--config", file).out == said.format("would be")
    assert source(site)
    assert run("node", "remove-old-files", "--config", file).out == said.format("were")
    assert not source(site)
    assert "the PACS has to send it again" in run("node", "show", "1", "--config", file).out
    out = run("node", "reprocess", "--all", "--state", "skipped", "--config", file).out
    assert out == "0 of 1 images wait to be read again; the files of 1 were removed: fetch these images again from the PACS\n"
    assert run("node", "requeue", "images", "1", "--config", file).out.startswith("0 of 1 images wait again")


def test_a_requeue_cannot_come_between_the_look_and_the_removal(site, ledger, clock):
    read_image(site, ledger)
    deliver(ledger, "dropped")
    ledger.note_finished_files()
    clock.now += 100 * DAY
    ledger.requeue("deliveries", [1])
    assert ledger.remove_finished_files("result", clock.now, lambda _: pytest.fail("removed")) == 0
    assert ledger.remove_finished_files("source", clock.now, lambda _: pytest.fail("removed")) == 0


class OneWait(threading.Event):
    """Set by the first wait for it."""

    def wait(self, timeout=None):
        self.waited = timeout
        self.set()
        return True


def test_the_node_looks_once_an_hour_and_survives_trouble(site, ledger, clock, monkeypatch, caplog):
    read_image(site, ledger, 1, ViewPosition="LL")
    remove_old_files(site, ledger)
    clock.now += 8 * DAY

    def broken(spool, path):
        raise SpoolError("the spool folder cannot be used")

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "remove", broken)
        keep_removing(site, ledger, OneWait())
    assert "retention: the spool folder cannot be used" in caplog.text
    stop = OneWait()
    keep_removing(site, ledger, stop)
    assert (source(site), stop.waited) == (False, EVERY_SECONDS)


def test_an_instance_whose_return_was_undone_half_way_comes_back_the_next_time(tmp_path, ledger, clock):
    site = node(tmp_path, RETENTION)
    spool = Spool(site.spool_folder, PATIENT)
    spool.prepare()
    admission = Admission(spool, ledger, site.salt)

    def arrive():
        with spool.new_file() as (file, stream):
            stream.write(image(ViewPosition="LL"))
            stream.flush()
            admission.admit(file, "MODALITY", "dimse")

    arrive()
    assert worker(site, ledger).step("work")
    remove_old_files(site, ledger)
    clock.now += 8 * DAY
    assert remove_old_files(site, ledger) == Removed(1, 0)
    (site.spool_folder / ledger.instance(1).path).write_bytes(image(ViewPosition="LL"))  # the file is back, its mark stays
    assert ledger.requeue("instances", [1]) == 0
    arrive()
    assert ledger.requeue("instances", [1]) == 1
