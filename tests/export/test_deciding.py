"""Probability, decision, abstention, domain and scaled maps come out of the graph, one column for each of a card's settings."""

import dataclasses
import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.classifier import Calibration, Card, DomainLimit, GreyZone, OperatingPoint, PopulationSettings, Preprocessing
from pneumoscope.export.deciding import Deciding
from pneumoscope.export.graph import with_answers, write
from pneumoscope.export.parity import prove
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.reader import BundleError, Reader, bundle
from pneumoscope.reader.errors import ModelOutputError
from pneumoscope.reader.settings import calibrated, decided, settings_of

KNOTS = ((-1.0, 0.1), (0.0, 0.4), (2.0, 0.9))
CALIBRATIONS = {
    "none": Calibration(),
    "temperature": Calibration("temperature", 0.7),
    "logistic": Calibration("logistic", 0.7, intercept=-0.4),
    "isotonic": Calibration("isotonic", knots=KNOTS),
}


def _settings(calibration, threshold, zone=None, limit=None):
    return PopulationSettings(
        calibration,
        (OperatingPoint(threshold, "youden", "tune", "abc"),),
        GreyZone(*zone, "", "tune", "abc") if zone else None,
        DomainLimit(limit, "", "tune", "abc") if limit else None,
        0.5,
    )


CHILD = _settings(CALIBRATIONS["temperature"], 0.7, (0.2, 0.7), 1.5)
ADULT = _settings(CALIBRATIONS["logistic"], 0.4, (0.1, 0.3), 2.5)
BOTH = {"adult": ADULT, "child": CHILD}


def card(method="evidence", **changes):
    made = Card(
        name="m", backbone="resnet18", head="evidence", classes=("normal", "pneumonia"), preprocessing=Preprocessing(8), init="",
        operating_points=(OperatingPoint(0.5, "youden", "tune", "abc"),), map_method=method,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def run(of, logits, distance=0.0, lungs_found=2.0, raw=None):
    """Answers of the module for n logits, in single precision."""
    n = len(logits)
    maps = torch.zeros(n, 2, 1, 1) if raw is None else torch.from_numpy(raw)
    with torch.no_grad():
        values = Deciding(of)(
            torch.tensor(logits, dtype=torch.float32), torch.full((n,), float(distance)), torch.full((n,), float(lungs_found)),
            *[maps] * len(of.map_scales),
        )  # fmt: skip
    return [value.numpy() for value in values]


def test_there_is_one_column_for_each_population_and_one_for_patients_of_unknown_age():
    """By hand, for log-odds 0: a child has 0.5, in the grey zone, negative; an adult 1 / (1 + e^0.4) = 0.401, just positive.

    At a distance of 2 only the adult is inside. The unknown one is read as the more sensitive population with the nearer limit:
    a child is positive from log-odds 0.59, an adult from 0.
    """
    of = card(populations=BOTH, domain=DomainLimit(9.0, "", "tune", "abc"))
    assert list(settings_of(of)) == ["child", "adult", "unknown"]
    probability, decision, abstains, inside, _ = run(of, [[0, 0]], distance=2)
    assert probability[0] == pytest.approx([0.5, 0.4013, 0.4013], abs=1e-4)
    assert decision[0].tolist() == [0, 1, 1]
    assert abstains[0].tolist() == [1, 0, 0]
    assert inside[0].tolist() == [0, 1, 0]


def test_a_model_without_populations_has_one_column_and_one_without_a_domain_is_inside_where_lungs_are():
    of = card()
    assert list(settings_of(of)) == ["all"]
    for lungs, expected in ((0, 0), (1, 1), (2, 1)):
        assert [value[0].tolist() for value in run(of, [[0, 0]], 1e6, lungs)[:4]] == [[0.5], [1], [0], [expected]]


@given(st.floats(0, 1), st.floats(-10, 10))
def test_single_precision_decides_as_the_card_does_in_double_precision(threshold, log_odds):
    of = card(
        operating_points=(OperatingPoint(threshold, "", "tune", "abc"),), grey_zone=GreyZone(0.0, threshold, "", "tune", "")
    )
    probability, decision, abstains, _, _ = run(of, [[0, log_odds]])
    assert decision[0, 0] == (of.operating_point.decide(float(probability[0, 0])) == "positive")
    assert abstains[0, 0] == of.grey_zone.holds(float(probability[0, 0]))


@pytest.mark.parametrize("limit", [0.1, 1 / 3, 1.3286435458371424])
def test_a_distance_next_to_the_limit_is_on_the_side_of_double_precision(limit):
    of = card(domain=DomainLimit(limit, "", "tune", "abc"))
    nearest = np.float32(limit)
    for distance in (np.nextafter(nearest, np.float32(0)), nearest, np.nextafter(nearest, np.float32(9))):
        assert run(of, [[0, 0]], distance)[3][0, 0] == (float(distance) <= limit)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_probability_and_scaled_maps_are_the_readers(name):
    of = card(calibration=CALIBRATIONS[name])
    log_odds = np.linspace(-6, 6, 49, dtype=np.float32)
    raw = np.stack([-log_odds, log_odds]).reshape(1, 2, 7, 7)
    logits = np.stack([np.zeros_like(log_odds), log_odds], 1)
    probability, *_ = run(of, logits.tolist(), raw=np.repeat(raw, 49, 0))
    assert probability == pytest.approx(calibrated(settings_of(of), log_odds), abs=1e-6)
    shown = run(of, [[0, 0]], raw=raw)[-1][0]
    for k, target in enumerate(of.classes):
        assert shown[k] == pytest.approx(scaled(raw[0, k], of, target=target), abs=1e-6)


def test_the_readers_own_arithmetic_by_hand():
    settings = {"a": CHILD, "b": ADULT}
    answers = decided(settings, np.array([[0.7, 0.3], [0.2, 0.1]]), np.array([2.0, 1.0]), np.array([1.0, 0.0]))
    assert answers.decision.tolist() == [[1, 0], [0, 0]]
    assert answers.abstains.tolist() == [[0, 0], [1, 1]]
    assert answers.inside.tolist() == [[0, 1], [0, 0]]


def reform(bundled, to, **changes):
    """A bundle with other settings, whose answers alone are computed again."""
    classifier, folder = bundled
    of = dataclasses.replace(Reader.load(folder).card, **changes)
    write(with_answers(onnx.load(folder / bundle.GRAPH_NAME), of), of, to)
    return dataclasses.replace(classifier, card=of), to


@pytest.fixture(scope="module")
def populations(bundled_evidence, tmp_path_factory):
    return reform(bundled_evidence, tmp_path_factory.mktemp("populations") / "bundle", populations=BOTH)


def test_a_graph_with_populations_is_proven_like_any_other(populations, shown):
    outputs = prove(*populations, shown)["outputs"]
    assert {"decision", "abstains", "inside_domain", "evidence-scaled"} < outputs.keys()
    for name in ("decision", "abstains", "inside_domain"):
        assert outputs[name] == {"graph": 0.0, "allowed": 0.0}


def test_the_graph_names_its_columns(populations):
    session = onnxruntime.InferenceSession(populations[1] / bundle.GRAPH_NAME)
    assert session.get_modelmeta().custom_metadata_map == {"pneumoscope": "3", "settings": "child,adult,unknown"}
    shapes = {output.name: output.shape for output in session.get_outputs()}
    assert [shapes[name] for name in bundle.ANSWERS] == [["readings", 3]] * 4


def test_the_answers_of_a_graph_are_replaced_and_the_rest_is_not(populations, bundled_evidence, shown):
    image = shown[0].pixels[None, None]
    before, now = (onnxruntime.InferenceSession(folder / bundle.GRAPH_NAME) for _, folder in (bundled_evidence, populations))
    for name in (*bundle.outputs(populations[0].card)[:7], "evidence"):
        assert (before.run([name], {"image": image})[0] == now.run([name], {"image": image})[0]).all()
    nodes = [
        sum(n.name.startswith("deciding/") for n in onnx.load(f / bundle.GRAPH_NAME).graph.node)
        for _, f in (populations, bundled_evidence)
    ]
    assert 0 < nodes[1] < nodes[0] < 4 * nodes[1]


def test_a_reading_is_the_graphs_answer(populations, shown):
    """By the cautious settings, since neither file nor user tells the age."""
    reader = Reader.load(populations[1])
    for image in shown:
        session = onnxruntime.InferenceSession(populations[1] / bundle.GRAPH_NAME)
        seen = {"image": reader.seen(image)[None, None]}
        probability, decision, abstains, inside, maps = session.run([*bundle.ANSWERS, "evidence-scaled"], seen)
        reading = reader.read(image)
        assert reading.score.probability == float(probability[0, 2])
        assert reading.decision == ("positive" if decision[0, 2] else "negative")
        assert reading.abstains == bool(abstains[0, 2])
        assert reading.domain.inside == bool(inside[0, 2])
        assert (reading.heatmap.cells == maps[0, 1]).all()


@pytest.mark.parametrize(
    ("output", "changes"),
    [
        ("decision", {"operating_points": (OperatingPoint(1.0, "", "tune", "abc"),)}),
        ("abstains", {"grey_zone": GreyZone(0.0, math.nextafter(1, 2), "", "tune", "abc")}),
        ("inside_domain", {"domain": DomainLimit(1e9, "", "tune", "abc")}),
    ],
)
def test_a_graph_that_decides_otherwise_than_its_card_gives_no_reading(bundled_evidence, shown, tmp_path, output, changes):
    """Its thresholds were others when the graph was made: once they decide for all, once for none."""
    positive, outside = (OperatingPoint(0.0, "", "tune", "abc"),), DomainLimit(0.0, "", "tune", "abc")
    _, folder = reform(bundled_evidence, tmp_path / "bundle", operating_points=positive, grey_zone=None, domain=outside)
    graph = onnx.load(folder / bundle.GRAPH_NAME)
    write(graph, dataclasses.replace(Reader.load(folder).card, **changes), folder)
    with pytest.raises(ModelOutputError, match=f"gave another {output} than its card prescribes"):
        Reader.load(folder).read(shown[0])


def test_a_graph_of_other_populations_than_its_card_is_refused(populations, tmp_path):
    of = populations[0].card
    graph = onnx.load(populations[1] / bundle.GRAPH_NAME)
    write(graph, dataclasses.replace(of, populations={"child": CHILD}), tmp_path)
    with pytest.raises(BundleError, match="has other settings than its card"):
        Reader.load(tmp_path)
    write(graph, dataclasses.replace(of, populations={"child": ADULT, "adult": ADULT}), tmp_path)
    with pytest.raises(BundleError, match="has another calibration than its card"):
        Reader.load(tmp_path)
