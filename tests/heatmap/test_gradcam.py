"""Grad-CAM against the two libraries that are known for it."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from torchcam.methods import GradCAM as TorchCam

from pneumoscope.classifier import BACKBONES, ClassifierError
from pneumoscope.classifier.network import build
from pneumoscope.heatmap.gradcam import METHODS, class_index, explain, grad_cam
from tests.classifier.test_checkpoint import CARD

CNNS = [name for name in BACKBONES if not name.startswith("vit")]


def random_network(name: str):
    """Random weights that give maps of some size for both classes: norms that know their batch, a head with large weights."""
    torch.manual_seed(3)
    network = build(BACKBONES[name], "linear").train()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.bias.uniform_(0, 0.5)
        if norms:
            network(images(name))
        (head,) = (m for m in network.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 2)
        head.weight.normal_(0.1, 0.3)
    return network.eval()


def images(name: str) -> torch.Tensor:
    side = 224 if name.startswith("vit") else 64
    return torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(5))


def by_grad_cam(network, name: str, image: torch.Tensor, index: int) -> np.ndarray:
    """pytorch-grad-cam's own weights and weighted sum, before it scales each image."""
    layer = dict(network.model.named_modules())[BACKBONES[name].explained_layer]
    tokens = (lambda t: t[:, 1:].transpose(1, 2).unflatten(2, (14, 14))) if name.startswith("vit") else None
    x = network.normalized(image)
    with GradCAM(network.model, [layer], reshape_transform=tokens) as method:
        method.activations_and_grads(x)[:, index].sum().backward()
        activations, gradients = (getattr(method.activations_and_grads, kind)[0].numpy() for kind in ("activations", "gradients"))
        summed = method.get_cam_image(x, layer, None, activations, gradients, False)
    network.zero_grad()
    return np.maximum(summed, 0)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", BACKBONES)
def test_maps_agree_with_pytorch_grad_cam(name, index):
    network = random_network(name)
    _, maps = explain(network, images(name), index)
    assert maps.max() > 0, "a flat map would agree with anything"
    assert np.abs(by_grad_cam(network, name, images(name), index) - maps.numpy()).max() <= 1e-4 * float(maps.max())


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", CNNS)
def test_maps_agree_with_torchcam(name, index):
    network = random_network(name)
    _, maps = explain(network, images(name), index)
    method = TorchCam(network.model, BACKBONES[name].explained_layer)
    try:
        (expected,) = method([index, index], network.model(network.normalized(images(name))), normalized=False)
    finally:
        method.remove_hooks()
    assert float((expected.detach() - maps).abs().max()) <= 1e-4 * float(maps.max())


def test_equations_by_hand():
    """Selvaraju 2017 eq. 1 and 2 on a 1 × 2 map of two channels: α = (1, −1), ReLU(2·1 − 1·1, 0·1 − 3·1) = (1, 0)."""
    activations = torch.tensor([[[[2.0, 0.0]], [[1.0, 3.0]]]])
    gradients = torch.tensor([[[[0.0, 2.0]], [[-1.0, -1.0]]]])
    assert grad_cam(activations, gradients).tolist() == [[[1.0, 0.0]]]


def test_the_other_equations_by_hand():
    """On the same numbers HiResCAM is ReLU(2·0 + 1·(−1), 0·2 + 3·(−1)) = (0, 0), with gradients (0, 2) and (1, −1) it is (1, 0).

    LayerCAM drops the negative gradient: (2·0 + 1·1, 0·2 + 3·0) = (1, 0).
    """
    activations = torch.tensor([[[[2.0, 0.0]], [[1.0, 3.0]]]])
    assert METHODS["hirescam"](activations, torch.tensor([[[[0.0, 2.0]], [[-1.0, -1.0]]]])).tolist() == [[[0.0, 0.0]]]
    mixed = torch.tensor([[[[0.0, 2.0]], [[1.0, -1.0]]]])
    assert METHODS["hirescam"](activations, mixed).tolist() == [[[1.0, 0.0]]]
    assert METHODS["layercam"](activations, mixed).tolist() == [[[1.0, 0.0]]]


def test_a_batch_gives_the_maps_of_its_images_one_by_one():
    network, batch = random_network("mobilenet_v2"), images("mobilenet_v2")
    logits, maps = explain(network, batch, 1)
    for k in range(len(batch)):
        one_logits, one_map = explain(network, batch[k : k + 1], 1)
        torch.testing.assert_close(one_logits[0], logits[k], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(one_map[0], maps[k], rtol=1e-3, atol=1e-5)


def test_modes_gradients_and_hooks_are_left_as_they_were():
    network = random_network("mobilenet_v2").train()
    parameter = next(network.parameters())
    parameter.grad = torch.full_like(parameter, 7.0)
    buffers = {k: v.clone() for k, v in network.named_buffers()}
    explain(network, images("mobilenet_v2"), 1)
    assert network.training
    assert (parameter.grad == 7).all()
    assert all(p.grad is None for p in network.parameters() if p is not parameter)
    assert all(torch.equal(v, buffers[k]) for k, v in network.named_buffers())
    assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())


def test_modes_are_given_back_when_the_head_fails(monkeypatch):
    network = random_network("mobilenet_v2").train()

    def broken(*_):
        raise RuntimeError("no head")

    monkeypatch.setattr(network, "_head", broken)
    with pytest.raises(RuntimeError, match="no head"):
        explain(network, images("mobilenet_v2"), 1)
    assert network.training


def test_gradients_may_be_off_around_it():
    network = random_network("mobilenet_v2")
    with torch.no_grad():
        _, maps = explain(network, images("mobilenet_v2"), 1)
    assert maps.max() > 0


def test_classes_go_by_name():
    assert class_index(CARD, "normal") == 0
    with pytest.raises(ClassifierError, match="normal, pneumonia"):
        class_index(CARD, "covid")
