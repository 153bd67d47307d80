"""The picture of an evaluation: ROC, precision–recall, reliability and confusion matrix."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from pneumoscope import atomic_files
from pneumoscope.evaluation.evaluation import Evaluation
from pneumoscope.evaluation.predictions import Predictions
from pneumoscope.statistics.figure import Figure as Name


def plot(path: Path, predictions: Predictions, evaluation: Evaluation) -> None:
    """Draw ROC, precision–recall, reliability and confusion as four panels of one PNG.

    Parameters
    ----------
    path
        The file to write, whole or not at all.
    predictions
        What was evaluated.
    evaluation
        Its figures.
    """
    figure = Figure(figsize=(12, 11), layout="constrained")
    FigureCanvasAgg(figure)
    (roc, pr), (reliability, matrix) = figure.subplots(2, 2)
    _roc(roc, predictions, evaluation)
    _precision_recall(pr, predictions, evaluation)
    _reliability(reliability, predictions)
    _confusion(matrix, evaluation)
    figure.suptitle(
        f"{evaluation.model}, {evaluation.split} side: {evaluation.n_images} images of {evaluation.n_patients} patients, "
        f"{evaluation.n_positive} positive\n{_notice(evaluation)}"
    )
    with atomic_files.binary(path) as stream:
        figure.savefig(stream, dpi=100)


def _notice(evaluation: Evaluation) -> str:
    notice = "Research software, not a medical device"
    return f"TESTED ON TRAINING PATIENTS. {notice}" if evaluation.training_overlap else notice


def _roc(axes: Axes, predictions: Predictions, evaluation: Evaluation) -> None:
    false_alarms, sensitivity, _ = roc_curve(predictions.reference, predictions.probability)
    axes.plot(false_alarms, sensitivity, label=f"ROC-AUC {evaluation.figures[Name.ROC_AUC]}")
    axes.plot([0, 1], [0, 1], ":", color="grey")
    if evaluation.confusion:
        tn, fp, fn, tp = evaluation.confusion
        axes.plot(fp / (fp + tn), tp / (tp + fn), "o", color="C3", label="operating point, fixed on tune")
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", title="ROC", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")


def _precision_recall(axes: Axes, predictions: Predictions, evaluation: Evaluation) -> None:
    precision, recall, _ = precision_recall_curve(predictions.reference, predictions.probability)
    axes.step(recall, precision, where="post", label=f"PR-AUC {evaluation.figures[Name.PR_AUC]}")
    axes.axhline(predictions.reference.mean(), ls=":", color="grey", label="prevalence")
    axes.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", title="Precision–recall", ylim=(-0.01, 1.01))
    axes.legend(loc="lower left")


def _reliability(axes: Axes, predictions: Predictions, bins: int = 10) -> None:
    which = np.minimum((predictions.probability * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    filled = count > 0
    mean = np.bincount(which, predictions.probability, bins)[filled] / count[filled]
    observed = np.bincount(which, predictions.reference, bins)[filled] / count[filled]
    axes.plot([0, 1], [0, 1], ":", color="grey")
    axes.plot(mean, observed, "o-")
    for x, y, n in zip(mean, observed, count[filled], strict=True):
        axes.annotate(f"n = {n}", (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xlabel="calibrated probability", ylabel="share of positives", title="Reliability, 10 bins")


def _confusion(axes: Axes, evaluation: Evaluation) -> None:
    axes.set(title="Confusion at the operating point", xticks=(0, 1), yticks=(0, 1), xlabel="decision", ylabel="reference")
    axes.set_xticklabels(("negative", "positive"))
    axes.set_yticklabels(("negative", "positive"))
    if evaluation.confusion is None:
        axes.text(0.5, 0.5, "the threshold or the calibration was fitted on this side", transform=axes.transAxes, ha="center")
        return
    table = np.array(evaluation.confusion, float).reshape(2, 2)
    share = table / table.sum(1, keepdims=True)
    axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for (row, col), n in np.ndenumerate(table):
        colour = "black" if share[row, col] > 0.5 else "white"
        axes.text(col, row, f"{int(n)}\n{share[row, col]:.1%}", ha="center", va="center", color=colour, fontsize=14)
