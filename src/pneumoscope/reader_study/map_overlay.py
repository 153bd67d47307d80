"""A model's heat map as an aid: painted over the radiograph, from the values that ``pneumoscope read --maps`` has written."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.radiograph import Orientation
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.pixels import content_as_frozen, overlay_png, png
from pneumoscope.reader_study.protocol import AidFile, Protocol
from pneumoscope.reports.colours import INFERNO

MAP_ENDING = ".npy"
OPACITY = 0.55
"""Opacity of the highest value, as in the overlays of ``pneumoscope read``; the reader makes it less."""

Map = NDArray[np.float32]


def aid_png(protocol: Protocol, aid: AidFile) -> bytes:
    """Write the aid of a case as PNG.

    Parameters
    ----------
    protocol : Protocol
        The study.
    aid : AidFile
        One of its aids.

    Returns
    -------
    bytes
        A PNG with red, green, blue and alpha in the displayed order, without any text or metadata.

    Raises
    ------
    TamperedJournalError
        If the file is not the one that was frozen.
    """
    file = Path(aid.file)
    if file.suffix != MAP_ENDING:
        return overlay_png(file, aid.sha256)
    values = map_of(content_as_frozen(file, aid.sha256, "a heat map"), aid.case)
    case = protocol.by_name[aid.case]
    film = radiograph.read(content_as_frozen(protocol.file(case), case.sha256, "a radiograph"))
    return map_png(values, film.orientation, aid.map_threshold)


def map_of(content: bytes, case: str) -> Map:
    """Parse a heat map.

    Parameters
    ----------
    content : bytes
        A file of NumPy, as ``pneumoscope read --maps`` writes it.
    case : str
        Name of the case, for an error.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        Values from 0 to 1 on the stored grid of the radiograph.

    Raises
    ------
    InvalidStudyError
        If the file holds anything else.
    """
    try:
        values = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidStudyError(f"the heat map of '{case}' cannot be read; make it again with pneumoscope read --maps") from error
    if values.ndim != 2 or values.dtype.kind != "f" or not (np.isfinite(values).all() and values.min(initial=0) >= 0):
        raise InvalidStudyError(
            f"the heat map of '{case}' is no grid of finite numbers from 0; make it again with pneumoscope read --maps"
        )
    return np.asarray(values, np.float32)


def map_png(values: Map, orientation: Orientation, threshold: float | None) -> bytes:
    """Paint a heat map on a clear picture.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, cols)
        Values on the stored grid; 1 has the last colour.
    orientation : Orientation
        Of the radiograph.
    threshold : float, optional
        Value along whose border a white line is drawn; None for no line.

    Returns
    -------
    bytes
        A PNG with red, green, blue and alpha in the displayed order; opacity increases with the value.
    """
    shown = orientation.to_display(values)
    levels = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    picture = np.dstack([INFERNO[levels], np.rint(levels * OPACITY).astype(np.uint8)])
    if threshold is not None:
        picture[_border(shown >= threshold)] = 255
    return png(Image.fromarray(picture))


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a region that have a neighbour outside of it; the edge of the picture is no border."""
    within = inside.copy()
    within[1:] &= inside[:-1]
    within[:-1] &= inside[1:]
    within[:, 1:] &= inside[:, :-1]
    within[:, :-1] &= inside[:, 1:]
    return np.asarray(inside & ~within)
