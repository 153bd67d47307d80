"""`Reader`: by hand on a model of glass, and what holds for any model on the shipped one."""

import math
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.classifier import Calibration, CardError, DomainLimit, OperatingPoint, SeverityScale
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Radiograph, Region
from pneumoscope.reader import ModelOutputError, NotAChestError, Reader, SourceError
from tests.radiograph.builders import png, real
from tests.reader.builders import glass_bundle, graph, quadrant, spot


def picture(pixels) -> Radiograph:
    return radiograph.read(png(pixels))


@pytest.fixture(scope="module")
def clear(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture(scope="module")
def shipped():
    return Reader.load(threads=1)


@pytest.fixture(scope="module")
def shown():
    """Two normal and two pneumonia radiographs of the sample."""
    with sample() as cohort:
        return [radiograph.read(cohort.file(cohort.cases[k])) for k in (0, 1, 8, 15)]


# By hand


def test_score_decision_and_finding_of_a_white_quarter_are_those_computed_by_hand(clear):
    reading = clear.read(picture(quadrant()))

    assert reading.score.target == "pneumonia"
    assert reading.score.log_odds == pytest.approx(8 / 4 - 1, abs=1e-3)
    assert reading.score.probability == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-3)
    assert reading.decision == "positive"
    (found,) = reading.findings
    assert found.box == Region(0, 0, 40, 80)
    assert found.rating == pytest.approx(reading.score.probability, abs=1e-4)  # the map is full in the corner


def test_a_mostly_black_image_is_negative_and_has_no_finding(clear):
    reading = clear.read(picture(spot()))
    assert reading.score.log_odds == pytest.approx(8 / 64 - 1, abs=1e-3)
    assert (reading.decision, reading.findings) == ("negative", ())


def test_the_threshold_of_the_card_decides_and_a_negative_has_no_findings_however_high_its_map(tmp_path):
    bundle = glass_bundle(tmp_path / "b", operating_points=(OperatingPoint(0.9, "youden", "tune", ""),))
    reading = Reader.load(bundle).read(picture(quadrant()))
    assert reading.heatmap.values.max() > 0.9
    assert (reading.decision, reading.findings) == ("negative", ())


def test_the_calibration_of_the_card_makes_the_probability(tmp_path):
    bundle = glass_bundle(tmp_path / "b", calibration=Calibration("temperature", 2.0))
    score = Reader.load(bundle).read(picture(quadrant())).score
    assert score.log_odds == pytest.approx(1, abs=1e-3)
    assert score.probability == pytest.approx(1 / (1 + math.exp(-0.5)), abs=1e-3)


def test_the_map_is_in_units_of_the_scale_of_the_card(tmp_path, clear):
    image = picture(quadrant())
    halved = Reader.load(glass_bundle(tmp_path / "b", map_scale=2.0)).read(image).heatmap
    assert halved.scale == 2
    np.testing.assert_allclose(halved.values, clear.read(image).heatmap.values / 2, atol=1e-6)


def test_the_map_of_normal_is_its_own_and_leaves_score_and_decision_alone(clear):
    image = picture(quadrant())
    normal, pneumonia = clear.read(image, target="normal"), clear.read(image)
    np.testing.assert_allclose(normal.heatmap.values, 1 - pneumonia.heatmap.values, atol=1e-6)
    assert normal.heatmap.target == "normal"
    assert (normal.score, normal.decision) == (pneumonia.score, pneumonia.decision)
    assert normal.findings == ()  # a finding speaks for the target


def test_log_odds_of_prepared_squares_are_those_of_a_reading(clear):
    images = [picture(quadrant()), picture(spot())]
    squares = np.stack([prepare(image, clear.card.preprocessing).pixels for image in images])
    assert clear.log_odds(squares).tolist() == [clear.read(image).score.log_odds for image in images]


def test_a_file_and_its_bytes_are_read_like_the_radiograph_in_them(clear, tmp_path):
    content = png(quadrant())
    (tmp_path / "a.png").write_bytes(content)
    scores = [clear.read(source).score for source in (picture(quadrant()), content, tmp_path / "a.png", str(tmp_path / "a.png"))]
    assert scores == [scores[0]] * 4
    assert clear(content).score == scores[0]


@pytest.mark.parametrize("source", [np.zeros((8, 8), np.float32), None, 3])
def test_anything_else_is_refused_with_the_way_to_make_a_radiograph(clear, source):
    with pytest.raises(SourceError, match=r"not (ndarray|NoneType|int); .*pneumoscope\.Radiograph\(pixels\)"):
        clear.read(source)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("output", ["logits", "distance", "grad-cam", "lung_quality"])
def test_a_value_that_no_model_can_give_is_an_error_and_never_a_decision(clear, monkeypatch, output, value):
    run = clear._run

    def spoil(names, inputs):
        return [
            np.full_like(part, value) if name == output else part for name, part in zip(names, run(names, inputs), strict=True)
        ]

    monkeypatch.setattr(clear, "_run", spoil)
    with pytest.raises(ModelOutputError, match="the radiograph was not read"):
        clear.read(picture(quadrant()))


@pytest.mark.parametrize(
    ("output", "value"), [("lung_quality", 1.5), ("lungs_found", 3), ("lungs_found", -1), ("distance", -0.1)]
)
def test_a_value_out_of_its_range_is_an_error(clear, monkeypatch, output, value):
    run = clear._run
    monkeypatch.setattr(
        clear, "_run", lambda names, given: [np.full_like(part, value) if name == output else part
                                             for name, part in zip(names, run(names, given), strict=True)],
    )  # fmt: skip
    with pytest.raises(ModelOutputError, match=f"{output} outside its range"):
        clear.read(picture(quadrant()))


def test_log_odds_that_are_not_finite_are_an_error(clear, monkeypatch):
    monkeypatch.setattr(clear, "_session", types.SimpleNamespace(run=lambda names, given: [np.full((1, 2), np.nan, np.float32)]))
    with pytest.raises(ModelOutputError, match="NaN"):
        clear.log_odds(np.zeros((1, 1, 8, 8), np.float32))


def test_a_graph_that_fails_is_an_error_of_the_package(clear):
    with pytest.raises(ModelOutputError, match="ONNX Runtime could not run the model"):
        clear.log_odds(np.zeros((1, 2, 8, 8), np.float32))


def test_a_reading_shows_itself_in_one_short_line(clear):
    assert repr(clear.read(picture(quadrant()))) == "<ModelReading pneumonia 0.731, positive, 1 findings, by glass>"


@pytest.mark.parametrize("target", ["lung", "Pneumonia"])
def test_an_unknown_target_is_refused_with_the_list_of_classes(clear, target):
    with pytest.raises(CardError, match=f"normal, pneumonia, not '{target}'"):
        clear.read(picture(quadrant()), target=target)


@pytest.mark.parametrize("part", ["", "CHEST", "Thorax", "CHESTABDOMEN", "RIB"])
def test_a_chest_is_read(clear, part):
    assert clear.read(Radiograph(picture(quadrant()).pixels, body_part=part)).decision == "positive"


@pytest.mark.parametrize("part", ["EXTREMITY", "skull", "FOOT"])
def test_another_body_part_is_refused_by_its_name(clear, part):
    with pytest.raises(NotAChestError, match=part.upper()):
        clear.read(Radiograph(picture(quadrant()).pixels, body_part=part))


def test_a_real_radiograph_of_a_leg_is_refused(clear):
    with pytest.raises(NotAChestError, match="EXTREMITY"):
        clear.read(radiograph.read(real("RG3_UNCR.dcm")))


# Whatever the shipped model is


def test_the_heat_map_has_the_shape_of_the_radiograph_and_is_not_negative(shipped, shown):
    for image in shown:
        values = shipped.read(image).heatmap.values
        assert values.shape == image.pixels.shape
        assert values.dtype == np.float32
        assert values.min() >= 0


def test_the_maps_of_both_classes_differ(shipped, shown):
    pairs = [(shipped.read(image).heatmap.values, shipped.read(image, target="normal").heatmap.values) for image in shown]
    assert not any(np.array_equal(*pair) for pair in pairs if max(pair[0].max(), pair[1].max()) > 0)
    assert any(pair[0].max() > 0 for pair in pairs)


def test_eight_threads_read_what_one_reads(shipped, shown):
    serial = [shipped.read(image) for image in shown]
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(shipped.read, shown * 6))
    for k, reading in enumerate(threaded):
        expected = serial[k % len(shown)]
        assert reading.score == expected.score
        np.testing.assert_array_equal(reading.heatmap.values, expected.heatmap.values)


def test_the_same_pixels_in_eight_and_in_sixteen_bit_have_the_same_score(shipped):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90))
    eight, sixteen = (shipped.read(radiograph.read(png(v, depth))) for v, depth in ((pixels, 8), (pixels * 257, 16)))
    assert eight.score == sixteen.score
    np.testing.assert_array_equal(eight.heatmap.values, sixteen.heatmap.values)


def test_a_real_chest_radiograph_in_dicom_is_read(shipped):
    image = radiograph.read(real("RG1_UNCR.dcm"))
    reading = shipped.read(image)
    assert 0 <= reading.score.probability <= 1
    assert reading.heatmap.values.shape == (1955, 1841)  # Rows and Columns of the file


def test_what_is_no_upright_chest_lies_outside_of_the_domain_and_the_shipped_radiographs_inside(shipped, shown):
    assert all(shipped.read(image).domain.inside for image in shown)
    chest = shown[0].pixels
    noise = np.random.default_rng(0).random((300, 200), np.float32)
    for strange in (noise, 1 - chest, np.rot90(chest), np.rot90(chest, 2)):
        domain = shipped.read(Radiograph(np.ascontiguousarray(strange))).domain
        assert not domain.inside
        assert domain.reason


# Severity


def test_the_severity_of_a_white_quarter_is_the_one_computed_by_hand(tmp_path):
    """Lungs everywhere, so that both lungs are the whole square of 4 × 4 cells, with thirds of 1, 2 and 1 rows.

    The map is 1, 15/16, 1/16, 0 down and across, so its mean across is 1/2: densities 1/2, (15/16 + 1/16) / 4 and 0.
    """
    scale = SeverityScale(((0.0, 0.0), (1.0, 3.0)), 1.0, 0.9, 20, 20, "masks", "tune", "")
    folder = glass_bundle(tmp_path / "bundle", graph(lungs=1), severity=scale)
    reader = Reader.load(folder, threads=1)
    severity = reader.read(picture(quadrant())).severity
    assert [zone.density for zone in severity.zones] == pytest.approx([0.5, 0.25, 0] * 2, abs=1e-3)
    assert [zone.share_opaque for zone in severity.zones] == [0.5, 0.25, 0] * 2
    assert severity.score == pytest.approx(4.5, abs=1e-2)
    assert (severity.low, severity.high) == pytest.approx((3.5, 5.5), abs=1e-2)
    assert "explains another class" in reader.read(picture(quadrant()), target="normal").severity.reason


def test_a_negative_radiograph_has_a_severity_and_one_without_lungs_has_a_reason(tmp_path, clear):
    reader = Reader.load(glass_bundle(tmp_path / "bundle", graph(lungs=1)), threads=1)
    reading = reader.read(picture(spot()))
    assert reading.decision == "negative"
    assert max(zone.density for zone in reading.severity.zones) > 0
    assert clear.read(picture(quadrant())).severity.reason == "lungs not found"


def test_a_radiograph_outside_the_domain_has_a_score_without_an_interval(tmp_path):
    scale = SeverityScale(((0.0, 0.0), (1.0, 3.0)), 1.0, 0.9, 20, 20, "masks", "tune", "")
    limit = DomainLimit(0.2, "by hand", "tune", "")
    reader = Reader.load(glass_bundle(tmp_path / "bundle", graph(lungs=1), severity=scale, domain=limit), threads=1)
    inside, outside = (reader.read(picture(pixels)).severity for pixels in (spot(), quadrant()))
    assert inside.high is not None
    assert (outside.score is None, outside.low) == (False, None)
