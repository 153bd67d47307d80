"""Losses of a batch, and the noun `Step`: forward, backward, optimizer and average as one CUDA graph."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from full_comparison.batches import Batch
from pneumoscope.classifier.evidence_network import EvidenceNetwork, over_cells, pool
from pneumoscope.classifier.network import Network
from pneumoscope.training.evidence_losses import energy_outside, painting_loss, teacher_loss
from pneumoscope.training.loss import beside_teacher, focal
from pneumoscope.training.recipe import Recipe

AnyNetwork = Network | EvidenceNetwork
GAMMA = 2.0
CLIP = 5.0
ENERGY_WEIGHT, PAINTING_WEIGHT, MAP_WEIGHT = 0.4, 0.5, 0.5
AVERAGED_SHARE = 0.1
"""Of the steps, that the exponential average of the weights reaches back."""
_WARM = 3  # steps before the capture of a graph


def whole_loss(network: AnyNetwork, recipe: Recipe) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch of the whole crop: focal, beside the teachers' log-odds where there are any."""

    def loss(batch: Batch) -> Tensor:
        return _labelled(network(batch["grey"]).float(), batch, recipe)

    return loss


def _labelled(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    def criterion(x: Tensor, y: Tensor) -> Tensor:
        return focal(x, y, GAMMA)

    if "taught" not in batch:
        return criterion(logits, batch["target"])
    if recipe.distillation is None:
        raise ValueError("the batch has a teacher's log-odds, and the recipe no distillation")
    return beside_teacher(criterion, batch["taught"], recipe.distillation)(logits, batch["target"])


def lungs_loss(network: EvidenceNetwork, teacher: EvidenceNetwork | None, recipe: Recipe) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch of the lungs crop, as `pneumoscope.training.evidence.step_loss` has it.

    Parameters
    ----------
    teacher: whose evidence in the same views is learned as well, where there is one.
    """

    def loss(batch: Batch) -> Tensor:
        target, n = batch["target"], len(batch["target"])
        cells = network.cells(batch["grey"]).float()
        lung = over_cells(batch["lungs"], cells)
        log_odds = pool(cells[:n], lung[:n])
        value = _labelled(torch.stack([torch.zeros_like(log_odds), log_odds], 1), batch, recipe)
        value = value + ENERGY_WEIGHT * energy_outside(cells[:n], lung[:n], target)
        if teacher is not None:
            with torch.no_grad():
                shown = over_cells(teacher.cells(batch["grey"][:n]).float().sigmoid()[:, None], cells)
            value = value + MAP_WEIGHT * teacher_loss(cells[:n], shown, target)
        painted = painting_loss(cells[n:], over_cells(batch["opacity"], cells), lung[n:], batch["canvas"])
        return value + PAINTING_WEIGHT * painted

    return loss


class Step:
    """One step of training: forward, backward, optimizer and average; a replayed CUDA graph after the first ones.

    Parameters
    ----------
    network, average: what is trained, and the exponential average of its weights.
    loss: of a batch.
    graph: whether to capture a graph (CUDA alone).
    """

    def __init__(
        self, network: AnyNetwork, average: AnyNetwork, loss: Callable[[Batch], Tensor], recipe: Recipe, steps: int, graph: bool
    ) -> None:
        self.loss, self.network = loss, network
        self.device = next(network.parameters()).device
        self.wants_graph = graph and self.device.type == "cuda"
        self.graph: Any = None
        self.taken = 0
        self.decay = 1 - 1 / max(2.0, AVERAGED_SHARE * steps)
        self.optimizer = self._optimizer(recipe)
        self.pairs = _floating(average), _floating(network)
        self.static: Batch = {}
        self.value = torch.zeros((), device=self.device)

    def _optimizer(self, recipe: Recipe) -> torch.optim.Optimizer:
        """AdamW whose rates are tensors, so that a captured step reads them."""
        new = [p for n, p in self.network.named_parameters() if not n.startswith("model.") or _is_new(n)]
        known = {id(p) for p in new}
        old = [p for p in self.network.parameters() if id(p) not in known]
        cuda = self.device.type == "cuda"
        groups = [
            {"params": p, "lr": torch.tensor(recipe.rate, device=self.device) if cuda else recipe.rate, "times": t}
            for p, t in ((old, 1.0), (new, recipe.head_rate))
        ]
        return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, capturable=cuda, fused=cuda)

    def __call__(self, batch: Batch, rate: float) -> Tensor:
        """Take a step at a learning rate; returns the loss, which the next step overwrites."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * group["times"])
            else:
                group["lr"] = rate * group["times"]
        if not self.wants_graph:
            self.value = self._eager(batch)
        elif self.taken < _WARM:
            self._warm(batch)
        else:
            for name, tensor in batch.items():
                self.static[name].copy_(tensor)
            if self.graph is None:
                self._capture()
            if self.graph is not None:
                self.graph.replay()
            else:
                self.value = self._eager(batch)
        self.taken += 1
        return self.value

    def _eager(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device):
            value = self.loss(batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(*self.pairs, 1 - self.decay)
        return value.detach()

    def _warm(self, batch: Batch) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.static = self.static or {name: tensor.clone() for name, tensor in batch.items()}
            self.value = self._eager(batch).clone()
        torch.cuda.current_stream().wait_stream(stream)

    def _capture(self) -> None:
        """Capture the step; where the network cannot be captured, go on without a graph."""
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                self.value = self._eager(self.static)
        except RuntimeError as error:
            print(f"no graph ({str(error).splitlines()[0][:160]}): going on without", flush=True)
            self.wants_graph = False
            self.optimizer.zero_grad(set_to_none=True)
            torch.cuda.synchronize()
            return
        self.graph = graph


def autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bf16 on CUDA; a captured graph must not hold on to cast weights."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.autocast("cuda", torch.bfloat16, cache_enabled=False)


@contextlib.contextmanager
def no_search() -> Iterator[None]:
    """cuDNN does not try its algorithms on shapes that come once."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _is_new(name: str) -> bool:
    return name.startswith(("model.fc.", "model.classifier.", "model.heads."))


def _floating(network: AnyNetwork) -> list[Tensor]:
    return [t.detach() for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
