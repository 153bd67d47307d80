"""Learning curves as a table and a picture."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pneumoscope import atomic_files, csv_cells
from pneumoscope.training.epoch import Epoch

CURVES_NAME = "curves.csv"
WORDS = ("device", "device_name", "precision", "libraries")
"""Columns that are no numbers: what computed an epoch."""


def write_table(path: Path, history: Sequence[Epoch]) -> None:
    """Write the learning curves as CSV, one line for each epoch.

    Parameters
    ----------
    path
        The file; replaced whole.
    history
        The finished epochs, at least one.
    """
    with atomic_files.text(path) as stream:
        csv_cells.write_rows(stream, [asdict(history[0]), *(asdict(row).values() for row in history)])


def read_table(path: Path) -> list[Epoch]:
    """Read the learning curves that `write_table` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Epoch
        The finished epochs.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        return [_row(row) for row in csv_cells.read_records(stream)]


def _row(row: dict[str, str]) -> Epoch:
    words = {name: row.pop(name, "") for name in WORDS}
    whole = {"epoch": int(row.pop("epoch")), "processes": int(row.pop("processes", "1"))}
    return Epoch(**whole, **{name: float(value) for name, value in row.items()}, **words)  # type: ignore[arg-type]  # by name


def plot(path: Path, history: Sequence[Epoch]) -> None:
    """Plot loss on train and tune, and ROC-AUC on tune, over the epochs.

    Parameters
    ----------
    path
        The PNG file; replaced whole.
    history
        The finished epochs, at least one.
    """
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = [e.epoch for e in history]
    left.plot(epochs, [e.loss for e in history], "o-", label="train (augmented)")
    left.plot(epochs, [e.tune_loss for e in history], "s--", label="tune")
    left.set(xlabel="epoch", ylabel="loss")
    left.legend()
    right.plot(epochs, [e.tune_auc for e in history], "s--", color="C1")
    right.set(xlabel="epoch", ylabel="ROC-AUC on tune")
    with atomic_files.binary(path) as stream:
        figure.savefig(stream, dpi=120)
