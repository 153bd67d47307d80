"""Measure the application for phones: download, reading time on a throttled processor, memory, and parity with Python by file.

    python benchmarks/phone.py [--precision fp16 | --application FOLDER] [--throttle 4] [--rounds 3] [--chromium FILE]

Builds the application, opens it in headless Chromium with a phone's viewport, and reads the sixteen shipped radiographs. Chromium
throttles the main thread of a page only, so the times are those of the same modules run there instead of in their worker; a
reading is everything from the bytes of the file to the finished line. Memory is the private memory of the page's process.
Needs Chromium and the extra `browser`. With --write, the tables replace those in a page of the documentation, docs/phone.md.
"""

import argparse
import base64
import functools
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from pneumoscope.cohort.sample import sample
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from pneumoscope.web.phone_app import build

MARKS = "<!-- measured: made by benchmarks/phone.py -->", "<!-- end of measured -->"
OPTIONS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]
WANTED = {"download, MB": 8.0, "first reading, s": 3.0, "reading, ms (median)": 250.0, "memory, MB": 300.0}
LOAD = """async () => {
  const begun = performance.now();
  const at = (name) => fetch(name).then((answer) => answer.arrayBuffer()).then((buffer) => new Uint8Array(buffer));
  const { loadModel } = await import(new URL("reader/model.js", location.href));
  window.trial = await import(new URL("reader/read.js", location.href));
  window.card = await fetch("model/client.json").then((answer) => answer.json());
  const glue = new URL("vendor/ort-wasm-simd-threaded.js", location.href).href;
  const runtime = new URL("vendor/ort-wasm-simd-threaded.wasm", location.href).href;
  window.model = await loadModel(card, await at(`model/${card.file}`), runtime, glue);
  window.codec = (name) => at(`vendor/${name}.wasm`).then((bytes) => WebAssembly.compile(bytes));
  return performance.now() - begun;
}"""
READ = """async (content) => {
  const bytes = Uint8Array.from(atob(content), (code) => code.charCodeAt(0));
  const begun = performance.now();
  const { line } = await trial.read(card, model, codec, bytes, "film", null);
  return [performance.now() - begun, line.probability];
}"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--precision", choices=["fp16", "fp32"], default="fp16")
    arguments.add_argument("--application", type=Path, metavar="FOLDER", help="measure this one instead of building one")
    arguments.add_argument("--throttle", type=float, default=4, help="factor by which the processor is slowed down")
    arguments.add_argument("--rounds", type=int, default=3, help="readings of each radiograph that are timed")
    arguments.add_argument("--chromium", default="/usr/bin/chromium", help="path of the browser")
    arguments.add_argument("--write", type=Path, metavar="FILE", help="replace the table in this page of the documentation")
    arguments.add_argument("--picture", type=Path, metavar="FILE", help="write a picture of the page as JPEG")
    asked = arguments.parse_args()
    with sample() as cohort, tempfile.TemporaryDirectory() as folder:
        files = {Path(case.path).name: cohort.file(case).read_bytes() for case in cohort.cases}
        out = asked.application or Path(folder) / "app"
        if not asked.application:
            build(out, DEFAULT_BUNDLE, asked.precision)
        precision = json.loads((out / "model" / "client.json").read_text(encoding="utf-8"))["precision"]
        with served(out) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=OPTIONS)
            page = browser.new_context(
                viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True
            ).new_page()
            page.goto(url)
            page.wait_for_selector("html[data-offline=true]", state="attached", timeout=120_000)
            memory = in_use(page, files, folder)
            if asked.picture:
                page.wait_for_timeout(500)  # until the film is drawn
                page.screenshot(path=asked.picture, type="jpeg", quality=85)
            figures = {"download, MB": download(out) / 1e6, "memory, MB": memory}
            figures |= timed(page, files, asked.throttle, asked.rounds)
            version, load = browser.version, os.getloadavg()[0]
            browser.close()
    text = table(
        figures,
        parity(files, figures),
        f"Chromium {version}, {precision}, slowed down {asked.throttle:g}×; load {load:.1f} on {os.cpu_count()} processors",
    )
    print(text)
    if asked.write:
        write(asked.write, text)


def download(application: Path) -> int:
    """Return the bytes that a server with Brotli sends at the first visit."""
    plain = [path for path in application.rglob("*") if path.is_file() and path.suffix not in (".br", ".gz")]
    packed = [path.with_name(f"{path.name}.br") for path in plain]
    return sum((small if small.exists() else path).stat().st_size for path, small in zip(plain, packed, strict=True))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free local port; the context gives its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def in_use(page: Page, files: Mapping[str, bytes], folder: str) -> float:
    """Read every radiograph in the application, and return the largest private memory of the page's process, in MB."""
    largest = 0.0
    for name, content in files.items():
        path = Path(folder) / name
        path.write_bytes(content)
        page.evaluate("document.querySelectorAll('.summary').forEach((one) => one.remove())")
        page.set_input_files("#file", path)
        page.wait_for_selector(".summary", timeout=60_000)
        largest = max(largest, private_memory(page))
    return largest


def private_memory(page: Page) -> float:
    """Return the private memory of the process that renders the page, in MB."""
    browser = page.context.browser
    assert browser is not None
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [_private(one["id"]) for one in processes if one["type"] == "renderer"]
    return max(sizes)


def _private(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


def timed(page: Page, files: Mapping[str, bytes], throttle: float, rounds: int) -> dict[str, Any]:
    """Open the page again with a slowed down processor and read every radiograph."""
    page.evaluate("import(new URL('phone/store.js', location.href)).then((store) => store.forgetFilm())")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": throttle})
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    page.reload()
    begun = time.perf_counter()
    load = page.evaluate(LOAD)
    page.evaluate(READ, next(iter(encoded.values())))
    first = time.perf_counter() - begun
    readings = {name: [page.evaluate(READ, content) for _ in range(rounds)] for name, content in encoded.items()}
    times = [statistics.median(ms for ms, _ in own) for own in readings.values()]
    return {
        "session, s": load / 1e3,
        "first reading, s": first,
        "reading, ms (median)": statistics.median(times),
        "reading, ms (slowest file)": max(times),
        "ms": dict(zip(readings, times, strict=True)),
        "probabilities": {name: own[0][1] for name, own in readings.items()},
    }


def parity(files: Mapping[str, bytes], figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the difference of each probability from Python's."""
    reader = Reader.load()
    expected = {name: reader.read(content).score.probability for name, content in files.items()}
    return {name: abs(figures["probabilities"][name] - expected[name]) for name in files}


def table(figures: Mapping[str, Any], differences: Mapping[str, float], about: str) -> str:
    """Make the tables of the documentation."""
    names = ["download, MB", "session, s", "first reading, s", "reading, ms (median)", "reading, ms (slowest file)", "memory, MB"]
    rows = [f"| {name} | {figures[name]:.3g} | {WANTED.get(name, '')} |" for name in names]
    by_file = [f"| {name} | {difference:.1e} | {figures['ms'][name]:.0f} |" for name, difference in differences.items()]
    return "\n".join([
        f"{about}.", "", "| | measured | wanted, at most |", "|---|---|---|", *rows, "",
        "| radiograph | difference of the probability | reading, ms |", "|---|---|---|", *by_file,
    ])  # fmt: skip


def write(page: Path, text: str) -> None:
    """Replace the tables of a page of the documentation."""
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    page.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.split(MARKS[1])[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
