"""Attention rollout and relevance of vision transformers; needs PyTorch."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier.network import Network


def rollout(network: Network, image: Tensor) -> Tensor:
    """Compute attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928).

    The attention of the class token to the patches is the product over all blocks of ``(A + I) / 2``, where A is the attention
    averaged over the heads. No gradient is used, so the map is the same for every class.

    Parameters
    ----------
    network
        A network with a vision transformer as backbone.
    image
        One grey square, float32, shape (1, 1, size_px, size_px), in [0, 1].

    Returns
    -------
    Tensor
        Attention of the class token to each patch, shape (h, w), ≥ 0.
    """
    with torch.no_grad():
        _, attentions = _forward(network, image)
    total = torch.eye(attentions[0].shape[-1], device=image.device)
    for attention in attentions:
        mixed = (attention[0].mean(0) + torch.eye(len(total), device=image.device)) / 2
        total = mixed @ total
    return _patches(total)


def relevance(network: Network, image: Tensor, class_index: int) -> Tensor:
    """Compute relevance propagation for transformers (Chefer et al. 2021, arXiv 2103.15679, eq. 5 and 6).

    Each block updates the relevance by ``R ← R + Ā · R``, where Ā is ``(∇A ⊙ A)⁺`` averaged over the heads. The gradients of
    the parameters are not changed.

    Parameters
    ----------
    network
        A network with a vision transformer as backbone.
    image
        One grey square, float32, shape (1, 1, size_px, size_px), in [0, 1].
    class_index
        Index of the explained class.

    Returns
    -------
    Tensor
        Relevance of each patch for the class token, shape (h, w), ≥ 0.
    """
    with torch.enable_grad():
        logits, attentions = _forward(network, image)
        gradients = torch.autograd.grad(logits[0, class_index], attentions)
    total = torch.eye(attentions[0].shape[-1], device=image.device)
    for attention, gradient in zip(attentions, gradients, strict=True):
        total = total + (attention * gradient).clamp(min=0)[0].mean(0).detach() @ total
    return _patches(total)


def _patches(total: Tensor) -> Tensor:
    """Reshape the row of the class token, without the token itself, to a map."""
    row = total[0, 1:]
    side = round(len(row) ** 0.5)
    return row.reshape(side, side)


def _forward(network: Network, image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Compute the logits (1, classes) and the attention of each block (1, heads, tokens, tokens), which torchvision discards."""
    net: Any = network.model
    tokens = net._process_input(network.normalized(image))
    tokens = torch.cat([net.class_token.expand(tokens.shape[0], -1, -1), tokens], 1) + net.encoder.pos_embedding
    attentions = []
    for block in net.encoder.layers:
        attended, attention = _attend(block.self_attention, block.ln_1(tokens))
        attentions.append(attention)
        tokens = tokens + attended
        tokens = tokens + block.mlp(block.ln_2(tokens))
    return net.heads(net.encoder.ln(tokens)[:, 0]), attentions


def _attend(module: nn.MultiheadAttention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Compute scaled dot-product self-attention: output (1, tokens, channels) and attention (1, heads, tokens, tokens)."""
    q, k, v = F.linear(tokens, module.in_proj_weight, module.in_proj_bias).chunk(3, -1)
    q, k, v = (x.unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for x in (q, k, v))
    attention = torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, -1)
    out: Tensor = module.out_proj((attention @ v).transpose(1, 2).flatten(2))
    return out, attention
