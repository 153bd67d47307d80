"""Reference regions of a cohort on the films that it names."""

import numpy as np
import pytest

from pneumoscope.cohort import table
from pneumoscope.reader import Reader
from pneumoscope.web.films import FilmStore
from pneumoscope.web.regions import read_cohort
from pneumoscope.web.sources import FileSource
from tests.reference.test_regions import cohort_of
from tests.web.api_client import ApiClient, add
from tests.web.workspaces import QUADRANT, workspace


@pytest.fixture
def drawn(tmp_path):
    """The table of a cohort of two films, and boxes on the first."""
    table.write(cohort_of(tmp_path, "a.png", "deep/b.png"), tmp_path / "cohort.csv")
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("path,left,top,right,bottom\na.png,10,5,30,25\na.png,60,1,70,9\n", encoding="utf-8")
    return tmp_path / "cohort.csv", boxes


def test_boxes_and_outlines_lie_on_the_stored_grid(drawn, glass):
    cohort = read_cohort(*drawn, box_space="file")
    assert any("2 annotations on 1 images" in line for line in cohort.summary)
    made = workspace(Reader.load(glass, threads=1), references=cohort.references)
    client = ApiClient(made)
    first, second = (made.open(source) for source in cohort.sources)
    assert [film["has_reference"] for film in client.get("/api/v1/films").json()["items"]] == [True, False]
    assert client.get("/api/v1/info").json()["has_reference"]
    regions = client.get(f"/api/v1/films/{first}/regions").json()
    assert regions["boxes"] == [
        {"top": 5, "left": 10, "bottom": 25, "right": 30}, {"top": 1, "left": 60, "bottom": 9, "right": 70},
    ]  # fmt: skip
    extents = [(*np.min(outline, 0), *np.max(outline, 0)) for outline in regions["outlines"]]
    assert sorted(extents) == [(1, 60, 9, 70), (5, 10, 25, 30)]
    assert client.get(f"/api/v1/films/{second}/regions").status_code == 404
    assert client.get(f"/api/v1/films/{add(client, QUADRANT)['id']}/regions").status_code == 404
    made.close()


def test_a_film_is_matched_by_its_file_however_it_was_named(drawn, tmp_path):
    references = read_cohort(*drawn, box_space="file").references
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "cohort" / "a.png")
    for path, has in ((link, True), (tmp_path / "cohort" / "deep" / "b.png", False), (tmp_path / "a.png", False)):
        store = FilmStore()
        assert references.has(store.film(store.add(FileSource(path, "")))) is has


def test_a_cohort_without_regions_gives_its_files(drawn):
    cohort = read_cohort(drawn[0], None)
    assert [source.label for source in cohort.sources] == ["a.png", "deep/b.png"]
    assert not cohort.references.any
