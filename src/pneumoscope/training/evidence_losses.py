"""The losses of an evidence network."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.classifier.evidence_network import EvidenceNetwork, over_cells, pool
from pneumoscope.training import view_augmentation
from pneumoscope.training.loss import Loss
from pneumoscope.training.painted_opacities import paint
from pneumoscope.training.recipe import Recipe

_OPAQUE = 0.3  # least painted share of a cell that is known to be opaque
_OUTSIDE = 0.05  # a cell with a smaller share of lung is known not to be opaque


def step_loss(
    network: EvidenceNetwork,
    cells_of: Callable[[Tensor], Tensor],
    squares: Tensor,
    target: Tensor,
    canvas: Tensor,
    canvas_target: Tensor,
    criterion: Loss,
    recipe: Recipe,
) -> Tensor:
    """Compute the loss of one step of an evidence network.

    Parameters
    ----------
    network
        The network in training.
    cells_of
        Grey levels (batch, 1, size_px, size_px) to evidence (batch, h, w): the network's own `cells`, or a group's.
    squares
        float32, shape (batch, 2 or 3, size_px, size_px), in [0, 1]: grey, lungs and, with a teacher, its heat map.
    target
        int64, shape (batch,).
    canvas, canvas_target
        The images to paint opacities onto, of the same form; may be empty.
    criterion
        Loss of logits (batch, 2) and target.
    recipe
        Augmentation and weights of the losses.

    Returns
    -------
    Tensor
        A scalar.
    """
    n = len(squares)
    together = torch.cat([squares, canvas])
    together = view_augmentation.moved(together) if recipe.augmentation == "views" else together
    grey, lungs = together[:, :1], together[:, 1:2]
    painted, opacity = paint(grey[n:], lungs[n:]) if len(canvas) else (grey[n:], lungs[n:])
    grey = torch.cat([grey[:n], painted])
    grey = view_augmentation.toned(grey) if recipe.augmentation == "views" else grey
    cells = cells_of(grey)
    share = network.lung_share(together[:, :2], cells)
    log_odds = pool(cells[:n], share[:n])
    value = criterion(torch.stack([torch.zeros_like(log_odds), log_odds], 1), target)
    if recipe.evidence and recipe.evidence.energy_weight:
        lung = over_cells(lungs[:n], cells)
        value = value + recipe.evidence.energy_weight * energy_outside(cells[:n], lung, target)
    if recipe.distillation and recipe.distillation.teacher_weight:
        taught = over_cells(together[:n, 2:], cells)
        value = value + recipe.distillation.teacher_weight * teacher_loss(cells[:n], taught, target)
    if recipe.evidence and len(canvas):
        lung = over_cells(lungs[n:], cells)
        share_painted = over_cells(opacity, cells)
        value = value + recipe.evidence.painting_weight * painting_loss(cells[n:], share_painted, lung, canvas_target)
    return value


def energy_outside(cells: Tensor, lung: Tensor, target: Tensor) -> Tensor:
    """Compute the mean share of softplus(evidence) that lies outside the lungs; positives count five times as much.

    The evidence is not thresholded: a threshold has no gradient.

    Parameters
    ----------
    cells
        Evidence, shape (batch, h, w).
    lung
        Share of each cell that is lung, same shape, in [0, 1].
    target
        Shape (batch,), 0 or 1.

    Returns
    -------
    Tensor
        A scalar in [0, 1].
    """
    energy = F.softplus(cells)
    outside = 1 - (energy * lung).sum((1, 2)) / energy.sum((1, 2)).clamp(min=1e-6)
    return (outside * (0.2 + 0.8 * target)).mean()


def teacher_loss(cells: Tensor, taught: Tensor, target: Tensor) -> Tensor:
    """Compute the cross-entropy of the evidence against a teacher's heat map, weighted by how certain the teacher is.

    In an image without the target, every cell is taught 0 with full weight.

    Parameters
    ----------
    cells
        Evidence, shape (batch, h, w).
    taught
        The teacher's heat map, same shape, in [0, 1].
    target
        Shape (batch,), 0 or 1.

    Returns
    -------
    Tensor
        A scalar.
    """
    taught = taught * target[:, None, None]
    sure = (2 * taught - 1).abs()
    return (F.binary_cross_entropy_with_logits(cells, taught, reduction="none") * sure).sum() / sure.sum().clamp(min=1)


def painting_loss(cells: Tensor, painted: Tensor, lung: Tensor, target: Tensor) -> Tensor:
    """Compute cross-entropy plus one minus the soft Dice coefficient of the evidence against painted opacities.

    In an image with the target, the unpainted lung may be opaque: only painted cells and cells outside the lungs count.

    Parameters
    ----------
    cells
        Evidence, shape (batch, h, w).
    painted
        Share of each cell that was painted, same shape, in [0, 1].
    lung
        Share of each cell that is lung, same shape, in [0, 1].
    target
        Shape (batch,), 0 or 1.

    Returns
    -------
    Tensor
        A scalar.
    """
    known = ((painted > _OPAQUE) | (lung < _OUTSIDE)).to(cells.dtype)
    known = torch.where(target[:, None, None] > 0, known, torch.ones_like(known))
    cross_entropy = F.binary_cross_entropy_with_logits(cells, painted, reduction="none")
    p = cells.sigmoid() * known
    overlap = (2 * (p * painted).sum() + 1) / ((p + painted * known).sum() + 1)
    return (cross_entropy * known).sum() / known.sum().clamp(min=1) + 1 - overlap
