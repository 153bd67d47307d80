"""Several processes train as one: gradients, running statistics and what is drawn by chance, on one host and on two."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pneumoscope.cohort import table
from pneumoscope.training import TrainingError
from pneumoscope.training.process_group import ALONE, Group

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
PROGRAM = [sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()"]

STEPS = """
import sys
import torch
from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.training import TrainingError
from pneumoscope.training.process_group import Spread, joined


def refused(ask):
    try:
        ask()
    except TrainingError as error:
        return str(error)


def fails():
    raise TrainingError(f"said by {group.rank}")


# In double precision what is left of a difference is the order of additions.
with joined() as group:
    assert (group.size, group.rank) == (2, torch.distributed.get_rank())
    assert group.from_leader(lambda: group.rank) == 0
    assert refused(lambda: group.from_leader(fails)) == "said by 0"
    group.agree("the same", "word")
    assert "do not have the same rank" in refused(lambda: group.agree(group.rank, "rank"))
    for name, head in (pair.split("/") for pair in sys.argv[1:]):
        found = []
        for spread_over_two in (False, True):
            torch.manual_seed(1)
            network = build(BACKBONES[name], head, 2, 64).double().train()
            squares, weight = torch.rand(6, 2, 64, 64).double(), torch.rand(6).double()
            spread = Spread(network, group) if spread_over_two else Spread(network)
            grey = squares[:, :1] if head == "evidence" else squares
            out = spread(grey)
            value = (out.flatten(1).mean(1) * weight).sum() ** 2  # no mean of processes' losses
            value.backward()
            state = {k: v.grad for k, v in network.named_parameters()}
            assert all(g is not None for g in state.values()), [k for k, g in state.items() if g is None]
            state |= {k: v for k, v in network.named_buffers() if "running" in k}
            found.append({"output": out.detach(), **state})
        one, two = found
        worst = max(((one[k] - two[k]).abs().max() / one[k].abs().max().clamp(min=1e-6)).item() for k in one)
        if group.leads:
            print(f"{name}/{head} {worst:.1e}", flush=True)
"""


def test_rows_are_shared_equally_or_not_at_all():
    assert [Group(rank, 3).rows(12) for rank in range(3)] == [slice(0, 4), slice(4, 8), slice(8, 12)]
    assert ALONE.rows(7) == slice(0, 7)
    with pytest.raises(
        TrainingError, match=r"32 images of a step \(painted ones included\) cannot be shared equally among 3 processes"
    ):
        Group(0, 3).rows(32)


def test_alone_nothing_is_waited_for():
    ALONE.wait()
    assert ALONE.from_leader(lambda: 5) == 5
    assert ALONE.leads


@pytest.mark.hosts
@pytest.mark.parametrize(
    "networks",
    [
        ("resnet18/mlp", "efficientnet_b0/evidence", "efficientnet_lite0/linear", "mobilenet_v3_large/evidence"),
        ("densenet121/linear", "mobilenet_v2/linear", "efficientnet_lite0/evidence", "vit_b_16/linear"),
    ],
)
def test_gradients_and_running_statistics_of_two_processes_are_those_of_one(networks, tmp_path):
    """Batch norms, dropout (of a value, of a channel, of a block) and a loss that is no mean over the batch."""
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    command = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", str(script), *networks]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    worst = dict(line.split() for line in done.stdout.splitlines())
    assert set(worst) == set(networks)
    assert all(float(value) < 1e-7 for value in worst.values()), worst


# The command


TRAIN = [
    "--backbone", "efficientnet_b0", "--init", "scratch", "--side-px", "32", "--batch", "8", "--rate", "1e-4",
    "--ema-share", "0.5", "--clip-norm", "1", "--mirror-probability", "0.5",
]  # fmt: skip


def curves(out: Path) -> list[dict[str, str]]:
    with (out / "curves.csv").open() as stream:
        return list(csv.DictReader(stream))


def train(cohort, cache, out, *more):
    return ["train", str(cohort), "-o", str(out), "--cache", str(cache), *TRAIN, *more]


def same(one: Path, other: Path, epochs: int) -> None:
    """Losses to four digits: Adam's first steps go by the sign of a gradient, which a rounding may turn where it is about 0."""
    first, second = curves(one), curves(other)
    assert len(first) == len(second) == epochs
    for a, b in zip(first, second, strict=True):
        assert float(b["loss"]) == pytest.approx(float(a["loss"]), rel=2e-3)
        assert float(b["tune_loss"]) == pytest.approx(float(a["tune_loss"]), rel=2e-2)
    assert json.loads((one / "card.json").read_text())["recipe"] == json.loads((other / "card.json").read_text())["recipe"]


@pytest.fixture(scope="module")
def split(cohort, tmp_path_factory):
    file = tmp_path_factory.mktemp("split") / "cohort.parquet"
    table.write(cohort, file)
    return file


@pytest.fixture(scope="module")
def alone(split, tmp_path_factory):
    """A run of four epochs by one process: its folder and the cache that it left."""
    folder = tmp_path_factory.mktemp("alone")
    command = [*PROGRAM, *train(split, folder / "cache", folder / "run", "--epochs", "4", "--patience", "0")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder / "run", folder / "cache"


@pytest.mark.hosts
def test_train_under_torchrun_is_the_same_run(split, alone, tmp_path):
    """Two processes on one host, from an empty cache; one of them writes and speaks."""
    options = train(split, tmp_path / "cache", tmp_path / "run", "--epochs", "4", "--patience", "0")
    command = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", "--no-python", *PROGRAM, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("epoch 4/4") == 1
    same(alone[0], tmp_path / "run", 4)
    assert not (tmp_path / "run" / "state").exists()


@pytest.mark.hosts
def test_a_batch_that_cannot_be_shared_ends_in_a_sentence(split, tmp_path):
    options = train(split, tmp_path / "cache", tmp_path / "run", "--batch", "7")
    command = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", "--no-python", *PROGRAM, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "7 images of a step (painted ones included) cannot be shared equally among 2 processes; change --batch" in done.stderr


# Two hosts


class Hosts:
    """Two network namespaces joined by a cable, each with a process of torchrun."""

    names = (f"pn{os.getpid()}a", f"pn{os.getpid()}b")
    addresses = ("10.83.7.1", "10.83.7.2")

    def __enter__(self):
        ip("link", "add", f"{self.names[0]}v", "type", "veth", "peer", "name", f"{self.names[1]}v")
        for name, address in zip(self.names, self.addresses, strict=True):
            ip("netns", "add", name)
            ip("link", "set", f"{name}v", "netns", name)
            ip("-n", name, "address", "add", f"{address}/24", "dev", f"{name}v")
            ip("-n", name, "link", "set", f"{name}v", "up")
            ip("-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def start(self, host: int, options: list[str], log: Path) -> subprocess.Popen:
        """torchrun on a host; both meet at the first one's address."""
        name, address = self.names[host], self.addresses[host]
        command = ["ip", "netns", "exec", name, *TORCHRUN, "--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "20"]
        command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{self.addresses[0]}:29400", "--rdzv-id", "one"]
        command += ["--rdzv-conf", f"is_host={int(host == 0)}", "--local-addr", address, "--no-python", *PROGRAM, *options]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": f"{name}v", "OMP_NUM_THREADS": "1"}
        with log.open("w") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def workers(parent: int) -> list[int]:
    """Processes that torchrun with this number began."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(text) for text in found.stdout.split()]


@pytest.fixture(scope="module")
def can_join_hosts():
    made = subprocess.run(["ip", "netns", "add", "pneumoscope-try"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", "pneumoscope-try"], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("network namespaces need root and iproute2")


@pytest.mark.hosts
def test_two_hosts_one_of_which_dies_end_in_the_same_run(can_join_hosts, split, alone, tmp_path):
    """The second host's process is killed after an epoch; torchrun begins anew and the run goes on from its last epoch."""
    out = tmp_path / "run"
    options = train(split, tmp_path / "cache", out, "--epochs", "4", "--patience", "0")
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with Hosts() as hosts:
        running = [hosts.start(k, options, logs[k]) for k in (0, 1)]
        try:
            wait_for(out / "curves.csv", running[0])
            (victim,) = workers(running[1].pid)
            os.kill(victim, signal.SIGKILL)
            codes = [process.wait(timeout=240) for process in running]
        finally:
            for process in running:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
    told = logs[0].read_text()
    assert codes == [0, 0], told[-3000:] + logs[1].read_text()[-3000:]
    assert "epoch 1/4" in told
    assert told.count("epoch 1/4") == 1, "an epoch that was finished was made again"
    assert told.count("epoch 4/4") == 1
    same(alone[0], out, 4)


def wait_for(file: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
