"""Ray nodes on this machine, each in a network namespace of its own, that can be killed as a machine dies."""

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PORT = 6390
_NUMBERS = itertools.count()
_START_SECONDS = 600
"""On a machine five times slower than ours, which starts a node in 10 s."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_worker_niceness": "0",
    # A server of S3, where a test starts one on the head.
    "AWS_ENDPOINT_URL": "http://10.84.7.1:5000",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    # A dead node is missed after about 3 s instead of 15 to 30 s.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def can_join_hosts() -> bool:
    """Whether network namespaces can be made: that needs root and iproute2."""
    name = f"pneumoscope-try-{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return made.returncode == 0


class Nodes:
    """A head node and workers, joined by a bridge in the head's namespace.

    A context manager; at its end every process of every node is gone.
    """

    def __init__(self, folder: Path, workers: int, *, store_bytes: int = 80_000_000, path: tuple[str, ...] = ()) -> None:
        self.folder, self.store_bytes = folder, store_bytes
        self._environment = {**os.environ, **_SETTINGS, "OMP_NUM_THREADS": "1"}
        self._environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        self._environment["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
        number = next(_NUMBERS)
        self.names = [f"pr{os.getpid()}c{number}n{k}" for k in range(workers + 1)]
        self.address = f"10.84.7.1:{PORT}"

    def __enter__(self):
        try:
            self._join()
            self.start(0)
            for node in range(1, len(self.names)):
                self.start(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(range(len(self.names))):
            with contextlib.suppress(OSError):
                self.kill(node)
            subprocess.run(["ip", "netns", "delete", self.names[node]], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _join(self) -> None:
        head = self.names[0]
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", head, "link", "add", "br0", "type", "bridge")
        ip("-n", head, "address", "add", "10.84.7.1/24", "dev", "br0")
        ip("-n", head, "link", "set", "br0", "up")
        for node, name in enumerate(self.names[1:], start=1):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"v{node}", "netns", head)
            ip("-n", head, "link", "set", f"v{node}", "master", "br0", "up")
            ip("-n", name, "address", "add", f"{self.ip_of(node)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    @staticmethod
    def ip_of(node: int) -> str:
        return f"10.84.7.{node + 1}"

    def start(self, node: int) -> None:
        """Start a node; returns when it has joined."""
        command = ["start", "--num-cpus", "1", "--num-gpus", "0", "--object-store-memory", str(self.store_bytes)]
        command += ["--node-ip-address", self.ip_of(node), "--disable-usage-stats"]
        if node == 0:
            command += ["--head", "--port", str(PORT), "--include-dashboard", "false", "--temp-dir", str(self.folder / "head")]
        else:
            command += ["--address", self.address, "--temp-dir", str(self.folder / f"n{node}")]
        done = subprocess.run(
            self._inside(node, [str(Path(sys.executable).with_name("ray")), *command]),
            capture_output=True, text=True, timeout=_START_SECONDS, env=self._environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def processes(self, node: int) -> list[int]:
        """Numbers of the processes in a node's namespace."""
        listed = subprocess.run(["ip", "netns", "pids", self.names[node]], capture_output=True, text=True, check=False)
        return [int(text) for text in listed.stdout.split()]

    def kill(self, node: int) -> None:
        """Kill every process of a node at once, as when its machine loses power."""
        end = time.monotonic() + 30
        while (pids := self.processes(node)) and time.monotonic() < end:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def run(self, arguments: list[str], **options) -> subprocess.Popen:
        """Start a program on the head node, which is where a driver runs."""
        return subprocess.Popen(self._inside(0, arguments), env=self._environment | {"RAY_ADDRESS": self.address}, **options)

    def _inside(self, node: int, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self.names[node], *command]
