"""Training leaves the process as it was, and refuses numbers that are none."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from pneumoscope.classifier import BACKBONES, Card, Domain, Preprocessing
from pneumoscope.classifier.backbone import is_head
from pneumoscope.classifier.network import build
from pneumoscope.heatmap.randomization import cascade
from pneumoscope.training import TrainingError, augmentation, fixed_on_tune, trainer
from pneumoscope.training.batches import batches
from pneumoscope.training.compute import Compute
from pneumoscope.training.fit import fit
from pneumoscope.training.fixed_on_tune import known, tuned
from pneumoscope.training.prepared_split import PreparedSplit
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.square_store import SquareStore
from tests.classifier import tiny

CARD = Card("m", "resnet18", "linear", ("normal", "pneumonia"), Preprocessing(32), "scratch", split_sha256="abc")


def prepared(n=12):
    squares = np.random.default_rng(0).integers(0, 255, (n, 1, 32, 32)).astype(np.uint8)
    return PreparedSplit(squares, np.arange(n) % 2, tuple(f"p{k}" for k in range(n)))


def test_opencv_has_one_thread_only_while_batches_are_made():
    before = cv2.getNumThreads()
    during = [
        cv2.getNumThreads() for _ in batches(Recipe("r", batch=4), SquareStore(prepared().squares, Compute()), prepared().pool, 0)
    ]
    assert during == [1, 1, 1]
    assert cv2.getNumThreads() == before


def test_opencv_gets_its_threads_back_after_an_exception():
    before = cv2.getNumThreads()
    with pytest.raises(KeyError), augmentation.one_thread():
        raise KeyError
    assert cv2.getNumThreads() == before


def test_randomizing_a_network_leaves_the_global_generator_alone():
    network = tiny.network()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    for _ in cascade(network):
        pass
    assert torch.equal(torch.rand(4), expected)


def test_training_leaves_the_global_generator_alone(cohort, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    recipe = Recipe("r", size_px=32, batch=8, epochs=1, head="linear", augmentation="none")
    fit(cohort, BACKBONES["mobilenet_v2"], recipe, tmp_path / "run", init="scratch", cache=tmp_path / "cache")
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_on_tune_that_are_no_numbers_are_refused_and_give_no_threshold(value):
    network = tiny.network()
    with torch.no_grad():
        network.model[2].bias[1] = value
    with pytest.raises(TrainingError, match="logits that are not finite numbers for 12 of 12 tune images"):
        tuned(network, CARD, prepared(), "temperature")


def test_features_that_are_no_numbers_give_no_domain():
    network = tiny.network()
    with torch.no_grad():
        network.model[1][1].bias[0] = math.nan
    with pytest.raises(TrainingError, match="features that are not finite numbers"):
        known(network, CARD, prepared(), prepared())


def test_features_that_differ_by_rounding_alone_give_no_domain():
    """Distances would be those of rounding errors, which the graph of an export rounds in another way."""
    features = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    assert fixed_on_tune._resolved(Domain.fit(features), features)
    alike = np.float32(0.7) + np.float32(1e-7) * features
    assert not fixed_on_tune._resolved(Domain.fit(alike), alike)
    domain, card = known(tiny.network(), CARD, prepared(), prepared())
    assert (domain is None) == (card.domain is None)


@pytest.mark.parametrize("method", ["none", "temperature", "isotonic"])
def test_evidence_and_score_have_one_threshold_under_every_calibration(method):
    network = tiny.network(evidence=True)
    squares = np.random.default_rng(0).integers(0, 255, (40, 2, 32, 32)).astype(np.uint8)
    split = PreparedSplit(squares, np.arange(40) % 2, tuple(f"p{k}" for k in range(40)))
    card = tuned(network, replace(CARD, head="evidence", map_method="evidence"), split, method)
    assert (card.calibration.method, card.calibration.split) == (method, "tune")
    assert card.finding_threshold == card.operating_point.threshold
    assert card.map_scale == card.calibration.temperature


def test_the_new_head_of_each_backbone_is_what_the_imagenet_weights_do_not_fill():
    """MobileNet-V3 keeps the pretrained hidden layer of its classifier: it is trained at the rate of the trunk."""
    v3 = build(BACKBONES["mobilenet_v3_large"], "linear")
    heads = {name for name, _ in v3.model.named_parameters() if is_head(name, BACKBONES["mobilenet_v3_large"])}
    assert heads == {"classifier.3.weight", "classifier.3.bias"}
    optimizer = trainer._optimizer(v3, Recipe("r", head_rate=10.0), BACKBONES["mobilenet_v3_large"])
    faster = next(group for group in optimizer.param_groups if group["times"] == 10)
    assert {id(p) for p in faster["params"]} == {id(v3.model.get_parameter(name)) for name in heads}
