"""`write_page`: one file that needs no other, and in which no name can do harm."""

import base64
import dataclasses
import html
import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope.classifier import DomainLimit
from pneumoscope.radiograph import Region
from pneumoscope.reader import Reader
from pneumoscope.readings import ModelIdentity
from pneumoscope.readings.line import (
    FindingLine,
    Line,
    LungFieldsLine,
    MapLine,
    OperatingPointLine,
    Pixel,
    PopulationLine,
    SeverityLine,
)
from pneumoscope.readings.severity import SEVERITY_NAME
from pneumoscope.reports.page import Entry, write_page
from tests.reader.test_population import POPULATIONS
from tests.reports.pages import Page, assert_self_contained

EVIL = '<b onclick="x">&"\'</b>.png'
BOX = Region(10.0, 20.0, 30.0, 40.0)
LINE = Line(
    5, "a.png", "0" * 64, "pneumonia", 0.25, -1.1, "negative", False, None, OperatingPointLine(0.5, "youden"), None, (), (), None,
    LungFieldsLine("found", 0.9, 0.3, BOX), MapLine("pneumonia", "grad-cam", 1.0, 0.5), 30, 40, ModelIdentity("m", ""), None,
)  # fmt: skip
FINDING = FindingLine(BOX, Pixel(15, 25), 400, 0.75, "left", "lower")


def entry(reference: str = "", **line) -> Entry:
    return Entry(dataclasses.replace(LINE, **line), reference, Image.fromarray(np.zeros((30, 40, 3), np.uint8)))


@pytest.fixture
def written(tmp_path, glass):
    """Write a page of the entries and give its source."""

    def write(*entries, title="Readings", **card):
        write_page(tmp_path / "report.html", title, dataclasses.replace(Reader.load(glass).card, **card), entries)
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def test_the_page_loads_nothing_and_says_that_it_is_no_medical_device(written):
    assert_self_contained(written(entry(), entry("positive")))


@pytest.mark.parametrize("harm", ['<img src="x.png">', '<a href="x">', "<script>1</script>", '<img src="http://x/y.png">'])
def test_a_page_that_loads_something_would_be_found_out(written, harm):
    source = written(entry())
    with pytest.raises(AssertionError):
        assert_self_contained(source.replace("</body>", f"{harm}</body>"))


def test_names_are_text_and_never_markup(written):
    source = written(entry(path=EVIL), title=EVIL, intended_population=EVIL, data_licences=(EVIL,))
    page = Page(source)
    assert "b" not in {tag for tag, _ in page.tags}
    assert not page.all("onclick")
    assert page.text.count(EVIL) == 6  # title twice, population, table, caption, licence
    assert EVIL in page.all("alt")[0]


def test_every_entry_has_its_row_its_picture_and_a_link_to_it(written):
    page = Page(written(entry(path="a.png"), entry(path="b.png")))
    pictures = [base64.b64decode(src.removeprefix("data:image/jpeg;base64,")) for src in page.all("src")]
    assert [Image.open(io.BytesIO(p)).size for p in pictures] == [(40, 30)] * 2
    assert page.all("href") == ["#case1", "#case2"]
    assert page.all("id") == ["case1", "case2"]


@pytest.mark.parametrize(("reference", "rows"), [("positive", 1), ("negative", 0), ("", 0)])
def test_a_decision_against_the_reference_is_marked(written, reference, rows):
    assert Page(written(entry(reference))).all("class").count("disagrees") == rows


def test_a_finding_is_told_by_its_rows_and_columns(written):
    text = " ".join(Page(written(entry(decision="positive", findings=[FINDING]))).text.split())
    assert "Finding 1: rows 10–30, columns 20–40, rating 0.750, left, lower." in text


def test_the_page_tells_the_threshold_and_whom_the_model_is_for(written):
    text = Page(written(entry(), intended_population="children of one to five years")).text
    assert "Threshold 0.500 by youden, fixed on the tune part" in text
    assert "children of one to five years" in text


def test_the_page_tells_the_population_of_each_radiograph_and_what_its_settings_were_fixed_on(written):
    page = written(
        entry(population=PopulationLine("adult", "age", "adult", False)),
        domain=DomainLimit(9.0, "", "tune", "abc"),
        populations=POPULATIONS,
    )
    assert "negative at 0.500, read as adult (by age)." in page
    assert "Threshold for the population adult: 0.500 by youden, fixed on 9 images of cohort (tune)." in page
    assert "the white line is at 0.750 or 0.250" in page
    assert "read as" not in written(entry())


def test_a_severity_is_named_for_what_it_is_and_an_undefined_one_is_not_shown(written):
    scored = SeverityLine(SEVERITY_NAME, 5.25, 3.25, 7.25, 0.9, 11, "masks", None, ())
    undefined = SeverityLine(SEVERITY_NAME, None, None, None, None, None, None, "lungs not found", ())
    source = html.unescape(written(entry(severity=scored), entry(severity=undefined), entry()))
    assert "Severity 5.2 of 18 (90% interval 3.2 to 7.2): opacity severity by the heat map, not a radiologist's score." in source
    assert source.lower().count("severity 5.2") == source.count("Severity") == 1
