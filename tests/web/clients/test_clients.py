"""The golden readings of the shipped radiographs, which Python is held to, hold for Node.js and Chromium as well.

The files of a browser's bundle are read with onnxruntime-web. Radiographs are resampled by Python: decoding belongs to the
program that shows them.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export import browser
from pneumoscope.export.client_parity import BOUNDS
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from tests.golden.compared import frozen
from tests.web.serving import served

HERE = Path(__file__).parent
WRITTEN = 1e-4  # some numbers are written with four decimals


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def prepared(request, tmp_path_factory):
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


def in_order(readings: dict) -> list[dict]:
    return [reading for _, reading in sorted(readings.items(), key=lambda item: int(item[0]))]


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


def test_nodejs_gives_the_golden_readings(prepared, node, npm_packages):
    folder, names, *_ = prepared
    command = [node, "in_node.mjs", folder, json.dumps([str(k) for k in range(len(names))])]
    done = subprocess.run([*map(str, command)], cwd=HERE, check=True, capture_output=True, text=True)
    check(in_order(json.loads(done.stdout)), prepared)


def test_chromium_gives_the_golden_readings(prepared, npm_packages, desktop):
    folder, names, *_ = prepared
    runtime = npm_packages / "onnxruntime-web" / "dist"
    with served({"/": HERE, "/ort/": runtime, "/files/": folder}) as url:
        desktop.goto(f"{url}/page.html")
        desktop.wait_for_selector("html[data-ready]", state="attached")
        asked = [str(k) for k in range(len(names))]
        check(in_order(desktop.evaluate("names => window.readAll(names)", asked)), prepared)
