"""Run ``pneumoscope archive read`` on Ray nodes, and compare what it wrote with what one machine writes."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.archive.ray_archives import POISON, Archive, digests, rows
from tests.archive.ray_nodes import Nodes

PROGRAM = [sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()"]
PATIENCE_SECONDS = 600
POISONED = str(Path(__file__).parent / "poison")
"""Folder for PYTHONPATH, with which one file ends its reader."""


def command(archive: Archive, out: Path, *more: str) -> list[str]:
    program = [*PROGRAM, "archive", "read", str(archive.manifest), "-o", str(out)]
    return [*program, "--model", str(archive.bundle), "--engine", "ray", "--ray-address", "auto", *more]


def start(nodes: Nodes, archive: Archive, out: Path, *more: str) -> subprocess.Popen:
    return nodes.run(command(archive, out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], object], process: subprocess.Popen) -> None:
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
