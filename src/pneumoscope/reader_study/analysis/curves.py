"""Curves of every reader and the forest plot of differences, as SVG."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.reader_study.analysis.analyse import StudyAnalysis, pair
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.inference import quantile
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.marks import MarkedCases
from pneumoscope.statistics.multireader.obuchowski_rockette import Population

_COLOURS = ("#1d4ed8", "#b45309", "#047857", "#7c3aed", "#b91c1c", "#0e7490")


def roc_points(nondiseased: Array, diseased: Array) -> tuple[Array, Array]:
    """Compute the points of the empirical ROC curve.

    Parameters
    ----------
    nondiseased, diseased : ndarray of float64, shape (n,)
        Ratings.

    Returns
    -------
    tuple of ndarray
        False-positive and true-positive fraction, from (0, 0) to (1, 1).
    """
    thresholds = np.append(np.inf, np.unique(np.concatenate([nondiseased, diseased]))[::-1])
    return (nondiseased[:, None] >= thresholds).mean(0), (diseased[:, None] >= thresholds).mean(0)


def free_response_points(marks: MarkedCases, modality: int, reader: int) -> tuple[Array, Array]:
    """Compute the points of the alternative free-response (AFROC) curve.

    Parameters
    ----------
    marks : MarkedCases
        The study.
    modality, reader : int
        Positions.

    Returns
    -------
    tuple of ndarray
        Share of non-diseased cases with a mark, and weighted share of lesions marked, at each threshold.
    """
    highest = marks.highest_elsewhere[modality, reader][~marks.truth]
    lesions = marks.lesion_rating[modality, reader]
    finite = np.concatenate([highest, lesions])
    thresholds = np.append(np.inf, np.unique(finite[np.isfinite(finite)])[::-1])
    weight = marks.lesion_weight / marks.truth.sum()
    return (highest[:, None] >= thresholds).mean(0), ((lesions[:, None] >= thresholds) * weight[:, None]).sum(0)


def curves(result: StudyAnalysis) -> str:
    """Draw the curve of every reader in every modality.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    str
        SVG: ROC curves, LROC curves of ratings with a location, or AFROC curves of a free-response study.
    """
    names = result.modalities
    figure = Figure(figsize=(4.2 * len(names), 4.2), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        for j, reader in enumerate(result.readers):
            points = _points(result, i, j)
            if points is not None:
                axes.plot(*points, color=_COLOURS[j % len(_COLOURS)], linestyle=("-", "--", ":")[j // 6 % 3], label=reader)
        axes.set(title=name, xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
        across, up = _axes_of(result)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        if len(result.readers) <= 12:
            axes.legend(fontsize="x-small", loc="lower right")
    return _svg(figure)


def _axes_of(result: StudyAnalysis) -> tuple[str, str]:
    if isinstance(result.readings, MarkedCases):
        return "non-diseased cases with a mark", "lesions marked (weighted)"
    return "1 − specificity", "cases located" if isinstance(result.readings, LocatedRatings) else "sensitivity"


def _points(result: StudyAnalysis, modality: int, reader: int) -> tuple[Array, Array] | None:
    if isinstance(result.readings, MarkedCases):
        return free_response_points(result.readings, modality, reader)
    row, truth = result.ratings.rating[modality, reader], result.ratings.truth
    read = ~np.isnan(row)
    if not (read & truth).any() or not (read & ~truth).any():
        return None
    if isinstance(result.readings, LocatedRatings):
        return result.readings.curve(modality, reader)
    return roc_points(row[read & ~truth], row[read & truth])


def forest(result: StudyAnalysis) -> str:
    """Draw the difference of every reader and of their mean, with intervals.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis of at least two modalities.

    Returns
    -------
    str
        SVG; empty with one modality.
    """
    if len(result.modalities) < 2 or result.model:
        return ""
    first, second = pair(result.ratings.modalities, result.plan)
    sign = 1 if first < second else -1
    fixed = next(one for one in result.analyses if one.population is Population.CASES)
    figure = Figure(figsize=(7, 1.3 + 0.32 * len(result.readers)), layout="constrained")
    axes = figure.add_subplot()
    z = quantile((1 + result.plan.level) / 2, np.inf)
    for row, reader in enumerate(fixed.per_reader):
        contrast = next(one.difference for one in reader if {one.first, one.second} == {first, second})
        _bar(axes, row, sign * contrast.estimate, z * contrast.standard_error, _COLOURS[0])
    mean = result.verdict.difference
    _bar(axes, len(result.readers) + 0.4, mean.estimate, (mean.high - mean.low) / 2, _COLOURS[1])
    axes.axvline(0, color="#6b7280", linewidth=0.8)
    for bound in {result.plan.margin, -result.plan.margin} - {0.0}:
        axes.axvline(bound, color="#b91c1c", linewidth=0.8, linestyle="--")
    axes.set_yticks([*range(len(result.readers)), len(result.readers) + 0.4], [*result.readers, "mean"])
    axes.invert_yaxis()
    axes.set_xlabel(
        f"{result.figure} of '{result.verdict.first}' − '{result.verdict.second}', {100 * result.plan.level:g} % interval"
    )
    return _svg(figure)


def _bar(axes: Axes, row: float, estimate: float, half_width: float, colour: str) -> None:
    if np.isfinite(estimate):
        axes.errorbar(estimate, row, xerr=half_width if np.isfinite(half_width) else None, fmt="s", color=colour, capsize=3)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
