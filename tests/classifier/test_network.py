"""Each backbone is cut in two without changing what it computes."""

import pytest
import torch

from pneumoscope.classifier import BACKBONES, ClassifierError
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.network import build, new_head

# Millions, Shahi & Bagale 2025 (arXiv 2511.00456), their table of models.
PUBLISHED_PARAMETERS = {
    "resnet18": 11.5, "resnet50": 24.6, "densenet121": 7.5, "efficientnet_b0": 4.7, "mobilenet_v2": 2.9,
    "mobilenet_v3_large": 4.9, "vit_b_16": 86.3,
}  # fmt: skip


def side(name: str) -> int:
    """The smallest square that an architecture takes."""
    return 224 if name.startswith("vit") else 64


@pytest.mark.parametrize("name", BACKBONES)
def test_features_then_head_is_the_librarys_own_forward_pass(name):
    torch.manual_seed(0)
    network = build(BACKBONES[name], "linear").eval()
    image = torch.rand(2, 1, side(name), side(name))
    with torch.no_grad():
        torch.testing.assert_close(network(image), network.model(network.normalized(image)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_explained_maps_have_the_channels_of_the_table(name):
    network = build(BACKBONES[name], "linear").eval()
    with torch.no_grad():
        maps = network.features(torch.rand(1, 1, side(name), side(name))).maps
    assert maps.shape[1] == BACKBONES[name].channels
    assert maps.shape[2:] == ((14, 14) if name.startswith("vit") else (2, 2))


@pytest.mark.parametrize(("name", "millions"), PUBLISHED_PARAMETERS.items())
def test_with_the_published_head_each_backbone_has_the_published_number_of_parameters(name, millions):
    count = sum(p.numel() for p in build(BACKBONES[name], "mlp").parameters())
    assert round(count / 1e6, 1) == millions


def test_a_vision_transformer_is_built_for_the_side_that_is_asked_for():
    network = build(BACKBONES["vit_b_16"], "linear", size_px=96).eval()
    with torch.no_grad():
        assert network.features(torch.rand(1, 1, 96, 96)).maps.shape == (1, 768, 6, 6)
    with pytest.raises(ClassifierError, match="100 px is not a multiple of that; use --size-px 96"):
        build(BACKBONES["vit_b_16"], "linear", size_px=100)


def test_grey_is_repeated_and_normalized_as_imagenet_wants_it():
    network = build(BACKBONES["mobilenet_v2"], "linear")
    x = network.normalized(torch.full((1, 1, 32, 32), 0.485))
    assert x.shape == (1, 3, 32, 32)
    # (0.485 − mean) / std with torchvision's documented ImageNet constants
    expected = torch.tensor([0.0, (0.485 - 0.456) / 0.224, (0.485 - 0.406) / 0.225])
    torch.testing.assert_close(x[0, :, 0, 0], expected)


def test_unknown_backbone_lists_the_near_ones():
    with pytest.raises(ClassifierError, match="did you mean mobilenet_v2"):
        backbone("mobilenet2")


def test_unknown_head_lists_the_heads():
    with pytest.raises(ClassifierError, match="mlp, linear"):
        new_head("conv", 8, 2)
