"""What each network costs on this machine: time with and without its heat map, memory and size."""

import math
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
import onnxruntime
from onnx.utils import Extractor

from pneumoscope import atomic_files
from pneumoscope.experiment.cached_measurement import cached
from pneumoscope.experiment.experiment import Cost
from pneumoscope.export.precision import WIDE_SHARES, quantized
from pneumoscope.onnx_session import open_session
from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME, LOGITS, LOOKED_AT

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


def costs(bundles: Mapping[str, Path], images: Sequence[Radiograph], out: Path) -> dict[str, Cost]:
    """Measure what each network costs.

    All networks take turns, so that a slow moment of the machine affects all of them alike. The result is kept in `out` and
    measured again only if a bundle, the machine or this module has changed.

    Parameters
    ----------
    bundles
        The bundle of each network by name.
    images
        Radiographs to read.
    out
        Folder of the result.

    Returns
    -------
    dict[str, Cost]
        By name ``score ms`` and ``score and map ms`` of the network alone on its input, ``reading ms`` of a whole reading
        (resize, lung fields, network, findings), all medians; ``peak MiB`` of a process that reads one radiograph (NaN where the
        system does not say); ``bundle in int8, MB``, whether or not its answers would be accepted.
    """
    readers = {name: Reader.load(bundle) for name, bundle in bundles.items()}
    hashes = {name: reader.model.sha256 for name, reader in readers.items()}
    inputs = {"system": platform.platform(), "cores": cores(), "bundles": hashes}

    def measured() -> dict[str, Cost]:
        times = _times(bundles, readers, images)
        return {
            name: {
                **times[name],
                "peak MiB": _peak(bundle, images[0], out),
                "bundle in int8, MB": _eight_bits(bundle, readers[name], images) / 1e6,
            }
            for name, bundle in bundles.items()
        }

    measurement = cached(out / COST_NAME, "cost of the networks", inputs, ("pneumoscope.experiment.cost",), measured)
    return {name: {key: math.nan if value is None else value for key, value in own.items()} for name, own in measurement.items()}


def _eight_bits(bundle: Path, reader: Reader, images: Sequence[Radiograph]) -> int:
    """Bytes of the graph after `export --precision int8`, with ranges from these images."""
    small = quantized(onnx.load(bundle / GRAPH_NAME), [reader.seen(image) for image in images], WIDE_SHARES[0])
    return int(small.ByteSize())


def _times(
    bundles: Mapping[str, Path], readers: Mapping[str, Reader], images: Sequence[Radiograph]
) -> dict[str, dict[str, float]]:
    parts = {name: _parts(onnx.load(bundle / GRAPH_NAME), readers[name]) for name, bundle in bundles.items()}
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in bundles}
    for image in [images[0], *images] * _ROUNDS:
        for name, reader in readers.items():
            square = {LOOKED_AT: reader.square(image)[None]}
            ways = {key: partial(session.run, None, square) for key, session in parts[name].items()}
            for key, way in {**ways, "reading ms": partial(reader.read, image)}.items():
                taken[name].setdefault(key, []).append(_ms(way))
    return {name: {key: statistics.median(values[1:]) for key, values in each.items()} for name, each in taken.items()}


def _parts(graph: onnx.ModelProto, reader: Reader) -> dict[str, onnxruntime.InferenceSession]:
    """The network without and with its map, cut out of the graph, because a session runs all nodes of its graph."""
    cut = Extractor(graph)
    wanted = {"score ms": [LOGITS], "score and map ms": [LOGITS, reader.card.map_method]}
    return {
        key: open_session(cut.extract_model([LOOKED_AT], names).SerializeToString(), cores()) for key, names in wanted.items()
    }


def _ms(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return 1000 * (time.perf_counter() - start)


def _peak(bundle: Path, image: Radiograph, scratch: Path) -> float:
    if not Path("/proc/self/status").exists():
        return float("nan")
    with atomic_files.binary(scratch / "one.npy") as stream:
        np.lib.format.write_array(stream, image.pixels)
    try:
        command = [sys.executable, "-c", _PEAK, str(bundle), str(scratch / "one.npy")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        (scratch / "one.npy").unlink()
    return int(done.stdout) / 1024
