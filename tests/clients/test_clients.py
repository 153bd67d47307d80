"""The golden readings of the shipped radiographs, which Python is held to, hold for Node.js and Chromium as well.

The files of a browser's bundle are read with onnxruntime-web. Radiographs are resampled by Python: decoding belongs to the
program that shows them.
"""

import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export import browser
from pneumoscope.export.native import BOUNDS
from pneumoscope.reader import Reader
from pneumoscope.reader.reader import SHIPPED
from tests.golden.compared import frozen

HERE = Path(__file__).parent
ORT = HERE / "node_modules" / "onnxruntime-web" / "dist"
WRITTEN = 1e-4  # some numbers are written with four decimals

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def packages():
    """The packages of package.json, in exactly its versions."""
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    there = {name: HERE / "node_modules" / name / "package.json" for name in wanted}
    if any(not f.exists() or json.loads(f.read_text("utf-8"))["version"] != wanted[name] for name, f in there.items()):
        options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(["npm", "install", *options], cwd=HERE, check=True)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def prepared(request, packages, tmp_path_factory):
    """A folder with the browser's bundle of the default model and the resampled radiographs by number, and their names."""
    with sample() as cohort:
        images = {case.path: radiograph.read(cohort.file(case)) for case in cohort.cases}
    folder = tmp_path_factory.mktemp("clients") / "browser"
    card = browser.write(SHIPPED["default"], folder, [*images.values()][:2], request.param)
    reader = Reader.load()
    for k, image in enumerate(images.values()):
        (folder / f"{k}.f32").write_bytes(reader.seen(image).astype("<f4").tobytes())
    maps = [reader.read(image).heatmap.cells for image in images.values()]
    return folder, [*images], maps, card


def run(*command) -> list[dict]:
    done = subprocess.run(["node", *map(str, command)], cwd=HERE, check=True, capture_output=True, text=True)
    return [reading for _, reading in sorted(json.loads(done.stdout).items(), key=lambda item: int(item[0]))]


@contextmanager
def served(folder: Path):
    """Serve the page, the runtime and the files of the folder on a free local port."""

    class Handler(SimpleHTTPRequestHandler):
        extensions_map: ClassVar = {
            **SimpleHTTPRequestHandler.extensions_map,
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
        }

        def translate_path(self, path):
            name = path.rsplit("/", 1)[-1] or "page.html"
            return str(next(one / name for one in (ORT, HERE, folder) if (one / name).is_file()))

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def check(readings, prepared):
    """Compare readings with the golden ones and their maps with Python's."""
    _, names, maps, card = prepared
    golden, (tolerance, of_maps) = frozen("readings-default"), BOUNDS[card["precision"]]
    assert len(readings) == len(names) == len(golden) == 16
    for name, reading, cells in zip(names, readings, maps, strict=True):
        expected = golden[name]
        assert reading["target"] == expected["target"]
        assert reading["probability"] == pytest.approx(expected["probability"], abs=tolerance), name
        assert reading["state"] == expected["lung_fields"]["state"]
        assert reading["quality"] == pytest.approx(expected["lung_fields"]["quality"], abs=tolerance + WRITTEN)
        box, (rows, cols) = expected["lung_fields"]["box"], expected["shape"]
        shares = [box["top"] / rows, box["left"] / cols, box["bottom"] / rows, box["right"] / cols]
        assert reading["box"] == pytest.approx(shares, abs=max(tolerance, WRITTEN))
        assert np.abs(np.array(reading["map"]) - cells.ravel()).max() <= of_maps, name
        if card["precision"] == "fp32":
            assert reading["log_odds"] == pytest.approx(expected["log_odds"], abs=tolerance), name
            assert reading["distance"] == pytest.approx(expected["domain"]["distance"], abs=tolerance + WRITTEN)
            inside = expected["domain"]["inside"]
            assert (reading["decision"], reading["abstains"], reading["inside"]) == (
                expected["decision"],
                expected["abstains"],
                inside,
            )


def test_nodejs_gives_the_golden_readings(prepared):
    folder, names, *_ = prepared
    check(run("in_node.mjs", folder, json.dumps([str(k) for k in range(len(names))])), prepared)


def test_chromium_gives_the_golden_readings(prepared):
    folder, names, *_ = prepared
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "this test needs Chromium"
    with served(folder) as url:
        check(run("in_chromium.mjs", chromium, url, json.dumps([str(k) for k in range(len(names))])), prepared)
