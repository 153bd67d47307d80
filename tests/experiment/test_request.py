"""An experiment is asked for, and refused, from Python: no command is involved."""

import hashlib

import pytest

from pneumoscope.classifier import ClassifierError
from pneumoscope.experiment import ComparisonError
from pneumoscope.experiment.request import ExperimentRequest, start_in_words, starting_weights
from pneumoscope.training.recipe import recipe


def test_backbones_and_ensembles_are_each_taken_once():
    asked = ExperimentRequest(
        backbones=("resnet18", " mobilenet_v2", "resnet18"),
        ensembles=(("resnet18", "mobilenet_v2"), ("mobilenet_v2", "resnet18")),
    )
    assert asked.names == ("resnet18", "mobilenet_v2")
    assert [set(group) for group in asked.groups] == [{"resnet18", "mobilenet_v2"}]


def test_an_unknown_backbone_or_an_input_that_it_cannot_have_is_refused():
    with pytest.raises(ClassifierError, match="resnet18"):
        _ = ExperimentRequest(backbones=("resnet19",)).names
    with pytest.raises(ClassifierError, match="96"):
        _ = ExperimentRequest(backbones=("vit_b_16",), recipe=recipe("default", size_px=100)).names


@pytest.mark.parametrize("members", [("resnet18", "vit_b_16"), ("resnet18",), ("resnet18", "resnet18")])
def test_an_ensemble_is_of_two_or_more_of_the_backbones(members):
    with pytest.raises(ComparisonError, match="should name two or more of the compared backbones, resnet18, resnet50"):
        _ = ExperimentRequest(backbones=("resnet18", "resnet50"), ensembles=(members,)).groups


def test_starting_weights_are_the_one_file_of_the_backbone(tmp_path):
    content = b"weights"
    (tmp_path / "resnet18-f37.pth").write_bytes(content)
    (tmp_path / "notes.txt").touch()
    start = starting_weights("resnet18", str(tmp_path))
    assert start == str(tmp_path / "resnet18-f37.pth")
    assert start_in_words(start) == f"resnet18-f37.pth (sha256 {hashlib.sha256(content).hexdigest()[:12]})"
    assert (starting_weights("resnet18", "imagenet"), start_in_words("scratch")) == ("imagenet", "scratch")
    assert starting_weights("mobilenet_v2", "timm") == start_in_words("timm:mobilenetv2_100.ra_in1k")
    with pytest.raises(ComparisonError, match="has 0 files of weights for resnet50"):
        starting_weights("resnet50", str(tmp_path))
    with pytest.raises(ComparisonError, match="neither imagenet, timm, scratch nor a folder"):
        starting_weights("resnet18", str(tmp_path / "none"))
