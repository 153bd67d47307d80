"""``pneumoscope read --population``: every output says as what a patient was read, and a resumed run never mixes answers."""

import csv

import pytest

from pneumoscope.classifier import DomainLimit
from pneumoscope.reader import Reader
from tests.cli.run import by_path, run
from tests.radiograph.builders import cr, png, written
from tests.reader.builders import glass_bundle, quadrant
from tests.reader.test_population import POPULATIONS


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both") / "bundle"
    return glass_bundle(folder, domain=DomainLimit(9.0, "", "tune", "abc"), populations=POPULATIONS)


@pytest.fixture
def folder(tmp_path):
    """A PNG, which tells no age, and DICOM files of a child and of an adult, and one whose age is no Age String."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "unknown.png").write_bytes(png(quadrant()))
    for name, age in (("child.dcm", "004Y"), ("adult.dcm", "062Y"), ("odd.dcm", "062")):
        dataset = cr(quadrant(), bits=8, PatientOrientation=["L", "F"], BodyPartExamined="CHEST", ViewPosition="PA")
        dataset.add_new("PatientAge", "LO", age)
        (tmp_path / "in" / name).write_bytes(written(dataset))
    return tmp_path / "in"


@pytest.fixture
def read(both, tmp_path, folder):
    def go(*arguments, out=tmp_path / "out"):
        return run("read", folder, "-o", out, "--model", both, "--format", "csv", *arguments)

    return go


def population(value, source, settings):
    return {"value": value, "source": source, "settings": settings, "cautious": value is None}


BY_AGE = {"child.dcm": population("child", "age", "child"), "adult.dcm": population("adult", "age", "adult")}
UNKNOWN = population(None, "unknown", "child")


def test_without_the_option_the_age_decides_and_else_caution(read, tmp_path):
    ran = read()
    assert ran.code == 0
    lines = by_path(tmp_path / "out")
    assert {name: line["population"] for name, line in lines.items()} == {**BY_AGE, "odd.dcm": UNKNOWN, "unknown.png": UNKNOWN}
    assert {name: line["decision"] for name, line in lines.items()} == {
        "child.dcm": "positive", "adult.dcm": "negative", "odd.dcm": "positive", "unknown.png": "positive",
    }  # fmt: skip
    assert lines["odd.dcm"]["cautions"] == ["age not readable"]
    assert lines["unknown.png"]["cautions"] == ["no side stated: patient's right assumed on the left"]
    assert "  2 population unknown: read with the cautious settings (child)\n" in ran.out
    assert "  1 read as adult (by age)\n" in ran.out


def test_the_option_decides_where_the_file_tells_no_age_and_a_contradiction_is_that_files_error(read, tmp_path):
    ran = read("--population", "adult")
    assert ran.code == 1
    lines = by_path(tmp_path / "out")
    assert lines["unknown.png"]["population"] == lines["odd.dcm"]["population"] == population("adult", "user", "adult")
    assert (lines["unknown.png"]["decision"], lines["unknown.png"]["probability"]) == (
        "negative",
        pytest.approx(0.2689, abs=1e-3),
    )
    assert lines["child.dcm"]["error"]["kind"] == "PopulationError"
    assert "leave the population out for this file" in ran.err
    assert "4" not in lines["child.dcm"]["error"]["message"]  # the age is not quoted


def test_the_csv_says_the_population_too(read, tmp_path):
    read()
    with (tmp_path / "out" / "readings.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    columns = ("population", "population_source", "population_settings")
    assert [rows["adult.dcm"][name] for name in columns] == ["adult", "age", "adult"]
    assert [rows["unknown.png"][name] for name in columns] == ["", "unknown", "child"]


@pytest.mark.parametrize(
    ("before", "after"),
    [((), ("--population", "adult")), (("--population", "adult"), ()), (("--population", "child"), ("--population", "adult"))],
)
def test_a_run_with_another_population_keeps_no_earlier_answer(read, tmp_path, before, after):
    read(*before)
    ran = read(*after)
    assert "were read before" not in ran.err
    read(*after, out=tmp_path / "fresh")
    assert by_path(tmp_path / "out") == by_path(tmp_path / "fresh")
    for name in by_path(tmp_path / "fresh"):
        painted = [(tmp_path / out / "overlays" / f"{name}.png") for out in ("out", "fresh")]
        assert [file.exists() for file in painted] in ([True, True], [False, False])
        assert not painted[0].exists() or painted[0].read_bytes() == painted[1].read_bytes()


def test_a_run_with_the_same_population_goes_on(read):
    assert read("--population", "adult").code == 1
    assert "3 of 4 files were read before" in read("--population", "adult").err


def test_a_model_without_populations_takes_no_option(folder, glass, tmp_path):
    ran = run("read", folder, "-o", tmp_path / "out", "--model", glass, "--population", "adult")
    assert ran.code == 2
    assert "the model has the same settings for all patients" in ran.err
    assert not (tmp_path / "out").exists()
    assert run("read", folder, "-o", tmp_path / "out", "--model", glass).code == 0
    assert {line["population"] for line in by_path(tmp_path / "out").values()} == {None}


def test_the_demo_reads_the_shipped_radiographs_as_those_of_children(both, tmp_path, monkeypatch):
    reader = Reader.load(both, threads=1)
    monkeypatch.setattr(Reader, "load", lambda: reader)
    ran = run("demo", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    populations = [line["population"] for line in by_path(tmp_path / "out").values()]
    assert populations == [population("child", "user", "child")] * 16
