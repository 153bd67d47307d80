"""Pretrained weights of timm: what our network computes with them is what timm's own model computes."""

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants
from torch import nn

from pneumoscope.classifier import BACKBONES, WeightsError, timm_weights, weights
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize

CONVOLUTIONAL = [name for name in BACKBONES if name != "vit_b_16"]


def random_model(name: str, **options) -> nn.Module:
    """A model of timm in double precision with random weights, whose batch norms have the statistics of random grey images."""
    torch.manual_seed(3)
    model = timm.create_model(name, **options).double()
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = 1.0
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    with torch.no_grad():
        model(torch.randn(16, 1, 64, 64, dtype=torch.float64).expand(-1, 3, -1, -1))
    return model.eval()


def channels(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)


def ours(backbone, model, mean, std, size_px) -> nn.Module:
    """Our network in double precision with the model's weights; the mean is not rounded to single precision."""
    network = build(backbone, "linear", size_px=size_px).double().eval()
    weights._load_trunk(network, backbone, timm_weights.converted(backbone, model, mean, std), "w")
    network.mean, network.std = channels(backbone.mean), channels(backbone.std)
    return network


def embedding(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """The input of the network's last layer."""
    *_, last = (module for module in network.modules() if isinstance(module, nn.Linear))
    seen = []
    with last.register_forward_hook(lambda _, given, __: seen.append(given[0])):
        network(image)
    return seen[0]


def square(size_px: int = 64) -> torch.Tensor:
    return torch.rand(2, 1, size_px, size_px, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def agree(network, model, image, mean, std):
    """Whether both compute the same input of the classifier from an image, each with its own normalization."""
    theirs = model.forward_head(model.forward_features((image - channels(mean)) / channels(std)), pre_logits=True)
    assert theirs.std() > 1e-3, "equal constants prove nothing"
    torch.testing.assert_close(embedding(network, image), theirs, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_convolutional_network_computes_what_timms_model_computes(name):
    backbone = BACKBONES[name]
    model = random_model(timm_weights.MODELS[name][0])
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    network = ours(backbone, model, backbone.mean, backbone.std, 64)
    model.load_state_dict(kept)  # the conversion may change the model that it is given

    agree(network, model, square(), backbone.mean, backbone.std)

    if name != "densenet121":  # whose explained layer timm does not return
        theirs = model.forward_features(network.normalized(square()))
        torch.testing.assert_close(network.features(square()).maps, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("normalization", [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5, 0.4, 0.3), (0.5, 0.25, 0.125))])
def test_a_vision_transformer_computes_what_timms_model_computes_with_its_own_normalization(normalization):
    backbone = BACKBONES["vit_b_16"]
    model = random_model("vit_base_patch16_224", img_size=64)
    nn.init.normal_(model.patch_embed.proj.bias)
    nn.init.normal_(model.pos_embed, std=0.1)

    agree(ours(backbone, model, *normalization, 64), model, square(), *normalization)


@torch.no_grad()
def test_the_names_of_a_vision_transformer_are_those_of_torchvision():
    """Every tensor of the trunk once, in its shape; what they compute is tested in the slow lane."""
    backbone = BACKBONES["vit_b_16"]
    with torch.device("meta"):
        model, network = timm.create_model("vit_base_patch16_224", img_size=32), build(backbone, "linear", size_px=32)
    renamed = timm_weights.converted(backbone, model, backbone.mean, backbone.std)
    expected = {k: v.shape for k, v in network.model.state_dict().items() if not k.startswith("heads.")}
    assert {k: v.shape for k, v in renamed.items() if not k.startswith("head.")} == expected


@pytest.mark.parametrize(
    ("backbone", "other"),
    [
        ("efficientnet_b0", "tf_efficientnet_b0.in1k"),
        ("mobilenet_v3_large", "tf_mobilenetv3_large_100.in1k"),
        ("efficientnet_lite0", "efficientnet_lite0.ra_in1k"),
        ("resnet18", "resnet34.a1_in1k"),
        ("vit_b_16", "vit_base_patch16_clip_224.openai"),
    ],
)
def test_a_model_whose_arithmetic_differs_is_refused(backbone, other):
    with pytest.raises(
        WeightsError,
        match=rf"'{other.partition('.')[0]}' of timm does not compute what {backbone} computes .*for example --init timm:",
    ):
        initialize(None, BACKBONES[backbone], f"timm:{other}")


def test_padding_of_tensorflow_gives_other_features():
    """What the refusal above is for."""
    same, other = (random_model(name) for name in ("efficientnet_b0", "tf_efficientnet_b0"))
    other.load_state_dict(same.state_dict())
    image = square().expand(-1, 3, -1, -1)
    assert not torch.allclose(same.forward_features(image), other.forward_features(image), atol=1e-3)


@pytest.mark.parametrize("name", ["mobilenetv3_large_100.miil_in21k", "mobilenetv3_large_100.ra4_e3600_r224_in1k"])
def test_a_convolutional_network_with_another_normalization_is_refused(name):
    with pytest.raises(
        WeightsError, match=r"but mobilenet_v3_large normalizes with 0\.485.*choose one of mobilenetv3_large_100\.ra_in1k$"
    ):
        initialize(None, BACKBONES["mobilenet_v3_large"], f"timm:{name}")


def test_an_unknown_tag_lists_near_ones():
    with pytest.raises(WeightsError, match=r"timm has no weights 'resnet18\.a1_in2k'; did you mean resnet18\.a1_in1k"):
        initialize(None, BACKBONES["resnet18"], "timm:resnet18.a1_in2k")


def test_layers_in_another_order_are_refused():
    backbone = BACKBONES["mobilenet_v2"]
    with pytest.raises(WeightsError, match="lists the layers of mobilenet_v2 in another way"):
        timm_weights.converted(backbone, timm.create_model("mobilenetv2_140"), backbone.mean, backbone.std)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A cache of the Hugging Face hub without a network; gives a function that puts weights into it."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    def publish(name: str, state: dict[str, torch.Tensor]):
        folder = tmp_path / f"models--timm--{name}"
        snapshot = folder / "snapshots" / "0123"
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0123")
        safetensors.torch.save_file(state, snapshot / "model.safetensors")
        return snapshot / "model.safetensors"

    return publish


def fresh(name: str, head: str = "linear") -> nn.Module:
    torch.manual_seed(1)
    return build(BACKBONES[name], head)


def test_weights_come_by_timms_own_loader_and_leave_the_new_head(hub):
    published = timm.create_model("mobilenetv2_100").state_dict()
    hub("mobilenetv2_100.ra_in1k", published)
    network = fresh("mobilenet_v2")
    head = network.model.classifier[-1].weight.clone()

    said = initialize(network, BACKBONES["mobilenet_v2"], "timm:mobilenetv2_100.ra_in1k")

    assert said == "timm mobilenetv2_100.ra_in1k"
    own = network.model.state_dict()
    assert torch.equal(own["features.0.0.weight"], published["conv_stem.weight"])
    assert torch.equal(own["features.18.1.running_var"], published["bn2.running_var"])
    assert torch.equal(network.model.classifier[-1].weight, head)


def test_without_a_tag_the_name_of_timms_default_weights_is_stated(hub):
    hub("resnet18.a1_in1k", timm.create_model("resnet18").state_dict())
    assert initialize(fresh("resnet18", "evidence"), BACKBONES["resnet18"], "timm:resnet18") == "timm resnet18.a1_in1k"


def test_without_a_network_the_error_names_what_else_there_is(hub):
    with pytest.raises(WeightsError, match=r"'resnet18\.a1_in1k' of timm are not available .*--init FILE.*--init scratch"):
        initialize(fresh("resnet18"), BACKBONES["resnet18"], "timm:resnet18.a1_in1k")


def test_a_damaged_file_in_the_cache_is_refused_with_a_sentence(hub):
    file = hub("resnet18.a1_in1k", timm.create_model("resnet18").state_dict())
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"'resnet18\.a1_in1k' of timm are not available"):
        initialize(fresh("resnet18"), BACKBONES["resnet18"], "timm:resnet18.a1_in1k")
