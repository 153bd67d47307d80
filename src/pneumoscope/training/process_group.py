"""The noun `Group`: the processes that train one network together, on one host or many.

Each process computes its rows of a batch; the outputs are gathered, so that every process has the loss of the whole batch.
Batch norms use the statistics of the whole batch, and dropout draws for the whole batch. A group of any size takes the same
steps as a single process, up to the order of additions.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from pneumoscope import PneumoscopeError
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.training.compute import Compute
from pneumoscope.training.errors import TrainingError

T = TypeVar("T")
_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others, which may be preparing squares or measuring tune."""


@dataclass(frozen=True)
class Group:
    """This process among the processes that train one network together.

    Parameters
    ----------
    rank
        Number of this process, from 0.
    size
        Number of processes.
    local_rank
        Number of this process on its host, from 0.
    local_size
        Number of processes on this host.
    launched
        Whether torchrun started the processes.
    restarted
        Whether torchrun had to start them again.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    launched: bool = False
    restarted: bool = False

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """Return this process's rows of a batch.

        Parameters
        ----------
        batch
            Number of rows of the batch.

        Returns
        -------
        slice
            The rows.

        Raises
        ------
        TrainingError
            If the processes cannot share the batch equally.
        """
        if batch % self.size:
            raise TrainingError(
                f"{batch} images of a step (painted ones included) cannot be shared equally among {self.size} processes; "
                "change --batch or the number of processes"
            )
        own = batch // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def from_leader(self, make: Callable[[], T]) -> T:
        """Run `make` on rank 0 and broadcast its result, or its exception, to every process.

        Parameters
        ----------
        make
            Called in the leading process only.

        Returns
        -------
        Any
            What `make` returned, in every process.

        Raises
        ------
        PneumoscopeError or OSError
            In every process, if `make` raised one.
        """
        if self.size == 1:
            return make()
        message: list[Any] = [None, None]  # result, error
        if self.leads:
            try:
                message[0] = make()
            except (PneumoscopeError, OSError) as error:
                message[1] = error
        distributed.broadcast_object_list(message)
        if message[1] is not None:
            raise message[1]
        return cast(T, message[0])

    def agree(self, value: object, what: str) -> None:
        """Check that all processes have the same value.

        Parameters
        ----------
        value
            This process's value.
        what
            Its name, for the error.

        Raises
        ------
        TrainingError
            In every process, if two of them differ.
        """
        if self.size == 1:
            return
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        if any(other != values[0] for other in values):
            raise TrainingError(
                f"the {self.size} processes do not have the same {what}; give all the same options and shared folders"
            )

    def device(self, asked: str) -> torch.device:
        """Find the device of this process: each process on a host has a GPU of its own.

        Parameters
        ----------
        asked
            Name of the device, as `pneumoscope.classifier.device.find` takes it.

        Returns
        -------
        torch.device
            The device.

        Raises
        ------
        DeviceError
            If there is no such device.
        TrainingError
            If the processes of this host cannot each have a device of their own.
        """
        found = devices.find(asked)
        self.agree(found.type, "kind of device")
        if self.size == 1 or found.type == "cpu":
            return found
        if found.type != "cuda":
            raise TrainingError(f"several processes cannot train on {found.type}; give --device cpu, or start one process")
        gpus = torch.cuda.device_count()
        chosen = asked.startswith("cuda:")
        if self.local_size > (1 if chosen else gpus):
            raise TrainingError(
                f"{self.local_size} processes on this host share the devices '{asked}', of which there are {gpus}; give torchrun "
                f"--nproc-per-node {gpus} and --device cuda, or --device cpu"
            )
        own = found if chosen else torch.device("cuda", self.local_rank)
        torch.cuda.set_device(own)
        return own

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier()

    @contextmanager
    def one_a_host(self) -> Iterator[None]:
        """Run on local rank 0 first, then on the other ranks of the host, which reuse its files."""
        if self.local_rank:
            self.wait()
        yield
        if not self.local_rank:
            self.wait()


ALONE = Group()


@contextmanager
def joined() -> Iterator[Group]:
    """Join the group that ``torchrun`` started this process in, or a group of one.

    Tensors on GPUs are exchanged by NCCL, all others by Gloo.
    """
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    # Python's handler would run only after a collective call that waits for the other processes: torchrun would kill after half
    # a minute, and two hosts would restart at different times. Every file is written whole, so the process may end at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    distributed.init_process_group("cpu:gloo,cuda:nccl" if with_gpus else "gloo", timeout=_PATIENCE)
    given = os.environ  # by torchrun
    restarted = int(given.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    local_rank, local_size = int(given["LOCAL_RANK"]), int(given["LOCAL_WORLD_SIZE"])
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size(), local_rank, local_size, True, restarted)
    except BaseException:
        # NCCL is shut down by all processes together: after an error the others would be waited for, and they for this one.
        if not with_gpus:
            distributed.destroy_process_group()
        raise
    distributed.destroy_process_group()


class _Output(nn.Module):
    """The input of the losses: evidence (batch, h, w) of an evidence network, else logits (batch, classes)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, squares: Tensor) -> Tensor:
        output = self.network.cells(squares) if isinstance(self.network, EvidenceNetwork) else self.network(squares)
        return cast(Tensor, output)


class Spread:
    """A network in training, whose batches are distributed over a group.

    Parameters
    ----------
    network
        The network, on its device.
    group
        The processes that train together.
    compute
        Precision, and whether the network is compiled.
    """

    def __init__(self, network: nn.Module, group: Group = ALONE, compute: Compute | None = None) -> None:
        self.group, self.compute = group, compute or Compute()
        if group.size > 1 and self.compute.compiled:
            raise TrainingError("processes cannot share a compiled network; leave out --compile, or train in one process")
        self._output: nn.Module = _Output(network)
        if self.compute.compiled:
            torch.compiler.reset()  # otherwise the ninth network of a process would run as it is, in silence
            self._output = cast(nn.Module, torch.compile(self._output))
        if group.size > 1:
            self._output = DistributedDataParallel(self._output)

    def _drawing(self) -> AbstractContextManager[object]:
        """Return the mode in which layers draw, and batch norms average, as on one CPU."""
        if self.group.size > 1:
            return _AsOne(self.group)
        return _DrawnOnCpu(self.group) if self.compute.draws_as_cpu else nullcontext()

    def of_rows(self, rows: Tensor) -> Tensor:
        """Compute evidence or logits of the whole batch from this process's rows.

        Parameters
        ----------
        rows
            Shape (batch / size, channels, size_px, size_px).

        Returns
        -------
        Tensor
            Evidence (batch, h, w) or logits (batch, classes).
        """
        with self.compute.autocast(), self._drawing():
            own = cast(Tensor, self._output(rows))
        own = own if self.compute.precision == "fp32" else own.to(self.compute.dtype)
        return own if self.group.size == 1 else _gathered(own, self.group)

    def __call__(self, squares: Tensor) -> Tensor:
        """Evidence or logits of the whole batch of squares."""
        return self.of_rows(squares[self.group.rows(len(squares))])


class _Gather(torch.autograd.Function):
    """Rows of all processes in their order; the gradient of a row is the sum of its gradients in all processes."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, group: Group) -> Tensor:
        ctx.own = slice(group.rank * len(rows), (group.rank + 1) * len(rows))  # type: ignore[attr-defined]  # a context holds anything
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(group.size)]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total[ctx.own], None  # type: ignore[attr-defined]  # what forward stored


def _gathered(rows: Tensor, group: Group) -> Tensor:
    return cast(Tensor, _Gather.apply(rows, group))


class _DrawnOnCpu(TorchFunctionMode):
    """Dropout with numbers from the CPU's generator, drawn for the whole batch of a group.

    Functions are replaced rather than modules, so that the layers of torchvision, timm and this package are all covered.
    """

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._group = group

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func is F.dropout:
            return _dropout(self._group, False, *args, **given)
        if func is F.dropout2d:
            return _dropout(self._group, True, *args, **given)
        if func is torch.Tensor.bernoulli_ and len(args) == 2:  # stochastic depth draws by itself
            drawn = _drawn(self._group, args[0].shape, args[1])
            return args[0].copy_(devices.send(drawn, args[0].device, args[0].dtype))
        return func(*args, **given)


class _AsOne(_DrawnOnCpu):
    """Batch norm over the whole batch too; PyTorch's own synchronized batch norm does not work on CPUs."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.batch_norm:
            return _batch_norm(self._group, *args, **dict(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs)


def _batch_norm(
    group: Group,
    x: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor,
    bias: Tensor,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`F.batch_norm` with mean and variance over the rows of all processes."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = [k for k in range(x.ndim) if k != 1]
    var, mean = torch.var_mean(x.to(weight.dtype), dims, correction=0)
    means, variances = _gathered(torch.stack([mean, var])[None], group).unbind(1)  # each (size, channels)
    mean = means.mean(0)
    var = variances.mean(0) + ((means - mean) ** 2).mean(0)
    count = x.numel() // x.shape[1] * group.size
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(var * (count / (count - 1)), momentum)
    shape = [-1 if k == 1 else 1 for k in range(x.ndim)]
    scale = weight / torch.sqrt(var + eps)
    return (x * scale.view(shape) + (bias - mean * scale).view(shape)).to(x.dtype)


def _dropout(group: Group, channels: bool, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`F.dropout` or `F.dropout2d` with this process's rows of one draw for the whole batch."""
    if not training or p == 0:
        return x
    shape = (*x.shape[:2], *[1] * (x.ndim - 2)) if channels else x.shape
    noise = devices.send(_drawn(group, shape, 1 - p) / (1 - p), x.device, x.dtype)
    return x.mul_(noise) if inplace else x * noise


def _drawn(group: Group, shape: Sequence[int], p: float) -> Tensor:
    """This process's rows of a draw that is the same in all processes, on the CPU."""
    whole = torch.empty(shape[0] * group.size, *shape[1:], device="cpu").bernoulli_(p)
    return whole[group.rows(len(whole))]
