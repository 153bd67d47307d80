"""Films as pictures, for clients that do not read DICOM (PS3.18 8.7.4 and 10.4.1.1.3)."""

import io
import threading

import numpy as np
from PIL import Image
from starlette.requests import Request

from pneumoscope.web.decoding import DecodedFilm
from pneumoscope.web.errors import RequestError

THUMBNAIL_PX = 128
"""Longer edge of a thumbnail."""
_MOST_PX = 8192
_QUALITY = 90
_AT_ONCE = threading.BoundedSemaphore(2)
"""A film of 40 million pixels takes 400 MB while it is rendered."""
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}


def parameters(request: Request) -> tuple[tuple[int, int] | None, int]:
    """Parse the parameters of a rendered resource.

    Parameters
    ----------
    request : Request
        Its query may have ``viewport=columns,rows`` and ``quality=1…100``.

    Returns
    -------
    tuple of viewport and quality
        Largest columns and rows, None for those of the film; and the quality of JPEG.

    Raises
    ------
    RequestError
        If a parameter is another one, or is not of this form.
    """
    viewport, quality = None, _QUALITY
    for name, value in request.query_params.multi_items():
        numbers = [int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0 for text in value.split(",")]
        if name == "viewport" and len(numbers) == 2 and all(1 <= number <= _MOST_PX for number in numbers):
            viewport = (numbers[0], numbers[1])
        elif name == "quality" and len(numbers) == 1 and 1 <= numbers[0] <= 100:
            quality = numbers[0]
        elif name != "accept":
            raise RequestError("a rendered film takes viewport=columns,rows and quality=1…100, and no other parameters")
    return viewport, quality


def picture(film: DecodedFilm, media_type: str, viewport: tuple[int, int] | None, quality: int = _QUALITY) -> bytes:
    """Render a film with its initial grey levels, in the stored order, with square pixels.

    Parameters
    ----------
    film : DecodedFilm
        The film.
    media_type : {"image/jpeg", "image/png"}
        Format of the picture.
    viewport : tuple of two int, optional
        Columns and rows that it fits into; it is not enlarged.
    quality : int
        Quality of JPEG, 1 to 100.

    Returns
    -------
    bytes
        The picture.
    """
    with _AT_ONCE:
        return _picture(film, media_type, viewport, quality)


def _picture(film: DecodedFilm, media_type: str, viewport: tuple[int, int] | None, quality: int) -> bytes:
    grey = np.rint(film.radiograph.pixels * np.float32(255)).astype(np.uint8)
    cols, rows = float(film.cols), film.rows * film.film.aspect
    shrink = min(1.0, viewport[0] / cols, viewport[1] / rows) if viewport else 1.0
    size = max(1, round(cols * shrink)), max(1, round(rows * shrink))
    image = Image.fromarray(grey)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    image.save(stream, _FORMATS[media_type], quality=quality)
    return stream.getvalue()
