"""Raw maps at full scale: evidence is a probability under every calibration, other maps are shares of their scale."""

import numpy as np
import pytest

from pneumoscope.classifier import Calibration, Card, OperatingPoint, Preprocessing
from pneumoscope.heatmap.heatmap import EVIDENCE, Heatmap, scaled
from pneumoscope.radiograph import Placement, Region

CALIBRATIONS = {
    "none": Calibration(),
    "temperature": Calibration("temperature", 2.5),
    "logistic": Calibration("logistic", 0.5, intercept=-1.25),
    "isotonic": Calibration("isotonic", knots=((-3.0, 0.01), (1.0, 0.04), (2.0, 0.048), (6.0, 0.9))),
}


def card(calibration, method="evidence", scale=1.0):
    return Card(
        name="m", backbone="resnet18", head="evidence", classes=("normal", "pneumonia"), preprocessing=Preprocessing(32),
        init="scratch", calibration=calibration, map_method=method, map_scale=scale, finding_threshold=0.3,
        operating_points=(OperatingPoint(0.3, "youden", "tune", "abc"),),
    )  # fmt: skip


def evidence_card(name):
    calibration = CALIBRATIONS[name]
    return card(calibration, scale=calibration.temperature)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_evidence_is_the_calibrated_probability_of_an_image_of_that_evidence_alone(name):
    """Pooling an even map gives its value back, so that the map of such an image is its probability everywhere."""
    model = evidence_card(name)
    e = np.linspace(-8, 8, 161, dtype=np.float32)
    np.testing.assert_allclose(scaled(e, model), model.calibration(e), atol=1e-6)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_evidence_for_the_other_class_is_one_minus_it(name):
    model = evidence_card(name)
    e = np.linspace(-8, 8, 161, dtype=np.float32)
    np.testing.assert_allclose(scaled(-e, model, target="normal"), 1 - model.calibration(e), atol=1e-6)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_a_pixel_belongs_to_a_finding_where_an_image_of_its_evidence_is_positive(name):
    model = evidence_card(name)
    e = np.linspace(-8, 8, 12, dtype=np.float32).reshape(3, 4)
    placement = Placement(3, 4, Region(0, 0, 3, 4), 4)
    shown = Heatmap(scaled(e, model), placement, "pneumonia", EVIDENCE, "evidence", model.map_scale, model.finding_threshold)
    positive = model.calibration(e) >= model.operating_point.threshold
    assert positive.any()
    assert not positive.all()
    assert ((shown.cells >= shown.threshold) == positive).all()


def test_two_units_of_evidence_under_isotonic_calibration_are_no_finding():
    """By hand: log-odds 2 are a probability of 0.048; the logistic function would say 0.88."""
    assert scaled(np.float32([2.0]), evidence_card("isotonic")) == pytest.approx(0.048)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_other_maps_are_divided_by_their_scale_under_every_calibration(name):
    model = card(CALIBRATIONS[name], method="grad-cam", scale=4.0)
    assert scaled(np.float32([0, 2, 8]), model).tolist() == [0.0, 0.5, 2.0]
