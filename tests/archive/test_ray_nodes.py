"""Runs on a Ray head and two more nodes, each in a network namespace, that lose nodes and readers (root and iproute2)."""

import os
import random
import re
import signal

import pytest

from tests.archive.ray_archives import POISON, digests, make_archive
from tests.archive.ray_nodes import Nodes, can_join_hosts
from tests.archive.ray_runs import POISONED, command, end, readers, require_equal, start, wait_for

pytestmark = pytest.mark.hosts


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
    return make_archive(tmp_path_factory.mktemp("archive") / "in", glass, 96, edge_px=900, poison=True)


def test_a_node_and_a_worker_are_killed_and_a_file_ends_its_reader(nodes, archive, tmp_path):
    out = tmp_path / "out"
    process = start(nodes, archive, out)
    try:
        wait_for(lambda: len(digests(out)) > 1 and readers(nodes, 1), process)
        os.kill(random.choice(readers(nodes, 1)), signal.SIGKILL)
        wait_for(lambda: len(digests(out)) > 4, process)
        nodes.kill(2)
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


def test_a_worker_with_other_versions_ends_the_run_with_a_sentence(nodes, archive, tmp_path):
    program = "from pneumoscope.archive import ray_engine as e; own = e.versions(); e.versions = lambda: own | {'numpy': '1.0'}; "
    arguments = command(archive, tmp_path / "out")
    process = nodes.run([arguments[0], "-c", program + arguments[2], *arguments[3:]], stdout=-1, stderr=-1, text=True)
    code, said, noted = end(process)
    assert (code, said) == (2, "")
    assert re.search(r"a worker has numpy \d\S+ instead of 1\.0, and its results could differ", noted)
    assert "Traceback" not in noted


def test_names_and_identifiers_are_in_no_log_of_ray(nodes, archive, tmp_path):
    """The logs of every run of this module, with their errors."""
    logs = [file for file in nodes.folder.rglob("*") if file.is_file() and "logs" in file.parts]
    assert len(logs) > 20
    planted = [POISON.encode(), archive.names[0].encode(), str(archive.manifest).encode()]
    assert [file.name for file in logs if any(word in file.read_bytes() for word in planted)] == []
