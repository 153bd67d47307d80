"""The API with the shipped models on a shipped radiograph: what it gives is what the reader gives."""

import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph as radiographs
from pneumoscope.cohort.sample import sample
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings import CaseKey, form
from pneumoscope.reports.overlay import tint
from pneumoscope.web import reading_store
from pneumoscope.web.models import Models
from tests.web.api_client import ApiClient, add
from tests.web.test_outlines import signed_area
from tests.web.workspaces import wait, workspace


@pytest.fixture(scope="module")
def content():
    with sample() as cohort:
        return cohort.file(cohort.cases[-1]).read_bytes()


@pytest.fixture(scope="module")
def readers():
    return [Reader.load(SHIPPED[name], threads=1) for name in ("default", "whole")]


@pytest.fixture(scope="module")
def client(readers, content):
    """A server on which both models have read the radiograph."""
    made = workspace(*readers)
    client = ApiClient(made)
    client.film = add(client, content)["id"]
    for model in made.models.readers:
        wait(client, client.put(f"/api/v1/films/{client.film}/readings/{model}").json()["job"])
    yield client
    made.close()


@pytest.fixture
def paths(client):
    return [f"/api/v1/films/{client.film}/readings/{model}" for model in client.workspace.models.readers]


def test_readings_and_maps_are_those_of_the_reader(client, paths, readers, content):
    image = radiographs.read(content)
    for path, reader in zip(paths, readers, strict=True):
        for method in reader.card.map_scales:
            reading = reader.read(image, method=method)
            cells = np.frombuffer(client.get(f"{path}/maps/{method}.f32").content, "<f4")
            assert np.array_equal(cells, reading.heatmap.cells.ravel())
        line = form.line_of(CaseKey("Film 1", client.workspace.films.film(client.film).sha256), reader.read(image))
        assert form.parse_line(client.get(path).text) == line


def test_the_picture_of_a_map_is_the_overlay_of_reports(client, paths, readers, content):
    image = radiographs.read(content)
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"{paths[0]}/maps/evidence.png").content)))
    heatmap = readers[0].read(image).heatmap
    assert np.array_equal(shown, tint(image, heatmap.values, heatmap.threshold))


def test_lungs_and_zones_have_the_areas_of_their_masks(client, paths, readers, content):
    image = radiographs.read(content)
    fields = readers[0].read(image).lung_fields
    lungs = client.get(f"{paths[0]}/lungs").json()
    assert lungs["state"] == "found"
    for name in ("right", "left"):
        area = abs(sum(signed_area(polygon) for polygon in lungs[name]))
        assert area == pytest.approx(getattr(fields, name).sum(), rel=0.02)
    zones = client.get(f"{paths[0]}/zones").json()["items"]
    assert [(zone["laterality"], zone["zone"]) for zone in zones] == list(fields.zones)
    for zone, mask in zip(zones, fields.zones.values(), strict=True):
        assert abs(sum(signed_area(polygon) for polygon in zone["outline"])) == pytest.approx(mask.sum(), rel=0.05)
        assert zone["opacity"]["density"] > 0


def test_two_models_are_compared_with_the_reason_why_their_values_cannot_be(client):
    first, second = client.workspace.models.readers
    compared = client.get(f"/api/v1/films/{client.film}/compare", params={"models": f"{first},{second}"}).json()
    assert (compared["first"]["unit"], compared["second"]["unit"]) == ("probability", "share of full scale")
    assert not compared["difference"]["comparable"]
    assert compared["second"]["looked"] is None
    assert sum(compared["first"]["looked"]) > 0


def test_two_methods_of_one_model_are_compared(client):
    whole = list(client.workspace.models.readers)[1]
    asked = {"models": f"{whole},{whole}", "methods": "grad-cam,hirescam"}
    compared = client.get(f"/api/v1/films/{client.film}/compare", params=asked).json()
    assert (compared["first"]["method"], compared["second"]["method"]) == ("grad-cam", "hirescam")
    assert compared["difference"]["comparable"]


def test_a_population_is_taken_where_the_file_does_not_state_the_age(client, paths):
    for population in ("adult", "child"):
        wait(client, client.put(f"{paths[0]}?population={population}").json()["job"])
        assert client.get(paths[0]).json()["population"] == {
            "value": population, "source": "user", "settings": population, "cautious": False,
        }  # fmt: skip
    wait(client, client.put(paths[0]).json()["job"])
    assert client.get(paths[0]).json()["population"]["cautious"]
    assert client.put(f"{paths[1]}?population=adult").status_code == 400
    assert client.put(f"{paths[0]}?population=infant").status_code == 400


def test_a_server_for_adults_reads_with_every_model():
    models = Models.load(list(SHIPPED.values()), "adult")
    assert [reader.population for reader in models.readers.values()] == ["adult", None]


def test_readings_that_are_no_longer_in_memory_are_made_again(readers, content, monkeypatch):
    monkeypatch.setattr(reading_store, "READINGS_BYTES", 0)
    made = workspace(readers[0], decoded_bytes=0)
    client = ApiClient(made)
    path = f"/api/v1/films/{add(client, content)['id']}/readings/{made.models.default}"
    wait(client, client.put(path).json()["job"])
    first, second = (client.get(f"{path}/maps/evidence.f32").content for _ in range(2))
    assert first == second
    made.close()
