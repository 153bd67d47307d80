"""Define networks that are divided at the explained layer into `features` and `head`.

A class activation map needs the gradient of a logit with respect to the explained layer, and therefore a backward pass through
`head` only.
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
    """The output of `Network.features`.

    Attributes
    ----------
    maps
        Activations of the explained layer, shape (batch, channels, h, w).
    carried
        Further inputs of the head, each of shape (batch, channels); the head receives them unchanged.
    """

    maps: Tensor
    carried: tuple[Tensor, ...] = ()


def new_head(kind: str, width: int, classes: int) -> nn.Module:
    """Build a classification head with random weights.

    Parameters
    ----------
    kind
        ``mlp`` (Shahi & Bagale 2025, arXiv 2511.00456) or ``linear`` (one layer after a dropout of 0.2).
    width
        Width of the input vector.
    classes
        Number of classes.

    Returns
    -------
    Module
        The head.

    Raises
    ------
    ClassifierError
        If there is no head of this kind.
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
    """A classification network that is divided into features and head.

    The input is float32 of shape (batch, channels, size_px, size_px) in [0, 1]; only the first channel, grey, is used. The
    output is logits of shape (batch, classes). Subclasses divide the library's model by `_features` and `_head`.

    Parameters
    ----------
    model
        The library's model, with the classification head in place.
    backbone
        Its architecture.
    """

    model: Any  # Any, because its attributes differ between libraries
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
        """Convert the grey channel to three channels, normalized by the backbone's mean and standard deviation.

        Parameters
        ----------
        image
            Prepared squares, shape (batch, channels, size_px, size_px), in [0, 1], with grey first.

        Returns
        -------
        Tensor
            Input of the library's model, shape (batch, 3, size_px, size_px), in channels-last memory format.
        """
        return ((image[:, :1] - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Explained:
        """Compute the activations of the explained layer and the further inputs of the head.

        Parameters
        ----------
        image
            Prepared squares, shape (batch, channels, size_px, size_px), in [0, 1], with grey first.

        Returns
        -------
        Explained
            The activations and the further inputs.
        """
        return self._features(self.normalized(image))

    def head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        """Compute logits from the output of `features`.

        Parameters
        ----------
        maps
            Activations of the explained layer, shape (batch, channels, h, w).
        *carried
            Further inputs, `Explained.carried`.

        Returns
        -------
        Tensor
            Logits, shape (batch, classes).
        """
        return self._head(maps, *carried)

    def embed(self, image: Tensor) -> Tensor:
        """Compute the features by which a `Domain` measures distances: channel means of the explained layer.

        Parameters
        ----------
        image
            Prepared squares, shape (batch, channels, size_px, size_px), in [0, 1], with grey first.

        Returns
        -------
        Tensor
            Features, shape (batch, channels).
        """
        return embedding([self.features(image).maps])

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Prepared squares, shape (batch, channels, size_px, size_px), in [0, 1], with grey first.

        Returns
        -------
        Tensor
            Logits, shape (batch, classes).
        """
        explained = self.features(image)
        return self.head(explained.maps, *explained.carried)

    def _features(self, x: Tensor) -> Explained:
        raise TypeError(f"{type(self).__name__} does not define _features")

    def _head(self, maps: Tensor, *carried: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not define _head")


class PooledNetwork(Network):
    """A network whose head depends only on the channel means of the explained layer; subclasses define `of_means`."""

    def of_means(self, means: Tensor) -> Tensor:
        """Compute logits from channel means.

        Parameters
        ----------
        means
            Channel means of the explained layer, shape (batch, channels).

        Returns
        -------
        Tensor
            Logits, shape (batch, classes).

        Raises
        ------
        TypeError
            If a subclass does not override this method.
        """
        raise TypeError(f"{type(self).__name__} does not define of_means")

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
    """EfficientNet or MobileNet of torchvision: `features`, mean over positions, `classifier`."""

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
    """Vision transformer, whose explained maps are the patch tokens after the first layer norm of the last block.

    Only the class token of the last block contributes to the logits, so `head` computes this token only. Its further inputs are
    the class token before and after the layer norm.
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
    """Compute scaled dot-product attention of one query (batch, channels) over tokens (batch, tokens, channels).

    For a single query, the keys and values of the tokens need not be computed: ``q · (K x) = (Kᵀ q) · x`` and
    ``Σ a V x = V Σ a x``. The bias of the keys adds the same constant to the score of every token and cancels in the softmax.
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
    """Split channels (batch, heads · width) into heads (heads, batch, width)."""
    return x.view(x.shape[0], heads, -1).transpose(0, 1)


def build(backbone: Backbone, head: str, classes: int = 2, size_px: int = 224) -> Network | EvidenceNetwork:
    """Build a network with random weights.

    Only a vision transformer depends on the input size: it has a position embedding for each patch.

    Parameters
    ----------
    backbone
        The architecture.
    head
        Kind of the head, one of `HEADS`. Evidence heads always have two classes.
    classes
        Number of classes, ≥ 2.
    size_px
        Edge of the input square in pixels, ≥ 1.

    Returns
    -------
    Network or EvidenceNetwork
        The network.

    Raises
    ------
    ClassifierError
        If there is no head of this kind, or if the size is not a multiple of the backbone's patch size.
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
    # MobileNet-V3 keeps its pretrained hidden layer of 1,280 units in front of the new head.
    hidden = list(cast(nn.Sequential, model.classifier))[:-2] if backbone.name.startswith("mobilenet_v3") else []
    model.classifier = nn.Sequential(*hidden, *new.children())  # a Sequential iterates over its modules
    return _FeaturesClassifier(model, backbone)
