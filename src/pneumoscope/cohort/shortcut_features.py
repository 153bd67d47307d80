"""Features of an image that never see a lung: what a classifier gains from them is a shortcut, not medicine."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph import Radiograph

_BINS = 32
_BORDER_SHARE = 0.04
_CORNER_SHARE = 0.10

Features = Mapping[str, NDArray[np.float64]]


def features(cohort: Cohort, *, show_progress: bool = False) -> Features:
    """Measure the features of every image; each file is opened once, several at a time.

    Parameters
    ----------
    cohort
        The cohort.
    show_progress
        Whether a progress bar is shown.

    Returns
    -------
    mapping of str to array
        Arrays of shape (cases, features): ``file size`` (log of bytes); ``native size`` (rows, columns, aspect ratio, NaN where
        unknown); ``border and corners`` (mean and deviation of a frame of 4 % on each side and of four corner squares of
        10 %); ``global histogram`` (share of pixels in 32 bins of grey, without any position).
    """

    def measure(case: Case) -> tuple[list[float], NDArray[np.float64]]:
        image = radiograph.read(cohort.file(case))
        return _border(image), np.histogram(image.pixels, _BINS, (0, 1))[0] / image.pixels.size

    done = tqdm(
        ordered_map(measure, cohort.cases, cores()),
        desc="shortcuts",
        unit="file",
        total=len(cohort.cases),
        disable=None if show_progress else True,
    )
    measured = list(done)
    return {
        "file size": np.array([[np.log(c.file_bytes)] for c in cohort.cases], float),
        "native size": np.array([_native_size(c) for c in cohort.cases], float),
        "border and corners": np.array([border for border, _ in measured], float),
        "global histogram": np.array([histogram for _, histogram in measured], float),
    }


def _native_size(case: Case) -> tuple[float, float, float]:
    return (case.rows, case.cols, case.cols / case.rows) if case.rows and case.cols else (np.nan, np.nan, np.nan)


def _border(image: Radiograph) -> list[float]:
    rows, cols = image.rows, image.cols
    y, x = max(1, round(rows * _BORDER_SHARE)), max(1, round(cols * _BORDER_SHARE))
    h, w = max(1, round(rows * _CORNER_SHARE)), max(1, round(cols * _CORNER_SHARE))
    p = image.pixels
    parts = (p[:y], p[-y:], p[:, :x], p[:, -x:], p[:h, :w], p[:h, -w:], p[-h:, :w], p[-h:, -w:])
    return [float(f(part)) for part in parts for f in (np.mean, np.std)]
