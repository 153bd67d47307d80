"""The fault matrix of receiving: whatever breaks, what was acknowledged is there, and others are served."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from pydicom import dcmread

from pneumoscope.pacs import process
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.spool import Level, Spool
from pneumoscope.pacs.supervisor import supervise
from tests.free_port import free_port
from tests.pacs.dying_node import POINTS
from tests.pacs.receiving import (
    PATIENT,
    associate_rq,
    association,
    echo,
    element,
    instance,
    node,
    p_data,
    read_pdu,
    saved,
    store_command,
    stored,
)
from tests.pacs.test_supervisor import CONFIG
from tests.radiograph.builders import without_meta
from tests.web.test_dicomweb_orthanc import IN_CI

OUT_OF_RESOURCES = 0xA700


def check_nothing_is_lost(receiving, acknowledged):
    """Each acknowledged instance has one row and a complete file; nothing else was left behind."""
    rows = receiving.ledger.instances(limit=10_000)
    assert sorted(row.sop_instance_uid for row in rows) == sorted(acknowledged)
    for row in rows:
        assert dcmread(receiving.spool.folder / row.path).SOPInstanceUID == row.sop_instance_uid
    assert len(receiving.files()) == len(rows)
    assert receiving.leftovers() == []


def begin_again(folder):
    """What the receiving process does when it starts."""
    spool = Spool(folder / "spool", PATIENT)
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return spool.clear_incoming(), spool.remove_orphans(ledger.paths(), older_than_s=0)


# Killed.


@pytest.mark.parametrize("point", POINTS)
def test_a_node_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path, point):
    command = [sys.executable, "-m", "tests.pacs.dying_node", tmp_path, point]
    dying = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    there = SimpleNamespace(port=int(dying.stdout.readline()))
    sent = [instance(number) for number in range(1, 6)]
    statuses = []
    with association(there) as made:
        while None not in statuses:
            statuses.append(getattr(made.send_c_store(sent[len(statuses)]), "Status", None))
    assert dying.wait(30) == -signal.SIGKILL
    dying.stdout.close()
    assert statuses == [0, 0, None]
    cleared = begin_again(tmp_path)
    assert cleared == {"before the rename": (1, 0), "before the row": (0, 1), "before the answer": (0, 0)}[point]
    with node(tmp_path) as receiving:
        assert stored(receiving, *sent[2:]) == [0, 0, 0]
        check_nothing_is_lost(receiving, [one.SOPInstanceUID for one in sent])


@contextmanager
def process_of_a_node(folder):
    """The receiving process, as the supervisor starts it."""
    port = free_port()
    (folder / "node.toml").write_text(CONFIG.format(port=port))
    command = process.command("receive", folder / "node.toml")
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in running.stderr:
            if "listening for DIMSE" in line:
                break
        reader = threading.Thread(target=running.stderr.read)
        reader.start()
        yield running, port
    finally:
        running.kill()
        running.wait()
        reader.join()
        running.stderr.close()


def test_sigterm_lets_an_instance_that_has_begun_come_to_its_end(tmp_path):
    content = without_meta(instance(1))
    with process_of_a_node(tmp_path) as (running, port), socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(associate_rq())
        assert read_pdu(sock)[0] == 2
        sock.sendall(p_data(store_command(), is_command=True, is_last=True))
        sock.sendall(p_data(content[:100], is_command=False, is_last=False))
        time.sleep(0.3)  # the node has read it, or reads it later: both must end in the same way
        running.send_signal(signal.SIGTERM)
        for _ in range(200):
            with socket.socket() as other:
                if other.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        sock.sendall(p_data(content[100:], is_command=False, is_last=True))
        kind, answer = read_pdu(sock)
        assert kind == 4
        assert element(0x00000900, b"\0\0") in answer, "status 0x0000"
        assert running.wait(60) == 0
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert [row.sop_instance_uid for row in ledger.instances()] == ["1.2.3.1"]


@pytest.mark.slow
def test_a_receiving_process_that_is_killed_is_back_and_has_everything(tmp_path):
    port, stop = free_port(), threading.Event()
    (tmp_path / "node.toml").write_text(CONFIG.format(port=port))
    there, command = SimpleNamespace(port=port), process.command("receive", tmp_path / "node.toml")

    def sent(number):
        try:
            return stored(there, instance(number)) == [0]
        except (OSError, AssertionError):
            return False

    def sent_in_the_end(number, seconds=60):
        ends = time.monotonic() + seconds
        while not sent(number) and time.monotonic() < ends:
            time.sleep(0.1)
        return time.monotonic() < ends

    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        parent = threading.Thread(target=supervise, args=({"receive": command}, ledger, stop))
        parent.start()
        assert sent_in_the_end(1)
        (beat,) = ledger.heartbeats()
        os.kill(beat.pid, signal.SIGKILL)
        assert sent_in_the_end(2)
        stop.set()
        parent.join(60)
        assert [row.sop_instance_uid for row in ledger.instances()] == ["1.2.3.1", "1.2.3.2"]


# Full disks and locked databases.


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Write until the disk is full."""
    with (folder / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        while True:
            stream.write(bytes(4096))
    return folder / "filler"


@pytest.mark.hosts
def test_a_full_disk_of_the_spool_is_answered_a700_and_loses_nothing(tmp_path, small_disk):
    with node(tmp_path, spool_folder=small_disk) as receiving:
        sent = [instance(number, size=(500, 500)) for number in range(1, 8)]
        statuses = stored(receiving, *sent)
        taken = statuses.index(OUT_OF_RESOURCES)
        assert taken >= 2
        assert statuses == [0] * taken + [OUT_OF_RESOURCES] * (7 - taken)
        assert echo(receiving, title="CR1")
        check_nothing_is_lost(receiving, [one.SOPInstanceUID for one in sent[:taken]])
        filler = fill(small_disk)
        assert stored(receiving, sent[6]) == [OUT_OF_RESOURCES], "not even the first byte can be written"
        filler.unlink()
        receiving.files()[0].unlink()
        assert stored(receiving, sent[6]) == [0]


@pytest.mark.hosts
def test_a_full_disk_of_the_ledger_is_answered_a700_and_loses_nothing(tmp_path, small_disk):
    with Ledger.open(small_disk / "ledger.sqlite") as ledger, node(tmp_path, ledger=ledger) as receiving:
        assert stored(receiving, instance(1)) == [0]
        filler = fill(small_disk)
        numbers = range(2, 40)  # the write-ahead log has some room of its own
        statuses = stored(receiving, *(instance(number) for number in numbers))
        assert set(statuses) <= {0, OUT_OF_RESOURCES}
        assert OUT_OF_RESOURCES in statuses
        acknowledged = ["1.2.3.1", *(f"1.2.3.{n}" for n, status in zip(numbers, statuses, strict=True) if status == 0)]
        assert sorted(row.sop_instance_uid for row in ledger.instances()) == sorted(acknowledged)
        assert echo(receiving, title="CR1")
        filler.unlink()
        assert stored(receiving, *(instance(number) for number in numbers)) == [0] * len(numbers)
        check_nothing_is_lost(receiving, [f"1.2.3.{number}" for number in range(1, 40)])


def test_a_locked_database_is_waited_for_and_then_answered_a700(tmp_path):
    with node(tmp_path) as receiving:
        assert stored(receiving, instance(1)) == [0]
        other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        assert stored(receiving, instance(2)) == [OUT_OF_RESOURCES], "it is locked for longer than the wait of 0.2 s"
        assert echo(receiving, title="CR1")
        other.execute("ROLLBACK")
        assert stored(receiving, instance(2)) == [0]
        other.close()
        check_nothing_is_lost(receiving, ["1.2.3.1", "1.2.3.2"])


def test_a_database_that_is_locked_for_less_than_the_wait_delays_the_answer(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite", busy_s=30) as ledger, node(tmp_path, ledger=ledger) as receiving:
        other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
        release.start()
        assert stored(receiving, instance(1)) == [0]
        release.join()
        other.close()


def test_a_sender_waits_while_the_spool_is_full_and_is_refused_only_at_last(tmp_path, monkeypatch):
    levels = [Level.FULL, Level.FULL, Level.OPEN]
    patient = type(PATIENT)(**{**vars(PATIENT), "wait_seconds": 30.0})
    with node(tmp_path, limits=patient) as receiving:
        monkeypatch.setattr(Spool, "level", lambda _: levels.pop(0) if len(levels) > 1 else levels[0])
        assert stored(receiving, instance(1)) == [0]
        assert levels == [Level.OPEN]
    (tmp_path / "other").mkdir()
    with node(tmp_path / "other") as receiving:
        monkeypatch.setattr(Spool, "level", lambda _: Level.FULL)
        assert stored(receiving, instance(1)) == [OUT_OF_RESOURCES]
        monkeypatch.undo()
        assert stored(receiving, instance(1)) == [0]


def test_the_level_of_a_spool_follows_its_quota(tmp_path):
    limits = type(PATIENT)(**{**vars(PATIENT), "spool_bytes": 1000, "pause_polls_at": 0.5, "refuse_at": 0.8})

    def level(size):
        spool = Spool(tmp_path, limits)
        spool.prepare()
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / "one").write_bytes(bytes(size))
        return spool.level()

    assert [level(size) for size in (0, 499, 500, 799, 800)] == [Level.OPEN, Level.OPEN, Level.HIGH, Level.HIGH, Level.FULL]
    no_space = type(PATIENT)(**{**vars(PATIENT), "spool_free_bytes": 2**62})
    assert Spool(tmp_path, no_space).level() is Level.FULL


# Many at once, and another implementation.


@pytest.mark.parametrize("no_delay", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_two_hundred_instances_by_four_associations_are_all_there(tmp_path, no_delay):
    outcomes = {}

    def send(sender):
        numbers = range(sender * 50 + 1, sender * 50 + 51)
        outcomes[sender] = stored(receiving, *(instance(number) for number in numbers), no_delay=no_delay)

    with node(tmp_path) as receiving:
        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == {sender: [0] * 50 for sender in range(4)}
        check_nothing_is_lost(receiving, [f"1.2.3.{number}" for number in range(1, 201)])


def test_the_same_instance_by_four_associations_at_once_is_one_row(tmp_path):
    outcomes = []
    with node(tmp_path) as receiving:
        threads = [threading.Thread(target=lambda: outcomes.extend(stored(receiving, *[instance(1)] * 5))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [0] * 20
        check_nothing_is_lost(receiving, ["1.2.3.1"])


@pytest.mark.skipif(shutil.which("storescu") is None and not IN_CI, reason="DCMTK is not installed (Debian: dcmtk)")
def test_dcmtk_echoes_and_stores(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(1, 4):
        saved(instance(number, size=(400, 400)), folder / f"{number}.dcm")
    with node(tmp_path) as receiving:
        titles = ["-aet", "STORESCU", "-aec", "PNEUMOSCOPE", "127.0.0.1", str(receiving.port)]
        environment = os.environ | {"TCP_NODELAY": "1"}
        subprocess.run(["echoscu", *titles], check=True, env=environment, timeout=60)
        subprocess.run(["storescu", "+sd", *titles, folder], check=True, env=environment, timeout=60)
        check_nothing_is_lost(receiving, ["1.2.3.1", "1.2.3.2", "1.2.3.3"])
        stranger = ["-aet", "STRANGER", *titles[2:]]
        assert subprocess.run(["echoscu", *stranger], capture_output=True, env=environment, timeout=60).returncode != 0
