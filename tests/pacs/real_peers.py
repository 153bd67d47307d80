"""Orthanc and DCMTK in a network of their own: Orthanc listens on all addresses, whatever its settings say."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx2

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
STORESCP = shutil.which("storescp")
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
DICOM_PORT, HTTP_PORT, STORESCP_PORT, NODE_PORT = 4242, 8042, 11113, 11112
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def in_own_network(body):
    """Run a function in a thread, and the processes that it starts, with a network that only they see (root)."""
    raised = []

    def run():
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            body()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


class Orthanc:
    """A running Orthanc with its DICOMweb plugin."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        node = {"node": ["PNEUMOSCOPE", "127.0.0.1", NODE_PORT]}
        options = {
            "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": HTTP_PORT, "DicomPort": DICOM_PORT,
            "DicomAet": "ORTHANC", "AuthenticationEnabled": False, "RemoteAccessAllowed": True, "Plugins": [PLUGIN],
            "DicomModalities": node, "StableAge": 1, "ConcurrentJobs": 2,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(options), encoding="utf-8")
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen([ORTHANC, self.folder / "orthanc.json"], **_QUIET)
        ends = time.monotonic() + 120
        while True:
            try:
                self.get("system")
                return
            except (httpx2.TransportError, httpx2.HTTPStatusError):
                assert time.monotonic() < ends, "Orthanc does not answer"
                time.sleep(0.05)

    def kill(self):
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def hang(self):
        """Let it accept connections and say nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """End the hanging."""
        self.process.send_signal(signal.SIGCONT)

    def get(self, path):
        """Ask its own API."""
        return httpx2.get(f"http://127.0.0.1:{HTTP_PORT}/{path}", timeout=20).raise_for_status().json()

    def forward(self, content, modality):
        """Store an image, and have it sent on by C-STORE."""
        url = f"http://127.0.0.1:{HTTP_PORT}"
        stored = httpx2.post(f"{url}/instances", content=content, timeout=20).raise_for_status().json()
        httpx2.post(f"{url}/modalities/{modality}/store", content=stored["ID"], timeout=60).raise_for_status()

    def stored(self):
        """Bytes of each stored instance, without file meta information, by SOP Instance UID."""
        instances = self.get("instances?expand")
        return {one["MainDicomTags"]["SOPInstanceUID"]: self._file(one["ID"]) for one in instances}

    def _file(self, id):
        return httpx2.get(f"http://127.0.0.1:{HTTP_PORT}/instances/{id}/file", timeout=20).content

    def arrivals(self):
        """How often an instance was new to it."""
        return sum(one["ChangeType"] == "NewInstance" for one in self.get("changes?limit=10000")["Changes"])


class Storescp:
    """A running storescp of DCMTK, which keeps each arrival in a file of its own."""

    def __init__(self, folder: Path, *options: str):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        command = [STORESCP, "-od", folder, "+uf", *options, str(STORESCP_PORT)]
        self.process = subprocess.Popen(command, env=os.environ | {"TCP_NODELAY": "1"}, **_QUIET)
        wait_for_port(STORESCP_PORT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def files(self):
        """What has arrived."""
        return sorted(self.folder.iterdir())


def wait_for_port(port):
    """Wait until something listens."""
    ends = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < ends, "nothing listens"
            time.sleep(0.02)
