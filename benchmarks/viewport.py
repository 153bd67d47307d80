"""Time the frames of <px-viewport> in Chromium, with WebGL in software and with the 2-D canvas: python benchmarks/viewport.py.

The film has random pixels of 12 bits. A frame begins with the change of a property and ends when the pixels can be read back.
"""

import argparse
import functools
import json
import platform
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

import pneumoscope

STATIC = Path(pneumoscope.__file__).parent / "web" / "static"
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]

TRIAL = """
async ({rows, cols, renderer, frames}) => {
  await import("/viewport/px-viewport.js");
  const levels = Uint16Array.from({length: rows * cols}, (_, k) => Math.imul(k, 2654435761) >>> 20);
  const values = Float32Array.from({length: 4096}, (_, k) => k);
  const orientation = {transposed: false, flip_rows: false, flip_cols: false, left: "R", right: "L", top: "H", bottom: "F"};
  const film = {
    rows, cols, levels, values, shown: values.map((v) => v / 4095), padding: new Uint8Array(4096), inverse: false,
    window: {centre: 2048, width: 4096, function: "LINEAR"}, spacing: null, aspect: 1, orientation, lossy: false,
  };
  const cells = Float32Array.from({length: 576}, (_, k) => (k % 24) / 24);
  const layer = {
    id: "map", name: "", cells, cell_rows: 24, cell_cols: 24, looked: null, threshold: 0.4, full_scale: 1, unit: "", method: "",
    rectangle: {top: 0.1 * rows, left: 0.1 * cols, bottom: 0.9 * rows, right: 0.9 * cols},
  };
  const viewport = document.createElement("px-viewport");
  viewport.setAttribute("renderer", renderer);
  Object.assign(viewport.style, {position: "fixed", inset: "0"});
  document.body.replaceChildren(viewport);
  viewport.film = film;
  viewport.layers = [layer];
  const finish = async () => {
    await viewport.drawn();
    const gl = viewport.shadowRoot.querySelector("canvas.film").getContext("webgl2");
    gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  };
  const time = async (change) => {
    await finish();
    const times = [];
    for (let k = 0; k < frames; k++) {
      await new Promise(requestAnimationFrame);
      const start = performance.now();
      change(k);
      await finish();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return {median_ms: times[frames >> 1], worst_ms: times[frames - 1]};
  };
  const back = (k) => (k % 2 ? 1 : -1);
  const answer = {};
  viewport.mapState = {visible: false};
  answer["whole film, window"] = await time((k) => viewport.dragWindow(2 * back(k), 3));
  answer["whole film, moved"] = await time((k) => viewport.pan(3 * back(k), 2 * back(k)));
  viewport.mapState = {visible: true};
  answer["whole film, opacity of the map"] = await time((k) => viewport.changeMap({opacity: 0.4 + 0.1 * back(k)}));
  answer["whole film with map, moved"] = await time((k) => viewport.pan(3 * back(k), 2 * back(k)));
  viewport.actualSize();
  answer["1 : 1 with map, moved"] = await time((k) => viewport.pan(3 * back(k), 2 * back(k)));
  viewport.mapState = {visible: false};
  answer["1 : 1, moved"] = await time((k) => viewport.pan(3 * back(k), 2 * back(k)));
  return answer;
}
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def measure(rows: int, cols: int, frames: int) -> dict[str, Any]:
    """Time frames of both renderers on a screen of 1440 × 900 pixels.

    Parameters
    ----------
    rows, cols : int
        Size of the film, in pixels.
    frames : int
        Frames a figure.

    Returns
    -------
    dict
        Median and worst time of each kind of change by renderer, in milliseconds, and the browser's version.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(STATIC)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SOFTWARE)
        answer: dict[str, Any] = {"browser": browser.version, "machine": platform.processor() or platform.machine()}
        for renderer in ("webgl2", "2d"):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{server.server_port}/theme/theme.css")
            asked = {"rows": rows, "cols": cols, "renderer": renderer, "frames": frames}
            answer[renderer] = page.evaluate(TRIAL, asked)
            page.close()
        browser.close()
    server.shutdown()
    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--cols", type=int, default=2500)
    parser.add_argument("--frames", type=int, default=15)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.rows, arguments.cols, arguments.frames), indent=1))
