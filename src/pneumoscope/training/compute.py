"""The noun `Compute`: on which device a training runs, in which precision, and whether it is compiled."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.classifier import DeviceError
from pneumoscope.classifier import device as devices
from pneumoscope.training.precision import Precision

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LIBRARIES = ("torch", "torchvision", "timm", "numpy")
_RESIDENT_SHARE = 0.5
"""Share of the free memory of a device that the squares of a split may fill; the network needs the rest."""


@dataclass(frozen=True)
class Compute:
    """How a training computes.

    Random numbers are drawn on the CPU and then sent to the device, so that the same seed draws the same augmentation, opacities
    and dropout on every device.

    Parameters
    ----------
    device
        Where the network, its batches and its losses are.
    precision
        ``fp32``, or the type to which PyTorch's autocast rounds the network's convolutions and matrix products: ``bf16``, or
        ``fp16`` with loss scaling. Weights, losses and the optimizer stay in float32, and so does everything after the training.
    compiled
        Whether the network is compiled by ``torch.compile``; dropout is then drawn on the device.
    dtype
        Type of the weights; float64 serves to check the arithmetic of a device.

    Raises
    ------
    DeviceError
        If the device cannot compute in this precision.
    """

    device: torch.device = devices.CPU
    precision: Precision = "fp32"
    compiled: bool = False
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.precision == "bf16" and not _has_bf16(self.device):
            raise DeviceError(
                f"{self.device} ({devices.name_of(self.device)}) does not compute in bf16; choose --precision fp16 or fp32"
            )

    def __str__(self) -> str:
        recorded = self.recorded()
        return f"training on {recorded['device']} ({recorded['device_name']}) in {recorded['precision']}"

    @property
    def draws_as_cpu(self) -> bool:
        """Whether dropout is drawn on the CPU in place of the device; on the CPU itself PyTorch draws the same numbers."""
        return not self.compiled and (self.device.type != "cpu" or self.dtype != torch.float32)

    @property
    def scales_loss(self) -> bool:
        """Whether the loss is scaled so that gradients do not vanish in fp16."""
        return self.precision == "fp16"

    def send(self, values: NDArray[Any]) -> Tensor:
        """Copy an array to the device.

        Parameters
        ----------
        values
            Any shape and type.

        Returns
        -------
        Tensor
            Same shape; floating-point values have the type of the weights.
        """
        tensor = torch.from_numpy(values)
        return devices.send(tensor, self.device, self.dtype if tensor.is_floating_point() else None)

    def send_squares(self, squares: NDArray[np.uint8]) -> Tensor:
        """Copy grey levels to the device.

        Parameters
        ----------
        squares
            uint8, any shape.

        Returns
        -------
        Tensor
            Same shape, in [0, 1], of the type of the weights.
        """
        return in_unit_interval(self.send(squares), self.dtype)

    def send_ahead(self, squares: Tensor) -> Callable[[], Tensor]:
        """Start a copy as `send_squares` does; on a GPU it overlaps with what the network computes.

        Parameters
        ----------
        squares
            uint8 on the CPU, any shape.

        Returns
        -------
        Callable
            Gives the tensor to the thread that computes; what the thread queues afterwards waits for the copy.
        """

        def copied_now() -> Tensor:
            return in_unit_interval(devices.send(squares, self.device), self.dtype)

        if self.device.type == "cpu":
            converted = copied_now()
            return lambda: converted
        if self.device.type != "cuda":  # a second thread may not use the device
            return copied_now
        stream = _copy_stream(self.device)
        with torch.cuda.stream(stream):
            sent = devices.send(squares, self.device)
            copied = stream.record_event()

        def taken() -> Tensor:
            computing = torch.cuda.current_stream(self.device)
            computing.wait_event(copied)
            sent.record_stream(computing)
            return in_unit_interval(sent, self.dtype)

        return taken

    def holds(self, squares: NDArray[np.uint8]) -> bool:
        """Tell whether squares fit into half of the free memory of the device.

        Parameters
        ----------
        squares
            uint8, any shape.

        Returns
        -------
        bool
            Always False for a CPU.
        """
        return squares.nbytes <= _RESIDENT_SHARE * devices.free_bytes(self.device)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the network computes in the precision.

        Returns
        -------
        context manager
            PyTorch's autocast; nothing in single precision.
        """
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, _TYPES[self.precision])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Compute deterministically within the context, and leave the generators of the CPU and of the device as they were.

        Yields
        ------
        None
            No value.

        Raises
        ------
        DeviceError
            If the device runs out of memory.
        """
        forked = [self.device] if self.device.type == "cuda" else []
        with (
            devices.enough_memory(self.device, self._advice),
            devices.exact(self.device),
            torch.random.fork_rng(devices=forked),
        ):
            yield

    @property
    def _advice(self) -> str:
        smaller = "choose a smaller --batch"
        if self.device.type == "cpu":
            return smaller
        return f"{smaller}, {'--precision bf16, ' if self.precision == 'fp32' and _has_bf16(self.device) else ''}or --device cpu"

    def synchronize(self) -> None:
        """Wait until the device has computed what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def rounding(self) -> tuple[str, ...]:
        """State what decides the result of a run besides its settings.

        Returns
        -------
        tuple of str
            Precision and compilation; empty in single precision, whatever the device.
        """
        return () if self.precision == "fp32" and not self.compiled else (self.precision, "compiled" if self.compiled else "")

    def recorded(self) -> dict[str, str]:
        """Describe the device, the precision and the versions of the libraries, for the card and the learning curves.

        Returns
        -------
        dict of str to str
            ``device``, ``device_name``, ``precision`` and ``libraries``.
        """
        return {
            "device": str(self.device),
            "device_name": devices.name_of(self.device),
            "precision": self.precision + (", compiled" if self.compiled else ""),
            "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        }


def in_unit_interval(squares: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Convert grey levels 0 to 255 to numbers in [0, 1] on their device.

    Parameters
    ----------
    squares
        uint8, any shape.
    dtype
        Floating-point type of the result.

    Returns
    -------
    Tensor
        Same shape.
    """
    return squares.to(dtype).div_(255)


@functools.cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # before Ampere bf16 is emulated, more slowly than fp32
    if device.type == "mps":
        try:
            torch.zeros(1, dtype=torch.bfloat16, device=device)
        except (TypeError, RuntimeError):
            return False
    return True
