"""A backbone that is divided at the explained layer into `features` and `head`.

A heat map needs the gradient of a logit with respect to the explained layer, hence a backward pass through `head` alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier.backbone import Backbone, check_side
from pneumoscope.classifier.errors import ClassifierError
from pneumoscope.classifier.evidence_network import EVIDENCE_HEADS, EvidenceNetwork, embedding, whole_model
from pneumoscope.classifier.evidence_network import build as build_evidence

HEADS = ("mlp", "linear", *EVIDENCE_HEADS)


class Explained(NamedTuple):
    """The output of `features`: the explained maps, shape (batch, channels, h, w), and what else the head needs."""

    maps: Tensor
    carried: tuple[Tensor, ...] = ()


def new_head(kind: str, width: int, classes: int) -> nn.Module:
    """Build a classification head with random weights.

    Parameters
    ----------
    kind
        ``mlp`` (Shahi & Bagale 2025, arXiv 2511.00456), or ``linear`` after a dropout of 0.2.
    width
        Width of the vector that the head gets.
    classes
        Number of classes.

    Returns
    -------
    Module
        The head.

    Raises
    ------
    ClassifierError
        If there is no such head.
    """
    if kind == "mlp":
        return nn.Sequential(
            nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(512, 128), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(128, classes),
        )  # fmt: skip
    if kind == "linear":
        return nn.Sequential(nn.Dropout(0.2), nn.Linear(width, classes))
    raise ClassifierError(f"there is no head '{kind}'; choose one of {', '.join(HEADS)}")


class Network(nn.Module):
    """Grey squares to logits, in two halves.

    Input: float32 (batch, channels, side, side) in [0, 1], of which the first, grey, is looked at.
    Output: logits (batch, classes).
    Subclasses say how their library's model is cut: `_features` and `_head`.
    """

    model: Any  # its attributes are the library's
    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, backbone: Backbone) -> None:
        super().__init__()
        self.model = model
        self.layer_name = backbone.explained_layer
        self.pyramid_names = tuple(name for name, _ in backbone.pyramid)
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)

    def normalized(self, image: Tensor) -> Tensor:
        """Make three normalized channels of grey.

        Parameters
        ----------
        image
            Shape (batch, channels, size_px, size_px), in [0, 1], grey first.

        Returns
        -------
        Tensor
            Shape (batch, 3, size_px, size_px), channels last.
        """
        return ((image[:, :1] - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Explained:
        """Compute the explained maps, and what else the head needs.

        Parameters
        ----------
        image
            Shape (batch, channels, size_px, size_px), in [0, 1], grey first.

        Returns
        -------
        Explained
            The maps (batch, channels, h, w) with what is carried past them.
        """
        return self._features(self.normalized(image))

    def head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        """Compute logits of the explained maps.

        Parameters
        ----------
        maps
            Shape (batch, channels, h, w).
        *carried
            What `features` carries past the maps.

        Returns
        -------
        Tensor
            Shape (batch, classes).
        """
        return self._head(maps, *carried)

    def embed(self, image: Tensor) -> Tensor:
        """Compute the features by which the domain is known: means of the explained maps' channels.

        Parameters
        ----------
        image
            Shape (batch, channels, size_px, size_px), in [0, 1], grey first.

        Returns
        -------
        Tensor
            Shape (batch, features).
        """
        return embedding([self.features(image).maps])

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Shape (batch, channels, size_px, size_px), in [0, 1], grey first.

        Returns
        -------
        Tensor
            Shape (batch, classes).
        """
        explained = self.features(image)
        return self.head(explained.maps, *explained.carried)

    def _features(self, x: Tensor) -> Explained:
        raise TypeError(f"{type(self).__name__} does not say where it is cut")

    def _head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not say where it is cut")


class PooledNetwork(Network):
    """A network whose head sees the means of the explained maps' channels alone; subclasses say what it makes of them."""

    def of_means(self, means: Tensor) -> Tensor:
        """Compute logits of the channels' means.

        Parameters
        ----------
        means
            Shape (batch, channels).

        Returns
        -------
        Tensor
            Shape (batch, classes).

        Raises
        ------
        TypeError
            If the subclass does not define it.
        """
        raise TypeError(f"{type(self).__name__} does not say what its head does")

    def _head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        return self.of_means(maps.mean((2, 3)))


class _ResNet(PooledNetwork):
    def _features(self, x: Tensor) -> Explained:
        net = self.model
        for stage in (net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4):
            x = cast(nn.Module, stage)(x)
        return Explained(x)

    def of_means(self, means: Tensor) -> Tensor:
        return cast(Tensor, self.model.fc(means))


class _DenseNet(Network):
    def _features(self, x: Tensor) -> Explained:
        for name, stage in cast(nn.Module, self.model.features).named_children():
            x = stage(x)
            if name == "denseblock4":
                break
        return Explained(x)

    def _head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        x = F.relu(self.model.features.norm5(maps))
        return cast(Tensor, self.model.classifier(x.mean((2, 3))))


class _FeaturesClassifier(PooledNetwork):
    """EfficientNet and both MobileNets of torchvision: `features`, mean over positions, `classifier`."""

    def _features(self, x: Tensor) -> Explained:
        return Explained(self.model.features(x))

    def of_means(self, means: Tensor) -> Tensor:
        return cast(Tensor, self.model.classifier(means))


class _Timm(PooledNetwork):
    def _features(self, x: Tensor) -> Explained:
        return Explained(self.model.forward_features(x))

    def of_means(self, means: Tensor) -> Tensor:
        return cast(Tensor, self.model.classifier(means))


class _VisionTransformer(Network):
    """ViT: the explained maps are the patch tokens after the last block's first layer norm.

    Of the last block only the class token's row reaches the logits, so `head` computes just that row; it carries the class
    token before and after the norm.
    """

    def _features(self, x: Tensor) -> Explained:
        net = self.model
        tokens = net._process_input(x)
        tokens = torch.cat([net.class_token.expand(tokens.shape[0], -1, -1), tokens], 1)
        tokens = net.encoder.dropout(tokens + net.encoder.pos_embedding)
        *blocks, last = cast(Sequence[Any], net.encoder.layers)
        for block in blocks:
            tokens = block(tokens)
        normed = last.ln_1(tokens)  # (batch, 1 + h·w, channels)
        side = round((normed.shape[1] - 1) ** 0.5)
        maps = normed[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        return Explained(maps, (tokens[:, 0], normed[:, 0]))

    def _head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        before, query = carried
        last = self.model.encoder.layers[-1]
        normed = torch.cat([query[:, None], maps.flatten(2).transpose(1, 2)], 1)
        attended = _attend(cast(nn.MultiheadAttention, last.self_attention), query, normed)
        x = last.dropout(attended) + before
        x = x + last.mlp(last.ln_2(x))
        return cast(Tensor, self.model.heads(self.model.encoder.ln(x)))


def _attend(attention: nn.MultiheadAttention, query: Tensor, tokens: Tensor) -> Tensor:
    """Scaled dot-product attention of one query (batch, channels) over tokens (batch, tokens, channels): (batch, channels).

    With one query no token needs its key or value: ``q · (K x) = (Kᵀ q) · x``, and ``Σ a V x = V Σ a x``. The bias of the keys
    adds the same to every token, which the softmax takes away.
    """
    heads = attention.num_heads
    (to_query, to_key, to_value), biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q = _of_heads(F.linear(query, to_query, biases[0]), heads)  # (heads, batch, width)
    asked = (q @ to_key.view(heads, -1, to_key.shape[1])).transpose(0, 1)  # (batch, heads, channels)
    share = torch.softmax(asked @ tokens.transpose(1, 2) / q.shape[-1] ** 0.5, 2)  # (batch, heads, tokens)
    gathered = (share @ tokens).transpose(0, 1)  # (heads, batch, channels)
    values = gathered @ to_value.view(heads, -1, to_value.shape[1]).transpose(1, 2)  # (heads, batch, width)
    return cast(Tensor, attention.out_proj(values.transpose(0, 1).flatten(1) + biases[2]))


def _of_heads(x: Tensor, heads: int) -> Tensor:
    """Channels (batch, heads · width) by head: (heads, batch, width)."""
    return x.view(x.shape[0], heads, -1).transpose(0, 1)


def build(backbone: Backbone, head: str, classes: int = 2, size_px: int = 224) -> Network | EvidenceNetwork:
    """Build a network with random weights.

    Only a vision transformer depends on the size: it has a position embedding for each patch.

    Parameters
    ----------
    backbone
        The architecture.
    head
        One of `HEADS`.
    classes
        Number of classes.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    Network or EvidenceNetwork
        The network.

    Raises
    ------
    ClassifierError
        If there is no such head, or the square is no whole number of patches.
    """
    check_side(backbone, size_px)
    return build_evidence(backbone, head, size_px) if head in EVIDENCE_HEADS else _build_cut(backbone, head, classes, size_px)


def _build_cut(backbone: Backbone, head: str, classes: int, size_px: int) -> Network:
    new = new_head(head, backbone.embedding, classes)
    if backbone.library == "timm":
        model: nn.Module = timm.create_model(f"tf_{backbone.name}")
        model.classifier = new
        return _Timm(model, backbone)
    model = whole_model(backbone, size_px)
    if backbone.name.startswith("resnet"):
        model.fc = new
        return _ResNet(model, backbone)
    if backbone.name.startswith("densenet"):
        model.classifier = new
        return _DenseNet(model, backbone)
    if backbone.name.startswith("vit"):
        model.heads = new
        return _VisionTransformer(model, backbone)
    # MobileNet-V3 has a hidden layer of 1,280 before its last one, which the published head keeps.
    hidden = list(cast(nn.Sequential, model.classifier))[:-2] if backbone.name.startswith("mobilenet_v3") else []
    model.classifier = nn.Sequential(*hidden, *new.children())  # a Sequential iterates over its modules
    return _FeaturesClassifier(model, backbone)
