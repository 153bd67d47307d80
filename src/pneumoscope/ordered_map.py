"""Work on many things at once, with the results in the order of the things and in memory that does not grow with them."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Results of `work` by so many threads, as soon as it is a result's turn.

    An exception of `work` comes where its result would. Items are taken no further ahead than half again as many as there are
    workers.
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
        finally:
            for future in waiting:
                future.cancel()


def cores() -> int:
    """How many processor cores this process may use: fewer than the machine has where it is bound to some."""
    bound = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(bound(0)) if bound else os.cpu_count() or 1


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in their order, so many together; the last may be fewer."""
    left = iter(items)
    while chunk := list(itertools.islice(left, size)):
        yield chunk
