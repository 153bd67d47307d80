"""Many radiographs: in their order, one by one the same, in bounded memory, and each with its own error."""

import copy
import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.classifier import CardError, DomainLimit, GreyZone
from pneumoscope.cohort.sample import sample
from pneumoscope.onnx_session import CPU, open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import BundleError, Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings import CaseKey, form
from tests.radiograph.builders import png
from tests.reader.builders import glass_bundle, graph, quadrant, spot


@pytest.fixture(scope="module")
def clear(glass):
    return Reader.load(glass, threads=1)


def greys(count):
    """Radiographs whose mean, and so whose log-odds, tells which one it is."""
    rng = np.random.default_rng(0)
    return [
        Radiograph(np.clip(rng.random((20 + k, 30)), 0, 1).astype(np.float32) * np.float32((k + 1) / count)) for k in range(count)
    ]


@pytest.mark.parametrize("batch", [1, 3, 100])
@pytest.mark.parametrize("workers", [0, 1, 5])
def test_many_are_read_as_each_by_itself_and_in_their_order(clear, batch, workers):
    images = greys(11)
    outcomes = list(clear.read_many(images, batch=batch, workers=workers))
    assert [o.source for o in outcomes] == images
    for image, outcome in zip(images, outcomes, strict=True):
        alone = clear.read(image)
        assert outcome.error is None
        assert outcome.reading.score.log_odds == pytest.approx(alone.score.log_odds, abs=1e-5)
        assert outcome.reading.heatmap.values == pytest.approx(alone.heatmap.values, abs=1e-5)


@pytest.mark.parametrize("bundle", ["default", "whole"])
def test_no_bit_of_a_reading_depends_on_the_batch(bundle):
    reader = Reader.load(SHIPPED[bundle], threads=1)
    with sample() as cohort:
        images = [radiograph.read(cohort.file(case)) for case in cohort.cases[:6]]

    def answers(batch):
        readings = [outcome.reading for outcome in reader.read_many(images, batch=batch)]
        return [(form.line_of(CaseKey("a"), one), one.score, one.heatmap.cells.tobytes()) for one in readings]

    assert answers(1) == answers(2) == answers(3) == answers(4)


@pytest.mark.parametrize(
    ("threads", "providers", "batch"), [(1, [CPU], 4), (2, [CPU], 1), (1, ["CUDAExecutionProvider", CPU], 1)]
)
def test_one_thread_of_the_processor_reads_four_at_once(clear, threads, providers, batch):
    other = copy.copy(clear)
    other._threads, other._session = threads, SimpleNamespace(get_providers=lambda: providers)
    assert other.batch == batch


def test_files_contents_and_radiographs_may_be_mixed_and_an_error_stays_with_its_own(clear, tmp_path):
    good, cut, gone = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"
    good.write_bytes(png(quadrant()))
    cut.write_bytes(png(quadrant())[:60])
    sources = [good, cut, png(spot()), gone, radiograph.read(good)]
    outcomes = list(clear.read_many(sources, batch=5))
    assert [o.reading is None for o in outcomes] == [False, True, False, True, False]
    assert isinstance(outcomes[1].error, radiograph.RadiographError)
    assert isinstance(outcomes[3].error, FileNotFoundError)
    assert outcomes[0].reading.score == outcomes[4].reading.score
    assert outcomes[2].reading.decision == "negative"


def test_no_more_are_drawn_from_an_endless_source_than_a_few_ahead(clear):
    drawn = itertools.count()

    def endless():
        for image in itertools.cycle(greys(3)):
            next(drawn)
            yield image

    outcomes = clear.read_many(endless(), batch=2, workers=2)
    for _ in range(20):
        assert next(outcomes).reading is not None
    outcomes.close()
    assert next(drawn) <= 20 + 2 * (2 * 2 + 2)
    assert threading.active_count() < 50


def test_nothing_gives_nothing(clear):
    assert list(clear.read_many([])) == []


def test_predicted_explains_what_is_decided(clear):
    positive, negative = (radiograph.read(png(p())) for p in (quadrant, spot))
    assert clear.read(positive, target="predicted").heatmap.target == "pneumonia"
    assert clear.read(negative, target="predicted").heatmap.target == "normal"


def test_a_method_that_the_card_does_not_name_is_refused(clear):
    with pytest.raises(CardError, match="gives heat maps by grad-cam, not 'layercam'"):
        clear.read(greys(1)[0], method="layercam")


def test_a_provider_that_is_not_there_is_refused_with_those_that_are(glass):
    with pytest.raises(BundleError, match=r"no execution provider FancyExecutionProvider on this .*CPUExecutionProvider"):
        Reader.load(glass, providers=["FancyExecutionProvider"])
    assert Reader.load(glass, providers=["CPUExecutionProvider"]).read(greys(1)[0])


def test_a_probability_in_the_grey_zone_is_abstained_from(tmp_path):
    """Glass gives the quarter a log-odds of 1, probability 0.731, and the spot −7/8, 0.294."""
    zone = GreyZone(0.3, 0.8, "", "tune", "")
    reader = Reader.load(glass_bundle(tmp_path / "b", grey_zone=zone), threads=1)
    assert reader.read(radiograph.read(png(quadrant()))).abstains
    assert not reader.read(radiograph.read(png(spot()))).abstains
    assert not GreyZone(0.8, 0.3, "", "tune", "").holds(0.5)


@pytest.mark.parametrize(("limit", "lungs", "inside"), [(0.5, 1, True), (0.2, 1, False), (0.5, 0, False)])
def test_an_image_is_inside_when_it_is_near_and_has_lungs(tmp_path, limit, lungs, inside):
    """The distance that glass gives the white quarter is 1/4."""
    bundle = glass_bundle(tmp_path / "b", graph(lungs=lungs), domain=DomainLimit(limit, "", "tune", ""))
    domain = Reader.load(bundle, threads=1).read(radiograph.read(png(quadrant()))).domain
    assert domain.distance == pytest.approx(0.25, abs=1e-3)
    assert domain.inside is inside
    assert ("no lungs found" in domain.reason, "unlike the training images" in domain.reason) == (not lungs, limit < 0.25)


def test_no_library_takes_one_image_another_way_than_a_batch(glass):
    """On processors of Arm with SME, which the tests do not have, KleidiAI's convolution gives one image other bits."""
    options = open_session(next(glass.glob("*.onnx")).read_bytes(), 1).get_session_options()
    assert options.get_session_config_entry("mlas.disable_kleidiai") == "1"
