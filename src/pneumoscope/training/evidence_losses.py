"""The losses of a classifier that adds up to its own map."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.classifier.evidence_network import EvidenceNetwork, over_cells, pool
from pneumoscope.training import view_augmentation
from pneumoscope.training.loss import Loss
from pneumoscope.training.painted_opacities import paint
from pneumoscope.training.recipe import Recipe

_OPAQUE = 0.3  # share of a cell that is painted, from which it is known to be opaque
_OUTSIDE = 0.05  # share of a cell that is lung, below which it is known not to be


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
    """The loss of one step.

    Parameters
    ----------
    cells_of: grey (batch, 1, side, side) to the network's evidence (batch, h, w): its own `cells`, or those of a group.
    squares, target: the batch, float32 (batch, 2 or 3, side, side) in [0, 1] and int64 (batch,); a third channel is a teacher's
        heat map.
    canvas, canvas_target: what is painted on, likewise; may be empty.
    criterion: of logits and target.
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
    """Mean share of softplus(evidence) that lies outside of the lungs; positives count five times as much.

    All of shape (batch, h, w) but the target (batch,). The evidence is not thresholded, or nothing would have a gradient.
    """
    energy = F.softplus(cells)
    outside = 1 - (energy * lung).sum((1, 2)) / energy.sum((1, 2)).clamp(min=1e-6)
    return (outside * (0.2 + 0.8 * target)).mean()


def teacher_loss(cells: Tensor, taught: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the evidence against a teacher's heat map in [0, 1], (batch, h, w), weighted by how sure it is.

    In an image without the target no cell is opaque, whatever the teacher says.
    """
    taught = taught * target[:, None, None]
    sure = (2 * taught - 1).abs()
    return (F.binary_cross_entropy_with_logits(cells, taught, reduction="none") * sure).sum() / sure.sum().clamp(min=1)


def painting_loss(cells: Tensor, painted: Tensor, lung: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy plus one minus soft Dice of the evidence against what was painted, (batch, h, w).

    In an image whose target is present, the unpainted lung may be opaque: there only painted cells and cells outside of the
    lungs count.
    """
    known = torch.maximum((painted > _OPAQUE).float(), (lung < _OUTSIDE).float())
    known = torch.where(target[:, None, None] > 0, known, torch.ones_like(known))
    cross_entropy = F.binary_cross_entropy_with_logits(cells, painted, reduction="none")
    p = cells.sigmoid() * known
    overlap = (2 * (p * painted).sum() + 1) / ((p + painted * known).sum() + 1)
    return (cross_entropy * known).sum() / known.sum().clamp(min=1) + 1 - overlap
