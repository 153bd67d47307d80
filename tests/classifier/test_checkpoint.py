"""A checkpoint is loaded whole and as its card says, or refused with a sentence."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from pneumoscope.classifier import (
    BACKBONES,
    Calibration,
    Card,
    CardError,
    CheckpointError,
    ClassifierError,
    Domain,
    OperatingPoint,
    Preprocessing,
)
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, evaluating, file_sha256, load, save
from pneumoscope.classifier.network import build

CARD = Card(
    name="tiny",
    backbone="mobilenet_v2",
    head="linear",
    classes=("normal", "pneumonia"),
    preprocessing=Preprocessing(size_px=32),
    init="scratch",
    calibration=Calibration("isotonic", knots=((-1.0, 0.2), (2.0, 0.9)), split="tune", split_sha256="abc"),
    operating_points=(OperatingPoint(0.5, "youden", "tune", "abc"),),
    map_scale=0.25,
    recipe={"name": "default", "epochs": 2},
    cohort="a cohort",
    split_sha256="abc",
    data_licences=("CC BY 4.0",),
    results={"test": {"n": 3}},
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save(Classifier(build(BACKBONES["mobilenet_v2"], "linear"), CARD), tmp_path / "c")
    return tmp_path / "c"


def test_what_is_loaded_answers_as_what_was_saved(tmp_path):
    torch.manual_seed(0)
    network = build(BACKBONES["mobilenet_v2"], "linear")
    save(Classifier(network, CARD), tmp_path)
    squares = torch.rand(2, 1, 32, 32).numpy()
    assert (load(tmp_path).log_odds(squares) == Classifier(network, CARD).log_odds(squares)).all()


def test_card_keeps_every_field_through_json():
    assert cards.parse(json.dumps(dataclasses.asdict(CARD))) == CARD


@pytest.mark.parametrize("damage", [lambda c: c[:-1000], lambda c: c[:5000] + b"\xff" + c[5001:], lambda c: b""])
def test_damaged_weights_are_refused(folder, damage):
    weights = folder / "weights.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(CheckpointError, match="not those that the card names"):
        load(folder)


def test_weights_of_another_backbone_are_refused(folder):
    cards.write(dataclasses.replace(cards.read(folder), backbone="resnet18"), folder)
    with pytest.raises(CheckpointError, match="do not fit a resnet18"):
        load(folder)


def _largest(tensors):
    return max(tensors, key=lambda name: tensors[name].numel())


def _float64(tensors):
    return {name: tensor.double() for name, tensor in tensors.items()}


def _without_one(tensors):
    name = _largest(tensors)
    return {other: tensor for other, tensor in tensors.items() if other != name}


def _with_another(tensors):
    return {**tensors, "another": torch.zeros(1)}


def _of_another_shape(tensors):
    name = _largest(tensors)
    return {**tensors, name: tensors[name][:1]}


def _nan(tensors):
    name = _largest(tensors)
    return {**tensors, name: torch.full_like(tensors[name], torch.nan)}


ODD_TENSORS = [_without_one, _with_another, _of_another_shape, _float64, _nan]


def rewritten(folder, name, change):
    """Change the tensors of a file, and let the card name the changed file."""
    path = folder / name
    safetensors.torch.save_file(change(safetensors.torch.load_file(path)), path)
    card = cards.read(folder)
    cards.write(dataclasses.replace(card, files={**card.files, name: file_sha256(path)}), folder)


@pytest.mark.parametrize("change", ODD_TENSORS)
def test_weights_with_odd_tensors_are_refused(folder, change):
    rewritten(folder, "weights.safetensors", change)
    with pytest.raises(CheckpointError, match=r"the weights in .* do not fit a mobilenet_v2 with linear head; copy"):
        load(folder)


@pytest.mark.parametrize("change", ODD_TENSORS)
def test_a_domain_with_odd_tensors_is_refused(folder, change):
    domain = Domain.fit(np.random.default_rng(0).random((40, 6), np.float32))
    save(Classifier(build(BACKBONES["mobilenet_v2"], "linear"), CARD, domain=domain), folder)
    assert load(folder).domain.mean.shape == (6,)
    rewritten(folder, "domain.safetensors", change)
    with pytest.raises(CheckpointError, match=r"the domain in .* is damaged; copy the checkpoint again"):
        load(folder)


def test_a_file_that_is_no_safetensors_file_is_refused(folder):
    (folder / "weights.safetensors").write_bytes(b"PK\3\4")
    card = cards.read(folder)
    hashes = {**card.files, "weights.safetensors": file_sha256(folder / "weights.safetensors")}
    cards.write(dataclasses.replace(card, files=hashes), folder)
    with pytest.raises(CheckpointError, match="do not fit"):
        load(folder)


def test_missing_weights_and_missing_card_are_named(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no weights\.safetensors"):
        load(folder)
    (folder / "card.json").unlink()
    with pytest.raises(CardError, match=r"no card\.json"):
        load(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no valid JSON"),
        ("[]", "not one of Pneumoscope's"),
        ('{"a": 1}', "not one of Pneumoscope's"),
        ('{"format": 99, "backbone": "x"}', "format 99"),
        ('{"format": 2, "backbone": "x"}', "damaged"),
    ],
)
def test_a_card_that_is_none_is_refused(text, says):
    with pytest.raises(CardError, match=says):
        cards.parse(text)


@pytest.mark.parametrize(
    "change",
    [{"classes": "ab"}, {"classes": ["one"]}, {"map_scale": 0}, {"map_scale": "1"}, {"preprocessing": {"side_px": -1}},
     {"preprocessing": {"view": "elsewhere"}}, {"operating_points": [{"threshold": 0.5}]}, {"surplus": 1}],
)  # fmt: skip
def test_a_card_with_a_wrong_field_is_refused(change):
    with pytest.raises(CardError, match="damaged"):
        cards.parse(json.dumps({**dataclasses.asdict(CARD), **change}))


def test_an_unknown_backbone_in_a_card_is_refused(folder):
    cards.write(dataclasses.replace(cards.read(folder), backbone="resnet19"), folder)
    with pytest.raises(ClassifierError, match="resnet18"):
        load(folder)


def test_evaluation_mode_is_given_back_module_by_module_also_after_an_exception():
    network = build(BACKBONES["mobilenet_v2"], "linear").train()
    network.model.features[0].eval()
    before = [m.training for m in network.modules()]
    with pytest.raises(RuntimeError), evaluating(network):
        assert not any(m.training for m in network.modules())
        raise RuntimeError
    assert [m.training for m in network.modules()] == before
