"""What a vision transformer's class token looks at."""

import pytest
import torch

from pneumoscope.classifier.backbone import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.heatmap import attention


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    network = build(BACKBONES["vit_b_16"], "linear").eval()
    torch.nn.init.normal_(network.model.heads[-1].weight)  # torchvision's own start of a head would do; this one has a gradient
    return network, torch.rand(1, 1, 224, 224)


def test_the_attention_that_is_looked_at_is_the_one_that_makes_the_logits(vit):
    network, image = vit
    with torch.no_grad():
        logits, attentions = attention._forward(network, image)
        torch.testing.assert_close(logits, network(image), atol=1e-4, rtol=1e-4)
    assert len(attentions) == 12
    assert attentions[0].shape == (1, 12, 197, 197)
    torch.testing.assert_close(attentions[5].sum(-1), torch.ones(1, 12, 197))


def test_rollout_is_a_share_of_each_patch(vit):
    found = attention.rollout(*vit)
    assert found.shape == (14, 14)
    assert (found >= 0).all()
    assert 0.5 < float(found.sum()) < 1  # rows of the product add up to 1; the rest is the class token's own


def test_relevance_tells_the_classes_apart_and_touches_no_gradient(vit):
    network, image = vit
    first, second = (attention.relevance(network, image, k) for k in (0, 1))
    assert first.shape == (14, 14)
    assert (first >= 0).all()
    assert not torch.allclose(first, second)
    assert all(p.grad is None for p in network.parameters())
