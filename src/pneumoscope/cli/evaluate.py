"""``pneumoscope evaluate``: a checkpoint or bundle on one side of a split, or stored predictions again."""

import dataclasses
import json
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, atomic_files
from pneumoscope.classifier import card as cards
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.cli.models import load as load_model
from pneumoscope.cohort import SPLITS, table
from pneumoscope.evaluation import plots, predictions, tables
from pneumoscope.evaluation.evaluate import evaluate
from pneumoscope.evaluation.predictions import Predictions


@click.command("evaluate")
@click.argument("model", required=False, type=ModelFolder())
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), help="Split cohort to evaluate on.")
@click.option("--side", "--split", "side", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--predictions",
    "stored",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of MODEL and --cohort: predictions.csv of an earlier run.",
)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--rule",
    default="youden",
    show_default=True,
    help="Operating point of the model: youden, sensitivity>=0.95, specificity>=0.95.",
)
@click.option("--subgroup", default="subtype", show_default=True, help="Column of the subgroup table.")
@click.option("--draws", default=2000, show_default=True, help="Bootstrap draws of patients.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--record", is_flag=True, help="Write the figures into MODEL's card as well.")
def command(
    model: Path | None,
    cohort_: Path | None,
    side: str,
    stored: Path | None,
    out: Path,
    rule: str,
    subgroup: str,
    draws: int,
    seed: int,
    record: bool,
) -> None:
    """Measure a checkpoint or bundle MODEL: every figure with its 95 % interval, the patient as the unit.

    The threshold and the calibration are those fixed on the tune side. On the side that they were fixed on, only the figures
    that need neither are given.
    """
    if (stored is None) == (model is None or cohort_ is None):
        raise click.UsageError("give MODEL and --cohort, or --predictions")
    if record and model is None:
        raise click.UsageError("--record needs MODEL")
    if draws < 1 or seed < 0:
        raise click.UsageError("--draws must be at least 1 and --seed not below 0")
    rows = predictions.read(stored) if stored else _predict(model, cohort_, side)
    result = evaluate(rows, rule=rule, subgroup=subgroup, on_itself="leave-out", draws=draws, seed=seed)
    predictions.write(rows, out / "predictions.csv")
    text = tables.as_markdown(result)
    for name, content in (
        ("metrics.json", json.dumps(tables.as_json(result), indent=2)),
        ("metrics.md", f"{text}\n{DISCLAIMER}"),
    ):
        with atomic_files.text(out / name) as stream:
            stream.write(content + "\n")
    plots.plot(out / "plots.png", rows, result)
    if record and model is not None:
        card = cards.read(model)
        cards.write(dataclasses.replace(card, results={**card.results, side: tables.as_json(result)}), model)
    click.echo(text)
    click.echo(f"predictions, tables and plots: {out}. {DISCLAIMER}")


def _predict(model: Path | None, cohort_: Path | None, side: str) -> Predictions:
    assert model is not None
    assert cohort_ is not None
    loaded = load_model(model)
    card = loaded.card
    cohort = table.read(cohort_)
    if cohort.partition and cohort.partition.sha256 != card.split_sha256:
        click.echo(
            f"note: '{card.name}' was trained under split {card.split_sha256[:12]}, this is split "
            f"{cohort.partition.sha256[:12]}: make sure that no patient of this side was trained on",
            err=True,
        )
    return predictions.predict(cohort, side, loaded, show_progress=True)
