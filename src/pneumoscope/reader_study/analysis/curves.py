"""Curves of every reader and the forest plot of differences, as SVG."""

import io
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.reader_study.analysis.analyse import StudyAnalysis, pair
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
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


def froc_points(table: FreeResponseTable, marks: MarkedCases, modality: int, reader: int) -> tuple[Array, Array]:
    """Compute the points of the free-response (FROC) curve.

    Parameters
    ----------
    table : FreeResponseTable
        All marks of the study.
    marks : MarkedCases
        The same study.
    modality, reader : int
        Positions.

    Returns
    -------
    tuple of ndarray
        Marks on no lesion for each case, and share of lesions marked, at each threshold, from (0, 0) on.
    """
    cell = (marks.modalities[modality], marks.readers[reader])
    named = zip(table.marks.modality, table.marks.reader, table.marks.lesion, np.asarray(table.marks.rating), strict=True)
    elsewhere = np.array([rating for *where, lesion, rating in named if tuple(where) == cell and lesion is None], np.float64)
    lesions = marks.lesion_rating[modality, reader]
    thresholds = np.append(np.inf, np.unique(np.concatenate([elsewhere, lesions[np.isfinite(lesions)]]))[::-1])
    return (elsewhere[:, None] >= thresholds).sum(0) / len(marks.cases), (lesions[:, None] >= thresholds).mean(0)


def froc_curves(result: StudyAnalysis) -> str:
    """Draw the FROC curve of every reader in every modality of a free-response study.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    str
        SVG; empty if the table has no marks.
    """
    table, marks = result.table, result.readings
    if not isinstance(table, FreeResponseTable) or not isinstance(marks, MarkedCases):
        return ""
    return _drawn(
        result, lambda i, j: froc_points(table, marks, i, j), ("marks on no lesion, for each case", "lesions marked"), None
    )


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
    return _drawn(result, lambda i, j: _points(result, i, j), _axes_of(result), (0, 1))


def _drawn(
    result: StudyAnalysis,
    points_of: Callable[[int, int], tuple[Array, Array] | None],
    labels: tuple[str, str],
    across: tuple[float, float] | None,
) -> str:
    """A panel for each modality with the curve of every reader; `across` None for a common scale from 0 on."""
    names = result.modalities
    points = {(i, j): points_of(i, j) for i in range(len(names)) for j in range(len(result.readers))}
    right = max((float(one[0].max()) for one in points.values() if one is not None), default=1.0)
    figure = Figure(figsize=(4.2 * len(names), 4.2), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        for j, reader in enumerate(result.readers):
            curve = points[i, j]
            if curve is not None:
                axes.plot(*curve, color=_COLOURS[j % len(_COLOURS)], linestyle=("-", "--", ":")[j // 6 % 3], label=reader)
        axes.set(title=name, xlim=across or (0, 1.02 * right or 1), ylim=(0, 1.01), aspect="equal" if across else "auto")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        if len(result.readers) <= 12:
            axes.legend(fontsize="x-small", loc="lower right")
    return _svg(figure)


def kind(result: StudyAnalysis) -> str:
    """Name the curve that the figure of merit belongs to.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    str
        ROC, LROC or AFROC.
    """
    if isinstance(result.readings, MarkedCases):
        return "AFROC"
    return "LROC" if isinstance(result.readings, LocatedRatings) else "ROC"


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
