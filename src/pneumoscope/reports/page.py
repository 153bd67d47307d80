"""Write a self-contained HTML page of readings."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from PIL import Image

from pneumoscope import DISCLAIMER, __version__, atomic_files
from pneumoscope.classifier import Card
from pneumoscope.readings.figures import probability_text
from pneumoscope.readings.line import Line


@dataclass(frozen=True, eq=False)
class Entry:
    """A radiograph on the page.

    Attributes
    ----------
    line : Line
        Its line of ``readings.jsonl``.
    reference : str
        Its reference, ``positive`` or ``negative``; empty if unknown.
    overlay : PIL.Image.Image
        Its overlay, an RGB image.
    """

    line: Line
    reference: str
    overlay: Image.Image


def write_page(path: Path, title: str, card: Card, entries: Sequence[Entry]) -> None:
    """Write an HTML page atomically as a single file, with embedded images and without scripts or external resources.

    Parameters
    ----------
    path : Path
        File of the page.
    title : str
        Title and heading of the page.
    card : Card
        Card of the model that made the readings.
    entries : sequence of Entry
        Radiographs in the order of the page.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.reports"), autoescape=True)
    environment.filters["probability"] = probability_text
    html = environment.get_template("page.html").render(
        title=title,
        disclaimer=DISCLAIMER,
        version=__version__,
        card=card,
        entries=[(entry, _data_uri(entry.overlay)) for entry in entries],
    )
    with atomic_files.text(path) as stream:
        stream.write(html)


def _data_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
