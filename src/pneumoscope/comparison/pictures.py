"""The pictures of a comparison: curves of all members, Pareto plots, heat maps side by side."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import precision_recall_curve, roc_curve

from pneumoscope.comparison.pairwise import TestedMember
from pneumoscope.comparison.pareto import front
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reports.overlay import blend
from pneumoscope.statistics.metrics import Array
from pneumoscope.training.curves import CURVES_NAME, read_table

_CELL, _GAP, _MARGIN = 150, 4, 26
_GROUND, _TEXT = (18, 18, 18), (230, 230, 230)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def curves(members: Sequence[TestedMember]) -> Figure:
    """Draw ROC, precision–recall and reliability of all members.

    Over folds the ROC and precision–recall curves are means of the folds' curves at each 1 − specificity and recall (vertical
    averaging, Fawcett 2006, Pattern Recognition Letters 27:861): scores of different folds are never ranked together.

    Parameters
    ----------
    members
        Members of one seed.

    Returns
    -------
    Figure
        Three panels.
    """
    figure = _figure(15, 5.2)
    roc, pr, reliability = figure.subplots(1, 3)
    for member in members:
        roc.plot(*_roc(member), label=member.name)
        pr.step(*_precision_recall(member), where="post")
        _reliability(reliability, member)
    roc.set(xlabel="1 − specificity", ylabel="sensitivity", title="ROC", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    pr.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", title="Precision–recall", ylim=(-0.01, 1.01))
    reliability.plot([0, 1], [0, 1], ":", color="grey")
    reliability.set(xlabel="calibrated probability", ylabel="share of positives", title="Reliability, 10 bins")
    roc.legend(loc="lower right", fontsize=8)
    return figure


def _folds(member: TestedMember) -> list[tuple[Array, Array]]:
    """Reference and probability of each fold."""
    if member.folds is None:
        return [(member.reference, member.probability)]
    parts = [member.folds == fold for fold in np.unique(member.folds)]
    return [(member.reference[part], member.probability[part]) for part in parts]


def _roc(member: TestedMember) -> tuple[Array, Array]:
    """1 − specificity and sensitivity."""
    curves: list[tuple[Array, Array]] = [roc_curve(*fold)[:2] for fold in _folds(member)]
    if len(curves) == 1:
        return curves[0]
    grid = np.linspace(0, 1, 501)
    return grid, np.mean([np.interp(grid, *curve) for curve in curves], axis=0)


def _precision_recall(member: TestedMember) -> tuple[Array, Array]:
    """Recall and precision, from high recall to low."""
    curves: list[tuple[Array, Array]] = [precision_recall_curve(*fold)[:2] for fold in _folds(member)]
    if len(curves) == 1:
        precision, recall = curves[0]
        return recall, precision
    grid = np.linspace(1, 0.002, 500)
    steps = [precision[::-1][np.searchsorted(recall[::-1], grid, "left")] for precision, recall in curves]
    return grid, np.mean(steps, axis=0)


def _reliability(axes: Axes, member: TestedMember, bins: int = 10) -> None:
    which = np.minimum((member.probability * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    filled = count > 0
    mean = np.bincount(which, member.probability, bins)[filled] / count[filled]
    axes.plot(mean, np.bincount(which, member.reference, bins)[filled] / count[filled], "o-", markersize=3)


def differences(values: Mapping[str, float], runs: Sequence[Sequence[str]], what: str) -> Figure:
    """Draw members along an axis of a figure, with a bar over those that the tests cannot separate.

    Parameters
    ----------
    values
        The figure by member.
    runs
        Members that cannot be separated, from best to worst.
    what
        Name of the figure.

    Returns
    -------
    Figure
        A critical-difference diagram (Demšar 2006, Journal of Machine Learning Research 7:1, figure 1).
    """
    order = sorted(values, key=lambda name: -values[name])
    figure = _figure(10, 0.8 + 0.28 * (len(order) + len(runs)))
    axes = figure.subplots()
    for row, name in enumerate(order, start=1):
        axes.plot([values[name]] * 2, [0, -row], "-", color="grey", linewidth=0.8)
        axes.annotate(f"{name}  {values[name]:.4f}", (values[name], -row), textcoords="offset points", xytext=(4, -3), fontsize=8)
    for row, run in enumerate(runs, start=1):
        axes.plot([values[run[0]], values[run[-1]]], [0.6 * row] * 2, "-", color="C3", linewidth=4, solid_capstyle="butt")
    low, high = min(values.values()), max(values.values())
    margin = 0.05 * (high - low) or 0.01
    room = min(0.7, 0.1 + 0.0065 * max(len(name) for name in order))  # of the width, for the name of the best
    right = low - margin + (high - low + margin) / (1 - room)
    axes.set(xlabel=what, yticks=(), xlim=(low - margin, right), ylim=(-len(order) - 1, 0.6 * len(runs) + 0.6))
    axes.axhline(0, color="black", linewidth=0.8)
    axes.spines[["left", "right", "top"]].set_visible(False)
    return figure


def confusions(members: Sequence[TestedMember]) -> Figure:
    """Draw the confusion matrix of each member at its own operating point, folds summed.

    Parameters
    ----------
    members
        Members of one seed.

    Returns
    -------
    Figure
        A panel for each member.
    """
    figure = _figure(2.8 * len(members), 3.5)
    for axes, member in zip(np.ravel(figure.subplots(1, len(members))), members, strict=True):
        table = np.array([[((member.reference == r) & (member.decisions == d)).sum() for d in (0, 1)] for r in (0, 1)])
        share = table / table.sum(1, keepdims=True)
        axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
        for (row, col), n in np.ndenumerate(table):
            colour = "black" if share[row, col] > 0.5 else "white"
            axes.text(col, row, f"{n}\n{share[row, col]:.1%}", ha="center", va="center", color=colour)
        axes.set(title=textwrap.fill(member.name, 26), xticks=(0, 1), yticks=(0, 1), xlabel="decision", ylabel="reference")
        axes.set_xticklabels(("negative", "positive"))
        axes.set_yticklabels(("negative", "positive"), rotation=90, va="center")
        axes.title.set_fontsize(8)
    return figure


def learning(checkpoints: Mapping[str, Path]) -> Figure:
    """Draw loss and ROC-AUC on tune over the epochs.

    Parameters
    ----------
    checkpoints
        Folder of the checkpoint by network.

    Returns
    -------
    Figure
        Two panels.
    """
    figure = _figure(11, 4.2)
    left, right = figure.subplots(1, 2)
    for name, folder in checkpoints.items():
        history = read_table(folder / CURVES_NAME)
        epochs = [row.epoch for row in history]
        left.plot(epochs, [row.tune_loss for row in history], "o-", markersize=3, label=name)
        right.plot(epochs, [row.tune_auc for row in history], "o-", markersize=3)
    left.set(xlabel="epoch", ylabel="loss on tune")
    right.set(xlabel="epoch", ylabel="ROC-AUC on tune")
    left.legend(fontsize=8)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def pareto(
    figures: Mapping[str, float],
    costs: Mapping[str, Mapping[str, float]],
    against: Sequence[str],
    what: str,
    uninformed: float | None = None,
) -> Figure:
    """Draw a figure over each cost, with its Pareto front.

    Parameters
    ----------
    figures
        The figure by network.
    costs
        Costs by network and name.
    against
        Names of the costs, one panel each.
    what
        Name of the figure.
    uninformed
        The best value of an uninformed baseline, drawn as a line.

    Returns
    -------
    Figure
        A panel for each cost.
    """
    figure = _figure(5.2 * len(against), 4.4)
    drawn = dict(zip(against, np.ravel(figure.subplots(1, len(against))), strict=True))
    points = {cost: {name: (costs[name][cost], value) for name, value in figures.items() if name in costs} for cost in against}
    for cost, axes in drawn.items():
        best = front(points[cost])
        axes.plot(*zip(*(points[cost][name] for name in best), strict=True), "-", color="C3", label="Pareto front")
        for name, (x, y) in points[cost].items():
            axes.plot(x, y, "o", color="C3" if name in best else "grey")
        if uninformed is not None:
            axes.axhline(uninformed, linestyle=":", color="grey", label="best uninformed baseline")
        axes.margins(x=0.25, y=0.1)  # room for names next to the points
        axes.set(xlabel=cost, ylabel=what, xscale="log" if _wide([x for x, _ in points[cost].values()]) else "linear")
        axes.legend(fontsize=8)
    figure.draw_without_rendering()  # the points have their places now
    for cost, axes in drawn.items():
        _name(axes, points[cost])
    return figure


def _name(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write the names of points next to them without overlap."""
    texts = [axes.text(x, y, name, fontsize=8) for name, (x, y) in points.items()]
    xs, ys = zip(*points.values(), strict=True)
    adjust_text(
        texts, list(xs), list(ys), ax=axes, expand=(1.15, 1.5), arrowprops={"arrowstyle": "-", "color": "grey", "lw": 0.6}
    )


def _wide(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis shows more than a linear one."""
    return min(values) > 0 and max(values) > 4 * min(values)


def heat_maps(readers: Mapping[str, Reader], cases: Sequence[tuple[str, Radiograph]]) -> Image.Image:
    """Paint heat maps: a row for each case, a column for each network, each map on its model's own scale.

    Parameters
    ----------
    readers
        By name of the network.
    cases
        Label and radiograph.

    Returns
    -------
    Image.Image
        RGB, with probability and decision below each map.
    """
    font, pitch = ImageFont.load_default(12), _CELL + _GAP
    first = _GAP + max(_CELL, *(math.ceil(font.getlength(label)) for label, _ in cases))
    sheet = Image.new("RGB", (first + pitch * len(readers), (_CELL + _MARGIN) * len(cases) + _MARGIN), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(readers):
        draw.text((first + column * pitch + 3, 6), name, fill=_TEXT, font=font)
    for row, (label, image) in enumerate(cases):
        small = _small(image)
        top = row * (_CELL + _MARGIN) + _MARGIN
        grey = np.repeat(np.rint(small.pixels * 255).astype(np.uint8)[..., None], 3, 2)
        sheet.paste(Image.fromarray(grey), (0, top))
        draw.text((3, top + _CELL + 4), label, fill=_TEXT, font=font)
        for column, reader in enumerate(readers.values()):
            reading, left = reader.read(image), first + column * pitch
            sheet.paste(Image.fromarray(blend(small, reading.heatmap.on_grid(small.rows, small.cols))), (left, top))
            text = f"{reading.score.probability:.3f}, {reading.decision}"
            draw.text((left + 3, top + _CELL + 4), text, fill=_TEXT, font=font)
    return sheet


def _small(image: Radiograph) -> Radiograph:
    resized = Image.fromarray(image.pixels).resize((_CELL, _CELL), Image.Resampling.BILINEAR)
    return Radiograph(np.asarray(resized, np.float32))
