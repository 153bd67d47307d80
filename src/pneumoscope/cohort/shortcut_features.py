"""Features of an image that never see a lung: what a classifier gains from them is a shortcut, not medicine."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.image_summary import ImageSummary, summarize

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
        unknown); ``border and corners`` and ``global histogram``, see `ImageSummary`.
    """
    if summaries is None:
        summaries = summarize(cohort, show_progress=show_progress)
    return {
        "file size": np.array([[np.log(c.file_bytes)] for c in cohort.cases], float),
        "native size": np.array([_native_size(c) for c in cohort.cases], float),
        "border and corners": np.array([summary.border for summary in summaries], float),
        "global histogram": np.array([summary.histogram for summary in summaries], float),
    }


def _native_size(case: Case) -> tuple[float, float, float]:
    return (case.rows, case.cols, case.cols / case.rows) if case.rows and case.cols else (np.nan, np.nan, np.nan)
