"""Read the shards of a data set on many machines with Ray Data (extra `scale`).

Ray schedules, limits what is in flight, restarts readers and runs the shards of a lost node elsewhere; that a shard counts once,
however often it was read, comes from the commit in `pneumoscope.archive.shards`. Nothing else keeps state, so that a run that was
interrupted or killed goes on with the shards that have no commit.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import logging
import os
import platform
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import ray
import ray.data
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.exceptions import RayError

from pneumoscope import PneumoscopeError, atomic_files
from pneumoscope.archive import shards
from pneumoscope.archive.decoding import decoder, seen_px
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.row_reading import Records
from pneumoscope.archive.shards import Plan, ShardCount
from pneumoscope.ordered_map import chunks, cores

LOCAL = "local"
"""Address that stands for Ray on this machine alone, started and ended by the run."""
PACKAGES = (
    "pneumoscope", "onnxruntime", "numpy", "pillow", "pyarrow", "pydicom", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg",
    "python-gdcm",
)  # fmt: skip
"""Packages that decide the bytes of a result."""
_STORE_BYTES = 256 * 2**20
"""Object store of a local run: it holds the bundle, shard numbers and counts, never a radiograph."""
_SHARDS_A_TASK = 1000
"""Shard numbers that Ray hands out at a time."""
_NOT_CONNECTED = (
    "no Ray cluster answers at '{}'; start one with  ray start --head , give every node the same token (RAY_AUTH_TOKEN), or "
    "leave out --ray-address to use this machine alone"
)
_NOT_STARTED = "Ray did not start on this machine; see the newest log files below the folder ray of the temporary files"
_CONNECT_S = 10
_NUMBER, _COUNT = "shard", "count"
"""Columns of what travels through Ray Data."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to the makers of Ray
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its errors come as exceptions
}


class RayEngineError(ArchiveError):
    """Ray cannot be reached, or its workers would not read as this machine does."""


@dataclass(frozen=True)
class RayOptions:
    """Where Ray runs, and how many readers.

    Parameters
    ----------
    address : str
        ``host:port`` of a cluster; ``auto`` for the one that this machine belongs to; ``local`` for this machine alone.
    readers : int
        Most readers at the same time, >= 0; 0 for as many as the processors of the cluster allow.
    cpus_a_reader : float
        Processors that Ray reserves for a reader, > 0. A reader computes with one thread; less than 1 puts several readers on
        a processor.
    isolate : bool
        Decode in a limited process beside each reader.
    """

    address: str = LOCAL
    readers: int = 0
    cpus_a_reader: float = 1.0
    isolate: bool = True


def read_shards(
    plan: Plan, options: RayOptions, on_shard: Callable[[ShardCount], object], on_notice: Callable[[str], object]
) -> None:
    """Read all shards that have no results yet, each on whichever node has a free processor.

    The caller holds ``plan.store.only_writer()``. Standard output leads nowhere meanwhile, because Ray prints to it.

    Parameters
    ----------
    plan : Plan
        The run. Manifest, sources and data set have the same names on every node; the files of its bundle travel through Ray.
    options : RayOptions
        Where Ray runs.
    on_shard : callable
        Called with the counts of each shard after its commit, in the order in which they end.
    on_notice : callable
        Called with a sentence when a node is lost.

    Raises
    ------
    RayEngineError
        No cluster answers at the address, a worker has other versions of the packages, or it cannot write the results.
    ArchiveError
        As `pneumoscope.archive.shards.read_shard`.
    """
    source = _Pending(plan)
    if not source.tasks:
        return
    with _connected(options.address), contextlib.redirect_stdout(_Notices(on_notice)):
        files = {file.name: file.read_bytes() for file in sorted(Path(plan.bundle).iterdir()) if file.is_file()}
        rows = _rows(source, plan, ray.put(files), options)
        while (row := _next(rows)) is not None:
            on_shard(msgspec.json.decode(row[_COUNT], type=ShardCount))


def _rows(
    source: "_Pending", plan: Plan, files: "ray.ObjectRef[Mapping[str, bytes]]", options: RayOptions
) -> Iterator[dict[str, Any]]:
    """The counts of the shards, as Ray Data's rows."""
    processors = float(ray.cluster_resources().get("CPU", 0.0))  # type: ignore[no-untyped-call]  # Ray is typed in part
    numbers = ray.data.read_datasource(source, override_num_blocks=source.tasks, num_cpus=0)
    counts = numbers.map_batches(
        _ShardReader,
        fn_constructor_args=(plan, files, versions(), options.isolate),
        batch_size=1,
        compute=_readers(options, processors, source.shards),
        num_cpus=options.cpus_a_reader,
    )
    return iter(counts.iter_rows())


def _readers(options: RayOptions, processors: float, n_shards: int) -> ActorPoolStrategy:
    """As many readers as the cluster has room for, from the start: Ray would add them one by one. It adds more for new nodes."""
    room = min(int(processors / options.cpus_a_reader), n_shards, options.readers or n_shards)
    return ActorPoolStrategy(min_size=1, max_size=options.readers or None, initial_size=max(1, room))


def _next(rows: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
    """The next row, None after the last; an error is the one that a reader met."""
    try:
        return next(rows, None)
    except Exception as error:  # Ray has classes for every part of it, and makes new ones of what a reader raises
        raise _sentence(error) from error


def _sentence(error: BaseException) -> PneumoscopeError:
    """The error of a reader behind Ray's own, whose text is a traceback."""
    link: BaseException | None = error
    while link is not None:
        cause = getattr(link, "cause", None)
        if isinstance(link, PneumoscopeError) and not isinstance(link, RayError):
            return link
        link = cause if isinstance(cause, BaseException) else link.__cause__
    return RayEngineError(
        f"Ray could not go on ({type(error).__name__}); see its log files, and run the same command again to go on"
    )


class _Pending(Datasource):
    """The numbers of the shards without a commit, a thousand to a task."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray is typed in part
        self._parts = [np.array(part, np.int64) for part in chunks(shards.pending(plan), _SHARDS_A_TASK)]

    @property
    def tasks(self) -> int:
        return len(self._parts)

    @property
    def shards(self) -> int:
        return sum(map(len, self._parts))

    def estimate_inmemory_data_size(self) -> int:
        return sum(part.nbytes for part in self._parts)

    def get_read_tasks(self, parallelism: int, *_: object, **__: object) -> list[ReadTask]:
        return [ReadTask(_Numbers(part), BlockMetadata(len(part), part.nbytes, None, None)) for part in self._parts]


@dataclass(frozen=True)
class _Numbers:
    """The read function of a task: shard numbers as one table."""

    numbers: NDArray[np.int64]

    def __call__(self) -> Iterator[pa.Table]:
        yield pa.table({_NUMBER: self.numbers})


class _ShardReader:
    """A reader on a worker, for the life of its actor.

    What is wrong with it is raised by the first shard: an exception in a constructor reaches the driver as text only.
    """

    def __init__(self, plan: Plan, files: "ray.ObjectRef[Mapping[str, bytes]]", wanted: Mapping[str, str], isolate: bool) -> None:
        self._failure: PneumoscopeError | None = None
        try:
            require_versions(wanted, versions())
            self._plan = replace(plan, bundle=str(installed(ray.get(files), Path(tempfile.gettempdir()))))
            reader = self._plan.load_reader()
            self._batch = reader.batch
            self._processes = contextlib.ExitStack()  # they end with the actor
            decode = self._processes.enter_context(decoder(isolate, 1, seen_px(reader, plan.run.options)))
            self._read = Records(reader, plan.run, decode, plan.site_key)
        except PneumoscopeError as error:
            self._failure = error

    def __call__(self, batch: Mapping[str, NDArray[np.int64]]) -> dict[str, list[bytes]]:
        if self._failure:
            raise self._failure
        (number,) = batch[_NUMBER].tolist()
        try:
            count = shards.read_shard(self._plan, number, self._read, self._batch)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise RayEngineError(f"the results of a shard could not be written on a worker: {reason}") from None
        return {_COUNT: [msgspec.json.encode(count)]}


def installed(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write the files of a bundle where every reader of a machine finds them, unless they lie there.

    Parameters
    ----------
    files : mapping of str to bytes
        Content by name.
    folder : Path
        Folder for temporary files.

    Returns
    -------
    Path
        The folder of the bundle, named by its content, so that a reader that is killed leaves nothing behind but what the next
        one uses.

    Raises
    ------
    RayEngineError
        Another user has a folder of this name.
    """
    bundle = folder / f"pneumoscope-bundle-{hashlib.sha256(msgspec.msgpack.encode(files)).hexdigest()[:32]}"
    bundle.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and bundle.stat().st_uid != os.getuid():
        raise RayEngineError("the folder for the bundle on a worker belongs to another user; give this user a TMPDIR of its own")
    for name, content in files.items():
        file = bundle / name
        if not file.is_file() or file.read_bytes() != content:
            with atomic_files.binary(file) as stream:
                stream.write(content)
    return bundle


def versions() -> dict[str, str]:
    """Collect what decides the bytes of a result on this machine.

    Returns
    -------
    dict of str to str
        Version of each of `PACKAGES` (empty if it is not installed), of Python, and the kind of processor.
    """
    return {name: _version(name) for name in PACKAGES} | {"Python": platform.python_version(), "processor": platform.machine()}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def require_versions(wanted: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Raise an error where a worker has other versions than the machine that runs the command.

    Parameters
    ----------
    wanted, own : mapping of str to str
        `versions` there and on the worker.

    Raises
    ------
    RayEngineError
        If they differ: the results could differ too.
    """
    names = [name for name in wanted if own.get(name) != wanted[name]]
    different = [f"{name} {own.get(name) or 'none'} instead of {wanted[name] or 'none'}" for name in names]
    if different:
        raise RayEngineError(
            f"a worker has {', '.join(different)}, and its results could differ; install the same versions on every node"
        )


@contextlib.contextmanager
def _connected(address: str) -> Iterator[None]:
    """Connect to a cluster, or start Ray on this machine, for the time of a run."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if address == LOCAL:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # Ray would write one into the home folder
        os.environ.setdefault("RAY_worker_niceness", "0")  # as urgent as reading without Ray; Ray's own choice is 15
    alone = {"num_cpus": cores(), "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    local: dict[str, Any] = alone if address == LOCAL else {}
    try:
        _require_answer(address)
        with _no_errors_shown():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except Exception as error:  # Ray raises a class of its own for each way in which it cannot start or connect
        raise RayEngineError(_NOT_STARTED if address == LOCAL else _NOT_CONNECTED.format(address)) from error
    _set_up()
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Connect to a port and leave it: Ray itself tries for many minutes, in which Ctrl-C does nothing."""
    host, separator, port = address.rpartition(":")
    if separator and "://" not in address and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()


@contextlib.contextmanager
def _no_errors_shown() -> Iterator[None]:
    """Lead the standard error of the process, also of code in C++, nowhere."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a Path would do nothing else
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _set_up() -> None:
    """Hand out shards one by one, and keep Ray Data's messages in its log files."""
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = context.enable_auto_log_stats = False
    context.target_max_block_size = 1  # byte: each shard number is a block; to divide blocks later would take a processor
    context.raise_original_map_exception = True  # else of what a reader raises only the traceback arrives, as text
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)


class _Notices(io.TextIOBase):
    """What Ray prints: of it, only the loss of a node concerns a user."""

    def __init__(self, on_notice: Callable[[str], object]) -> None:
        self._on_notice = on_notice

    def write(self, text: str) -> int:
        if "has been marked dead" in text:
            self._on_notice("a Ray node was lost; the shards that it was reading are read again on another one")
        return len(text)
