"""Networks of a few hundred weights that are cut as the real ones are, so that a test exports one in seconds."""

import dataclasses

import torch
from torch import nn

from pneumoscope.classifier import BACKBONES, Card, Domain, DomainLimit, OperatingPoint, Preprocessing
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Explained, PooledNetwork
from pneumoscope.lung_fields import LungFinder

SIZE_PX = 32
CHANNELS = 48
BACKBONE = dataclasses.replace(
    BACKBONES["resnet18"], explained_layer="1", channels=CHANNELS, pyramid=(("0", 4), ("1", CHANNELS)), embedding=CHANNELS
)
POINTS = (OperatingPoint(0.5, "youden", "tune", "abc"),)


def _convolution(before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU())


class TinyNetwork(PooledNetwork):
    """Two convolutions and a linear head; the explained maps have a stride of 8."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(_convolution(3, 4, 4), _convolution(4, CHANNELS, 2), nn.Linear(CHANNELS, 2)), BACKBONE)

    def _features(self, x):
        return Explained(self.model[1](self.model[0](x)))

    def of_means(self, means):
        return self.model[2](means)


class _Levels(nn.Module):
    """The outputs of two convolutions, fine to coarse, as a feature extractor gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = _convolution(3, 4, 4), _convolution(4, CHANNELS, 2)

    def forward(self, x):
        fine = self.fine(x)
        return {"0": fine, "1": self.coarse(fine)}


def network(evidence: bool = False) -> TinyNetwork | EvidenceNetwork:
    """A network with random weights whose norms have seen some images."""
    torch.manual_seed(0)
    made = (EvidenceNetwork(_Levels(), BACKBONE, "evidence") if evidence else TinyNetwork()).train()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        for _ in range(2):
            made(torch.rand(4, 1 + evidence, SIZE_PX, SIZE_PX))
    return made.eval()


def classifier(**changes) -> Classifier:
    """A classifier of the whole radiograph with Grad-CAM; `changes` are fields of its card."""
    card = Card(
        name="tiny", backbone="resnet18", head="linear", classes=("normal", "pneumonia"), preprocessing=Preprocessing(SIZE_PX),
        init="scratch", operating_points=POINTS, split_sha256="abc", other_map_scales={"hirescam": 1.0, "layercam": 1.0},
    )  # fmt: skip
    made = network()
    return Classifier(made, dataclasses.replace(card, **changes), LungFinder.load(), _domain(made, 1))


def evidence_classifier(**changes) -> Classifier:
    """A classifier of the lungs whose score is pooled from its evidence; `changes` are fields of its card."""
    finder = LungFinder.load()
    card = Card(
        name="tiny", backbone="resnet18", head="evidence", classes=("normal", "pneumonia"), init="scratch", split_sha256="abc",
        preprocessing=Preprocessing(SIZE_PX, "lungs", source_px=96, lungs=finder.sha256), map_method="evidence",
        operating_points=POINTS, domain=DomainLimit(2.0, "", "tune", "abc"),
    )  # fmt: skip
    made = network(evidence=True)
    return Classifier(made, dataclasses.replace(card, **changes), finder, _domain(made, 2))


def _domain(made, channels: int) -> Domain:
    with torch.no_grad():
        return Domain.fit(made.embed(torch.rand(40, channels, SIZE_PX, SIZE_PX)).numpy())
