"""The state of an interrupted run in one safetensors file, which is written whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from pneumoscope import atomic_files
from pneumoscope.training.errors import TrainingError


def run_sha256(*parts: object) -> str:
    """Hash everything that decides what a run gives; a state belongs to one run.

    Parameters
    ----------
    *parts
        Values that JSON can hold.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Row(Protocol):
    """A finished epoch: a dataclass whose `quality` on the tune side is the higher the better."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def quality(self) -> float:
        """The figure by which epochs are compared, the higher the better."""

    @property
    def tune_loss(self) -> float:
        """Loss on tune, which decides between epochs of equal quality."""


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True)
class Progress(Generic[AnyRow]):
    """The finished epochs of a run.

    Parameters
    ----------
    history
        The epochs in their order.
    run
        Hash of everything that decides what the run gives; see `run_sha256`.
    """

    history: tuple[AnyRow, ...]
    run: str
    """Hash of recipe, backbone, start and split."""

    @property
    def best(self) -> AnyRow:
        """The epoch of the highest quality; of equal ones the one with the lower loss on tune."""
        return max(self.history, key=lambda e: (e.quality, -e.tune_loss))

    @property
    def epochs_since_best(self) -> int:
        """Number of epochs after the best one."""
        return len(self.history) - 1 - self.history.index(self.best)


def save(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress[AnyRow],
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Write weights, optimizer state and progress, whole or not at all.

    Parameters
    ----------
    path
        The file.
    network, optimizer
        What is saved.
    progress
        The finished epochs.
    scaler
        Scale of the loss in fp16, if it is scaled.
    """
    tensors: dict[str, Tensor] = {f"model.{k}": v.contiguous().cpu() for k, v in network.state_dict().items()}
    for index, entries in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v.contiguous().cpu() for k, v in entries.items()}
    scale = scaler.state_dict() if scaler else None
    stated = {"run": progress.run, "history": [asdict(e) for e in progress.history], "scale": scale}
    head = json.dumps({**stated, "sha256": _sha256(stated, tensors)})
    with atomic_files.binary(path) as stream:
        stream.write(safetensors.torch.save(tensors, {"progress": head}))


def _sha256(head: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    """Hash a state: a safetensors file has no check sum of its own."""
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(tensors):
        flat = tensors[name].contiguous().reshape(-1)
        digest.update(f"{name} {tuple(tensors[name].shape)} {flat.dtype}\n".encode())
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: str,
    row: type[AnyRow],
    scaler: torch.amp.GradScaler | None = None,
) -> Progress[AnyRow]:
    """Read a state back into a network and an optimizer.

    Parameters
    ----------
    path
        The file.
    network, optimizer
        What gets the state.
    run
        Hash of the run that goes on.
    row
        Class of the rows of the learning curves.
    scaler
        What gets the scale of the loss, if it is scaled.

    Returns
    -------
    Progress
        The finished epochs.

    Raises
    ------
    TrainingError
        If the file is damaged or belongs to another run.
    """
    damaged = f"the state '{path}' is damaged; start again in another folder"
    try:
        with safetensors.safe_open(path, "pt") as stored:
            head = json.loads((stored.metadata() or {})["progress"])
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 - no mapping
        history, stored_run = tuple(row(**entry) for entry in head["history"]), head["run"]
        if head.pop("sha256") != _sha256(head, tensors):
            raise ValueError("not what was written")
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(damaged) from error
    if stored_run != run:
        raise TrainingError(
            f"'{path.parent.parent}' holds a run with another recipe, backbone, start or split; "
            "resume it with the same options or choose another folder"
        )
    try:
        _restore(network, optimizer, tensors)
        if scaler:
            scaler.load_state_dict(head["scale"])
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise TrainingError(damaged) from error
    return Progress(history, run)


def _restore(network: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    network.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    restored: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            restored.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": restored, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            if value.shape == parameter.shape:  # in the parameter's order of memory, as in a run that was never interrupted
                entries[name] = torch.empty_like(parameter).copy_(value)
