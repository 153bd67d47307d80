"""The parent: processes that end start again, a user's mistake ends the node, and SIGTERM drains."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from pneumoscope.pacs import config, node, process, supervisor
from pneumoscope.pacs.errors import ConfigError, NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.supervisor import ProcessError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(supervisor, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_WAIT_SECONDS", 0.04)


class Claims:
    """Notes whose claims were released."""

    def __init__(self):
        self.released = []

    def release(self, name):
        self.released.append(name)


def python(code):
    return [sys.executable, "-c", textwrap.dedent(code)]


def supervised(commands, condition):
    """Run processes until a condition holds; give the processes whose claims were released, and the error that ended it."""
    stop, claims, errors = threading.Event(), Claims(), []

    def run():
        try:
            supervisor.supervise(commands, claims, stop)
        except ProcessError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    ends = time.monotonic() + 60
    while thread.is_alive() and not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    return claims.released, errors


def test_a_process_that_ends_starts_again_and_its_claims_are_released(tmp_path):
    released, errors = supervised(
        {"work": python(f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); raise SystemExit(1)")},
        lambda: (tmp_path / "starts").exists() and len((tmp_path / "starts").read_text()) >= 3,
    )
    assert errors == []
    assert released.count("work") >= 2


def test_a_users_mistake_ends_the_node_and_the_other_processes(tmp_path):
    drain = f"(open({str(tmp_path / 'drained')!r}, 'w'), sys.exit(0))"
    ready = str(tmp_path / "ready")
    handles = f"import signal, time, sys; signal.signal(15, lambda *_: {drain}); open({ready!r}, 'w')"
    waits = python(f"{handles}\nwhile 1: time.sleep(1)")
    mistaken = python(f"import os, sys, time\nwhile not os.path.exists({ready!r}): time.sleep(0.05)\nsys.exit(2)")
    _, errors = supervised({"receive": waits, "work": mistaken}, lambda: False)
    assert errors == ["the process 'work' could not start; its message stands above"]
    assert (tmp_path / "drained").exists()


def test_a_process_that_does_not_stop_is_killed_and_its_claims_are_released(tmp_path, monkeypatch):
    ready = tmp_path / "ready"
    ignores = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w')"
    stubborn = python(f"{ignores}\nwhile 1: time.sleep(1)")
    monkeypatch.setattr(supervisor, "DRAIN_SECONDS", 0.3)
    assert supervised({"send": stubborn}, ready.exists) == (["send"], [])


CONFIG = """
salt = "0123456789abcdef"
spool = "spool"
shadow = true
[[models]]
name = "shipped"
[receive]
port = {port}
[[peers]]
ae_title = "STORESCU"
"""


def modes(folder, pattern="*"):
    """Permissions of what lies in a folder."""
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.glob(pattern)}


def write_config(folder, port=0):
    (folder / "node.toml").write_text(CONFIG.format(port=port))
    return folder / "node.toml"


def test_a_process_with_a_wrong_configuration_says_so_and_ends_with_2(tmp_path):
    (tmp_path / "node.toml").write_text("salt = 3")
    ran = subprocess.run(process.command("receive", tmp_path / "node.toml"), capture_output=True, text=True)
    assert ran.returncode == 2
    assert "the configuration of the node cannot be used" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_two_nodes_cannot_share_a_spool_folder(tmp_path, monkeypatch):
    file = write_config(tmp_path)
    monkeypatch.setattr(node, "quiet_libraries", lambda: None)
    monkeypatch.setattr(node.signal, "signal", lambda *_: None)
    (tmp_path / "spool").mkdir()
    held = node.filelock.FileLock(tmp_path / "spool" / "node.lock")
    with held, pytest.raises(NodeError, match="another node uses this spool folder"):
        node.run(file)
    with pytest.raises(ConfigError, match="there is no configuration"):
        node.run(tmp_path / "other.toml")


@pytest.fixture
def started(monkeypatch):
    """The commands that `node.run` would supervise."""
    commands = {}
    monkeypatch.setattr(node, "quiet_libraries", lambda: None)
    monkeypatch.setattr(node.signal, "signal", lambda *_: None)
    monkeypatch.setattr(node, "supervise", lambda made, *_: commands.update(made))
    return commands


def test_two_nodes_cannot_share_a_ledger(tmp_path, started):
    file = write_config(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.format(port=0).replace('"spool"', '"elsewhere"'))
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    with ledger, ledger.of_one_node(), pytest.raises(NodeError, match="another node uses this ledger; stop it, or give this"):
        node.run(other)
    assert started == {}
    node.run(file)
    assert set(started) == set(process.ROLES)


@pytest.mark.slow
def test_two_nodes_cannot_share_a_ledger_in_postgresql(postgresql):
    with Ledger.open(postgresql) as one, Ledger.open(postgresql) as other:
        with one.of_one_node(), pytest.raises(NodeError, match="another node uses this ledger"), other.of_one_node():
            pass
        with other.of_one_node():
            assert other.counts()


@pytest.mark.slow
def test_a_node_that_loses_its_ledger_to_another_notices_it(postgresql):
    def end_connection(ledger):
        of_lock = "pid FROM pg_locks WHERE locktype = 'advisory'"
        with ledger.read() as connection:
            connection.execute(text(f"SELECT pg_terminate_backend({of_lock.replace(' ', ') ', 1)}"))
            while connection.execute(text(f"SELECT {of_lock}")).first():
                time.sleep(0.02)

    with Ledger.open(postgresql) as one, Ledger.open(postgresql) as other, one.of_one_node() as check:
        check()
        end_connection(other)
        check()  # takes it again
        with pytest.raises(NodeError, match="another node uses this ledger"), other.of_one_node():
            pass
        end_connection(other)
        with other.of_one_node(), pytest.raises(NodeError, match="another node uses this ledger"):
            check()


def test_the_processes_of_a_node_that_is_not_alone_are_stopped(monkeypatch):
    def check():
        raise NodeError("another node uses this ledger")

    monkeypatch.setattr(supervisor, "ALONE_SECONDS", 0.0)
    claims = Claims()
    with pytest.raises(NodeError, match="another node uses this ledger"):
        supervisor.supervise({"work": python("import time; time.sleep(600)")}, claims, threading.Event(), check)
    assert claims.released == ["work"]


def test_processes_that_start_again_do_not_see_an_edit_of_the_configuration(tmp_path, started):
    file = write_config(tmp_path, port=11112)
    node.run(file)
    file.write_text("salt = ")
    for command in started.values():
        snapshot, folder = map(Path, command[-2:])
        assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
        assert config.read(snapshot, folder) == config.parse(CONFIG.format(port=11112), tmp_path)


def test_an_error_that_nobody_names_is_logged_without_its_text(tmp_path):
    code = f"""
    import sys
    from pneumoscope.pacs import process
    sys.modules["failing"] = type(sys)("failing")
    def serve(config, stop):
        raise KeyError("SECRET-4711")
    sys.modules["failing"].serve = serve
    process.ROLES = {{"receive": "failing"}}
    sys.argv[1:] = ["receive", {str(write_config(tmp_path))!r}]
    process.main()
    """
    ran = subprocess.run(python(code), capture_output=True, text=True)
    assert ran.returncode == 1
    assert "an unexpected KeyError in <string>:serve; please report this line" in ran.stderr
    assert "SECRET" not in ran.stderr


def test_the_receiving_process_beats_and_drains_on_sigterm(tmp_path):
    receiving = subprocess.Popen(process.command("receive", write_config(tmp_path)), stderr=subprocess.PIPE, text=True)
    for line in receiving.stderr:
        if "removed 0 unfinished files" in line:
            break
    receiving.send_signal(signal.SIGTERM)
    assert receiving.wait(120) == 0
    receiving.stderr.close()
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert [(beat.process, beat.stopped) for beat in ledger.heartbeats()] == [("receive", True)]
    assert modes(tmp_path / "spool") | modes(tmp_path / "spool" / "instances") == {0o700}
    assert modes(tmp_path, "ledger.sqlite*") == {0o600}


@pytest.mark.slow
def test_a_process_whose_parent_was_killed_stops(tmp_path):
    command = process.command("receive", write_config(tmp_path))
    parent = python(f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(60)")
    ran = subprocess.Popen(parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    child = int(ran.stdout.readline())
    ends = time.monotonic() + 180
    while not (tmp_path / "ledger.sqlite").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    ran.kill()
    ran.wait()
    ran.stdout.close()
    while _runs(child) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:  # noqa: PTH123 - it is no file
            return stream.read().split(")")[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
