"""Runs on two Ray nodes and more, each in a network namespace, that lose nodes and workers (root and iproute2)."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pneumoscope.archive import shards
from tests.archive.ray_archives import POISON, Archive, digests, make_archive, rows
from tests.archive.ray_nodes import Nodes, can_join_hosts

pytestmark = pytest.mark.hosts
PROGRAM = [sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()"]
PATIENCE_SECONDS = 240
POISONED = str(Path(__file__).parent / "poison")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A head and two more nodes. Every test leaves all three running."""
    if not can_join_hosts():
        pytest.skip("network namespaces need root and iproute2")
    # Sockets of Ray lie below the folder, and their names have at most 107 characters.
    with Nodes(tmp_path_factory.mktemp("r"), 2, path=(POISONED,)) as started:
        yield started


@pytest.fixture(scope="module")
def archive(tmp_path_factory, glass):
    return make_archive(tmp_path_factory.mktemp("archive") / "in", glass, 240, edge_px=900, poison=True)


def command(archive: Archive, out: Path, *more: str) -> list[str]:
    program = [*PROGRAM, "archive", "read", str(archive.manifest), "-o", str(out)]
    return [*program, "--model", str(archive.bundle), "--engine", "ray", "--ray-address", "auto", *more]


def start(nodes: Nodes, archive: Archive, out: Path, *more: str) -> subprocess.Popen:
    return nodes.run(command(archive, out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    return process.returncode, out, err


def require_equal(archive: Archive, out: Path) -> None:
    """Each radiograph has one row; all are what one machine wrote, to the bit, and the poisoned file alone is quarantined."""
    read, alone = rows(out), rows(archive.alone)
    assert [row["path"] for row in read] == sorted(archive.names)
    errors = {row["path"]: row["error_kind"] for row in read if row["error_kind"]}
    poisoned = [name for name in archive.names if name == POISON]
    assert errors == dict.fromkeys(poisoned, "QuarantinedError")
    assert [row for row in read if row["path"] != POISON] == [row for row in alone if row["path"] != POISON]
    results, expected = digests(out), digests(archive.alone)
    assert results.keys() == expected.keys()
    assert sum(results[name] != expected[name] for name in results) == len(poisoned)


def readers(nodes: Nodes, node: int) -> list[int]:
    """Processes of the actors that hold a reader."""
    named = [(pid, Path(f"/proc/{pid}/cmdline")) for pid in nodes.processes(node)]
    with contextlib.suppress(FileNotFoundError):
        return [pid for pid, file in named if file.read_bytes().startswith(b"ray::MapWorker")]
    return []


def test_a_node_and_a_worker_are_killed_and_a_file_ends_its_reader(nodes, archive, tmp_path):
    out = tmp_path / "out"
    process = start(nodes, archive, out)
    try:
        wait_for(lambda: len(digests(out)) > 1 and readers(nodes, 1), process)
        os.kill(random.choice(readers(nodes, 1)), signal.SIGKILL)
        wait_for(lambda: len(digests(out)) > 4, process)
        nodes.kill(2)
        assert shards.READINGS in os.listdir(out)
        code, said, noted = end(process)
    finally:
        nodes.kill(2)
        nodes.start(2)
    assert code == 1, (said, noted)
    assert "1 not read" in said
    assert "not read: 1 QuarantinedError" in noted
    assert "a Ray node was lost" in noted
    assert "Traceback" not in noted + said
    require_equal(archive, out)
