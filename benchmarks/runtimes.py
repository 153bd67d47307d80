"""Run the whole graph of the shipped default in several runtimes: agreement with ONNX Runtime, size, and time with one thread.

    python benchmarks/runtimes.py [--rounds N] [--json FILE]

The runtimes are ONNX Runtime (fp32, and weights in half precision), OpenVINO, MNN, LiteRT and ExecuTorch, those that are
installed; ``pip install openvino MNN`` and the extra ``mobile`` bring all of them. Every runtime reads the sixteen shipped
radiographs, resampled once, in each round in turn, on one processor. WebGPU needs a graphics processor and is not measured.
"""

import argparse
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from measuring import interleaved, machine, parser, table, write
from numpy.typing import NDArray

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export import browser, executorch_file, litert_file, native
from pneumoscope.export.bundled_weights import classifier_of
from pneumoscope.export.client_parity import compared
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle
from pneumoscope.reader.shipped import SHIPPED

DEFAULT = SHIPPED["default"]
GRAPH = DEFAULT / bundle.GRAPH_NAME
MB = 1e6
Image = NDArray[np.float32]
Outputs = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Runtime:
    """A runtime with a file: all outputs of a bundle, in their order, for one image (1, 1, seen_px, seen_px)."""

    name: str
    package: str
    precision: str
    file: Path
    outputs: Callable[[Image], Outputs]


def of_onnxruntime(file: Path, names: Sequence[str], precision: str) -> Runtime:
    """ONNX Runtime with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    run: Callable[[Image], Outputs] = lambda image: session.run(names, {bundle.IMAGE: image})  # noqa: E731
    return Runtime("ONNX Runtime", "onnxruntime", precision, file, run)


def of_openvino(names: Sequence[str], seen_px: int) -> Runtime:
    """OpenVINO on the processor with one thread, in single precision."""
    core = importlib.import_module("openvino").Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    graph = core.read_model(GRAPH)
    graph.reshape({bundle.IMAGE: [1, 1, seen_px, seen_px]})
    compiled = core.compile_model(graph, "CPU")

    def run(image: Image) -> Outputs:
        values = compiled(image)
        return [values[name].copy() for name in names]

    return Runtime("OpenVINO", "openvino", "fp32", GRAPH, run)


def of_mnn(names: Sequence[str], folder: Path) -> Runtime:
    """MNN on the processor with one thread; the graph is converted by MNN's own converter."""
    file = folder / "model.mnn"
    # Not by the command mnnconvert, which installs a client of a logging service and reports what was converted.
    command = ["mnnconvert", "-f", "ONNX", "--modelFile", GRAPH, "--MNNModel", file, "--bizCode", "none"]
    importlib.import_module("_tools").mnnconvert([*map(str, command)])
    nn, expr = (importlib.import_module(f"MNN.{name}") for name in ("nn", "expr"))
    manager = nn.create_runtime_manager(({"backend": "CPU", "numThread": 1, "precision": "high"},))
    network = nn.load_module_from_file(str(file), [bundle.IMAGE], [*names], runtime_manager=manager)

    def run(image: Image) -> Outputs:
        given = expr.placeholder([*image.shape], expr.NCHW)
        given.write(image)
        return [np.array(expr.convert(value, expr.NCHW).read()) for value in network.forward([given])]

    return Runtime("MNN", "MNN", "fp32", file, run)


def of_phones(proof: Sequence[Radiograph], folder: Path) -> Iterator[Runtime]:
    """LiteRT and ExecuTorch with XNNPACK, from the files of `native.export`."""
    classifier = classifier_of(DEFAULT, proof)
    described = native.export(classifier, folder / "litert", proof, "litert")
    file = folder / "litert" / described["file"]
    yield Runtime("LiteRT", "ai-edge-litert", "fp32", file, litert_file.outputs(file))
    described = native.export(classifier, folder / "half", proof, "litert", "fp16")
    file = folder / "half" / described["file"]
    yield Runtime("LiteRT", "ai-edge-litert", "fp16", file, litert_file.outputs(file))
    described = native.export(classifier, folder / "executorch", proof, "executorch")
    file = folder / "executorch" / described["file"]
    yield Runtime("ExecuTorch", "executorch", "fp32", file, executorch_file.outputs(file))


def runtimes(names: Sequence[str], seen_px: int, proof: Sequence[Radiograph], folder: Path) -> Iterator[Runtime]:
    """All runtimes that are installed; the first is the reference."""
    yield of_onnxruntime(GRAPH, names, "fp32")
    described = browser.write(DEFAULT, folder / "browser", proof, "fp16")
    yield of_onnxruntime(folder / "browser" / described["file"], names, "fp16")
    if find_spec("openvino"):
        yield of_openvino(names, seen_px)
    if find_spec("MNN"):
        yield of_mnn(names, folder)
    if find_spec("litert_torch") and find_spec("executorch"):
        yield from of_phones(proof, folder)


def measured(rounds: int) -> list[dict[str, Any]]:
    """Figures of every runtime, one row each."""
    reader = Reader.load(DEFAULT)
    names = bundle.outputs(reader.card)
    shown = bundle.scaled_name(reader.card.map_method)
    with sample() as cohort, tempfile.TemporaryDirectory() as folder:
        proof = [radiograph.read(cohort.file(case)) for case in cohort.cases]
        images = [np.ascontiguousarray(reader.seen(one)[None, None]) for one in proof]
        ready = [*runtimes(names, images[0].shape[-1], proof, Path(folder))]
        ways = {f"{one.name} {one.precision}": (lambda one=one: [one.outputs(image) for image in images]) for one in ready}
        times = interleaved(ways, rounds)
        rows = []
        for one in ready:
            parity = compared(names, ready[0].outputs, one.outputs, images)
            rows.append(
                {
                    "runtime": one.name,
                    "version": version(one.package),
                    "weights": one.precision,
                    "mb": one.file.stat().st_size / MB,
                    "probability": parity[bundle.PROBABILITY],
                    "heat_map": parity[shown],
                    "ms": 1e3 * median(times[f"{one.name} {one.precision}"]) / len(images),
                }
            )
    return rows


def main() -> None:
    arguments: argparse.ArgumentParser = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=9, help="rounds of all runtimes (default: %(default)s)")
    given = arguments.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = measured(given.rounds)
    print(table(rows))
    write(given.json, {"machine": machine("onnxruntime"), "threads": 1, "runtimes": rows})


if __name__ == "__main__":
    main()
