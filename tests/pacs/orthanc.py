"""Orthanc, a PACS of other people (Debian packages orthanc and orthanc-dicomweb)."""

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import pytest

from pneumoscope.pacs.peers import Poll
from tests.free_port import free_port
from tests.radiograph.builders import written
from tests.web.test_dicomweb_orthanc import IN_CI, ORTHANC, PLUGIN

needs_orthanc = pytest.mark.skipif(
    ORTHANC is None and not IN_CI, reason="Orthanc is not installed (Debian: orthanc, orthanc-dicomweb)"
)


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    client: httpx2.Client
    origin: str

    def poll(self, **changes):
        return Poll("orthanc", f"{self.origin}/dicom-web", **changes)

    def keep(self, *datasets):
        """Put instances into it; give their names there."""
        return [self.client.post("/instances", content=written(one)).raise_for_status().json()["ID"] for one in datasets]

    def send(self, node, *names):
        """Let it send instances to a node; whether it says that all were taken."""
        where = {"AET": "PNEUMOSCOPE", "Host": "127.0.0.1", "Port": node.port}
        self.client.put("/modalities/node", json=where).raise_for_status()
        return self.client.post("/modalities/node/store", json=list(names), timeout=60).status_code == 200


@contextmanager
def running(folder):
    """Run an Orthanc; another program may take the free port first, so several are tried."""
    for _ in range(5):
        port = free_port()
        options = {
            "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": port, "DicomServerEnabled": False,
            "DicomAet": "STORESCU", "Plugins": [PLUGIN], "AuthenticationEnabled": False,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(options))
        process = subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                try:
                    httpx2.get(f"http://127.0.0.1:{port}/system").raise_for_status()
                except httpx2.TransportError:
                    time.sleep(0.02)
                    continue
                with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
                    yield Orthanc(client, f"http://127.0.0.1:{port}")
                return
        finally:
            process.kill()
            process.wait()
    raise RuntimeError("Orthanc does not start")
