"""Measure the size of bundles and the time of a reading on this machine."""

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

_ROUNDS = 5


def milliseconds(readers: Mapping[str, Reader], images: Sequence[Radiograph]) -> dict[str, float]:
    """Measure the median time of a reading without decoding and resampling of the radiograph.

    The readers alternate, so that changes in the speed of the machine affect all of them.

    Parameters
    ----------
    readers
        Readers by name, at least one.
    images
        Radiographs, at least one.

    Returns
    -------
    dict of str to float
        Median time per radiograph in milliseconds, by the name of the reader.
    """
    any_of = next(iter(readers.values()))
    small = [Radiograph(any_of.seen(image)) for image in images]
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for image in [small[0], *small * _ROUNDS]:
        for name, reader in readers.items():
            start = time.perf_counter()
            reader.read(image)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first reading is a warm-up


def cost(readers: Mapping[str, Reader], sizes: Mapping[str, int], images: Sequence[Radiograph]) -> dict[str, Any]:
    """Report the size and the reading time of bundles, for the card.

    Parameters
    ----------
    readers
        Readers of the bundles by name.
    sizes
        Sizes of their graphs in bytes, by name.
    images
        Radiographs on which the time is measured, at least one.

    Returns
    -------
    dict
        ``bytes`` and ``ms``, each by name, and the number of available ``cores``.
    """
    return {"bytes": dict(sizes), "ms": milliseconds(readers, images), "cores": cores()}
