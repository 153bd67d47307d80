"""``pneumoscope serve`` with DICOMweb, as a program: films by URL, and the examples of its page."""

import io
import json
import os
import re
import subprocess
import urllib.error
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from pneumoscope.radiograph import read
from pneumoscope.web.dicomweb.credentials import PASSWORD, TOKEN, USER
from tests.cli.run import run
from tests.radiograph.builders import cr, png, written
from tests.web.dicomweb_fakes import item, one_part, search_answer, serving
from tests.web.test_serve import Served

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dicomweb.md").read_text(encoding="utf-8")
STORED = np.arange(35 * 40).reshape(35, 40) % 4096
FILM = written(cr(STORED, PatientID="SECRET-4711", StudyInstanceUID="1.7.7.7", WindowCenter=700, WindowWidth=1400))


def pacs(request):
    """A DICOMweb server with one film."""
    if request.path.startswith("/dicom-web/studies/"):
        return one_part(FILM)
    named = {"00100020": "SECRET-4711"}
    first = request.query["offset"] == "0" and request.query["Modality"] == "CR"
    return search_answer([item("1.7.7.9", "CR", study="1.7.7.7", **named)] if first else [])


@pytest.fixture
def started(tmp_path, glass):
    """Start servers with the small model, and end them."""
    made = []

    def start(*arguments, **environment):
        there = dict.fromkeys((TOKEN, USER, PASSWORD), "") | {"NETRC": "/nowhere", "NO_PROXY": "*"} | environment
        made.append(Served(*arguments, "--model", glass, folder=tmp_path, **there))
        return made[-1]

    yield start
    for server in made:
        if server.process.poll() is None:
            server.stop()


def test_the_films_of_a_url_are_listed_retrieved_and_shown_without_a_word_on_the_patient(started):
    with serving(pacs) as (origin, requests):
        server = started(f"{origin}/dicom-web?PatientID=SECRET-4711", **{TOKEN: "key-of-the-pacs"})
        assert server.said.startswith("1 film: ")
        assert {request.headers["authorization"] for request in requests} == {"Bearer key-of-the-pacs"}
        assert not [request for request in requests if "/studies" in request.path]
        (film,) = server.get("/api/v1/films")["items"]
        details = server.get(f"/api/v1/films/{film['id']}")
        assert (details["rows"], details["cols"]) == (35, 40)
        assert requests[-1].path.startswith("/dicom-web/studies/1.7.7.7/")
        code, err, out = server.stop()
    assert code == 0
    assert f"1 film at {origin}\n" in err
    told = server.said + out + "".join(line for line in err.splitlines(keepends=True) if not line.startswith("OUTSIDE"))
    assert not [word for word in ("SECRET", "1.7.7.", "key-of-the-pacs") if word in told + json.dumps([film, details])]


def test_the_examples_of_the_page_run(started, tmp_path):
    (example,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "film.png").write_bytes(png(STORED // 16))
    server = started("film.png")
    environment = os.environ | {"URL": server.url, "TOKEN": server.token}
    ran = subprocess.run(["bash", "-euc", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    made = pydicom.dcmread(tmp_path / "film.dcm")
    np.testing.assert_array_equal(made.pixel_array, STORED // 16)
    assert (tmp_path / "frame.raw").read_bytes() == (STORED // 16).astype(np.uint8).tobytes()
    assert Image.open(io.BytesIO((tmp_path / "film.jpeg").read_bytes())).size == (40, 35)
    assert json.loads((tmp_path / "metadata.json").read_text())[0]["00080060"]["Value"] == ["OT"]
    np.testing.assert_array_equal(read(tmp_path / "film.dcm").pixels, read(tmp_path / "film.png").pixels)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://alice:s3cret@pacs.example/dicom-web", "put them into ~/.netrc"),
        ("https://pacs.example/dicom-web?Name=s3cret", "no DICOM attribute"),
        ("http://127.0.0.1:1/dicom-web?PatientID=s3cret", "could not be reached"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence(url, sentence, glass, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    ran = run("serve", url, "--no-browser", "--model", str(glass))
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert "s3cret" not in ran.err
    assert len(ran.err.splitlines()) <= 3


@pytest.mark.parametrize(
    "origin", ["*", "null", "http://127.0.0.1:3000/", "127.0.0.1:3000", "HTTP://host", "http://host:80", "http://h/a"]
)
def test_what_is_no_origin_is_not_let_in(origin, glass):
    ran = run("serve", "--allow-origin", origin, "--no-browser", "--model", str(glass))
    assert (ran.code, ran.out) == (2, "")
    assert "is not of the form scheme://host[:port]" in ran.err


def test_a_film_that_its_server_does_not_give_now_is_given_later(started):
    there = []

    def answer(request):
        return (503, {}, b"") if request.path.startswith("/dicom-web/studies/") and not there else pacs(request)

    with serving(answer) as (origin, _):
        server = started(f"{origin}/dicom-web")
        (film,) = server.get("/api/v1/films")["items"]
        with pytest.raises(urllib.error.HTTPError) as error:
            server.get(f"/api/v1/films/{film['id']}")
        with error.value as refused:
            assert (refused.code, json.load(refused)["error"]["kind"]) == (502, "unavailable")
        assert server.get("/dicomweb/instances") == []
        there.append(True)
        assert server.get(f"/api/v1/films/{film['id']}")["rows"] == 35
        assert len(server.get("/dicomweb/instances")) == 1
