"""Pictures as they are sent to a client: decoded and written again, so that nothing of the file but its pixels is left."""

import dataclasses
import gzip
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.radiograph import Film
from pneumoscope.radiograph.files import content_of
from pneumoscope.reader_study.errors import TamperedJournalError
from pneumoscope.reader_study.protocol import sha256


def content_as_frozen(file: Path, expected_sha256: str, what: str) -> bytes:
    """Read a file of the study and verify that it is the one that was frozen.

    Parameters
    ----------
    file : Path
        The file.
    expected_sha256 : str
        Of its bytes, from the protocol.
    what : str
        What it is, in words without a name.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    TamperedJournalError
        If it is another file.
    """
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
    grey = radiograph.read(content_as_frozen(file, expected_sha256, "a radiograph")).pixels
    return png(Image.fromarray(np.round(np.clip(grey, 0, 1) * 65535).astype(np.uint16)))


def film_bytes(file: Path, expected_sha256: str) -> bytes:
    """Write a radiograph with the tables of its grey levels, so that a client can change the window without loss.

    Parameters
    ----------
    file : Path
        The radiograph, in any supported format.
    expected_sha256 : str
        Of its bytes, from the protocol.

    Returns
    -------
    bytes
        Compressed by gzip, all numbers little-endian: the length of a header as uint32; the header, JSON with ``rows``, ``cols``,
        ``n_levels``, ``inverse``, ``window``, ``aspect`` and ``orientation``, padded with spaces so that what follows
        starts at a multiple of 4; the tables ``shown`` and ``values`` as float32; ``levels`` as uint16, row by row; the table
        ``padding`` as uint8 (see `radiograph.Film`). The spacing and the kind of compression are left out, and
        so is everything else that the file states: they may tell cases apart.

    Raises
    ------
    TamperedJournalError
        If the file is not the one that was frozen.
    """
    film = radiograph.read_film(content_as_frozen(file, expected_sha256, "a radiograph"))
    head = json.dumps(_film_header(film)).encode()
    head += b" " * (-len(head) % 4)
    tables = (film.shown.astype("<f4"), film.values.astype("<f4"), film.levels.astype("<u2"), film.padding.astype("u1"))
    content = len(head).to_bytes(4, "little") + head + b"".join(table.tobytes() for table in tables)
    return gzip.compress(content, 1, mtime=0)


def _film_header(film: Film) -> dict[str, object]:
    window, orientation = film.window, film.radiograph.orientation
    flip_rows, flip_cols = orientation.flipped
    letters = dataclasses.asdict(orientation.edges)
    turn = {"transposed": orientation.transposed, "flip_rows": flip_rows, "flip_cols": flip_cols}
    return {
        "rows": film.radiograph.rows,
        "cols": film.radiograph.cols,
        "n_levels": len(film.shown),
        "inverse": film.inverse,
        "window": window and {"centre": window.centre, "width": window.width, "function": window.function},
        "aspect": film.aspect,
        "orientation": {**turn, **letters},
    }


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
    with Image.open(io.BytesIO(content_as_frozen(file, expected_sha256, "an overlay"))) as image:
        return png(Image.fromarray(np.asarray(image.convert("RGBA"))))


def png(image: Image.Image) -> bytes:
    """Write a picture as PNG, fast and without metadata.

    Parameters
    ----------
    image : Image
        The picture.

    Returns
    -------
    bytes
        The PNG.
    """
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
