"""What each member costs on this machine: time with and without its map, in turns, and memory."""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pneumoscope import storage
from pneumoscope.evaluation.tables import plain
from pneumoscope.in_order import cores
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

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
    """By name: ``score ms`` and ``score and map ms`` of a prepared square, medians, and ``peak MiB`` of a process that reads one.

    All members take turns, so that a slow moment of the machine is nobody's. Kept in `out` and measured anew only where a
    bundle or the machine has changed. The memory is NaN where the system does not tell it.
    """
    readers = {name: Reader.load(bundle) for name, bundle in bundles.items()}
    hashes = {name: reader.model.sha256 for name, reader in readers.items()}
    file = out / COST_NAME
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    here = {"system": platform.platform(), "cores": cores()}
    if kept.get("bundles") == hashes and kept["machine"] == here:
        found: dict[str, Cost] = kept["costs"]
        return found
    times = _times(readers, images)
    found = {name: {**times[name], "peak MiB": _peak(bundle, images[0], out)} for name, bundle in bundles.items()}
    with storage.text(file) as stream:
        stream.write(json.dumps(plain({"machine": here, "bundles": hashes, "costs": found}), indent=2) + "\n")
    return found


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
