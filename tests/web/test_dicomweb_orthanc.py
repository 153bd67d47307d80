"""Films from Orthanc, a DICOMweb server of other people (Debian packages orthanc and orthanc-dicomweb)."""

import json
import os
import shutil
import subprocess
import time

import httpx2
import numpy as np
import pytest

from pneumoscope.radiograph import read
from pneumoscope.web.dicomweb import address
from pneumoscope.web.dicomweb.credentials import PASSWORD, USER
from pneumoscope.web.dicomweb.errors import RefusedAnswerError
from pneumoscope.web.dicomweb.origin_server import OriginServer
from tests.free_port import free_port
from tests.own_network import own_network
from tests.radiograph.builders import cr, written

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
# CI sets this and installs Orthanc: there the tests fail without it.
IN_CI = bool(os.environ.get("PNEUMOSCOPE_FORBID_SKIPS"))
pytestmark = pytest.mark.skipif(
    ORTHANC is None and not IN_CI, reason="Orthanc is not installed (Debian: orthanc, orthanc-dicomweb)"
)
RNG = np.random.default_rng(4)


def film(number, modality="CR"):
    stored = RNG.integers(0, 2**12, (24, 20 + number))
    return written(
        cr(
            stored,
            Modality=modality,
            StudyInstanceUID=f"1.2.3.{number // 4}",
            SeriesInstanceUID=f"1.2.3.{number // 4}.{number // 2}",
            SOPInstanceUID=f"1.2.3.{number // 4}.{number // 2}.{number}",
            StudyDate=f"2024010{1 + number // 4}",
        )
    )


def start(folder):
    """A running Orthanc and its origin; another program may take the free port first, so several are tried."""
    for _ in range(5):
        port = free_port()
        options = {
            "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": port, "DicomServerEnabled": False,
            "AuthenticationEnabled": True, "RegisteredUsers": {"alice": "wonder"}, "Plugins": [PLUGIN],
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(options))
        process = subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/system", auth=("alice", "wonder")).raise_for_status()
            except httpx2.TransportError:
                time.sleep(0.02)
            else:
                return process, f"http://127.0.0.1:{port}"
    raise RuntimeError("Orthanc does not start")


@pytest.fixture(scope="module")
def files():
    return [film(number) for number in range(10)] + [film(10, "DX"), film(11, "CT")]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, files):
    with own_network():
        process, origin = start(tmp_path_factory.mktemp("orthanc"))
        with httpx2.Client(base_url=origin, auth=("alice", "wonder")) as client:
            for content in files:
                client.post("/instances", content=content).raise_for_status()
        yield f"{origin}/dicom-web"
        process.kill()  # its database is discarded, so it need not close it
        process.wait()


@pytest.fixture
def alice(monkeypatch):
    monkeypatch.setenv(USER, "alice")
    monkeypatch.setenv(PASSWORD, "wonder")


def listed(url):
    with OriginServer(address.parse(url)) as server:
        return list(server.films())


@pytest.mark.usefixtures("alice")
def test_films_are_those_that_were_stored_and_no_ct(orthanc, files):
    with OriginServer(address.parse(orthanc)) as server:
        loaded = {remote.load() for remote in server.films()}
    assert len(loaded) == 11
    ours = sorted((read(content).pixels for content in files[:11]), key=lambda pixels: pixels.shape)
    theirs = sorted((read(content).pixels for content in loaded), key=lambda pixels: pixels.shape)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("query", "count"), [("Modality=DX", 1), ("StudyDate=20240101", 4), ("limit=3", 3), ("StudyInstanceUID=1.2.3.1", 4)]
)
def test_the_query_chooses(orthanc, query, count):
    assert len(listed(f"{orthanc}?{query}")) == count


@pytest.mark.usefixtures("alice")
def test_pages_are_put_together(orthanc, monkeypatch):
    monkeypatch.setattr("pneumoscope.web.dicomweb.origin_server.PAGE", 3)
    assert len({film.uids for film in listed(orthanc)}) == 11


@pytest.mark.usefixtures("alice")
def test_a_film_that_was_deleted_since_is_one_sentence(orthanc):
    with OriginServer(address.parse(orthanc)) as server, pytest.raises(RefusedAnswerError, match="404: it has no such") as error:
        server.retrieve(("1.2.3", "1.2.3.4", "1.2.3.4.5"))
    assert "1.2.3" not in str(error.value)


def test_without_credentials_nothing_is_listed(orthanc, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(RefusedAnswerError, match="status 401: it asks for credentials"):
        listed(orthanc)
