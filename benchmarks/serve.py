"""Measure the server: the price of decoding in a process of its own, a worklist of 10,000 films, and a reading over HTTP.

    python benchmarks/serve.py [--rounds 9] [--json FILE]

Decoding is timed in this process and in a worker process with limits, in turn, for a shipped radiograph (JPEG) and for a
synthetic detector image of 3000 × 2500 pixels of 12 bits (DICOM, not compressed). The requests go over a socket of this machine.
"""

import functools
import io
import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from measuring import interleaved, machine, parser, table, write
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from pneumoscope.cohort.sample import sample
from pneumoscope.limited_process import Limits
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.web import server
from pneumoscope.web.app import build
from pneumoscope.web.decoding import decode, decoding_pool
from pneumoscope.web.films import FilmStore
from pneumoscope.web.guard import TOKEN_HEADER
from pneumoscope.web.models import Models
from pneumoscope.web.sources import FileSource
from pneumoscope.web.workspace import Workspace

N_FILMS = 10_000
ROWS, COLS = 3000, 2500


def shipped() -> bytes:
    """Return the bytes of a shipped radiograph with pneumonia."""
    with sample() as cohort:
        return cohort.file(cohort.cases[-1]).read_bytes()


def detector_image() -> bytes:
    """Make a DICOM file as large as those of detectors."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset.Modality, dataset.PhotometricInterpretation, dataset.PatientOrientation = "DX", "MONOCHROME2", ["L", "F"]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLS, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 2000, 3000
    generator = np.random.default_rng(0)
    dataset.PixelData = generator.integers(0, 4096, (ROWS, COLS), np.uint16).tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


@dataclass(frozen=True)
class Client:
    """A client of a server on this machine."""

    url: str
    token: str

    def get(self, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
        asked = urllib.request.Request(f"{self.url}/api/v1{path}", body, {TOKEN_HEADER: self.token}, method=method)
        with urllib.request.urlopen(asked) as answer:
            content: bytes = answer.read()
        return content

    def read(self, content: bytes) -> None:
        """Upload a film, read it, and get its map."""
        film = json.loads(self.get("/films", "POST", content))["id"]
        model = json.loads(self.get("/models"))["default"]
        job = json.loads(self.get(f"/films/{film}/readings/{model}", "PUT"))["job"]["id"]
        while json.loads(self.get(f"/jobs/{job}"))["state"] == "running":
            time.sleep(0.002)
        self.get(f"/films/{film}/readings/{model}/maps/evidence.f32")


def decoding(rounds: int) -> list[dict[str, Any]]:
    """Time decoding here and in a worker, and the start of a worker."""
    rows = []
    with decoding_pool(Limits(600.0), 1) as pool:
        begun = time.perf_counter()
        pool(shipped())
        started = time.perf_counter() - begun
        for name, content in (("shipped JPEG", shipped()), (f"DICOM {ROWS} × {COLS}", detector_image())):
            ways: dict[str, Callable[[], object]] = {
                "here": functools.partial(decode, content),
                "worker": functools.partial(pool, content),
            }
            times = {way: statistics.median(seconds) for way, seconds in interleaved(ways, rounds).items()}
            extra = times["worker"] - times["here"]
            rows.append({"file": name, **{way: round(1000 * value, 1) for way, value in times.items()},
                         "price ms": round(1000 * extra, 1)})  # fmt: skip
    rows.append({"file": "first call, shipped JPEG", "worker": round(1000 * started, 1)})
    return rows


def requests(rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Time requests to a server with 10,000 films."""
    with decoding_pool(Limits(600.0)) as pool:
        films = FilmStore(pool)
        workspace = Workspace.of(Models.load([SHIPPED["default"]]), films)
        for number in range(N_FILMS):
            films.add(FileSource(folder / f"{number}.png", f"{number}.png"))
        address = server.Address().listen()
        running = server.configured(build(workspace), workspace)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [address]}, daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        client = Client(f"http://127.0.0.1:{address.getsockname()[1]}", workspace.options.token)
        jpeg, dicom = shipped(), detector_image()
        film = json.loads(client.get("/films", "POST", dicom))["id"]
        client.get(f"/films/{film}/pixels")
        ways: dict[str, Callable[[], object]] = {
            "first page": lambda: client.get("/films?limit=100"),
            "sorted by name": lambda: client.get("/films?limit=100&sort=label&order=desc"),
            "filtered by name": lambda: client.get("/films?limit=100&q=777"),
            "nothing changed": lambda: client.get(f"/films?since={films.revision}"),
            "pixels, decoded before": lambda: client.get(f"/films/{film}/pixels"),
            "upload, read, map: shipped JPEG": lambda: client.read(jpeg),
            f"upload, read, map: DICOM {ROWS} × {COLS}": lambda: client.read(dicom),
        }
        rows = [
            {"request": name, "median ms": round(1000 * statistics.median(seconds), 1)}
            for name, seconds in interleaved(ways, rounds).items()
        ]
        running.should_exit = True
        thread.join()
        workspace.close()
    return rows


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    asked = arguments.parse_args()
    figures = {
        "machine": machine("onnxruntime", "numpy", "starlette", "uvicorn"),
        "rounds": asked.rounds,
        "films": N_FILMS,
        "decoding": decoding(asked.rounds),
        "requests": requests(asked.rounds, Path("nowhere")),
    }
    for name in ("decoding", "requests"):
        print(table(figures[name]))
    write(asked.json, figures)


if __name__ == "__main__":
    main()
