"""Long proofs of runs on Ray nodes in network namespaces (root and iproute2): twenty lost nodes, a lost head, a full store."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pneumoscope
from pneumoscope.reader import DEFAULT_BUNDLE
from tests.archive.ray_archives import Archive, digests, make_archive, rows
from tests.archive.ray_nodes import Nodes, can_join_hosts
from tests.archive.ray_runs import POISONED, PROGRAM, end, readers, require_equal, start, wait_for
from tests.cli.run import run

pytestmark = pytest.mark.nightly


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
    return make_archive(tmp_path_factory.mktemp("archive") / "in", glass, 160, edge_px=900)


def test_twenty_nodes_are_killed_at_random_times(nodes, tmp_path, glass):
    """Runs follow one another until twenty nodes were lost in the middle of one."""
    archive = make_archive(tmp_path / "in", glass, 600, edge_px=900)
    lost, runs = 0, 0
    while lost < 20:
        out, runs = tmp_path / f"out{runs}", runs + 1
        process = start(nodes, archive, out)
        wait_for(lambda: digests(out), process)  # noqa: B023 - called at once
        while lost < 20 and process.poll() is None:
            time.sleep(random.uniform(0, 8))
            node = random.choice([1, 2])
            lost += process.poll() is None
            nodes.kill(node)
            time.sleep(random.uniform(0, 5))
            nodes.start(node)
        code, said, noted = end(process)
        assert code == 0, (said, noted)
        require_equal(archive, out)
        print(f"run {runs}: {lost} nodes lost so far")


def test_an_interrupted_run_keeps_what_it_committed_and_goes_on(nodes, archive, tmp_path):
    out = tmp_path / "out"
    process = start(nodes, archive, out)
    wait_for(lambda: digests(out), process)
    process.send_signal(signal.SIGINT)
    code, _, noted = end(process)
    assert code == 130
    assert noted.splitlines()[-1].startswith("interrupted; run the same command again")
    before = digests(out)
    assert 0 < len(before) < len(digests(archive.alone))
    code, _, noted = end(start(nodes, archive, out))
    assert f"{len(before)} of " in noted
    require_equal(archive, out)


def test_the_head_is_lost_with_the_command_and_the_same_command_goes_on(tmp_path, tmp_path_factory, glass):
    archive = make_archive(tmp_path / "in", glass, 160, edge_px=900)
    out = tmp_path / "out"
    if not can_join_hosts():
        pytest.skip("network namespaces need root and iproute2")
    with Nodes(tmp_path_factory.mktemp("r"), 1) as first:
        process = start(first, archive, out)
        wait_for(lambda: len(digests(out)) > 2, process)
        first.kill(0)  # with the command, which runs there
        process.communicate()
        before = digests(out)
    assert 0 < len(before) < len(digests(archive.alone))
    with Nodes(tmp_path_factory.mktemp("r"), 1) as second:
        code, said, noted = end(start(second, archive, out))
    assert code == 0, (said, noted)
    assert f"{len(before)} of " in noted
    assert before.items() <= digests(out).items()
    require_equal(archive, out)


def test_a_slow_reader_and_a_full_object_store_change_nothing(nodes, archive, tmp_path):
    """A reader stands still for a while; another program fills the object stores of all nodes."""
    filled = nodes.run([sys.executable, "-c", FILL], stdout=subprocess.PIPE, text=True)
    try:
        assert filled.stdout.readline() == "full\n"
        out = tmp_path / "out"
        process = start(nodes, archive, out)
        wait_for(lambda: digests(out) and readers(nodes, 1), process)
        slow = readers(nodes, 1)[0]
        os.kill(slow, signal.SIGSTOP)
        time.sleep(10)
        with contextlib.suppress(ProcessLookupError):
            os.kill(slow, signal.SIGCONT)
        end(process)
        require_equal(archive, out)
    finally:
        filled.kill()
        filled.communicate()


FILL = """
import ray, numpy, sys, time
ray.init("auto", log_to_driver=False)

@ray.remote(num_cpus=0, scheduling_strategy="SPREAD")
class Full:
    def __init__(self):
        # More than the store holds; Ray puts the rest on the disk.
        self.kept = [ray.put(numpy.zeros(20_000_000, numpy.uint8)) for _ in range(6)]

    def ready(self):
        return len(self.kept)

actors = [Full.remote() for _ in range(3)]
assert ray.get([actor.ready.remote() for actor in actors]) == [6, 6, 6]
print("full", flush=True)
time.sleep(600)
"""


def test_the_default_model_reads_the_shipped_radiographs_as_one_machine_does(nodes, tmp_path):
    source, manifest = Path(pneumoscope.__file__).parent / "cohort/sample_files", tmp_path / "manifest.parquet"
    built = run("archive", "manifest", source, "-o", manifest, "--rows-a-shard", 2)
    assert built.code == 0, built.err
    archive = Archive(manifest, DEFAULT_BUNDLE, tmp_path / "alone", ())
    alone = run("archive", "read", manifest, "-o", archive.alone)
    code, said, noted = end(start(nodes, archive, tmp_path / "out"))
    assert (alone.code, code) == (0, 0), (alone.err, said, noted)
    assert len(rows(tmp_path / "out")) == 16
    assert digests(tmp_path / "out") == digests(archive.alone)


STORE = """
import pathlib, sys, time
import boto3
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="10.84.7.1", port=5000, verbose=False)
server.start()
client = boto3.client("s3")
client.create_bucket(Bucket="hospital")
folder = pathlib.Path(sys.argv[1])
for file in folder.rglob("*.jp*g"):
    client.put_object(Bucket="hospital", Key=f"images/{file.relative_to(folder).as_posix()}", Body=file.read_bytes())
print("filled", flush=True)
for line in sys.stdin:
    listed = client.list_objects_v2(Bucket="hospital", Prefix=line.strip()).get("Contents", [])
    print(*sorted(one["Key"].rpartition("/")[2] + ":" + one["ETag"] for one in listed), flush=True)
"""


def test_nodes_read_from_an_object_store_and_write_to_it(nodes):
    """The source, the manifest and the results lie in a server of S3; one machine writes the same objects."""
    folder = Path(pneumoscope.__file__).parent / "cohort/sample_files"
    store = nodes.run([sys.executable, "-c", STORE, str(folder)], stdin=-1, stdout=-1, text=True)

    def results(place: str) -> list[str]:
        store.stdin.write(f"{place}/readings/\n")
        store.stdin.flush()
        return store.stdout.readline().split()

    try:
        assert store.stdout.readline() == "filled\n"
        ray = [*PROGRAM, "read", "s3://hospital/images", "-o", "s3://hospital/ray", "--engine", "ray", "--ray-address", "auto"]
        code, said, noted = end(nodes.run(ray, stdout=-1, stderr=-1, text=True))
        assert code == 0, (said, noted)
        assert said.splitlines()[-1].startswith("16 radiographs read, 0 not read: s3://hospital/ray")
        alone = [*PROGRAM, "archive", "read", "s3://hospital/ray/manifest.parquet", "-o", "s3://hospital/alone"]
        code, said, noted = end(nodes.run(alone, stdout=-1, stderr=-1, text=True))
        assert code == 0, (said, noted)
        assert results("ray") == results("alone") != []
    finally:
        store.kill()
        store.communicate()
