"""`pneumoscope serve` as a process of its own, for the tests of its page."""

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
from PIL import Image

import pneumoscope

SAMPLE = Path(pneumoscope.__file__).parent / "cohort" / "sample_files"
PROGRAM = [sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()"]


@dataclass(frozen=True)
class Served:
    """A running server.

    Parameters
    ----------
    url : str
        What it printed, with the token in the fragment.
    process : Popen
        The server.
    """

    url: str
    process: "subprocess.Popen[str]"

    def ask(self, path: str, body: bytes | None = None, method: str = "") -> bytes:
        """Send a request to the API."""
        address, token = re.fullmatch(r"(.*)/#token=(.*)", self.url).groups()  # type: ignore[union-attr]  # the address has this form
        method = method or ("GET" if body is None else "POST")
        request = Request(f"{address}/api/v1{path}", body, {"X-Pneumoscope-Token": token}, method=method)
        with urlopen(request) as answer:
            return answer.read()

    def json(self, path: str, body: bytes | None = None) -> dict:
        """Send a request to the API, and parse its answer."""
        return json.loads(self.ask(path, body))

    @property
    def model(self) -> str:
        """Id of the default model."""
        return self.json("/models")["default"]

    def read_all(self) -> None:
        """Read all films, and wait for the end."""
        job = self.json("/jobs", b'{"films": "all"}')
        self.ask(f"/jobs/{job['id']}/events")  # ends with the job

    def films(self) -> list[dict]:
        """The rows of the worklist."""
        return self.json("/films?limit=100")["items"]


@contextmanager
def serving(*arguments: object) -> Iterator[Served]:
    """Run the server, and end it."""
    command = [*PROGRAM, "serve", "--no-browser", *(str(argument) for argument in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        line = next(iter(process.stdout))
        yield Served(re.search(r"http://\S+", line)[0], process)  # type: ignore[index]  # the line has an address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


def png(pixels: np.ndarray) -> bytes:
    """Encode grey levels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def noise(rows: int = 200, cols: int = 250) -> bytes:
    """A picture without lungs: outside of any model's domain."""
    return png(np.random.default_rng(0).integers(0, 256, (rows, cols), np.uint8))


def forgive(problems: list[str], *statuses: int) -> None:
    """Drop the browser's own lines about answers that a test provokes."""
    lines = [f"status of {status}" for status in statuses]
    problems[:] = [line for line in problems if not any(text in line for text in lines)]


def film(page, label: str):
    """The row of a film in the worklist."""
    return page.locator(".row").filter(has=page.get_by_text(label, exact=True))


def until(page, expression: str, argument: object = None) -> None:
    """Wait until an expression, or a function of the argument, is true.

    Playwright's own `wait_for_function` evaluates strings in the page, which its Content-Security-Policy forbids.
    """
    end = time.monotonic() + 30
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"not true within 30 seconds: {expression}"
        page.wait_for_timeout(30)
