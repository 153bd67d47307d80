"""``pneumoscope demo``, with whatever model is shipped."""

import csv

import pytest
from PIL import Image

from pneumoscope.cohort.sample import sample
from tests.cli.run import by_path, lines_of, run
from tests.reports.pages import Page, assert_self_contained


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder that a demo left, in which there had been another one, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    out.mkdir()
    (out / "readings.jsonl").write_text("of an earlier demo\n")
    ran = run("demo", "-o", out)
    assert (ran.code, ran.err) == (0, "")
    return out, ran.out


@pytest.fixture(scope="module")
def manifest():
    with sample() as cohort, (cohort.root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return {row["path"]: row for row in csv.DictReader(stream)}


def test_sixteen_radiographs_are_read_at_their_own_size(demo, manifest):
    lines = by_path(demo[0])
    assert len(lines) == 16
    assert {path: (str(line["rows"]), str(line["cols"])) for path, line in lines.items()} == {
        path: (row["rows"], row["columns"]) for path, row in manifest.items()
    }


def test_the_table_shows_what_the_lines_hold_beside_the_reference(demo, manifest):
    out, said = demo
    table = [row.split() for row in said.splitlines()[:17]]
    assert table[0] == ["case", "reference", "probability", "decision", "sure", "domain", "findings"]
    assert table[1:] == [
        [
            line["path"],
            "positive" if manifest[line["path"]]["label"] == "PNEUMONIA" else "negative",
            ">0.999" if line["probability"] >= 0.9995 else f"{line['probability']:.3f}",
            line["decision"],
            "no" if line["abstains"] else "yes",
            "inside" if line["domain"]["inside"] else "outside",
            str(len(line["findings"])),
        ]
        for line in lines_of(out)
    ]


def test_decisions_follow_from_threshold_and_findings_lie_on_positive_radiographs(demo):
    for line in lines_of(demo[0]):
        positive = line["probability"] >= line["operating_point"]["threshold"]
        assert line["decision"] == ("positive" if positive else "negative")
        assert positive or not line["findings"]
        for finding in line["findings"]:
            box, peak = finding["box"], finding["peak"]
            assert 0 <= box["top"] <= peak["row"] < box["bottom"] <= line["rows"]
            assert 0 <= box["left"] <= peak["col"] < box["right"] <= line["cols"]
            assert finding["rating"] <= round(line["probability"], 4)


def test_every_radiograph_has_its_overlay(demo, manifest):
    out, _ = demo
    pictures = {p.relative_to(out / "overlays").as_posix() for p in (out / "overlays").rglob("*.*")}
    assert pictures == {f"{path}.png" for path in manifest}
    for name in pictures:
        with Image.open(out / "overlays" / name) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_the_report_needs_no_other_file_and_shows_every_radiograph(demo, manifest):
    source = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert_self_contained(source)
    page = Page(source)
    assert len(page.all("src")) == 16
    for path in manifest:
        assert path in page.text


def test_it_says_where_everything_is_and_what_it_is_not(demo):
    out, said = demo
    for name in ("report.html", "readings.jsonl", "overlays"):
        assert (out / name).exists()
        assert str(out / name) in said
    assert "not a medical device" in said
