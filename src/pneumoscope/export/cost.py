"""What a bundle costs on this machine: its size, and the time of a reading."""

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

_ROUNDS = 5


def milliseconds(readers: Mapping[str, Reader], images: Sequence[Radiograph]) -> dict[str, float]:
    """The median time of a reading by each of the readers, which take turns at radiographs that are brought to size before."""
    any_of = next(iter(readers.values()))
    small = [Radiograph(any_of.seen(image)) for image in images]
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for image in [small[0], *small * _ROUNDS]:
        for name, reader in readers.items():
            start = time.perf_counter()
            reader.read(image)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(found[1:]) for name, found in taken.items()}  # the first warms up


def cost(readers: Mapping[str, Reader], sizes: Mapping[str, int], images: Sequence[Radiograph]) -> dict[str, Any]:
    """Size of the graphs in bytes, milliseconds a radiograph, and on how many cores, for the card."""
    return {"bytes": dict(sizes), "ms": milliseconds(readers, images), "cores": cores()}
