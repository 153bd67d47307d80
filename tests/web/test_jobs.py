"""Jobs: what is read first, what a cancelled job leaves, and long worklists that nothing decodes."""

import threading

import pytest

from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.reader import Reader
from pneumoscope.web import store_folder, worklist
from pneumoscope.web.decoding import decode
from pneumoscope.web.errors import MissingError
from pneumoscope.web.films import FilmStore
from pneumoscope.web.sources import FileSource
from pneumoscope.web.store_folder import ReadingKey
from tests.web.api_client import ApiClient, add
from tests.web.workspaces import QUADRANT, wait, workspace


@pytest.fixture(scope="module")
def reader(glass):
    return Reader.load(glass, threads=1)


class Gate:
    """A decoder that waits until it is let through."""

    def __init__(self):
        self.open, self.order, self.entered = threading.Event(), [], threading.Event()

    def __call__(self, content, policy):
        self.order.append(content[-1])
        self.entered.set()
        assert self.open.wait(120)
        return decode(content, policy)


@pytest.fixture
def gated(reader):
    gate = Gate()
    made = workspace(reader, decode=gate)
    yield ApiClient(made), gate
    gate.open.set()
    made.close()


def films(client, count):
    return [add(client, QUADRANT + bytes([number])) for number in range(count)]


def states(client):
    return [film["state"] for film in client.get("/api/v1/films").json()["items"]]


def test_a_cancelled_job_finishes_the_film_that_is_being_read(gated):
    client, gate = gated
    films(client, 4)
    job = client.post("/api/v1/jobs", json={}).json()
    assert gate.entered.wait(120)
    assert states(client) == ["reading", "queued", "queued", "queued"]
    cancelled = client.delete(f"/api/v1/jobs/{job['id']}").json()
    assert (cancelled["state"], cancelled["done"]) == ("cancelled", 0)
    gate.open.set()
    assert wait(client, client.put(f"/api/v1/films/{_id(client, 3)}/readings/{_model(client)}").json()["job"])["done"] == 1
    assert states(client) == ["read", "waiting", "waiting", "read"]
    assert client.get(f"/api/v1/jobs/{job['id']}").json()["state"] == "cancelled"
    assert client.delete(f"/api/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_a_film_that_somebody_looks_at_comes_before_the_films_of_a_list(gated):
    client, gate = gated
    films(client, 4)
    job = client.post("/api/v1/jobs", json={}).json()
    assert gate.entered.wait(120)
    client.put(f"/api/v1/films/{_id(client, 3)}/readings/{_model(client)}")
    gate.open.set()
    wait(client, job)
    assert gate.order == [0, 3, 1, 2]


def test_a_film_that_is_closed_while_a_job_runs_counts_as_failed(gated):
    client, gate = gated
    films(client, 3)
    job = client.post("/api/v1/jobs", json={}).json()
    assert gate.entered.wait(120)
    client.delete(f"/api/v1/films/{_id(client, 0)}")
    client.delete(f"/api/v1/films/{_id(client, 0)}")
    gate.open.set()
    done = wait(client, job)
    assert (done["state"], done["done"], done["failed"]) == ("done", 3, 2)
    assert states(client) == ["read"]


def test_a_film_is_read_once_for_each_population(gated):
    client, gate = gated
    gate.open.set()
    films(client, 1)
    for _ in range(3):
        wait(client, client.post("/api/v1/jobs", json={}).json())
    assert gate.order == [0]


def test_a_job_without_films_is_done(gated):
    client, _ = gated
    assert client.post("/api/v1/jobs", json={"films": []}).json()["state"] == "done"


def test_old_jobs_are_forgotten(gated):
    client, _ = gated
    jobs = client.workspace.jobs
    first = jobs.start([], _model(client))
    for _ in range(1001):
        jobs.start([], _model(client))
    with pytest.raises(MissingError, match="no job with this id"):
        jobs.get(first.id)


def _id(client, place):
    return client.get("/api/v1/films").json()["items"][place]["id"]


def _model(client):
    return client.workspace.models.default


def test_ten_thousand_films_are_listed_without_opening_one(reader, tmp_path):
    def never(content, policy):
        raise AssertionError("a film was decoded")

    made = workspace(reader, decode=never)
    for number in range(10_000):
        made.films.add(FileSource(tmp_path / f"{number % 97}.png", f"{number % 97}.png"))
    client = ApiClient(made)
    page = client.get("/api/v1/films", params={"offset": 9_990, "limit": 100}).json()
    assert (page["total"], [film["number"] for film in page["items"]]) == (10_000, list(range(9_991, 10_001)))
    found = client.get("/api/v1/films", params={"q": "FILM 777", "sort": "label", "order": "desc"}).json()
    assert [film["label"] for film in found["items"]][:2] == ["Film 7779", "Film 7778"]
    assert found["total"] == 11
    revision = page["revision"]
    made.films.touch(page["items"][3]["id"])
    changed = client.get("/api/v1/films", params={"since": revision}).json()
    assert [film["number"] for film in changed["items"]] == [9_994]
    made.close()


def test_the_film_store_is_usable_alone():
    store = FilmStore()
    id = store.add(QUADRANT, "a.png")
    assert store.film(id).facts is None
    assert store.decoded(id).rows == 80
    assert store.film(id).facts.cols == 160
    assert store.content(id) == QUADRANT
    with pytest.raises(MissingError):
        store.film("other")


@pytest.mark.parametrize("sort", worklist.SORT_KEYS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_order_is_total_over_films_of_every_state(gated, sort, order):
    client, gate = gated
    gate.open.set()
    films(client, 2)
    wait(client, client.put(f"/api/v1/films/{_id(client, 1)}/readings/{_model(client)}").json()["job"])
    add(client, b"no image")
    wait(client, client.put(f"/api/v1/films/{_id(client, 2)}/readings/{_model(client)}").json()["job"])
    listed = client.get("/api/v1/films", params={"sort": sort, "order": order}).json()["items"]
    assert sorted(film["number"] for film in listed) == [1, 2, 3]


def test_a_reading_that_another_version_kept_is_not_taken_over(monkeypatch):
    key = ReadingKey("content", "model", None, AcceptancePolicy())
    name = key.name
    assert ReadingKey("content", "model", None, AcceptancePolicy()).name == name
    monkeypatch.setattr(store_folder, "__version__", "0.0.0")
    assert key.name != name
