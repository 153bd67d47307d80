"""Features of an image that never see a lung: what a classifier gains from them is a shortcut, not medicine."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.image_summary import ImageSummary, summarize
from pneumoscope.radiograph import Container

CONTAINER = "container"
"""The group of all facts of a file apart from its pixels and its size."""

Features = Mapping[str, NDArray[np.float64]]


def features(cohort: Cohort, summaries: Sequence[ImageSummary] | None = None, *, show_progress: bool = False) -> Features:
    """Collect the features of every image.

    Parameters
    ----------
    cohort
        The cohort.
    summaries
        Summaries of its images; None to open the files.
    show_progress
        Whether a progress bar is shown while files are opened.

    Returns
    -------
    mapping of str to array
        Arrays of shape (cases, features): ``file size`` (log of bytes); ``native size`` (rows, columns, aspect ratio, NaN where
        unknown); ``border and corners`` and ``global histogram``, see `ImageSummary`; and of the `Container` of its file:
        ``file format`` (format, bits, channels, DICOM transfer syntax), ``colour profile`` (log of its bytes), ``JPEG
        compression`` (quality, mean quantization step, chroma samples, progressive; NaN for other formats), ``metadata`` (log
        of the bytes of Exif, and whether the file names a program or has XMP, a text, a resolution, a JFIF or an Adobe marker),
        and ``container`` (all of these).
    """
    if summaries is None:
        summaries = summarize(cohort, show_progress=show_progress)
    return {
        "file size": np.array([[np.log(c.file_bytes)] for c in cohort.cases], float),
        "native size": np.array([_native_size(c) for c in cohort.cases], float),
        "border and corners": np.array([summary.border for summary in summaries], float),
        "global histogram": np.array([summary.histogram for summary in summaries], float),
        **of_containers([summary.container for summary in summaries]),
    }


def of_containers(containers: Sequence[Container]) -> Features:
    """Collect the features of the files apart from their pixels.

    Parameters
    ----------
    containers
        The facts of each file, at least one.

    Returns
    -------
    mapping of str to array
        Arrays of shape (files, features) by group, see `features`.
    """
    syntaxes = sorted({one.transfer_syntax for one in containers})
    groups = {
        "file format": [_format(one, syntaxes) for one in containers],
        "colour profile": [(np.log1p(one.colour_profile_bytes),) for one in containers],
        "JPEG compression": [_compression(one) for one in containers],
        "metadata": [
            (np.log1p(one.exif_bytes), one.software, one.xmp, one.text, one.resolution, one.jfif, one.adobe) for one in containers
        ],
    }
    arrays = {name: np.array(rows, float) for name, rows in groups.items()}
    # The format is a feature of its own, so that no value of a JPEG need be missing here.
    return {**arrays, CONTAINER: np.nan_to_num(np.concatenate([*arrays.values()], 1), nan=-1)}


def _format(container: Container, syntaxes: Sequence[str]) -> tuple[float, ...]:
    formats = (container.file_format == name for name in ("DICOM", "PNG", "JPEG"))
    return (container.bits, container.channels, *formats, *(container.transfer_syntax == syntax for syntax in syntaxes))


def _compression(container: Container) -> tuple[float, ...]:
    quality, step, chroma = container.jpeg_quality, container.jpeg_step, container.chroma_share
    if quality is None or step is None or chroma is None:
        return (np.nan,) * 4
    return (quality, step, chroma, container.progressive)


def _native_size(case: Case) -> tuple[float, float, float]:
    return (case.rows, case.cols, case.cols / case.rows) if case.rows and case.cols else (np.nan, np.nan, np.nan)
