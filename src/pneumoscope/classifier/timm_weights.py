"""Convert pretrained weights of timm's models to the networks of the supported backbones.

timm and torchvision implement the same architectures under other tensor names. Where the arithmetic differs, the tensors are
changed so that the network computes what timm's model computes, or the weights are refused.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import safetensors
import timm
import torch
from torch import Tensor, nn

from pneumoscope.classifier.backbone import Backbone, is_head
from pneumoscope.classifier.errors import WeightsError
from pneumoscope.classifier.evidence_network import whole_model

State = dict[str, Tensor]
PREFIX = "timm:"
MODELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "resnet18": ("resnet18",),
        "resnet50": ("resnet50",),
        "densenet121": ("densenet121",),
        "efficientnet_b0": ("efficientnet_b0",),
        "mobilenet_v2": ("mobilenetv2_100",),
        "mobilenet_v3_large": ("mobilenetv3_large_100",),
        "vit_b_16": ("vit_base_patch16_224", "vit_base_patch16_384"),
        "efficientnet_lite0": ("tf_efficientnet_lite0",),
    }
)
"""The models of timm that have the architecture of each backbone, with the same padding and activations."""
_SAME_NAMES = ("resnet18", "resnet50", "densenet121", "efficientnet_lite0")
_COUNTERS = "num_batches_tracked"
_VIT_NAMES = (
    (r"^cls_token$", "class_token"),
    (r"^pos_embed$", "encoder.pos_embedding"),
    (r"^patch_embed\.proj\.", "conv_proj."),
    (r"^norm\.", "encoder.ln."),
    (r"^blocks\.(\d+)\.norm([12])\.", r"encoder.layers.encoder_layer_\1.ln_\2."),
    (r"^blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.encoder_layer_\1.self_attention.out_proj."),
    (r"^blocks\.(\d+)\.mlp\.fc1\.", r"encoder.layers.encoder_layer_\1.mlp.0."),
    (r"^blocks\.(\d+)\.mlp\.fc2\.", r"encoder.layers.encoder_layer_\1.mlp.3."),
)


def full_name(backbone: Backbone, name: str) -> str:
    """Check that weights of timm fit a backbone, and complete their name.

    Parameters
    ----------
    backbone
        The backbone.
    name
        Model of timm and tag of its weights, for example ``resnet18.a1_in1k``; without a tag timm's default weights.

    Returns
    -------
    str
        The name with its tag.

    Raises
    ------
    WeightsError
        If the model is not the backbone's architecture, timm has no weights of this name, or a convolutional network was trained
        on images with another normalization.
    """
    model = name.partition(".")[0]
    if model not in MODELS[backbone.name]:
        raise WeightsError(
            f"the model '{model}' of timm does not compute what {backbone.name} computes (architecture, padding or activations "
            f"differ); give weights of {' or '.join(MODELS[backbone.name])}, for example "
            f"--init {PREFIX}{_fitting(backbone)[0]}"
        )
    known = timm.list_pretrained(f"{model}.*")
    if "." in name and name not in known:
        near = get_close_matches(name, known, n=3) or known
        raise WeightsError(f"timm has no weights '{name}'; did you mean {', '.join(near)}?")
    config = _config(name)
    complete = f"{model}.{config.tag}"
    if not _fits(backbone, config):
        raise WeightsError(
            f"the weights '{complete}' of timm were trained on images with mean {_shown(config.mean)} and standard deviation "
            f"{_shown(config.std)}, but {backbone.name} normalizes with {_shown(backbone.mean)} and {_shown(backbone.std)}; "
            f"choose one of {', '.join(_fitting(backbone))}"
        )
    return complete


def load(backbone: Backbone, name: str) -> State:
    """Load pretrained weights by timm's own loader, from its cache or from the network.

    Parameters
    ----------
    backbone
        The backbone.
    name
        What `full_name` returned.

    Returns
    -------
    dict of str to Tensor
        The weights without the classifier, under the names of the backbone's library.

    Raises
    ------
    WeightsError
        If the weights are not available.
    """
    try:
        model = timm.create_model(name, pretrained=True)
    except (OSError, RuntimeError, EOFError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"the weights '{name}' of timm are not available ({type(error).__name__}): connect to the network and run again, "
            "give a file with --init FILE (.safetensors or .pth), or start from random weights with --init scratch"
        ) from error
    config = _config(name)
    return converted(backbone, model, config.mean, config.std)


def converted(backbone: Backbone, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> State:
    """Convert a model of timm to weights with which the backbone's network computes the same features.

    Parameters
    ----------
    backbone
        The backbone.
    model
        Model of timm, one of `MODELS`; the weights of its batch norms may be changed.
    mean, std
        Mean and standard deviation of the input channels for which the model was trained.

    Returns
    -------
    dict of str to Tensor
        The weights without the classifier, under the names of the backbone's library.

    Raises
    ------
    WeightsError
        If the installed version of timm does not list the layers of the model as expected.
    """
    if backbone.patch_px:
        return _normalized_as(backbone, _vision_transformer(model.state_dict()), mean, std)
    if backbone.name in _SAME_NAMES:
        return model.state_dict()
    with torch.device("meta"):
        own = whole_model(backbone, 224)
    _rescale_batch_norms(model, own)
    return _in_order(backbone, model.state_dict(), own.state_dict())


def _in_order(backbone: Backbone, theirs: State, ours: State) -> State:
    """Rename tensors by their place: both libraries list the same layers in the same order."""
    values = {k: v for k, v in theirs.items() if not k.startswith("classifier.") and _COUNTERS not in k}
    names = [k for k in ours if not is_head(k, backbone) and _COUNTERS not in k]
    same = len(values) == len(names) and all(
        theirs.rpartition(".")[2] == name.rpartition(".")[2] and value.numel() == ours[name].numel()
        for (theirs, value), name in zip(values.items(), names, strict=True)
    )
    if not same:
        raise WeightsError(f"timm {timm.__version__} lists the layers of {backbone.name} in another way; install another version")
    return {name: value.reshape(ours[name].shape) for name, value in zip(names, values.values(), strict=True)}


def _rescale_batch_norms(model: nn.Module, own: nn.Module) -> None:
    """Scale the weights of batch norms so that with our ε they compute what they compute with timm's."""
    pairs = zip(_batch_norms(model), _batch_norms(own), strict=True)
    for theirs, ours in pairs:
        if theirs.eps != ours.eps:
            variance = theirs.get_buffer("running_var")
            theirs.weight.data *= torch.sqrt((variance + ours.eps) / (variance + theirs.eps))


def _batch_norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def _vision_transformer(state: State) -> State:
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in _VIT_NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def _normalized_as(backbone: Backbone, state: State, mean: Sequence[float], std: Sequence[float]) -> State:
    """Fold the difference between two normalizations into the projection of patches, which has no padding and has a bias."""
    weight, bias = state["conv_proj.weight"], state["conv_proj.bias"]
    own_mean, own_std, given_mean, given_std = (weight.new_tensor(values) for values in (backbone.mean, backbone.std, mean, std))
    shift = weight.sum((2, 3)) @ ((own_mean - given_mean) / given_std)
    return {**state, "conv_proj.weight": weight * (own_std / given_std)[:, None, None], "conv_proj.bias": bias + shift}


def _config(name: str) -> Any:
    """What timm knows of weights that it has: their tag, and the normalization of their input."""
    return timm.get_pretrained_cfg(name)


def _fits(backbone: Backbone, config: Any) -> bool:
    """Whether the backbone's network can take the normalization of weights."""
    return bool(backbone.patch_px) or (tuple(config.mean), tuple(config.std)) == (backbone.mean, backbone.std)


def _fitting(backbone: Backbone) -> list[str]:
    """The weights of timm that fit a backbone."""
    names = [name for model in MODELS[backbone.name] for name in timm.list_pretrained(f"{model}.*")]
    return [name for name in names if _fits(backbone, _config(name))]


def _shown(values: Sequence[float]) -> str:
    return "/".join(f"{value:g}" for value in values)
