"""Workspaces for tests: a model of glass, films of a few pixels, decoded in this process."""

import io
import time

import numpy as np
from PIL import Image

from pneumoscope.reader import Reader
from pneumoscope.web.decoding import decode
from pneumoscope.web.films import FilmStore
from pneumoscope.web.models import Models
from pneumoscope.web.workspace import Options, Workspace
from tests.reader.builders import quadrant

_PATIENCE_SECONDS = 120


def picture(pixels: np.ndarray) -> bytes:
    """A PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


QUADRANT = picture(quadrant())


def workspace(*readers: Reader, options: Options | None = None, decode=decode, folder=None, references=None, **limits):
    """Make a workspace."""
    return Workspace.of(Models.of(readers), FilmStore(decode, **limits), options, references=references, folder=folder, threads=1)


def wait(client, job: dict) -> dict:
    """Wait until a job has ended."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while job["state"] == "running" and time.monotonic() < until:
        time.sleep(0.005)
        job = client.get(f"/api/v1/jobs/{job['id']}").json()
    assert job["state"] != "running"
    return job
