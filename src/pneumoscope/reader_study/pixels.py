"""Pictures as they are sent to a client: decoded and written again, so that nothing of the file but its pixels is left."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.radiograph.files import content_of
from pneumoscope.reader_study.errors import TamperedJournalError
from pneumoscope.reader_study.protocol import sha256


def _content(file: Path, expected_sha256: str, what: str) -> bytes:
    content = content_of(file)
    if sha256(content) != expected_sha256:
        raise TamperedJournalError(f"{what} is not the file that was frozen; restore the file from a backup")
    return content


def radiograph_png(file: Path, expected_sha256: str) -> bytes:
    """Write the grey levels of a radiograph as PNG.

    Parameters
    ----------
    file : Path
        The radiograph, in any supported format.
    expected_sha256 : str
        Of its bytes, from the protocol.

    Returns
    -------
    bytes
        A PNG of 16 bit grey levels (0 black, 65535 white) without any text or metadata.

    Raises
    ------
    TamperedJournalError
        If the file is not the one that was frozen.
    """
    grey = radiograph.read(_content(file, expected_sha256, "a radiograph")).pixels
    return _png(Image.fromarray(np.round(np.clip(grey, 0, 1) * 65535).astype(np.uint16)))


def overlay_png(file: Path, expected_sha256: str) -> bytes:
    """Write an overlay as PNG.

    Parameters
    ----------
    file : Path
        The overlay, a PNG or JPEG.
    expected_sha256 : str
        Of its bytes, from the protocol.

    Returns
    -------
    bytes
        A PNG with red, green, blue and alpha, without any text or metadata.

    Raises
    ------
    TamperedJournalError
        If the file is not the one that was frozen.
    """
    with Image.open(io.BytesIO(_content(file, expected_sha256, "an overlay"))) as image:
        return _png(Image.fromarray(np.asarray(image.convert("RGBA"))))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
