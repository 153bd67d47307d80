"""Map a function over items by threads, in the order of the items and in memory that does not grow with them."""

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, *, abandon: Callable[[], None] = lambda: None
) -> Iterator[Result]:
    """Yield ``work(item)`` in the order of the items, computed by several threads.

    Parameters
    ----------
    work : callable
        Called with one item, by any thread.
    items : iterable
        Read from the calling thread; at most ⌈1.5 · workers⌉ + 1 items are in flight.
    workers : int
        Number of threads, at least 1.
    abandon : callable
        Called when the iteration ends before the last item, by an exception or by its caller, so that what the threads are doing
        can be cut short; they are waited for afterwards.

    Yields
    ------
    Result
        Of each item, as soon as it and those of all items before it are there.

    Raises
    ------
    Exception
        Whatever `work` raises, in place of that item's result.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers + (workers + 1) // 2:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            for future in waiting:
                future.cancel()
            abandon()
            raise


def cores(root: Path = Path("/")) -> int:
    """Count the processor cores that this process may use.

    Parameters
    ----------
    root : Path
        Folder below which ``proc`` and ``sys`` are looked for.

    Returns
    -------
    int
        The smallest of the machine's cores, those that the process is bound to, and its container's CPU quota (Linux control
        groups: ``cpu.max`` of version 2, ``cpu.cfs_quota_us`` of version 1), rounded up; at least 1.
    """
    bound = getattr(os, "sched_getaffinity", None)  # not on every system
    available = len(bound(0)) if bound else os.cpu_count() or 1
    return max(1, min(available, math.ceil(min(_quotas(root), default=available))))


def _quotas(root: Path) -> Iterator[float]:
    """CPU quotas, in cores, of the control groups of this process and of those above them."""
    top = root / "sys/fs/cgroup"
    for line in (_text(root / "proc/self/cgroup") or "0::/").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = [top / controllers, top / "cpu"] if controllers else [top, top / "unified"]
        # In a container the group's own folder is often mounted as the top one.
        groups = [PurePosixPath(path), *PurePosixPath(path).parents]
        for mount in mounts:
            yield from filter(None, (_quota(mount / str(group).lstrip("/")) for group in groups))


def _quota(group: Path) -> float | None:
    """CPU quota of one control group, in cores; None where it has none."""
    limits = (_text(group / "cpu.max") or "").split()
    limits = limits or [_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(limits) != 2 or not all(limit.isdecimal() for limit in limits) or int(limits[1]) == 0:
        return None  # "max", or −1
    return int(limits[0]) / int(limits[1])


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Group items in their order.

    Parameters
    ----------
    items : iterable
        Any items.
    size : int
        Items of a group, at least 1.

    Yields
    ------
    list
        Of `size` items; the last may have fewer.
    """
    left = iter(items)
    while chunk := list(itertools.islice(left, size)):
        yield chunk
