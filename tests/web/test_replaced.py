"""A file that is replaced on disk while its film is open: nothing of the old file is shown as if it were of the new one."""

import io
import os
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest

from pneumoscope.reader import Reader
from pneumoscope.readings import form
from pneumoscope.web.decoding import decode
from pneumoscope.web.dicomweb.catalogue import Catalogue
from pneumoscope.web.errors import ChangedError
from pneumoscope.web.films import FilmStore
from pneumoscope.web.regions import References
from pneumoscope.web.sources import FileSource, UploadSource
from pneumoscope.web.store_folder import StoreFolder
from tests.web.api_client import ApiClient
from tests.web.workspaces import QUADRANT, picture, wait, workspace

HALF = picture(np.repeat(np.array([[0, 255]], np.uint8), 80, axis=1).repeat(80, axis=0))
"""A radiograph of as many pixels as `QUADRANT`, white on one half instead of one quarter."""
HALF_PROBABILITY = pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)
"""Of log-odds 8 · ½ − 1."""


@pytest.fixture(scope="module")
def reader(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "film.png"
    path.write_bytes(QUADRANT)
    return path


@pytest.fixture
def client(reader, file):
    """A server on which the model has read one file."""
    made = workspace(reader)
    with ApiClient(made) as client:
        client.film = made.open(FileSource(file, file.name))
        client.path = f"/api/v1/films/{client.film}/readings/{made.models.default}"
        read(client)
        yield client
    made.close()


def read(client):
    wait(client, client.put(client.path).json()["job"])


def replace(file, content=HALF):
    """Put another file in the place of one, as programs that save do."""
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


def listed(client):
    (film,) = client.get("/api/v1/films").json()["items"]
    return film


@pytest.mark.parametrize("part", ["", "/pixels", "/greys", "/thumbnail"])
def test_a_film_in_memory_is_not_shown_for_the_file_that_replaced_it(client, file, part):
    address = f"/api/v1/films/{client.film}{part}"
    assert client.get(address).status_code == 200
    replace(file)
    answer = client.get(address)
    assert answer.status_code == 409
    assert "replaced" in answer.json()["error"]["message"]


@pytest.mark.parametrize("part", ["", "/maps/gradient", "/maps/gradient.f32", "/overlay.png", "/lungs", "/findings", "/zones"])
def test_a_reading_is_not_given_for_the_file_that_replaced_its_file(client, file, part):
    part = part.replace("gradient", client.workspace.models.reader(client.workspace.models.default).card.map_method)
    assert client.get(client.path + part).status_code == 200
    replace(file)
    answer = client.get(client.path + part)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "changed")


def test_the_worklist_marks_a_replaced_file_and_keeps_no_answer(client, file):
    before = listed(client)
    replace(file)
    film = listed(client)
    assert (film["state"], film["error"]["kind"]) == ("failed", "changed")
    assert film["revision"] > before["revision"]
    assert (film["probability"], film["decision"], film["n_findings"], film["rows"]) == (None, None, None, None)
    assert (before["replacements"], film["replacements"]) == (0, 1)


@pytest.mark.parametrize("form_of", ["jsonl", "csv"])
def test_an_export_holds_no_line_of_a_replaced_file(client, file, form_of):
    def names():
        return client.get(f"/api/v1/exports/readings.{form_of}").text.count("Film 1")

    assert names() == 1
    replace(file)
    assert names() == 0


def test_reading_the_film_again_takes_the_new_file(client, file):
    old = form.parse_line(client.get(client.path).text)
    replace(file)
    read(client)
    new = form.parse_line(client.get(client.path).text)
    assert old.probability == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)  # log-odds 8 · ¼ − 1
    assert new.probability == HALF_PROBABILITY
    assert new.file_sha256 != old.file_sha256
    assert np.count_nonzero(np.frombuffer(client.get(f"/api/v1/films/{client.film}/pixels").content, "<u2")) == 80 * 80
    assert listed(client)["state"] == "read"


def test_a_file_of_the_same_content_keeps_its_reading(client, file):
    replace(file, QUADRANT)
    assert client.get(client.path).status_code == 200
    os.utime(file, ns=(1, 1))
    assert listed(client)["state"] == "read"


def test_a_replacement_is_noticed_though_its_size_and_time_are_kept(client, file):
    before = file.stat()
    file.write_bytes(QUADRANT[:-1] + bytes([QUADRANT[-1] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert client.get(client.path).status_code == 409


def test_a_file_that_is_gone_keeps_what_was_read_of_it(client, file):
    file.unlink()
    assert client.get(client.path).status_code == 200
    assert listed(client)["state"] == "read"


def test_a_file_replaced_by_a_folder_is_marked(client, file):
    file.unlink()
    file.mkdir()
    assert listed(client)["state"] == "failed"
    read(client)
    assert form.parse_line(client.get(client.path).text).error is not None


def test_a_file_replaced_while_it_is_read_gives_no_answer_of_the_old_one(reader, file):
    def slow(content, policy):
        film = decode(content, policy)
        if content == QUADRANT:
            replace(file)
            assert store.check(id).replacements == 1  # as another request notices it
        return film

    made = workspace(reader, decode=slow)
    store, id = made.films, made.open(FileSource(file, ""))
    line = made.readings.read(id, made.models.default)
    assert line.error is not None
    assert "replaced" in line.error.message
    assert made.readings.read(id, made.models.default).probability == HALF_PROBABILITY
    made.close()


def test_a_reading_in_the_store_is_that_of_its_file(reader, file, tmp_path):
    folder = StoreFolder.open(tmp_path / "store")
    made = workspace(reader, folder=folder)
    id = made.open(FileSource(file, ""))
    infer = type(made.models.reader(made.models.default)).read

    def replacing(self, radiograph, **options):
        replace(file)
        return infer(self, radiograph, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reader, "read", replacing)
        made.readings.read(id, made.models.default)
    made.close()
    folder = StoreFolder.open(tmp_path / "store")
    again = workspace(reader, folder=folder)
    film = again.open(FileSource(file, ""))
    assert again.readings.state(film, again.models.default).line is None
    again.close()


def test_reference_regions_are_not_drawn_on_another_film(client, file):
    drawn = SimpleNamespace(grids={"a": None})
    references = References({os.path.realpath(file): "a"}, drawn)
    assert references.has(client.workspace.films.check(client.film))
    replace(file)
    assert not references.has(client.workspace.films.check(client.film))


def test_the_dicom_object_of_a_replaced_file_is_made_again(client, file):
    catalogue = Catalogue(client.workspace)
    (entry,), _ = catalogue.entries()
    old = catalogue.object_of(entry)
    replace(file)
    with pytest.raises(ChangedError, match="replaced"):
        catalogue.object_of(entry)
    assert catalogue.entries() == ([], 0)
    read(client)
    (entry,), _ = catalogue.entries()
    new = catalogue.object_of(entry)
    white = [np.count_nonzero(pydicom.dcmread(io.BytesIO(made.file)).pixel_array) for made in (old, new)]
    assert white == [40 * 80, 80 * 80]


def test_a_thumbnail_that_is_no_longer_in_memory_is_made_again(file):
    decoded = []

    def counted(content, policy):
        decoded.append(1)
        return decode(content, policy)

    small, large = (FilmStore(counted, decoded_bytes=0, thumbnail_bytes=limit) for limit in (0, 10**6))
    for store, times in ((small, 3), (large, 1)):
        id = store.add(FileSource(file, ""))
        store.decoded(id)
        decoded[1:] = []
        pictures = {store.thumbnail(id), store.thumbnail(id)}
        assert len(pictures) == 1
        assert len(decoded) == times
        decoded.clear()


def test_only_files_are_looked_at_again(file):
    assert UploadSource(b"a").version == ""
    assert FileSource(file, "").version
    assert FileSource(file.with_name("gone.png"), "").version == ""


def test_a_film_is_not_loaded_to_see_that_nothing_changed(file):
    loaded = []

    class Counted(FileSource):
        def load(self):
            loaded.append(1)
            return super().load()

    store = FilmStore()
    id = store.add(Counted(file, ""))
    store.decoded(id)
    for _ in range(3):
        store.decoded(id)
        store.thumbnail(id)
    assert loaded == [1]
