"""Define `Backbone` and the table of the eight supported backbones."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

from pneumoscope.classifier.errors import ClassifierError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
EVIDENCE_HEADS = ("evidence", "evidence-everywhere", "evidence-coarse")
"""Evidence heads: pooled over the lungs; pooled over all cells; pooled over the lungs, from the coarsest level only."""


@dataclass(frozen=True)
class Backbone:
    """An architecture, and the layer at which it is divided into features and head.

    Attributes
    ----------
    name
        Name of the architecture: torchvision's, or timm's without the prefix ``tf_``.
    library
        Library that implements the architecture.
    explained_layer
        Module whose output a heat map explains, by its name in the library's model.
    channels
        Number of channels of that output.
    pyramid
        Three modules with their numbers of channels, fine to coarse, from which the evidence head computes evidence: strides 8,
        16 and 32 in a convolutional network, the tokens of three blocks in a vision transformer.
    embedding
        Width of the input vector of the classification head.
    mean, std
        Mean and standard deviation of the three input channels for which the ImageNet weights were trained.
    weights
        ImageNet weights: a weight enum member of torchvision, or a pretrained tag of timm.
    patch_px
        Edge in pixels of the patches of a vision transformer, of which the input size must be a multiple; else 0.
    """

    name: str
    library: Literal["torchvision", "timm"]
    explained_layer: str
    channels: int
    pyramid: tuple[tuple[str, int], ...]
    embedding: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str
    patch_px: int = 0


def _torchvision(
    name: str, layer: str, channels: int, pyramid: Mapping[str, int], embedding: int, weights: str, patch_px: int = 0
) -> Backbone:
    levels = tuple(pyramid.items())
    return Backbone(name, "torchvision", layer, channels, levels, embedding, IMAGENET_MEAN, IMAGENET_STD, weights, patch_px)


def _resnet(name: str, wider: int, weights: str) -> Backbone:
    levels = {"layer2": 128 * wider, "layer3": 256 * wider, "layer4": 512 * wider}
    return _torchvision(name, "layer4", 512 * wider, levels, 512 * wider, weights)


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        b.name: b
        for b in (
            _resnet("resnet18", 1, "ResNet18_Weights.IMAGENET1K_V1"),
            _resnet("resnet50", 4, "ResNet50_Weights.IMAGENET1K_V2"),
            _torchvision(
                "densenet121",
                "features.denseblock4",
                1024,
                {"features.transition2.relu": 512, "features.transition3.relu": 1024, "features.norm5": 1024},
                1024,
                "DenseNet121_Weights.IMAGENET1K_V1",
            ),
            _torchvision(
                "efficientnet_b0",
                "features",
                1280,
                {"features.3": 40, "features.5": 112, "features.8": 1280},
                1280,
                "EfficientNet_B0_Weights.IMAGENET1K_V1",
            ),
            _torchvision(
                "mobilenet_v2",
                "features",
                1280,
                {"features.6": 32, "features.13": 96, "features.18": 1280},
                1280,
                "MobileNet_V2_Weights.IMAGENET1K_V2",
            ),
            _torchvision(
                "mobilenet_v3_large",
                "features",
                960,
                {"features.6": 40, "features.12": 112, "features.16": 960},
                1280,
                "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
            ),
            _torchvision(
                "vit_b_16",
                "encoder.layers.encoder_layer_11.ln_1",
                768,
                {f"encoder.layers.encoder_layer_{block}": 768 for block in (3, 7, 11)},
                768,
                "ViT_B_16_Weights.IMAGENET1K_V1",
                16,
            ),
            Backbone(
                "efficientnet_lite0",
                "timm",
                "bn2",
                1280,
                (("blocks.2", 40), ("blocks.4", 112), ("blocks.6", 320)),
                1280,
                HALF,
                HALF,
                "tf_efficientnet_lite0.in1k",
            ),
        )
    }
)


def backbone(name: str) -> Backbone:
    """Look up a backbone by name.

    Parameters
    ----------
    name
        Name of the backbone, a key of `BACKBONES`.

    Returns
    -------
    Backbone
        The backbone.

    Raises
    ------
    ClassifierError
        If there is no backbone of this name; the message lists similar names.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    near = get_close_matches(name, BACKBONES, n=3) or list(BACKBONES)
    raise ClassifierError(f"there is no backbone '{name}'; did you mean {', '.join(near)}?")


def is_head(name: str, backbone: Backbone) -> bool:
    """Test whether a tensor of the library's model belongs to the new classification head.

    Parameters
    ----------
    name
        Name of a parameter or buffer in the library's model, for example ``classifier.3.weight``.
    backbone
        The architecture. The head of MobileNet-V3 keeps the pretrained hidden layer ``classifier.0``.

    Returns
    -------
    bool
        True for a tensor that starts with random values, False for a tensor that is filled from the ImageNet weights.
    """
    if backbone.name.startswith("mobilenet_v3"):
        return name.startswith("classifier.") and not name.startswith("classifier.0.")
    return name.startswith(("fc.", "classifier.", "heads."))


def check_side(backbone: Backbone, size_px: int) -> None:
    """Check that a backbone accepts squares of a size.

    Parameters
    ----------
    backbone
        The backbone.
    size_px
        Edge of the square in pixels.

    Raises
    ------
    ClassifierError
        If the size is not a multiple of the backbone's patch size.
    """
    if backbone.patch_px and size_px % backbone.patch_px:
        raise ClassifierError(
            f"{backbone.name} has patches of {backbone.patch_px} px, and {size_px} px is not a multiple of that; "
            f"use --size-px {max(1, round(size_px / backbone.patch_px)) * backbone.patch_px}"
        )
