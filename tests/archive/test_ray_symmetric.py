"""The line that the example for Slurm runs on every node, on two nodes with namespaces of their own (root, iproute2, unshare)."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.ray_archives import make_archive
from tests.archive.ray_nodes import can_join_hosts, ip
from tests.archive.ray_runs import PATIENCE_SECONDS, require_equal

pytestmark = pytest.mark.nightly

BATCH = Path(__file__).resolve().parents[2] / "examples" / "scale" / "archive.sbatch"
HEAD, OTHER = "10.84.8.1", "10.84.8.2"


@pytest.fixture
def nodes() -> Iterator[list[str]]:
    """Names of two network namespaces that are joined."""
    if not can_join_hosts() or not shutil.which("unshare"):
        pytest.skip("namespaces need root, iproute2 and unshare")
    names = [f"ps{os.getpid()}n{number}" for number in range(2)]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, own, other in ((names[0], HEAD, OTHER), (names[1], OTHER, HEAD)):
            ip("-n", name, "address", "add", f"{own}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", other)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def line_of_every_node() -> str:
    """What srun runs, with a small object store and another model."""
    text = BATCH.read_text(encoding="utf-8")
    line = text[text.index("  ray symmetric-run") :].replace("\\\n", " ").strip()
    assert "--num-gpus=0" in line
    return line.replace("--num-gpus=0", "--num-gpus=0 --object-store-memory=80000000") + ' --model "$model"'


def start(node: str, script: str, environment: dict[str, str]) -> subprocess.Popen:
    """Start a script that sees processes and temporary files of Ray of its own node alone, as Ray takes for granted."""
    own = f"mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray && {script}"
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "bash", "-c", own]
    return subprocess.Popen(
        ["ip", "netns", "exec", node, *apart], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_the_line_of_the_slurm_example_reads_an_archive_on_two_nodes(nodes, glass, tmp_path):
    archive, out = make_archive(tmp_path / "in", glass, 48), tmp_path / "out"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
        "RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT": str(PATIENCE_SECONDS), "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "1",
        "head": HEAD, "manifest": str(archive.manifest), "results": str(out), "model": str(archive.bundle),
    }  # fmt: skip
    started = [start(node, line_of_every_node(), environment) for node in nodes]
    try:
        said = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], said
    assert "48 radiographs read, 0 not read" in said[0]
    assert "On worker node" in said[1]
    require_equal(archive, out)
