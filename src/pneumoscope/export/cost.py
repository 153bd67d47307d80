"""Size of a bundle, and the time of a reading on this machine."""

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

_ROUNDS = 5


def milliseconds(readers: Mapping[str, Reader], images: Sequence[Radiograph]) -> dict[str, float]:
    """Measure the median time of a reading; the readers take turns at radiographs that are resampled before.

    Parameters
    ----------
    readers
        The readers by name.
    images
        The radiographs to read, at least one.

    Returns
    -------
    dict of str to float
        Milliseconds a radiograph, by the name of the reader.
    """
    any_of = next(iter(readers.values()))
    small = [Radiograph(any_of.seen(image)) for image in images]
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for image in [small[0], *small * _ROUNDS]:
        for name, reader in readers.items():
            start = time.perf_counter()
            reader.read(image)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first warms up


def cost(readers: Mapping[str, Reader], sizes: Mapping[str, int], images: Sequence[Radiograph]) -> dict[str, Any]:
    """State what bundles cost on this machine.

    Parameters
    ----------
    readers
        The readers of the bundles by name.
    sizes
        Sizes of their graphs in bytes.
    images
        Radiographs to measure the time on.

    Returns
    -------
    dict
        ``bytes`` and ``ms`` by name, and the number of ``cores``.
    """
    return {"bytes": dict(sizes), "ms": milliseconds(readers, images), "cores": cores()}
