"""Find the device that a network computes on, and say what it is; needs PyTorch."""

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pneumoscope.classifier.errors import DeviceError

AUTO = "auto"
CPU = torch.device("cpu")
_GIB = 2**30
_FULL = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "DefaultCPUAllocator")
"""Texts of errors of a full memory that are no `torch.OutOfMemoryError`: of MPS, of CUDA's libraries, of a CPU."""


def find(asked: str) -> torch.device:
    """Find a device by its name.

    Parameters
    ----------
    asked
        ``auto`` (the first of cuda, mps and cpu that the machine has), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns
    -------
    torch.device
        The device; a GPU has its index.

    Raises
    ------
    DeviceError
        If there is no device of this name; the error lists those that there are.
    """
    names = available()
    if asked == AUTO:
        return torch.device(names[0])
    wanted = "cuda:0" if asked == "cuda" else asked
    if wanted not in names:
        raise DeviceError(
            f"there is no device '{asked}'; PyTorch {torch.__version__} finds only {', '.join(names)} on this machine: choose "
            "one with --device, or install a build of PyTorch for your GPU"
        )
    return torch.device(wanted)


def available() -> list[str]:
    """List the devices of this machine by name, the fastest kind first.

    Returns
    -------
    list of str
        Names as `find` takes them; ``cpu`` is always the last.
    """
    gpus = [f"cuda:{k}" for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def name_of(device: torch.device) -> str:
    """Return the name of the hardware, as its maker writes it.

    Parameters
    ----------
    device
        A device of this machine.

    Returns
    -------
    str
        For example the model of a GPU or of a processor.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"GPU of {platform.machine()}"
    return _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def of(network: nn.Module) -> torch.device:
    """Return the device of a network's parameters.

    Parameters
    ----------
    network
        A network with at least one parameter, all on one device.

    Returns
    -------
    torch.device
        The device.
    """
    return next(network.parameters()).device


def free_bytes(device: torch.device) -> int:
    """Count the bytes of memory that a device has left.

    Parameters
    ----------
    device
        A device of this machine.

    Returns
    -------
    int
        Bytes; 0 for a CPU, whose memory the system manages.
    """
    if device.type == "cuda":
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + reusable)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return 0


def send(values: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Copy a tensor of the CPU to a device, without waiting for the device if it is a CUDA GPU.

    Parameters
    ----------
    values
        A tensor on the CPU.
    device
        Where it goes.
    dtype
        Type of the result; None for that of `values`.

    Returns
    -------
    Tensor
        Same shape.
    """
    if device.type != "cuda":  # elsewhere a copy that is not waited for may read memory that is freed already
        return values.to(device, dtype)
    return values.pin_memory().to(device, dtype, non_blocking=True)


@contextlib.contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Compute in IEEE single precision and by deterministic algorithms within the context; a CPU always does.

    By default a GPU rounds the factors of a convolution to 10 bits of mantissa (TF32) and chooses algorithms whose sums depend
    on timing. Where an operation has no deterministic algorithm, PyTorch warns and names it.

    Parameters
    ----------
    device
        The device that computes.

    Yields
    ------
    None
        No value.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic with a workspace of fixed size only
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # its setting is not among the types
    filled, tf32 = memory.fill_uninitialized_memory, torch.backends.cuda.matmul.allow_tf32
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False  # nothing here reads memory that was not written
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filled
        torch.backends.cuda.matmul.allow_tf32 = tf32


@contextlib.contextmanager
def enough_memory(device: torch.device, advice: str) -> Iterator[None]:
    """Turn an exhausted device memory within the context into one sentence.

    Parameters
    ----------
    device
        The device that computes.
    advice
        What the user can do, as the end of the sentence.

    Yields
    ------
    None
        No value.

    Raises
    ------
    DeviceError
        If the device runs out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in _FULL)):
            raise
        size = f" of {torch.cuda.get_device_properties(device).total_memory / _GIB:.0f} GiB" if device.type == "cuda" else ""
        raise DeviceError(f"the memory{size} of {device} ({name_of(device)}) is not enough; {advice}") from error


@contextlib.contextmanager
def measuring(device: torch.device) -> Iterator[None]:
    """Measure a network within the context: `exact`, and an exhausted memory is one sentence.

    Parameters
    ----------
    device
        The device that computes.

    Yields
    ------
    None
        No value.

    Raises
    ------
    DeviceError
        If the device runs out of memory.
    """
    advice = "end other programs" if device.type == "cpu" else "choose --device cpu"
    with exact(device), enough_memory(device, advice):
        yield
