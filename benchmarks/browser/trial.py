"""Check that a browser gives the same results as Python: the unchanged graph in onnxruntime-web (WebAssembly), headless Chromium.

    python benchmarks/browser/trial.py [--model default] [--runs 10] [--chromium /usr/bin/chromium] [--json FILE]

Reads three shipped radiographs with one and with two threads, with `image` as the only input, and compares the probability and
the raw heat maps of every method of the card with those of `Reader`. Prints the largest differences and the median time per
radiograph, and exits with code 1 if a difference exceeds 1e-4 (heat maps: relative to the largest absolute value of the map).
Needs Node.js with npm and Chromium; installs the two packages of package.json next to this file if they are missing.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME, PROBABILITY
from pneumoscope.reader.shipped import SHIPPED

HERE = Path(__file__).parent
ORT = "onnxruntime-web"
ORT_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
TYPES = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm"}
THREADS = (1, 2)
BOUND = 1e-4

Files = dict[str, tuple[str, bytes]]
"""Content type and content of the served files, by path."""


@dataclass(frozen=True)
class Case:
    """One radiograph: the input of the graph, and the outputs that Python computes for it, by name."""

    pixels: NDArray[np.float32]
    expected: dict[str, NDArray[np.float32]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", default="default", help="default, whole, or the folder of a bundle")
    arguments.add_argument("--runs", type=int, default=10, help="number of timed readings for each number of threads")
    arguments.add_argument("--chromium", default="/usr/bin/chromium", help="path of the browser")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    asked = arguments.parse_args()
    bundle = Path(SHIPPED.get(asked.model, asked.model))
    reader = Reader.load(bundle, threads=1)
    with sample() as cohort:
        chosen = [cohort.cases[0], cohort.cases[len(cohort.cases) // 2], cohort.cases[-1]]
        cases = [expect(reader, radiograph.read(cohort.file(case))) for case in chosen]
    install()
    graph = (bundle / GRAPH_NAME).read_bytes()
    with served(files(graph, cases)) as url:
        found = browse(asked.chromium, url, asked.runs, cases)
    passes = found["passes"]
    print(f"{reader.card.name}, graph of {len(graph) / 1e6:.1f} MB, {len(cases)} radiographs, median of {asked.runs} readings")
    print(f"{ORT} {passes[0]['version']}, Chromium {found['browser']}")
    good = report(cases, passes)
    if asked.json:
        about = {"model": reader.card.name, "browser": found["browser"], "runtime": f"{ORT} {passes[0]['version']}"}
        rows = [{"threads": p["threads"], "load ms": p["load_ms"], "read ms": p["ms"], **worst(cases, p)} for p in passes]
        asked.json.write_text(json.dumps({**about, "radiographs": len(cases), "rows": rows}, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if good else 1)


def expect(reader: Reader, image: Radiograph) -> Case:
    """Compute the input of the graph for a radiograph, and the outputs of `Reader`."""
    square = reader.square(image)[None]
    expected = {method: reader.raw_maps(square, method)[0] for method in reader.card.map_scales}
    probability = np.array([reader.read(image).score.probability], np.float32)
    return Case(np.asarray(reader.seen(image), np.float32), {PROBABILITY: probability, **expected})


def installed(package: str) -> str:
    """Read the version of an installed Node.js package; empty if it is missing."""
    described = HERE / "node_modules" / package / "package.json"
    return json.loads(described.read_text(encoding="utf-8"))["version"] if described.exists() else ""


def install() -> None:
    """Install the packages of package.json unless exactly these versions are installed."""
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    if any(installed(package) != version for package, version in wanted.items()):
        options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(["npm", "install", *options], cwd=HERE, check=True, stdout=sys.stderr)


def files(graph: bytes, cases: list[Case]) -> Files:
    """Collect the page, the runtime, the graph and the radiographs."""
    paths = {"/": HERE / "page.html"} | {f"/ort/{name}": HERE / "node_modules" / ORT / "dist" / name for name in ORT_FILES}
    there: Files = {address: (TYPES[path.suffix], path.read_bytes()) for address, path in paths.items()}
    images = {f"/image/{k}": case.pixels.astype("<f4").tobytes() for k, case in enumerate(cases)}
    return there | {address: ("application/octet-stream", data) for address, data in ({"/model.onnx": graph} | images).items()}


@contextlib.contextmanager
def served(there: Files) -> Iterator[str]:
    """Serve files on a free local port; the context gives the address of the page.

    The two Cross-Origin headers isolate the page; without them a browser does not give it memory that threads can share.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in there:
                self.send_error(404)
                return
            kind, content = there[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def browse(chromium: str, url: str, runs: int, cases: list[Case]) -> dict[str, Any]:
    """Run drive.mjs and return its results; exits with the browser's error if the graph does not run."""
    asked = {
        "threads": THREADS,
        "runs": runs,
        "side": cases[0].pixels.shape[-1],
        "radiographs": len(cases),
        "outputs": [*cases[0].expected],
    }
    command = ["node", "drive.mjs", chromium, url, json.dumps(asked)]
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit("the graph did not run in the browser")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(cases: list[Case], passes: list[dict[str, Any]]) -> bool:
    """Print times and the largest differences; whether all are within the bound."""
    names = [*cases[0].expected]
    print(f"  {'threads':<9}{'load ms':>9}{'read ms':>9}" + "".join(f"{name:>14}" for name in names))
    good = True
    for found in passes:
        largest = worst(cases, found)
        good = good and all(value <= BOUND for value in largest.values())  # not a number is beyond the bound, too
        alone = "" if found["isolated"] else "  (not isolated: one thread)"
        figures = f"{found['load_ms']:>9.0f}{found['ms']:>9.1f}" + "".join(f"{value:>14.1e}" for value in largest.values())
        print(f"  {found['threads']:<9}{figures}{alone}")
    print(f"  largest differences from Python, {'all within' if good else 'NOT all within'} {BOUND:.0e}")
    return good


def worst(cases: list[Case], found: dict[str, Any]) -> dict[str, float]:
    """The largest difference of each output in a pass."""
    pairs = [*zip(cases, found["found"], strict=True)]
    return {name: float(np.max([difference(case, given, name) for case, given in pairs])) for name in cases[0].expected}


def difference(case: Case, given: dict[str, list[float]], name: str) -> float:
    """The largest difference in an output: of a probability as it is, of a heat map in units of its largest absolute value."""
    expected = case.expected[name].astype(np.float64)
    off = np.abs(np.asarray(given[name], np.float64).reshape(expected.shape) - expected).max()
    return float(off if name == PROBABILITY else off / np.abs(expected).max())


if __name__ == "__main__":
    main()
