"""Networks with random weights, a whole card, and a web server for weight files."""

import functools
import hashlib
import http.server
import threading

import pytest
import torch
import torchvision

from pneumoscope.classifier import (
    Calibration,
    Card,
    DomainLimit,
    FixedOn,
    GreyZone,
    OperatingPoint,
    PopulationSettings,
    Preprocessing,
    SeverityScale,
)
from pneumoscope.classifier.backbone import BACKBONES
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.network import build


@pytest.fixture(scope="session", params=BACKBONES)
def each(request):
    """Every backbone in turn with its network in evaluation mode, and an image of the least side that it takes."""
    backbone = BACKBONES[request.param]
    torch.manual_seed(0)
    network = build(backbone, "mlp").eval()
    side = 224 if backbone.name == "vit_b_16" else 64
    return backbone, network, torch.rand(2, 1, side, side)


@pytest.fixture(scope="session")
def card():
    """A card with no field left at its default."""
    return Card(
        name="lite0-default",
        backbone="mobilenet_v2",
        head="linear",
        classes=("normal", "pneumonia"),
        preprocessing=Preprocessing(32),
        init="imagenet (MobileNet_V2_Weights.IMAGENET1K_V2)",
        calibration=Calibration("isotonic", 1.5, ((-2.0, 0.125), (3.0, 0.875)), "tune", "4711"),
        operating_points=(
            OperatingPoint(0.25, "youden", "tune", "4711"),
            OperatingPoint(0.5, "sensitivity>=0.95", "tune", "4711"),
        ),
        grey_zone=GreyZone(0.125, 0.75, "sensitivity>=0.99", "tune", "4711"),
        domain=DomainLimit(1.5, "99% of the tune images lie nearer", "tune", "4711"),
        other_map_scales={"layercam": 0.5},
        precision="int8",
        opset=20,
        map_method="grad-cam of another kind",
        map_scale=0.75,
        finding_threshold=0.25,
        populations={
            "adult": PopulationSettings(
                Calibration("logistic", 0.75, (), "tune", "4712", 0.5),
                (OperatingPoint(0.125, "specificity>=0.97", "tune", "4712"),),
                GreyZone(0.0625, 0.5, "sensitivity>=0.99, specificity>=0.99", "tune", "4712"),
                DomainLimit(2.5, "99% of the images lie nearer", "tune", "4712"),
                0.75,
                (FixedOn("adults", "tune", "4712", 20, 10, 5), FixedOn("healthy adults", "all", "4713", 9, 9, 0)),
            ),
        },
        severity=SeverityScale(((0.125, 0.0), (0.5, 2.5)), 1.5, 0.9, 11, 12, "opacity masks", "tune", "4711"),
        recipe={"name": "default", "rate": 5e-4, "warmup_epochs": 1.0},
        trained_with={"device": "cuda:0", "precision": "bf16"},
        cohort="CSV; 32 images",
        split_sha256="4711",
        data_licences=("Kermany 2018, CC BY 4.0",),
        intended_population="children of one hospital",
        limits="not for adults",
        results={"roc_auc": {"value": 0.99, "low": 0.98, "high": 1.0}},
        files={"other.bin": "0123"},
    )


@pytest.fixture
def classifier(card):
    """A small classifier with random weights that fits the card."""
    torch.manual_seed(1)
    return Classifier(build(BACKBONES[card.backbone], card.head).eval(), card)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def library_cache(tmp_path, monkeypatch):
    """An empty download cache of PyTorch's own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def publish(tmp_path, monkeypatch, library_cache):
    """Serve a state dict over HTTP where torchvision looks for a backbone's ImageNet weights.

    The file is named after its hash, or after the one given, as torchvision's are.
    """
    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("no_proxy", "*")

    def serve(backbone, state, sha256=""):
        torch.save(state, folder / "weights")
        name = f"{backbone.name}-{(sha256 or hashlib.sha256((folder / 'weights').read_bytes()).hexdigest())[:8]}.pth"
        (folder / "weights").rename(folder / name)
        weights = torchvision.models.get_weight(backbone.weights)
        monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:{server.server_port}/{name}")
        return folder / name

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()
