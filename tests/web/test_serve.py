"""``pneumoscope serve`` as a program: its address, its limits on who connects, its end, and the examples of its page."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.reader import Reader
from pneumoscope.web import server
from pneumoscope.web.guard import TOKEN_HEADER
from tests.cli.run import run
from tests.web.workspaces import QUADRANT

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
# A program that says so when it connects to anything, or asks for an address by name.
ENTRY = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        print("OUTSIDE", event, arguments, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from pneumoscope.cli.main import entry
entry()
"""


class Served:
    """A running server."""

    def __init__(self, *arguments, folder, **environment):
        command = [sys.executable, "-c", ENTRY, "serve", "--no-browser", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=os.environ | environment
        )
        self.said = self.process.stdout.readline() + self.process.stdout.readline()
        match = re.search(r"(http://\S+)/#token=(\S+)", self.said)
        assert match, self.said + self.stop()[1]
        self.url, self.token = match.groups()

    def stop(self, by=signal.SIGINT):
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, err, out

    def get(self, path, method="GET", body=None, **headers):
        asked = urllib.request.Request(self.url + path, body, {TOKEN_HEADER: self.token} | headers, method=method)
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def chest():
    """A shipped radiograph with pneumonia, and what the default model reads in it."""
    with sample() as cohort:
        file = cohort.file(cohort.cases[-1])
        yield file.read_bytes(), Reader.load().read(radiograph.read(file))


@pytest.fixture
def served(tmp_path):
    """Start servers, and end them."""
    running = []

    def start(*arguments, **environment):
        running.append(Served(*arguments, folder=tmp_path, **environment))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def test_the_examples_of_the_page_run_and_nothing_is_written_or_asked_of_others(served, tmp_path, chest):
    content, reading = chest
    home, temporary, work = tmp_path / "home", tmp_path / "temporary", tmp_path / "work"
    for folder in (home, temporary, work):
        folder.mkdir()
    running = served(HOME=str(home), TMPDIR=str(temporary), XDG_CACHE_HOME=str(home))
    (work / "chest.jpeg").write_bytes(content)
    (code,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    environment = os.environ | {"URL": running.url, "TOKEN": running.token}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"state":"done"' in done.stdout
    probability = f"{reading.score.probability:.6f}".rstrip("0")
    assert probability in done.stdout.splitlines()
    for name in ("map.png", "overlay.png"):
        assert (work / name).read_bytes().startswith(b"\x89PNG")
    assert (work / "readings.csv").read_text().splitlines()[1].startswith(f"Film 1,pneumonia,{probability},positive")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 10  # as the page says
    address = f"{running.url}/#token={running.token}"
    done = subprocess.run([sys.executable, "-c", code, address, "chest.jpeg"], cwd=work, capture_output=True, text=True)
    assert done.stdout.strip() == probability, done.stderr
    returncode, err, out = running.stop()
    assert (returncode, err) == (0, "")
    assert out.endswith("stopped; nothing was written\n")
    assert [file for folder in (home, temporary) for file in folder.rglob("*") if file.is_file()] == []


def test_files_are_listed_at_once_and_their_paths_stay_here(served, tmp_path, glass):
    folder = tmp_path / "Doe Jane"
    folder.mkdir()
    (folder / "SECRET.png").write_bytes(QUADRANT)
    (folder / "SECRET.txt").write_text("no radiograph")
    running = served(folder, "--model", glass)
    assert running.said.startswith("1 film: http://127.0.0.1:")
    listed = json.dumps(running.get("/api/v1/films"))
    assert '"Film 1"' in listed
    assert "SECRET" not in listed
    with pytest.raises(urllib.error.HTTPError, match="403"):
        running.get("/api/v1/films", Host="evil.example")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(running.url + "/api/v1/films", timeout=60)
    code, err, out = running.stop(signal.SIGTERM)
    assert (code, err) == (0, "  left out: 1 text\n")
    assert "SECRET" not in running.said + out


def test_a_stream_of_events_does_not_keep_the_server_from_its_end(served, glass):
    running = served("--model", glass)
    asked = urllib.request.Request(running.url + "/api/v1/events", headers={TOKEN_HEADER: running.token})
    with urllib.request.urlopen(asked, timeout=120) as stream:
        assert stream.readline().startswith(b"data: ")
        ended = []
        waiting = threading.Thread(target=lambda: ended.append(running.stop()))
        waiting.start()
        assert set(stream.read().splitlines()) <= {b"", b": still here"}
        waiting.join(120)
    assert ended[0][:2] == (0, "")


def test_uploads_and_readings_in_a_store_are_there_at_the_next_start(served, tmp_path, glass):
    store, file = tmp_path / "store", tmp_path / "named.png"
    file.write_bytes(QUADRANT)
    running = served(file, "--model", glass, "--store", store)
    model = running.get("/api/v1/models")["default"]
    upload = running.get("/api/v1/films", "POST", QUADRANT + b"more", **{"X-File-Name": "up.png"})
    job = running.get("/api/v1/jobs", "POST", b'{"films": "all"}')
    asked = urllib.request.Request(f"{running.url}/api/v1/jobs/{job['id']}/events", headers={TOKEN_HEADER: running.token})
    assert b'"done":2' in urllib.request.urlopen(asked, timeout=120).read()
    other = run("serve", "--no-browser", "--store", store, "--model", glass)
    assert (other.code, "another server uses" in other.err) == (2, True)
    code, _, out = running.stop()
    assert (code, out) == (0, f"stopped; uploads and readings are in {store}\n")
    assert running.said.endswith("\nCtrl-C ends the server. Research software, not a medical device.\n")
    again = served(file, "--model", glass, "--store", store, "--show-names")
    films = again.get("/api/v1/films")["items"]
    assert [(film["label"], film["state"]) for film in films] == [("up.png", "read"), ("named.png", "read")]
    assert films[0]["id"] == upload["id"]
    assert again.get(f"/api/v1/films/{upload['id']}/readings/{model}")["path"] == "up.png"
    again.get(f"/api/v1/films/{upload['id']}/readings/{model}/lungs")
    again.stop()
    assert not list(store.rglob("*.part"))


# Mistakes


def test_another_host_needs_a_second_word(glass):
    ran = run("serve", "--no-browser", "--host", "0.0.0.0", "--model", glass)
    assert (ran.code, "say --allow-network" in ran.err) == (2, True)


def test_a_port_in_use_is_one_sentence(glass):
    with server.Address().listen() as listening:
        port = listening.getsockname()[1]
        ran = run("serve", "--no-browser", "--port", port, "--model", glass)
    sentence = f"the server cannot listen on 127.0.0.1, port {port} (address already in use); choose another with --port"
    assert (ran.code, ran.err) == (2, f"pneumoscope: {sentence}\n")


def test_a_population_that_no_model_knows_is_refused(glass):
    ran = run("serve", "--no-browser", "--model", glass, "--population", "adult")
    assert (ran.code, "adult" in ran.err) == (2, True)


def test_a_server_that_is_reading_ends_as_cleanly(served, tmp_path, glass):
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.png").write_bytes(QUADRANT + bytes([number % 256]))
    running = served(folder, "--model", glass)
    running.get("/api/v1/jobs", "POST", b"{}")
    assert running.stop()[:2] == (0, "")


def test_regions_belong_to_a_cohort(glass, tmp_path):
    ran = run("serve", "--no-browser", "--model", glass, "--regions", tmp_path)
    assert (ran.code, "give it with --cohort" in ran.err) == (2, True)


def test_a_store_of_other_files_is_refused(glass, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    ran = run("serve", "--no-browser", "--model", glass, "--store", tmp_path)
    assert (ran.code, "holds other files" in ran.err) == (2, True)
