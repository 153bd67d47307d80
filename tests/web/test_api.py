"""The API on films of a few pixels and a model of glass; the client checks every answer against the OpenAPI document."""

import io
import sys
import zipfile

import numpy as np
import openapi_spec_validator
import pydicom
import pytest

from pneumoscope.cohort import table
from pneumoscope.reader import Reader
from pneumoscope.readings import form
from pneumoscope.web.app import OPERATIONS
from pneumoscope.web.regions import read_cohort
from pneumoscope.web.workspace import Options
from tests.radiograph.builders import cr, show_stored, written
from tests.reader.builders import quadrant, spot
from tests.reference.test_regions import cohort_of
from tests.web.api_client import DOCUMENT, ApiClient, add
from tests.web.workspaces import QUADRANT, picture, wait, workspace


@pytest.fixture(scope="module")
def reader(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture
def client(reader):
    made = workspace(reader)
    with ApiClient(made) as client:
        yield client
    made.close()


def read(client, film):
    """Read a film with the default model, and return the path of its reading."""
    path = f"/api/v1/films/{film['id']}/readings/{client.workspace.models.default}"
    answer = client.put(path)
    assert answer.status_code == 202
    wait(client, answer.json()["job"])
    return path


def test_the_document_is_valid_openapi(client):
    openapi_spec_validator.validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert client.get("/api/v1/openapi.json").json() == DOCUMENT


def test_a_film_is_uploaded_read_and_shown(client):
    film = add(client, QUADRANT)
    assert (film["label"], film["state"], film["probability"]) == ("Film 1", "waiting", None)
    path = read(client, film)
    line = form.parse_line(client.get(path).text)
    assert line.probability == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)  # log-odds 8 · ¼ − 1
    assert line.path == "Film 1"
    (shown,) = client.get("/api/v1/films").json()["items"]
    assert (shown["state"], shown["decision"], shown["n_findings"]) == ("read", "positive", 1)
    assert (shown["rows"], shown["cols"]) == (80, 160)
    found = client.get(f"{path}/findings").json()["items"]
    assert found[0]["box"]["top"] == 0
    assert client.get(f"{path}/lungs").json()["state"] == "not found"
    zones = client.get(f"{path}/zones").json()
    assert zones["items"] == []
    assert "both lungs" in zones["reason"]


def test_pixels_and_tables_give_the_display_greys(client):
    film = add(client, QUADRANT)
    details = client.get(f"/api/v1/films/{film['id']}").json()
    n = details["grey"]["n_levels"]
    levels = np.frombuffer(client.get(f"/api/v1/films/{film['id']}/pixels").content, "<u2").reshape(80, 160)
    tables = client.get(f"/api/v1/films/{film['id']}/greys").content
    assert len(tables) == 9 * n
    shown = np.frombuffer(tables[: 4 * n], "<f4")
    pixels = client.workspace.films.decoded(film["id"]).radiograph.pixels
    assert np.array_equal(shown[levels], pixels)
    assert (shown[levels][0, 0], shown[levels][-1, -1]) == (1, 0)
    assert client.get(f"/api/v1/films/{film['id']}/thumbnail").content.startswith(b"\x89PNG")
    assert details["file_format"] == "PNG"
    assert details["spacing"] is None


def test_a_map_has_its_cells_geometry_and_picture(client):
    path = read(client, add(client, QUADRANT))
    about = client.get(f"{path}/maps/grad-cam").json()
    cells = np.frombuffer(client.get(f"{path}/maps/grad-cam.f32").content, "<f4").reshape(about["rows"], about["cols"])
    assert np.allclose(cells, np.kron([[1, 0], [0, 0]], np.ones((2, 2))), atol=0.13)  # the triangle filter
    assert about["rectangle"] == {"top": 0, "left": 0, "bottom": 80, "right": 160}
    assert (about["looked"], about["unit"], about["full_scale"]) == (None, "share of full scale", 1)
    for name in ("maps/grad-cam.png", "overlay.png"):
        assert client.get(f"{path}/{name}").content.startswith(b"\x89PNG")
    assert client.get(f"{path}/maps/layercam").status_code == 404


def test_before_a_film_was_read_its_reading_is_missing_with_a_reason(client):
    film = add(client, QUADRANT)
    path = f"/api/v1/films/{film['id']}/readings/{client.workspace.models.default}"
    for name in ("", "/maps/grad-cam", "/lungs", "/findings"):
        answer = client.get(path + name)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not_read")
    assert client.get(f"/api/v1/films/{film['id']}/regions").status_code == 404


def test_two_maps_of_a_film_are_compared(client):
    film = add(client, QUADRANT)
    read(client, film)
    model = client.workspace.models.default
    about = client.get(f"/api/v1/films/{film['id']}/compare", params={"models": f"{model},{model}"}).json()
    values = client.get(f"/api/v1/films/{film['id']}/compare.f32", params={"models": f"{model},{model}"}).content
    difference = np.frombuffer(values, "<f4").reshape(about["difference"]["rows"], about["difference"]["cols"])
    assert np.array_equal(difference, np.zeros((80, 160)))
    assert about["difference"]["comparable"]
    assert client.get(f"/api/v1/films/{film['id']}/compare", params={"models": model}).status_code == 400


def test_a_job_reads_all_films_and_counts_those_that_fail(client):
    for content in (QUADRANT, picture(spot()), b"no image", picture(np.zeros((8, 8), np.uint8))):
        add(client, content)
    answer = client.post("/api/v1/jobs", json={"films": "all"})
    assert answer.status_code == 202
    job = wait(client, answer.json())
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("done", 4, 4, 2)
    items = client.get("/api/v1/films").json()["items"]
    assert [one["state"] for one in items] == ["read", "read", "failed", "failed"]
    assert items[2]["error"]["message"] == "the file is neither DICOM nor PNG nor JPEG; convert it to one of them"
    assert "same grey level" in items[3]["error"]["message"]
    assert client.get(f"/api/v1/films/{items[2]['id']}/pixels").status_code == 422


def test_the_worklist_is_filtered_sorted_and_cut(client):
    for content in (picture(spot()), QUADRANT, b"no image"):
        add(client, content)
    wait(client, client.post("/api/v1/jobs", json={"films": "all"}).json())

    def numbers(**query):
        return [one["number"] for one in client.get("/api/v1/films", params=query).json()["items"]]

    assert numbers(sort="probability", order="desc") == [2, 1, 3]
    assert numbers(state="failed") == [3]
    assert numbers(decision="positive") == [2]
    assert numbers(q="film 3") == [3]
    assert numbers(offset=1, limit=1) == [2]
    assert numbers(sort="label", order="desc", limit=2) == [3, 2]
    assert client.get("/api/v1/films", params={"sort": "patient"}).status_code == 400
    assert client.get("/api/v1/films", params={"limit": "1e9"}).status_code == 400
    assert client.get("/api/v1/films", params={"page": "1"}).status_code == 400


def test_a_client_refreshes_only_what_has_changed(client):
    first, second = add(client, QUADRANT), add(client, picture(spot()))
    revision = client.get("/api/v1/films").json()["revision"]
    read(client, second)
    changed = client.get("/api/v1/films", params={"since": revision}).json()
    assert [one["id"] for one in changed["items"]] == [second["id"]]
    assert client.delete(f"/api/v1/films/{first['id']}").status_code == 204
    again = client.get("/api/v1/films", params={"since": changed["revision"]}).json()
    assert (again["items"], again["removed"], again["n_films"]) == ([], [first["id"]], 1)
    gone = client.get(f"/api/v1/films/{first['id']}")
    assert (gone.status_code, gone.json()["error"]["kind"]) == (404, "no_film")


def test_models_and_cards_are_described(client, reader):
    listed = client.get("/api/v1/models").json()
    (model,) = listed["items"]
    assert model["id"] == listed["default"]
    assert (model["name"], model["methods"], model["threshold"]) == ("glass", ["grad-cam"], 0.5)
    assert client.get(model["card"]).json()["backbone"] == "mobilenet_v2"
    assert client.get("/api/v1/info").json()["disclaimer"] == "Research software, not a medical device."
    assert client.get("/api/v1/models/other/card").status_code == 404


def test_exports_hold_the_lines_and_no_formula(reader):
    made = workspace(reader, options=Options(show_names=True))
    with ApiClient(made) as client:
        film = add(client, QUADRANT, **{"X-File-Name": "%3DHYPERLINK(1).png"})
        assert film["label"] == "=HYPERLINK(1).png"
        read(client, film)
        lines = client.get("/api/v1/exports/readings.jsonl").text.splitlines()
        assert [form.parse_line(line).path for line in lines] == ["=HYPERLINK(1).png"]
        header, row = client.get("/api/v1/exports/readings.csv").text.splitlines()
        assert header.startswith("path,target,probability")
        assert row.startswith("'=HYPERLINK(1).png,pneumonia,")
    made.close()


def test_dicom_objects_are_exported_with_a_sentence_for_what_is_left_out(reader):
    made = workspace(reader, options=Options(show_names=True))
    with ApiClient(made) as client:
        image = cr(quadrant(), bits=8, **show_stored(8), StudyInstanceUID="1.2.3.1", SeriesInstanceUID="1.2.3.2")
        for content in (written(image), QUADRANT):
            read(client, add(client, content))
        add(client, picture(spot()))  # not read, so that nothing is exported of it
        answer = client.get("/api/v1/exports/dicom?profile=plain")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert sorted(archive.namelist()) == ["film-1/gsps.dcm", "film-1/sc.dcm", "film-1/sr.dcm", "left_out.txt"]
            assert pydicom.dcmread(io.BytesIO(archive.read("film-1/sr.dcm"))).PatientName == "Doe^Jane"
            left_out = archive.read("left_out.txt").decode()
        assert left_out.startswith("Film 2: DICOM objects refer to a DICOM image, and this file is none")
        assert client.get("/api/v1/exports/dicom?profile=other").status_code == 400
    made.close()


def test_dicom_objects_are_not_exported_where_names_are_hidden(client):
    answer = client.get("/api/v1/exports/dicom")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "forbidden")
    assert "--show-names" in answer.json()["error"]["message"]


def test_dicom_objects_without_their_packages_name_them(reader, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for name in [name for name in sys.modules if name.startswith("pneumoscope.dicom_objects")]:
        monkeypatch.delitem(sys.modules, name)
    made = workspace(reader, options=Options(show_names=True))
    with ApiClient(made) as client:
        answer = client.get("/api/v1/exports/dicom")
    made.close()
    assert (answer.status_code, answer.json()["error"]["kind"]) == (501, "not_built")
    assert "pip install 'pneumoscope[dicom]'" in answer.json()["error"]["message"]


def test_every_operation_succeeds_and_answers_as_it_is_described(reader, tmp_path):
    """One tour of the whole API; the client has checked each answer."""
    table.write(cohort_of(tmp_path, "a.png"), tmp_path / "cohort.csv")
    (tmp_path / "boxes.csv").write_text("path,left,top,right,bottom\na.png,10,5,30,25\n", encoding="utf-8")
    cohort = read_cohort(tmp_path / "cohort.csv", tmp_path / "boxes.csv", box_space="file")
    made = workspace(reader, references=cohort.references, options=Options(show_names=True))
    client = ApiClient(made)
    client.seen = set()
    film, model = made.open(cohort.sources[0]), made.models.default
    job = client.post("/api/v1/jobs", json={"films": [film]}).json()["id"]
    wait(client, client.get(f"/api/v1/jobs/{job}").json())
    read(client, {"id": film})
    of = f"/films/{film}/readings/{model}"
    for path in (
        "/info", "/models", f"/models/{model}/card", "/films", f"/films/{film}", f"/films/{film}/pixels", f"/films/{film}/greys",
        f"/films/{film}/thumbnail", of, f"{of}/maps/grad-cam", f"{of}/maps/grad-cam.f32", f"{of}/maps/grad-cam.png",
        f"{of}/overlay.png", f"{of}/lungs", f"{of}/findings", f"{of}/zones", f"/films/{film}/regions", f"/jobs/{job}/events",
        f"/films/{film}/compare?models={model},{model}", f"/films/{film}/compare.f32?models={model},{model}",
        "/exports/readings.jsonl", "/exports/readings.csv", "/exports/dicom", "/openapi.json",
    ):  # fmt: skip
        client.get("/api/v1" + path)
    client.delete(f"/api/v1/jobs/{job}")
    client.delete(f"/api/v1/films/{add(client, QUADRANT)['id']}")
    made.closing.set()  # the stream of the worklist has no other end
    client.get("/api/v1/events")
    described = {(one.name, status) for one in OPERATIONS for status in one.answers}
    assert client.seen == described
    made.close()


def test_a_job_that_is_not_understood_is_refused(client):
    for body in (b"{", b'{"films": 3}', b'{"films": "all", "colour": 1}'):
        answer = client.post("/api/v1/jobs", content=body)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "request")
    assert client.post("/api/v1/jobs", json={"films": ["nowhere"]}).status_code == 404
    assert client.post("/api/v1/jobs", json={"model": "nobody"}).status_code == 404
    add(client, QUADRANT)
    assert client.post("/api/v1/jobs", json={"population": "adult"}).status_code == 400
    assert client.get("/api/v1/jobs/none").status_code == 404


def test_events_end_with_their_job(client):
    add(client, QUADRANT)
    job = client.post("/api/v1/jobs", json={}).json()
    text = client.get(f"/api/v1/jobs/{job['id']}/events").text
    assert text.startswith("data: {")
    assert '"state":"done"' in text.split("\n\n")[-2]
