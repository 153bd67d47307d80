"""Tables of URLs whose servers do not answer: nothing that is known is lost, and no one waits for each file in turn."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pneumoscope.archive import asking, manifest_building, manifest_table
from pneumoscope.archive.manifest_building import Built
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source
from pneumoscope.cli.main import SOME_FILES_FAILED
from tests.archive.web_server import Site, serving
from tests.cli.run import run

FILES = {f"/{number:02}.png": f"content {number}".encode() for number in range(40)}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(dict(FILES))) as site:
        yield site


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The waits between tries, which are urllib3's, are noted and left out."""
    noted: list[object] = []
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda retries, *_: noted.append(retries))
    return noted


def table_of(site: Site, folder: Path) -> Path:
    table = folder / "urls.csv"
    table.write_text("url,name\n" + "".join(f"{site.url}{name},{name[1:]}\n" for name in FILES))
    return table


def build(folder: Path, **options: bool) -> Built:
    return manifest_building.build([str(folder / "urls.csv")], str(folder / "m.parquet"), **options)


def rows(folder: Path) -> list[Row]:
    return [*manifest_table.open_manifest(str(folder / "m.parquet")).rows()]


def test_answers_come_in_the_order_of_the_table(site: Site) -> None:
    asked = [*asking.completed((name, Source(site.url + name)) for name in FILES)]
    assert [(one.name, one.source.size, one.problem) for one in asked] == [
        (name, len(content), "") for name, content in FILES.items()
    ]


@pytest.mark.parametrize("hashed", [False, True])
def test_an_update_keeps_what_is_known_of_urls_that_do_not_answer(site: Site, tmp_path: Path, hashed: bool) -> None:
    table_of(site, tmp_path)
    assert build(tmp_path, hashed=hashed).unanswered == 0
    before = rows(tmp_path)
    assert all(row.source.size and row.source.etag for row in before)
    site.failures = 10**6
    built = build(tmp_path, update=True, hashed=hashed)
    assert (built.kept, built.rows, built.unanswered) == (40, 40, 40)
    assert built.notes[0].startswith("40 URL(s) gave no size and version; what an earlier manifest says of them is kept:")
    assert "'00.png', '01.png', '02.png', … (the web server did not give the file after 6 tries (status 503)" in built.notes[0]
    assert [(row.name, row.source, row.modified) for row in rows(tmp_path)] == [
        (row.name, row.source, row.modified) for row in before
    ]
    site.failures = 0
    site.files["/00.png"] = b"other content"
    assert (built := build(tmp_path, update=True)).unanswered == 0
    assert (built.changed, built.kept) == (1, 39)


def test_a_new_manifest_names_urls_that_do_not_answer_with_exit_code_1(site: Site, tmp_path: Path, waits: list[object]) -> None:
    table = table_of(site, tmp_path)
    site.failures = 10**6
    ran = run("archive", "manifest", table, "-o", tmp_path / "m.parquet", "--hash")
    assert (ran.code, ran.out) == (SOME_FILES_FAILED, "40 radiographs of 1 source(s)\n")
    assert "40 URL(s) gave no size and version" in ran.err
    assert len(waits) < 40 * 5 / 2, "a server that does not answer is asked six times for each file"


def test_a_version_that_the_table_states_is_not_replaced_by_an_earlier_one(site: Site, tmp_path: Path) -> None:
    table = tmp_path / "urls.csv"
    table.write_text(f"url,etag\n{site.url}/00.png,\n{site.url}/01.png,\n")
    build(tmp_path)
    table.write_text(f"url,etag\n{site.url}/00.png,other\n{site.url}/01.png,\n")
    site.failures = 10**6
    assert build(tmp_path, update=True).changed == 1
    first, second = rows(tmp_path)
    assert (first.source.etag, first.source.size, second.source.size) == ("other", None, 9)


def test_a_file_that_is_missing_is_no_server_that_does_not_answer(site: Site, tmp_path: Path) -> None:
    table_of(site, tmp_path)
    del site.files["/00.png"]
    assert (built := build(tmp_path)).unanswered == 0
    assert (built.rows, rows(tmp_path)[0].source.size) == (40, None)


def test_hashes_that_kept_rows_lack_are_computed(site: Site, tmp_path: Path) -> None:
    table_of(site, tmp_path)
    build(tmp_path)
    assert build(tmp_path, update=True, hashed=True).kept == 40
    assert [row.source.sha256 for row in rows(tmp_path)] == [hashlib.sha256(content).hexdigest() for content in FILES.values()]
    site.asked.clear()
    build(tmp_path, update=True, hashed=True)
    assert {asked.split()[0] for asked in site.asked} == {"HEAD"}


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_that_answers_no_head_is_asked_for_the_file(site: Site, status: int) -> None:
    site.failure, site.failures = status, 1
    (asked,) = asking.completed([("a", Source(site.url + "/01.png"))])
    assert (asked.source.size, asked.problem) == (len(FILES["/01.png"]), "")
    assert site.asked == ["HEAD /01.png", "GET /01.png"]
