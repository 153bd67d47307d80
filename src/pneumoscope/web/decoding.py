"""Decode films in worker processes: what comes back from a worker, and how it becomes a radiograph again."""

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.limited_process import LimitedPool, Limits, decoding_limits
from pneumoscope.radiograph import AcceptancePolicy, Film, NotAcceptedError, Radiograph, review
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.radiograph.every_format import read_film
from pneumoscope.radiograph.levels import look_up

THUMBNAIL_PX = 128
"""Longer edge of a thumbnail."""
_NO_PIXELS = np.zeros((1, 1), np.float32)


@dataclass(frozen=True, eq=False)
class DecodedFilm:
    """A decoded film, without the pixels that its tables give.

    Parameters
    ----------
    film : Film
        The film; its radiograph has the facts of the header, but one black pixel.
    thumbnail : bytes
        PNG in the displayed order, its longer edge `THUMBNAIL_PX` or less.
    cautions : tuple of str
        Why a reading should be taken with care (`pneumoscope.radiograph.review`); empty where the radiograph is refused.
    refusal : str
        Why the policy refuses to have the film read; empty where it does not.
    """

    film: Film
    thumbnail: bytes
    cautions: tuple[str, ...]
    refusal: str

    @property
    def rows(self) -> int:
        """Number of rows of the stored grid."""
        return int(self.film.levels.shape[0])

    @property
    def cols(self) -> int:
        """Number of columns of the stored grid."""
        return int(self.film.levels.shape[1])

    @property
    def n_bytes(self) -> int:
        """Bytes of memory that the film takes."""
        arrays = (self.film.levels, self.film.shown, self.film.values, self.film.padding)
        return sum(array.nbytes for array in arrays) + len(self.thumbnail)

    @property
    def facts(self) -> Radiograph:
        """What the header states, on a radiograph without pixels."""
        return self.film.radiograph

    @property
    def radiograph(self) -> Radiograph:
        """The radiograph, its pixels computed from the tables: a new array at each call."""
        return replace(self.film.radiograph, pixels=look_up(self.film.shown, self.film.levels))


def decode(content: bytes, policy: AcceptancePolicy = DEFAULT_POLICY) -> DecodedFilm:
    """Decode a file, in a worker.

    Parameters
    ----------
    content : bytes
        The file.
    policy : AcceptancePolicy
        Rules by which a film is refused, or read with a caution.

    Returns
    -------
    DecodedFilm
        Small enough to be sent.

    Raises
    ------
    RadiographError
        As `pneumoscope.radiograph.read_film`.
    """
    film = read_film(content)
    small = replace(film, radiograph=replace(film.radiograph, pixels=_NO_PIXELS), values=film.values.astype(np.float32))
    try:
        cautions, refusal = tuple(caution.value for caution in review(film.radiograph, policy)), ""
    except NotAcceptedError as error:
        cautions, refusal = (), str(error)
    return DecodedFilm(small, _thumbnail(film), cautions, refusal)


def decoding_pool(limits: Limits | None = None, workers: int = 2) -> LimitedPool[..., DecodedFilm]:
    """Make the pool of processes that decode.

    Parameters
    ----------
    limits : Limits, optional
        Of each file; `pneumoscope.limited_process.decoding_limits` by default.
    workers : int
        Number of processes, >= 1.

    Returns
    -------
    LimitedPool
        `decode` within limits.
    """
    return LimitedPool(decode, "decoding", limits or decoding_limits(), workers=workers)


def _thumbnail(film: Film) -> bytes:
    aspect = film.aspect
    radiograph = film.radiograph
    rows, cols = radiograph.rows * aspect, float(radiograph.cols)
    shrink = min(1.0, THUMBNAIL_PX / max(rows, cols))
    size = max(1, round(cols * shrink)), max(1, round(rows * shrink))
    step = max(1, int(min(radiograph.rows, radiograph.cols) / (2 * THUMBNAIL_PX)))
    grey: NDArray[np.uint8] = np.asarray(np.rint(radiograph.pixels[::step, ::step] * np.float32(255)), np.uint8)
    stored = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(radiograph.orientation.to_display(stored))).save(stream, "PNG")
    return stream.getvalue()
