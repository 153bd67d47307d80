"""Where each backbone is cut, which heads it gets, and that the table of the eight cannot be changed."""

import dataclasses

import pytest
import torch
from torch import nn

from pneumoscope.classifier import BACKBONES, ClassifierError
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.network import build, new_head

EIGHT = [
    "resnet18",
    "resnet50",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "vit_b_16",
    "efficientnet_lite0",
]


def test_the_table_holds_the_eight_and_cannot_be_changed():
    assert [(b.name, b.library) for b in BACKBONES.values()] == [(name, "torchvision") for name in EIGHT[:-1]] + [
        (EIGHT[-1], "timm")
    ]
    with pytest.raises(TypeError):
        BACKBONES["resnet18"] = BACKBONES["resnet50"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        BACKBONES["resnet18"].channels = 1


def test_a_name_near_to_none_lists_all_eight():
    with pytest.raises(ClassifierError) as refusal:
        backbone("?")

    assert all(name in str(refusal.value) for name in EIGHT)


@torch.no_grad()
def test_the_cut_is_the_output_of_the_explained_layer(each):
    backbone, network, image = each
    seen = []
    with network.model.get_submodule(backbone.explained_layer).register_forward_hook(lambda *call: seen.append(call[-1])):
        expected = network.model(network.normalized(image))
    (output,) = seen

    explained = network.features(image)

    if backbone.name == "vit_b_16":  # 14 × 14 patches of 16 pixels in reading order, after the class token
        assert explained.maps.shape == (2, 768, 14, 14)
        for row, col in ((0, 0), (0, 13), (5, 2), (13, 13)):
            torch.testing.assert_close(explained.maps[:, :, row, col], output[:, 1 + 14 * row + col], rtol=0, atol=1e-5)
    else:
        assert torch.equal(explained.maps, output)
    torch.testing.assert_close(network.head(explained.maps, *explained.carried), expected, rtol=0, atol=1e-5)


def test_one_image_has_the_logits_that_it_has_in_a_batch(each):
    _, network, image = each
    with torch.no_grad():
        batch, (one, other) = network(image), (network(image[k : k + 1])[0] for k in (0, 1))

    torch.testing.assert_close(batch, torch.stack([one, other]), rtol=0, atol=1e-5)


def test_the_mlp_head_counted_by_hand():
    head = new_head("mlp", 512, 2)

    # 512·512 + 512, two vectors of 512 for the batch norm, 512·128 + 128, 128·2 + 2.
    assert sum(p.numel() for p in head.parameters()) == 262_656 + 1_024 + 65_664 + 258
    assert [m.p for m in head if isinstance(m, nn.Dropout)] == [0.3, 0.2]


def test_the_linear_head_counted_by_hand():
    head = new_head("linear", 1280, 2)

    assert sum(p.numel() for p in head.parameters()) == 1280 * 2 + 2


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        # (0 − mean) / std and (1 − mean) / std of the ImageNet statistics, by hand.
        ("resnet18", (-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.64)),
        ("efficientnet_lite0", (-1, -1, -1), (1, 1, 1)),
    ],
)
def test_black_and_white_as_each_library_normalizes_them(name, black, white):
    network = build(BACKBONES[name], "linear")

    normalized = network.normalized(torch.tensor([[[[0.0, 1.0]]]]))

    torch.testing.assert_close(normalized[0, :, 0].T, torch.tensor([black, white], dtype=torch.float32), rtol=0, atol=5e-5)
