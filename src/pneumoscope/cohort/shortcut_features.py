"""Features of an image that never see a lung; what a classifier gains from them is a shortcut, not medicine."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.radiograph import Radiograph

_BINS = 32
_BORDER_SHARE = 0.04
_CORNER_SHARE = 0.10

Features = Mapping[str, NDArray[np.float64]]


def features(cohort: Cohort, *, show_progress: bool = False) -> Features:
    """Per group of features an array of shape (cases, features).

    ``file size``; ``native size`` (rows, columns, aspect ratio); ``border and corners`` (mean and deviation of a frame of 4 %
    on each side and of four corner squares of 10 %); ``global histogram`` (32 bins, no position at all). NaN where the
    native size is unknown.
    """
    border, histogram = [], []
    for case in tqdm(cohort.cases, desc="shortcuts", unit="file", disable=None if show_progress else True):
        image = radiograph.read(cohort.file(case))
        border.append(_border(image))
        histogram.append(np.histogram(image.pixels, _BINS, (0, 1))[0] / image.pixels.size)
    return {
        "file size": np.array([[np.log(c.file_bytes)] for c in cohort.cases], float),
        "native size": np.array([_native_size(c) for c in cohort.cases], float),
        "border and corners": np.array(border, float),
        "global histogram": np.array(histogram, float),
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
