"""One pass over the files: how often each is opened and read, which cases meet which measure, what is refused."""

import threading
from collections import Counter

import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort, CohortError, Partition
from pneumoscope.cohort.case import positives_by_rule, split_sha256
from pneumoscope.cohort.fingerprint import fingerprint
from pneumoscope.evaluation.errors import TrainingPatientsError
from pneumoscope.faithfulness.assessment import Extent, assess, marked_by_rule
from pneumoscope.localization import tables
from pneumoscope.localization.localize import FROM_CARD, FROM_TUNE, Selected, cases_of, localize, tune_cases
from pneumoscope.radiograph import Region
from pneumoscope.reader import Reader
from pneumoscope.reference.regions import ReferenceRegions
from tests.localization.builders import filled
from tests.reader.builders import quadrant, spot

ROWS, COLS = 80, 160
UPPER_LEFT = filled((ROWS, COLS), (0, 0, 40, 80))
SPLIT = {"tune1": "tune", "tune2": "tune", "p1": "test", "p2": "test", "p3": "test", "n1": "test", "n2": "test"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Positives are white in the upper left quarter; normals have a spot that glass takes for nothing."""
    root = tmp_path_factory.mktemp("assessed")
    cases = []
    for name, split in SPLIT.items():
        positive = not name.startswith("n")
        Image.fromarray(quadrant(ROWS, COLS) if positive else spot(ROWS, COLS)).save(root / f"{name}.png")
        cases.append(Case(f"{name}.png", "x", int(positive), f"of {name}", split=split))
    return Cohort(root, tuple(cases), source="made", partition=Partition("by hand", None, None, split_sha256(cases)))


@pytest.fixture
def reader(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture
def opened(monkeypatch):
    """How often each file is decoded, whoever asks for it."""
    counted, lock, read = Counter(), threading.Lock(), radiograph.read

    def counting(source, *arguments, **more):
        with lock:
            counted[source.name] += 1
        return read(source, *arguments, **more)

    monkeypatch.setattr(radiograph, "read", counting)
    return counted


def regions(*names):
    return {f"{name}.png": ReferenceRegions(UPPER_LEFT, (Region.around(UPPER_LEFT),), ("",)) for name in names}


def test_every_file_is_decoded_once_whatever_is_measured(reader, cohort, opened):
    marked = regions("tune1", "tune2", "p1", "p2", "p3")
    found = assess(reader, cohort, regions=marked, extent=Extent(intervene=3, stability=2), draws=5)
    assert set(found.further) == {
        "faithfulness by perturbation", "stability, rank correlation of the map before and after a change",
    }  # fmt: skip
    assert opened == Counter({f"{name}.png": 1 for name in SPLIT})


def test_the_occlusion_audit_alone_opens_a_second_radiograph_of_each_case(reader, cohort, opened):
    assess(reader, cohort, extent=Extent(occlusion=True), draws=5)
    assert sum(opened.values()) == 5 + 5
    assert set(opened) == {f"{name}.png" for name, split in SPLIT.items() if split == "test"}


def test_of_the_tune_split_only_cases_with_regions_are_read(reader, cohort, opened):
    assess(reader, cohort, regions=regions("tune1", "p1"), draws=5)
    assert (opened["tune1.png"], opened["tune2.png"]) == (1, 0)


def test_the_threshold_is_fixed_on_tune_where_that_has_regions(reader, cohort):
    assert assess(reader, cohort, regions=regions("tune1", "p1"), draws=5).threshold_from == FROM_TUNE
    for split, marked in (("test", regions("p1")), ("tune", regions("tune1")), ("all", regions("tune1"))):
        found = assess(reader, cohort, split, regions=marked, draws=5)
        assert (found.threshold, found.threshold_from) == (reader.card.finding_threshold, FROM_CARD)


class Watching:
    """A measure that remembers what it was fed with."""

    def __init__(self):
        self.paths = []

    def add(self, read):
        assert read.reading.heatmap.values.shape == read.radiograph.pixels.shape
        self.paths.append(read.case.path)

    def tables(self, draws):
        return {f"watched with {draws} draws": {}}


def test_measures_of_a_user_are_fed_from_the_same_pass_in_the_order_of_the_cohort(reader, cohort):
    every, some = Watching(), Watching()
    further = [Selected(every), Selected(some, frozenset({"p2.png", "n2.png"}))]
    found = assess(reader, cohort, further=further, draws=7)
    assert every.paths == ["p1.png", "p2.png", "p3.png", "n1.png", "n2.png"]
    assert some.paths == ["p2.png", "n2.png"]
    assert list(found.further) == ["watched with 7 draws"]


def test_measures_without_a_case_are_left_out(reader, cohort):
    normals = Cohort(cohort.root, tuple(c for c in cohort.cases if c.path in ("n1.png", "p1.png")))
    unmarked = tuple(c for c in normals.cases if not c.reference)
    assert positives_by_rule(unmarked, 3) == []
    found = assess(reader, normals, "all", extent=Extent(intervene=3), draws=5)
    assert found.further["faithfulness by perturbation"]["deletion AUC"].n == 1


def test_a_model_is_not_measured_on_patients_that_it_was_trained_on(reader, cohort, opened):
    reader.trained_on = (fingerprint([Case("elsewhere.png", "x", 1, "of p1"), Case("n2.png", "x", 0, "another")]),)
    with pytest.raises(TrainingPatientsError, match=r"was trained on 2 of the images under test \(2 patients, 1 identical"):
        assess(reader, cohort, draws=5)
    assert not opened
    found = assess(reader, cohort, allow_training_patients=True, draws=5)
    assert (found.training_overlap.cases, found.training_overlap.patients) == (2, 2)
    assert "**Measured on training patients.** The model was trained on 2 of these images" in tables.as_markdown(found)
    assert tables.as_json(found)["training_overlap"]["cases"] == 2


def test_what_a_model_of_an_earlier_version_was_trained_on_is_not_known(reader, cohort):
    text = tables.as_markdown(assess(reader, cohort, draws=5))
    assert "The model does not say which patients it was trained on." in text


def test_cases_are_those_of_a_split_or_all(cohort):
    assert cases_of(cohort, "all") == cohort.cases
    assert [c.path for c in cases_of(cohort, "tune")] == ["tune1.png", "tune2.png"]
    assert [c.path for c in tune_cases(cohort, "test")] == ["tune1.png", "tune2.png"]
    assert tune_cases(cohort, "tune") == tune_cases(cohort, "all") == ()
    with pytest.raises(CohortError, match="no case"):
        cases_of(cohort, "train")


def test_cases_with_regions_are_chosen_by_a_hash_of_their_paths(cohort):
    """The SHA-256 of p1.png, p2.png, p3.png begins with f8, a9 and fe (sha256sum)."""
    marked = regions("p1", "p2", "p3")
    assert [c.path for c in marked_by_rule(cohort.cases, marked, 2)] == ["p2.png", "p1.png"]
    assert marked_by_rule(cohort.cases, {}, 2) == []
    assert marked_by_rule(cohort.cases, marked, 0) == []


def test_localize_is_the_assessment_without_further_measures(reader, cohort):
    marked = regions("tune1", "p1", "p2")
    assert tables.as_json(localize(reader, cohort, regions=marked, draws=5)) == tables.as_json(
        assess(reader, cohort, regions=marked, draws=5)
    )
