"""The noun `ImageSummary`: what the audits need of a radiograph and of its file, from one look at each file."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pneumoscope import MissingExtraError, radiograph
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph import Container, Radiograph, container_of
from pneumoscope.radiograph.files import content_of

try:
    import imagehash
except ImportError:  # the extra is named when a summary is asked for
    imagehash = None  # type: ignore[assignment]  # a module where it is installed

_HASH_PX = 16
_THUMBNAIL_PX = 64
_BINS = 32
_BORDER_SHARE = 0.04
_CORNER_SHARE = 0.10


@dataclass(frozen=True, eq=False)
class ImageSummary:
    """A few numbers of a radiograph.

    Parameters
    ----------
    perceptual_hash
        256 bits of the low frequencies (DCT, `imagehash.phash`), uint64, shape (4,).
    thumbnail
        Grey levels at 64 × 64 px, with mean 0 and deviation 1, float32, shape (4096,).
    border
        Mean and deviation of a frame of 4 % on each side and of four corner squares of 10 %, shape (16,).
    histogram
        Share of the pixels in 32 bins of grey from 0 to 1, shape (32,).
    container
        Facts of the file apart from its pixels.
    """

    perceptual_hash: NDArray[np.uint64]
    thumbnail: NDArray[np.float32]
    border: NDArray[np.float64]
    histogram: NDArray[np.float64]
    container: Container


def summarize(cohort: Cohort, *, show_progress: bool = False) -> tuple[ImageSummary, ...]:
    """Open every file of a cohort once, several at a time, and summarize it.

    Parameters
    ----------
    cohort
        The cohort.
    show_progress
        Whether a progress bar is shown.

    Returns
    -------
    tuple of ImageSummary
        One for each case, in the order of the cases.

    Raises
    ------
    MissingExtraError
        If `imagehash` is not installed.
    """
    if imagehash is None:
        raise MissingExtraError("a cohort audit", "evaluate")
    summaries = ordered_map(partial(_summary, cohort), cohort.cases, cores())
    quiet = None if show_progress else True
    return tuple(tqdm(summaries, desc="summarizing", unit="file", total=len(cohort.cases), disable=quiet))


def _summary(cohort: Cohort, case: Case) -> ImageSummary:
    content = content_of(cohort.file(case))
    image = radiograph.read(content)
    picture = Image.fromarray(np.rint(image.pixels * 255).astype(np.uint8))
    bits = np.asarray(imagehash.phash(picture, hash_size=_HASH_PX).hash, bool)
    small = np.asarray(picture.resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BILINEAR), np.float32)
    return ImageSummary(
        perceptual_hash=np.packbits(bits.ravel()).view(np.uint64),
        thumbnail=((small - small.mean()) / max(float(small.std()), 1e-6)).ravel(),
        border=_border(image),
        histogram=np.histogram(image.pixels, _BINS, (0, 1))[0] / image.pixels.size,
        container=container_of(content),
    )


def _border(image: Radiograph) -> NDArray[np.float64]:
    rows, cols = image.rows, image.cols
    y, x = max(1, round(rows * _BORDER_SHARE)), max(1, round(cols * _BORDER_SHARE))
    h, w = max(1, round(rows * _CORNER_SHARE)), max(1, round(cols * _CORNER_SHARE))
    p = image.pixels
    parts = (p[:y], p[-y:], p[:, :x], p[:, -x:], p[:h, :w], p[:h, -w:], p[-h:, :w], p[-h:, -w:])
    return np.array([float(measure(part)) for part in parts for measure in (np.mean, np.std)])
