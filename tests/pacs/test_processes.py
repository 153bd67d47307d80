"""The processes of the node, killed and stopped: nothing is lost, nothing is sent twice, and what was begun is finished."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pneumoscope.pacs import config, process, supervisor
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.supervisor import ProcessError, supervise
from tests.cli.run import ENTRY
from tests.pacs.fake_fhir import FakeFhir
from tests.pacs.fake_mllp import Misbehaving, acknowledged
from tests.pacs.fake_pacs import FakeDimse, FakeStow, until
from tests.pacs.node_parts import BASE, image, receive, worker

ROOT = Path(__file__).resolve().parents[2]
SLEEPS = [sys.executable, "-c", "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); time.sleep(60)"]
PATIENCE = 180
"""Seconds that a busy machine may need for what takes a few."""
QUICK = "\n[work]\nlease_seconds = 5\nattempts = 50\n"  # a slow machine may need several tries of an image


@dataclass
class Node:
    """A node in a folder, and its processes."""

    file: Path

    @property
    def config(self):
        return config.read(self.file)

    def ledger(self):
        return Ledger.open(self.config.ledger_url)

    def start(self, role):
        """Start one process; what it says goes to a file."""
        return self._start(role, process.command(role, self.file))

    def start_whole(self):
        """Start the node as users do."""
        return self._start("node", [sys.executable, "-c", ENTRY, "node", "--config", str(self.file)])

    def _start(self, name, command):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))), "OMP_NUM_THREADS": "1"}
        with (self.file.parent / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stderr=log, cwd=ROOT)

    def counts(self):
        with self.ledger() as ledger:
            return ledger.counts()

    def beats(self, child):
        """Whether a process has started: it gives signs of life, and SIGTERM drains it."""
        with self.ledger() as ledger:
            return child.pid in [beat.pid for beat in ledger.heartbeats()]

    def said(self, role):
        return (self.file.parent / f"{role}.log").read_text(encoding="utf-8")


def node_for(folder, destination, more=""):
    """A node with one destination."""
    text = BASE[: BASE.index("[[destinations]]")] + '[[destinations]]\nname = "pacs"\nkinds = ["sr"]\nprofile = "plain"\n'
    if destination.protocol == "dimse":
        text += f'protocol = "dimse"\nhost = "127.0.0.1"\nport = {destination.port}\nae_title = "PACS"\n'
    else:
        text += f'protocol = "stow"\nurl = "{destination.url}"\n'
    (folder / "node.toml").write_text(f"{text}[send]\nfirst_wait_seconds = 0.1\nlease_seconds = 2\n{more}", encoding="utf-8")
    return Node(folder / "node.toml")


def ended(child):
    child.wait(PATIENCE)
    return child.returncode


# The parent.


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


def supervised(commands, ledger, while_running):
    """Supervise commands while something is done; give what the supervisor raised."""
    stop, raised = threading.Event(), []

    def run():
        try:
            supervise(commands, ledger, stop)
        except ProcessError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while_running()
    finally:
        stop.set()
        thread.join()
    return raised


def test_a_process_that_ends_is_started_again_and_its_claims_are_given_back(tmp_path, ledger, monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "FIRST_WAIT_SECONDS", 0.01)
    mark = tmp_path / "mark"
    command = [sys.executable, "-c", f"open({str(mark)!r}, 'a').write('x'); raise SystemExit(1)"]
    receive(config.parse(BASE, tmp_path), ledger, image())
    claimed = ledger.claim_instance("work/0", 600)
    with caplog.at_level(logging.WARNING):
        assert supervised({"work": command}, ledger, lambda: until(lambda: mark.exists() and len(mark.read_text()) >= 3)) == []
    assert "the process 'work' has ended with code 1; it starts again in" in caplog.text
    assert ledger.claim_instance("work/0", 600).id == claimed.id


def test_the_waits_before_a_start_double_up_to_a_limit():
    child = supervisor._Child("work", [])
    waits = []
    for _ in range(10):
        child.process, child.started_at = subprocess.Popen([sys.executable, "-c", ""]), 0.0
        child.process.wait()
        child.ended(1.0)
        waits.append(child.start_at - 1.0)
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    child.process = subprocess.Popen([sys.executable, "-c", ""])
    child.process.wait()
    child.ended(100.0)
    assert child.start_at == 100.5


def test_a_mistake_in_the_configuration_stops_the_node(ledger):
    commands = {"send": SLEEPS, "work": [sys.executable, "-c", "raise SystemExit(2)"]}
    with pytest.raises(ProcessError, match="the process 'work' could not start; its message stands above"):
        supervise(commands, ledger, threading.Event())


def test_the_parent_stops_its_processes_and_kills_one_that_does_not_end(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "DRAIN_SECONDS", 0.3)
    ready = tmp_path / "ready"
    ignores = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"

    def until_ready():
        while not ready.exists():
            time.sleep(0.02)

    begins = time.monotonic()
    assert supervised({"work": [sys.executable, "-c", ignores], "send": SLEEPS}, ledger, until_ready) == []
    assert time.monotonic() - begins < 30


def test_a_process_says_in_one_sentence_that_its_configuration_is_wrong(tmp_path, capfd):
    (tmp_path / "node.toml").write_text("[wrk]", encoding="utf-8")
    assert process.run("work", tmp_path / "node.toml", threading.Event()) == process.USER_MISTAKE
    assert process.run("work", tmp_path / "none.toml", threading.Event()) == process.USER_MISTAKE


# Killed processes. Each test starts real processes, which takes seconds.


@pytest.mark.slow
def test_kill_9_while_reading_loses_nothing(tmp_path):
    with FakeDimse() as pacs:
        node = node_for(tmp_path, pacs.destination(), QUICK)
        with node.ledger() as ledger:
            for number in range(1, 9):
                receive(node.config, ledger, image(number), number)
        for at_least in (1, 3):
            kill_while_reading(node, at_least)
        child = node.start("work")  # all may have been read before: it is stopped when it runs, not while it starts
        until(lambda: node.beats(child) and node.counts().instances == {"read": 8}, PATIENCE)
        child.terminate()
        assert ended(child) == 0
    assert node.counts().deliveries == {"waiting": 8}


def kill_while_reading(node, at_least):
    """Start a process that reads, and kill it in the middle of an image after some are read."""

    def in_the_middle():
        images = node.counts().instances
        return node.beats(child) and images.get("read", 0) >= at_least and ("working" in images or images.get("read") == 8)

    child = node.start("work")
    until(in_the_middle, PATIENCE)
    child.send_signal(signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("fake", [FakeDimse, FakeStow])
def test_kill_9_while_sending_and_before_the_row_sends_nothing_twice(tmp_path, fake):
    kept, gate = threading.Event(), threading.Event()

    def keep_and_wait(*_):
        kept.set()
        gate.wait(PATIENCE)
        return 0

    with fake() as pacs:
        node = node_for(tmp_path, pacs.destination())
        with node.ledger() as ledger:
            for number in range(1, 6):
                receive(node.config, ledger, image(number), number)
                assert worker(node.config, ledger).step("work")
        original = pacs.keep
        pacs.keep = lambda content: (original(content), keep_and_wait())[0]
        child = node.start("send")
        assert kept.wait(PATIENCE)
        child.send_signal(signal.SIGKILL)  # the PACS has stored the result, and its answer has not arrived
        assert ended(child) == -signal.SIGKILL
        gate.set()
        pacs.keep = original
        child = node.start("send")
        until(lambda: node.counts().deliveries == {"sent": 5}, PATIENCE)
        child.terminate()
        assert ended(child) == 0
        assert (len(pacs.stored), sum(pacs.stored.values())) == (5, 5)


def node_that_tells(folder, settings):
    """A node without a destination that tells one system, and five readings that it is to be told about."""
    text = BASE[: BASE.index("[[destinations]]")] + f'[[notifications]]\nname = "other"\n{settings}\n'
    (folder / "node.toml").write_text(f"{text}[send]\nfirst_wait_seconds = 0.1\nlease_seconds = 2\n", encoding="utf-8")
    node = Node(folder / "node.toml")
    with node.ledger() as ledger:
        for number in range(1, 6):
            receive(node.config, ledger, image(number), number)
            assert worker(node.config, ledger).step("work")
    return node


def kill_when(node, kept, gate):
    """Kill the sending process when the other side has what is sent; then let it be sent by another one."""
    child = node.start("send")
    assert kept.wait(PATIENCE)
    child.send_signal(signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    gate.set()
    child = node.start("send")
    until(lambda: node.counts().deliveries == {"sent": 5}, PATIENCE)
    child.terminate()
    assert ended(child) == 0


@pytest.mark.slow
def test_kill_9_while_a_report_is_sent_makes_no_second_report(tmp_path):
    kept, gate = threading.Event(), threading.Event()

    with FakeFhir() as server:
        process_transaction = server.process

        def process_and_wait(bundle):
            answer = process_transaction(bundle)
            kept.set()
            gate.wait(PATIENCE)
            return answer

        server.process = process_and_wait
        kill_when(node_that_tells(tmp_path, f'protocol = "fhir"\nurl = "{server.url}"'), kept, gate)
        assert list(server.reports.values()) == [1] * 5
        assert server.posts == 5


@pytest.mark.slow
def test_kill_9_while_a_message_is_sent_repeats_it_and_loses_none(tmp_path):
    kept, gate = threading.Event(), threading.Event()

    def keep_and_wait(connection, message):
        kept.set()
        gate.wait(PATIENCE)

    with Misbehaving(keep_and_wait, lambda connection, message: connection.sendall(acknowledged(message))) as listener:
        node = node_that_tells(tmp_path, f'protocol = "hl7"\nhost = "127.0.0.1"\nport = {listener.port}')
        kill_when(node, kept, gate)
        assert (len(listener.messages), len(set(listener.messages))) == (6, 5)
    assert "1.2.3." not in node.said("send")


@pytest.mark.slow
def test_sigterm_finishes_what_was_begun(tmp_path):
    begun = threading.Event()

    def slowly(event):
        begun.set()
        time.sleep(1)
        pacs.keep(event)
        return 0

    with FakeDimse(slowly) as pacs:
        node = node_for(tmp_path, pacs.destination(), "[work]\nreaders = 1\n")
        with node.ledger() as ledger:
            for number in range(1, 4):
                receive(node.config, ledger, image(number), number)
        work = node.start("work")
        until(lambda: node.counts().instances.get("read", 0) >= 1, PATIENCE)
        work.terminate()
        assert ended(work) == 0
        assert "working" not in node.counts().instances
        send = node.start("send")
        assert begun.wait(PATIENCE)
        send.terminate()
        assert ended(send) == 0
        assert "sending" not in node.counts().deliveries
        assert node.counts().deliveries["sent"] == sum(pacs.stored.values()) >= 1
    assert "Doe" not in node.said("work") + node.said("send")
    assert "1.2.3." not in node.said("work") + node.said("send")
