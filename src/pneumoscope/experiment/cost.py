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
import onnxruntime
from onnx.utils import Extractor

from pneumoscope import atomic_files
from pneumoscope.experiment.cached_json import kept
from pneumoscope.export.precision import WIDE_SHARES, quantized
from pneumoscope.onnx_session import open_session
from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME, LOGITS, LOOKED_AT

COST_NAME = "cost.json"
_FORM = 2
"""Of what is measured; a cost of another form is measured anew."""
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
    """By name: ``score ms`` and ``score and map ms`` of the network alone on a square, ``reading ms`` of all that a reading takes
    (size, lung fields, network, findings), all medians; ``peak MiB`` of a process that reads one; ``bundle in int8, MB`` if all
    that can be is in eight bits, which says nothing about whether its answers are accepted.

    All members take turns, so that a slow moment of the machine is nobody's. Kept in `out` and measured anew only where a
    bundle or the machine has changed. The memory is NaN where the system does not tell it.
    """
    readers = {name: Reader.load(bundle) for name, bundle in bundles.items()}
    hashes = {name: reader.model.sha256 for name, reader in readers.items()}
    asked = {"form": _FORM, "system": platform.platform(), "cores": cores(), "bundles": hashes}

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

    found: dict[str, Cost] = kept(out / COST_NAME, asked, measured)
    return found


def _eight_bits(bundle: Path, reader: Reader, images: Sequence[Radiograph]) -> int:
    """Bytes of the graph after `export --precision int8`, its ranges taken from these images."""
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
    """The network without and with its map, cut out of the graph: the whole one runs all of its nodes whatever is asked for."""
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
