"""A self-contained HTML page of readings."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from PIL import Image

from pneumoscope import DISCLAIMER, __version__, atomic_files
from pneumoscope.classifier import Card
from pneumoscope.readings.line import Line


@dataclass(frozen=True, eq=False)
class Entry:
    """One radiograph on the page: its line of ``readings.jsonl``, its reference if there is one, its overlay."""

    line: Line
    reference: str
    overlay: Image.Image


def write_page(path: Path, title: str, card: Card, entries: Sequence[Entry]) -> None:
    """Write one HTML file that needs nothing beside it: no script, no font, no picture from elsewhere."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.reports"), autoescape=True)
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
