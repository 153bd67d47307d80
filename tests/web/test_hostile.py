"""What strangers send: bodies too large, slow, many or damaged, and names that are HTML; no answer names a patient."""

import concurrent.futures
import contextlib
import json
import socket
import urllib.request

import numpy as np
import pytest
from pydicom.uid import CTImageStorage

from pneumoscope.limited_process import LimitedPool, Limits
from pneumoscope.reader import Reader
from pneumoscope.web.decoding import decode, decoding_pool
from pneumoscope.web.guard import TOKEN_HEADER
from pneumoscope.web.sources import FileSource
from pneumoscope.web.workspace import Options
from tests.radiograph.builders import PATIENT, chunk, cr, png_header, written
from tests.web import hostile_decoders
from tests.web.api_client import ApiClient, add
from tests.web.live import exchange, live
from tests.web.workspaces import QUADRANT, picture, wait, workspace

LIMIT = 20_000


@pytest.fixture(scope="module")
def reader(glass):
    return Reader.load(glass, threads=1)


@contextlib.contextmanager
def serving(reader, **options):
    made = workspace(reader, **options)
    try:
        yield ApiClient(made)
    finally:
        made.close()


def _head(made, length):
    """The head of an upload, as it goes over the wire."""
    token = f"{TOKEN_HEADER}: {made.options.token}"
    return f"POST /api/v1/films HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{token}\r\n\r\n".encode()


def kind_of(answer):
    return answer.status_code, answer.json()["error"]["kind"]


# Bodies


@pytest.mark.parametrize("content", [bytes(LIMIT + 1), lambda: iter([bytes(LIMIT), b"1"])], ids=["stated", "in parts"])
def test_a_body_above_the_limit_is_refused_and_not_kept(reader, content):
    with serving(reader, options=Options(max_body_bytes=LIMIT)) as client:
        answer = client.post("/api/v1/films", content=content() if callable(content) else content)
        assert kind_of(answer) == (413, "too_large_body")
        assert f"{LIMIT:,}" in answer.json()["error"]["message"]
        assert client.get("/api/v1/films").json()["n_films"] == 0
        add(client, bytes(LIMIT))


def test_an_empty_body_is_refused(reader):
    with serving(reader) as client:
        assert kind_of(client.post("/api/v1/films", content=b"")) == (400, "request")


def test_uploads_beyond_the_memory_are_refused_until_films_are_closed(reader):
    with serving(reader, uploaded_bytes=2500) as client:
        first, _ = add(client, bytes(1000)), add(client, bytes(1000))
        for _ in range(3):
            assert kind_of(client.post("/api/v1/films", content=bytes(1000))) == (507, "full")
        client.delete(f"/api/v1/films/{first['id']}")
        add(client, bytes(1000))
        assert kind_of(client.post("/api/v1/films", content=bytes(1000))) == (507, "full")


def test_a_body_that_stops_is_given_up_and_the_connection_closed(reader):
    made = workspace(reader, options=Options(idle_seconds=0.05))
    head = _head(made, 1000)
    with live(made) as port:
        answer = exchange(port, head, b"some")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in answer
    assert made.films.films() == []
    made.close()


def test_a_body_that_trickles_is_given_up_after_its_whole_time(reader):
    made = workspace(reader, options=Options(body_seconds=0.0))
    head = _head(made, 9)
    with live(made) as port:
        assert exchange(port, head).startswith(b"HTTP/1.1 408 ")
    made.close()


def test_a_body_that_is_too_large_is_cut_off(reader):
    made = workspace(reader, options=Options(max_body_bytes=LIMIT))
    head = _head(made, 99_999_999)
    with live(made) as port:
        assert exchange(port, head, b"1").startswith(b"HTTP/1.1 413 ")
    made.close()


def test_two_hundred_parallel_uploads_are_all_read(reader):
    with decoding_pool(Limits(120.0)) as pool:
        made = workspace(reader, decode=pool)
        headers = {TOKEN_HEADER: made.options.token, "X-File-Name": "a.png"}
        pixels = np.arange(80 * 160, dtype=np.uint8).reshape(80, 160)

        def upload(number):
            body = picture(pixels + np.uint8(number))
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/films", body, headers, method="POST")
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return json.load(answer)["id"]

        with live(made) as port, concurrent.futures.ThreadPoolExecutor(200) as threads:
            ids = list(threads.map(upload, range(200)))
            client = ApiClient(made)
            job = wait(client, client.post("/api/v1/jobs", json={}).json())
        assert len(set(ids)) == 200
        assert (job["done"], job["failed"]) == (200, 0)
        made.close()


def test_a_client_that_does_not_read_its_events_holds_up_no_job(reader):
    made = workspace(reader)
    ask = f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{TOKEN_HEADER}: {made.options.token}\r\n\r\n"
    client = ApiClient(made)
    with live(made) as port, contextlib.closing(_connected(port, ask.encode())):
        for _ in range(20):
            add(client, QUADRANT)
        assert wait(client, client.post("/api/v1/jobs", json={}).json())["done"] == 20
    made.close()


def _connected(port, content):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(content)
    return connection


def test_a_silent_stream_of_events_has_a_heartbeat(reader):
    made = workspace(reader, options=Options(heartbeat_seconds=0.0))
    ask = f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{TOKEN_HEADER}: {made.options.token}\r\n\r\n"
    with live(made) as port, contextlib.closing(_connected(port, ask.encode())) as connection:
        received = b""
        while b": still here\n\n" not in received:
            received += connection.recv(4096)
    assert b'data: {"revision":0,"n_films":0}\n\n' in received
    made.close()


# Files


def ct() -> bytes:
    dataset = cr(np.arange(64).reshape(8, 8))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality = "CT"
    return written(dataset)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (written(cr(np.arange(64).reshape(8, 8)))[:-40], "truncated to 88 of 128 bytes"),
        (ct(), "the DICOM Modality is CT, not one of CR, DX, RG"),
        (picture(np.zeros((8, 8), np.uint8)), "same grey level"),
        (b"hello", "neither DICOM nor PNG nor JPEG"),
        (png_header(12_000, 12_000) + chunk(b"IDAT", b"") + chunk(b"IEND", b""), "more than the 40,000,000 of any radiograph"),
        (QUADRANT[:60], "truncated or damaged"),
        (bytes(3), "neither DICOM nor PNG nor JPEG"),
    ],
    ids=["truncated", "ct", "black", "text", "bomb", "cut", "zeros"],
)
def test_what_is_no_radiograph_is_one_sentence_in_the_worklist(reader, content, sentence):
    with serving(reader) as client:
        film = add(client, content)
        answer = client.get(f"/api/v1/films/{film['id']}/thumbnail")
        assert kind_of(answer) == (422, "unusable_film")
        message = answer.json()["error"]["message"]
        (shown,) = client.get("/api/v1/films").json()["items"]
        assert (shown["state"], shown["error"]["message"]) == ("failed", message)
        assert sentence in message
        assert "Traceback" not in message
        assert message.count(". ") == 0


@pytest.mark.parametrize(
    ("decoder", "sentence"),
    [
        (hostile_decoders.loop, "decoding took longer than 0.5 s and was stopped"),
        (hostile_decoders.bomb, "decoding needed more memory than 0.2 GB"),
        (hostile_decoders.crash, "decoding failed: its process ended without an answer; the file is probably damaged"),
    ],
    ids=["loop", "bomb", "crash"],
)
def test_a_decoder_that_fails_costs_its_film_alone(reader, decoder, sentence):
    seconds = 0.5 if decoder is hostile_decoders.loop else 60.0
    with (
        LimitedPool(decoder, "decoding", Limits(seconds, 200_000_000), workers=1) as pool,
        serving(reader, decode=pool) as client,
    ):
        add(client, QUADRANT)
        assert wait(client, client.post("/api/v1/jobs", json={}).json())["failed"] == 1
        (shown,) = client.get("/api/v1/films").json()["items"]
        assert (shown["state"], shown["error"]["message"]) == ("failed", sentence)


def test_a_film_that_failed_is_tried_again_when_it_is_asked_for(reader):
    answers = iter([OSError(5, "Input/output error"), QUADRANT, QUADRANT])

    class Flaky:
        label, fingerprint, version = "flaky", "", ""

        def load(self):
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

    with serving(reader) as client:
        id = client.workspace.open(Flaky())
        path = f"/api/v1/films/{id}/readings/{client.workspace.models.default}"
        wait(client, client.put(path).json()["job"])
        assert client.get(path).json()["error"]["message"] == "the file could not be opened (input/output error); open it again"
        wait(client, client.put(path).json()["job"])
        assert client.get(path).json()["decision"] == "positive"


def test_a_file_that_was_replaced_is_not_shown_with_the_reading_of_the_earlier_one(reader, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(QUADRANT)
    with serving(reader, decoded_bytes=0) as client:
        id = client.workspace.open(FileSource(file, "a.png"))
        path = f"/api/v1/films/{id}/readings/{client.workspace.models.default}"
        wait(client, client.put(path).json()["job"])
        file.write_bytes(picture(np.eye(9, dtype=np.uint8)))
        assert kind_of(client.get(f"/api/v1/films/{id}/pixels")) == (409, "changed")
        file.unlink()
        wait(client, client.put(path).json()["job"])
        assert kind_of(client.get(f"/api/v1/films/{id}/pixels")) == (422, "unusable_film")


# Names

HTML = "<img src=x onerror=alert(1)>.png"


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        ("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.png", HTML),
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("C:%5CUsers%5Cx%5Ca.png", "a.png"),
        ("a%00b%0Ac%1B%5B31m.png", "abc[31m.png"),
        ("%FF%FE", "\ufffd\ufffd"),
        ("x" * 5000, "x" * 255),
    ],
)
def test_the_name_of_a_file_is_text_in_json_and_only_where_names_are_shown(reader, sent, label):
    for show_names, expected in ((True, label), (False, "Film 1")):
        with serving(reader, options=Options(show_names=show_names)) as client:
            film = add(client, QUADRANT, **{"X-File-Name": sent})
            assert film["label"] == expected
            answer = client.get("/api/v1/films")
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            if not show_names:
                assert label not in answer.text


def test_no_answer_holds_an_identifier(reader, tmp_path, caplog):
    values = np.arange(64 * 64).reshape(64, 64)
    uids = {"StudyInstanceUID": "1.2.840.99.1", "SeriesInstanceUID": "1.2.840.99.2"}
    person = {"PatientBirthDate": "19700101", "PatientAge": "050Y", "InstitutionName": "Hospital-X"}
    dataset = cr(values, **PATIENT, **uids, **person, PatientOrientation=["L", "F"])
    file = tmp_path / "Doe-Jane-SECRET.dcm"
    file.write_bytes(written(dataset))
    torn = tmp_path / "Doe-torn.dcm"
    torn.write_bytes(written(dataset)[:400])
    secrets = ("Doe", "Jane", "SECRET", "4711", "0815", "1.2.3.4.5", "1.2.840.99", "19700101", "050Y", "Hospital", str(tmp_path))
    with serving(reader) as client:
        for path in (file, torn):
            client.workspace.open(FileSource(path, path.name))
            add(client, path.read_bytes(), **{"X-File-Name": path.name})
        wait(client, client.post("/api/v1/jobs", json={}).json())
        model, texts = client.workspace.models.default, []
        for film in client.get("/api/v1/films").json()["items"]:
            base = f"/api/v1/films/{film['id']}"
            for name in ("", "/pixels", "/greys", "/thumbnail", "/regions", f"/compare?models={model},{model}"):
                texts.append(client.get(base + name).content)
            for name in ("", "/maps/grad-cam", "/maps/grad-cam.png", "/overlay.png", "/lungs", "/findings", "/zones"):
                texts.append(client.get(f"{base}/readings/{model}{name}").content)
        for name in ("films", "models", "info", "exports/readings.jsonl", "exports/readings.csv", "exports/dicom"):
            texts.append(client.get(f"/api/v1/{name}").content)
        states = [film["state"] for film in client.get("/api/v1/films").json()["items"]]
    assert states == ["read", "read", "failed", "failed"]
    seen = b"".join(texts).decode("latin-1") + "".join(client.texts) + caplog.text
    assert [secret for secret in secrets if secret in seen] == []


def test_the_check_for_identifiers_sees_them_where_names_are_shown(reader):
    with serving(reader, options=Options(show_names=True)) as client:
        add(client, QUADRANT, **{"X-File-Name": "Doe.png"})
        assert "Doe" in "".join(client.texts)


def test_decoding_in_a_worker_gives_what_decoding_here_gives(reader):
    content = written(cr(np.arange(64 * 64).reshape(64, 64), WindowCenter=2000, WindowWidth=3000))
    with decoding_pool(Limits(120.0), 1) as pool:
        there, here = pool(content), decode(content)
    assert np.array_equal(there.radiograph.pixels, here.radiograph.pixels)
    assert (there.film.window, there.cautions, there.thumbnail) == (here.film.window, here.cautions, here.thumbnail)
