"""Measure the memory of ``pneumoscope serve`` by the number of films that were looked at; it must reach a plateau.

    python benchmarks/serve_memory.py [--films 5000] [--steps 10] [--json FILE]

The sixteen shipped radiographs are linked as many times as there are films. Each film is read, and then looked at as the page
does: pixels, grey tables, thumbnail, map. The memory is the resident memory of the server and, apart from it, of the processes
that decode, after each step.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import machine, parser, table, write

from pneumoscope.cohort.sample import sample
from pneumoscope.web.guard import TOKEN_HEADER

_SERVE = [sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()", "serve", "--no-browser"]
_KIB = 1024
_PAGE = 1000


@dataclass(frozen=True)
class Server:
    """A server in a process of its own.

    Parameters
    ----------
    process : Popen
        The server.
    url, token : str
        Where it listens, and what it asks for.
    """

    process: "subprocess.Popen[str]"
    url: str
    token: str

    def get(self, path: str, method: str = "GET") -> bytes:
        asked = urllib.request.Request(f"{self.url}/api/v1{path}", None, {TOKEN_HEADER: self.token}, method=method)
        with urllib.request.urlopen(asked) as answer:
            content: bytes = answer.read()
        return content

    def look_at(self, film: str, model: str) -> None:
        """Read a film, and fetch what the page shows of it."""
        job = json.loads(self.get(f"/films/{film}/readings/{model}", "PUT"))["job"]["id"]
        for part in ("pixels", "greys", "thumbnail"):
            self.get(f"/films/{film}/{part}")
        while json.loads(self.get(f"/jobs/{job}"))["state"] == "running":
            time.sleep(0.002)
        self.get(f"/films/{film}/readings/{model}/maps/evidence.f32")

    def films(self) -> list[str]:
        """The ids of all films."""
        total = json.loads(self.get("/films?limit=1"))["total"]
        pages = (json.loads(self.get(f"/films?limit={_PAGE}&offset={offset}")) for offset in range(0, total, _PAGE))
        return [film["id"] for page in pages for film in page["items"]]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the films of a folder."""
    process = subprocess.Popen([*_SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    match = re.search(r"(http://\S+)/#token=(\S+)", next(iter(process.stdout)))
    assert match
    try:
        yield Server(process, *match.groups())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def resident_mib(pids: Sequence[int]) -> float:
    """The resident memory of processes, in MiB."""
    lines = (Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace") for pid in pids)
    return sum(int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) for text in lines) / _KIB


def children(pid: int) -> list[int]:
    """The processes that a process has started, from any of its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]


def link_films(folder: Path, count: int) -> None:
    """Copy the shipped radiographs, and link them again and again until there are so many files."""
    with sample() as cohort:
        files = [shutil.copy(cohort.file(case), folder / f"{k:05}.jpeg") for k, case in enumerate(cohort.cases[:count])]
    for number in range(len(files), count):
        os.link(files[number % len(files)], folder / f"{number:05}.jpeg")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--films", type=int, default=5000)
    arguments.add_argument("--steps", type=int, default=10)
    asked = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        link_films(Path(temporary), asked.films)
        with serving(Path(temporary)) as server:
            model, films = json.loads(server.get("/models"))["default"], server.films()
            step = max(1, len(films) // asked.steps)
            for number, film in enumerate(films, start=1):
                server.look_at(film, model)
                if number % step == 0:
                    workers = children(server.process.pid)
                    memory = {"server MiB": resident_mib([server.process.pid]), "decoding MiB": resident_mib(workers)}
                    rows.append({"films looked at": number} | {name: round(value) for name, value in memory.items()})
                    print(rows[-1], file=sys.stderr, flush=True)
    print(table(rows))
    write(asked.json, {"machine": machine("onnxruntime", "numpy", "starlette", "uvicorn"), "films": asked.films, "memory": rows})


if __name__ == "__main__":
    main()
