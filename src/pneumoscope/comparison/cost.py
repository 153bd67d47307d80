"""What each member costs on this machine: time with and without its map, in turns, memory and size."""

import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from pneumoscope import storage
from pneumoscope.comparison.kept import kept
from pneumoscope.export.precision import WIDE_SHARES, quantized
from pneumoscope.in_order import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME

COST_NAME = "cost.json"
_ROUNDS = 3
_PEAK = """
import sys
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
import numpy as np
Reader.load(sys.argv[1]).read(Radiograph(np.load(sys.argv[2])))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""

Cost = Mapping[str, float]


def costs(bundles: Mapping[str, Path], images: Sequence[Radiograph], out: Path) -> dict[str, Cost]:
    """By name: ``score ms`` and ``score and map ms`` of a prepared square, medians; ``peak MiB`` of a process that reads one;
    ``bundle in int8, MB`` if all that can be is in eight bits, which says nothing about whether its answers are accepted.

    All members take turns, so that a slow moment of the machine is nobody's. Kept in `out` and measured anew only where a
    bundle or the machine has changed. The memory is NaN where the system does not tell it.
    """
    readers = {name: Reader.load(bundle) for name, bundle in bundles.items()}
    hashes = {name: reader.model.sha256 for name, reader in readers.items()}
    asked = {"system": platform.platform(), "cores": cores(), "bundles": hashes}

    def measured() -> dict[str, Cost]:
        times = _times(readers, images)
        return {
            name: {
                **times[name],
                "peak MiB": _peak(bundle, images[0], out),
                "bundle in int8, MB": _eight_bits(bundle, readers[name], images) / 1e6,
            }
            for name, bundle in bundles.items()
        }

    found: dict[str, Cost] = kept(out / COST_NAME, asked, measured)
    return found


def _eight_bits(bundle: Path, reader: Reader, images: Sequence[Radiograph]) -> int:
    """Bytes of the graph after `export --precision int8`, its ranges taken from these images."""
    small = quantized(onnx.load(bundle / GRAPH_NAME), [reader.seen(image) for image in images], WIDE_SHARES[0])
    return int(small.ByteSize())


def _times(readers: Mapping[str, Reader], images: Sequence[Radiograph]) -> dict[str, dict[str, float]]:
    taken: dict[str, dict[str, list[float]]] = {name: {"score ms": [], "score and map ms": []} for name in readers}
    for image in [images[0], *images] * _ROUNDS:
        for name, reader in readers.items():
            square = reader.square(image)[None]
            taken[name]["score ms"].append(_ms(partial(reader.log_odds, square)))
            taken[name]["score and map ms"].append(_ms(partial(reader.explain, square)))
    return {name: {key: statistics.median(values[1:]) for key, values in both.items()} for name, both in taken.items()}


def _ms(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return 1000 * (time.perf_counter() - start)


def _peak(bundle: Path, image: Radiograph, scratch: Path) -> float:
    if not Path("/proc/self/status").exists():
        return float("nan")
    with storage.binary(scratch / "one.npy") as stream:
        np.lib.format.write_array(stream, image.pixels)
    try:
        command = [sys.executable, "-c", _PEAK, str(bundle), str(scratch / "one.npy")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        (scratch / "one.npy").unlink()
    return int(done.stdout) / 1024
