"""Read a radiograph of any supported format from a path or from bytes."""

import errno
import importlib
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.errors import EmptyImageError, TooLargeError, UnreadableFileError
from pneumoscope.radiograph.film import Film
from pneumoscope.radiograph.limits import MAX_FILE_BYTES
from pneumoscope.radiograph.pictures import decode as decode_picture
from pneumoscope.radiograph.radiograph import Radiograph

_REASONS = {
    errno.EACCES: "it may not be opened; change its permissions",
    errno.EPERM: "it may not be opened; change its permissions",
    errno.ELOOP: "it is a symbolic link that leads back to itself; remove the link",
    errno.ENAMETOOLONG: "its name is too long for the file system; shorten it",
    errno.EISDIR: "it is a folder; name the files in it",
}

_LEAST_GREY_LEVELS = 96
"""Fewest of 256 grey levels that a reduced picture must use: below, every pixel is decoded, since a reading abstains below 64."""


def read(source: Path | str | bytes, seen_px: int = 0) -> Radiograph:
    """Read a DICOM CR, DX or RG, PNG or JPEG radiograph; the format is recognised by the content, not by the name.

    Parameters
    ----------
    source : Path, str or bytes
        A path, or the content of a file. Only a regular file of at most `MAX_FILE_BYTES` bytes is opened.
    seen_px : int
        Edge of the square on which a model sees the whole radiograph, if the file may be decoded at a reduced scale
        (`pneumoscope.radiograph.reduction`); 0 to decode every pixel. Only JPEG 2000 has reduced scales. A file is decoded in
        full where it is too small, or its header leaves to its pixels how it is displayed.

    Returns
    -------
    Radiograph
        On the grid of the file, also where it was decoded at a reduced scale (`Radiograph.decoded_scale`). Whether its view,
        intent and orientation are fit for a reading is for `acceptance.review`.

    Raises
    ------
    RadiographError
        Of a named class (see `pneumoscope.radiograph.errors`), with one sentence that says what is wrong.
    FileNotFoundError
        If no file has this path.
    OSError
        If the file system fails.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file, "PNG")
    >>> radiograph = read(file.getvalue())
    >>> radiograph.pixels.tolist() == np.float32([[0, 0.2], [0.4, 1]]).tolist()
    True
    >>> radiograph.file_format, radiograph.orientation.plane
    ('PNG', 'unknown')
    """
    return _decoded(source, seen_px).radiograph


def read_film(source: Path | str | bytes) -> Film:
    """Read a radiograph as `read` does, with the tables of its grey levels for a viewer.

    Parameters
    ----------
    source : Path, str or bytes
        A path, or the content of a file.

    Returns
    -------
    Film
        The radiograph that `read` returns, its levels as uint16, and their tables.

    Raises
    ------
    RadiographError
        Of a named class, as by `read`.
    FileNotFoundError
        If no file has this path.
    OSError
        If the file system fails.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file, "PNG")
    >>> film = read_film(file.getvalue())
    >>> film.levels.tolist(), film.window
    ([[0, 51], [102, 255]], None)
    >>> bool((film.shown[film.levels] == film.radiograph.pixels).all())
    True
    """
    film = _decoded(source)
    return replace(film, levels=film.levels.astype(np.uint16, copy=False))


def _decoded(source: Path | str | bytes, seen_px: int = 0) -> Film:
    content = source if isinstance(source, bytes) else content_of(Path(source))
    if not content:
        raise UnreadableFileError("the file is empty; an intact DICOM, PNG or JPEG file is needed")
    film = _decoded_dicom(content, seen_px) if looks_like_dicom(content) else decode_picture(content)
    radiograph = film.radiograph
    if radiograph.grey_range[0] == radiograph.grey_range[1]:
        raise EmptyImageError(
            f"every one of the {radiograph.rows} × {radiograph.cols} pixels has the same grey level; export the image again"
        )
    return film


def _decoded_dicom(content: bytes, seen_px: int) -> Film:
    """Decode DICOM; the decoder is loaded at the first file that needs it, because pydicom takes long to import."""
    decode: Callable[[bytes, int], Film] = importlib.import_module("pneumoscope.radiograph.dicom").decode
    film = decode(content, seen_px)
    return film if film.radiograph.decoded_scale == 1 or _represents_all(film.radiograph) else decode(content, 0)


def _represents_all(reduced: Radiograph) -> bool:
    """Whether what the pixels of a reduced picture say of the whole radiograph holds with a wide margin."""
    return reduced.grey_levels_used >= _LEAST_GREY_LEVELS and reduced.grey_source == "header"


def content_of(file: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """Read the content of a regular file of bounded size.

    Parameters
    ----------
    file : Path
        Path of the file; symbolic links are followed.
    most : int
        Largest size that is read, in bytes.

    Returns
    -------
    bytes
        The whole content.

    Raises
    ------
    UnreadableFileError
        If it is no regular file (a folder, pipe, device or socket), may not be opened, or its name is too long.
    TooLargeError
        If it has more than `most` bytes.
    FileNotFoundError
        If no file has this path.
    """
    try:
        # A pipe would otherwise be waited for until somebody writes into it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _unopened(error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFileError("the path is no regular file but a folder, pipe, device or socket; give an image file")
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise TooLargeError(f"the file has more than {most:,} bytes, more than any radiograph; it was not read")
    return content


def _unopened(error: OSError) -> OSError | UnreadableFileError:
    """The sentence for a file that cannot be opened; the error itself where the file system says it best."""
    reason = _REASONS.get(error.errno or 0)
    if reason is None and error.errno == errno.ENXIO:
        reason = "it is no regular file but a pipe, device or socket; give an image file"
    return UnreadableFileError(f"the file was not opened: {reason}") if reason else error
