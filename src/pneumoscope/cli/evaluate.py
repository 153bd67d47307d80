"""``pneumoscope evaluate``: figures of a checkpoint or bundle on one part of a split, or of stored predictions."""

import dataclasses
import json
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, atomic_files
from pneumoscope.classifier import Population
from pneumoscope.classifier import card as cards
from pneumoscope.cli.device_options import device_option
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.cli.models import load as load_model
from pneumoscope.cli.population_option import population_option
from pneumoscope.cohort import SPLITS, table
from pneumoscope.evaluation import Predictions, evaluate, patient_groups, plots, predict, prediction_files, tables


@click.command("evaluate")
@click.argument("model", required=False, type=ModelFolder())
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), help="Split cohort to evaluate on.")
@click.option(
    "--split",
    "--side",
    "split",
    type=click.Choice(SPLITS),
    default="test",
    show_default=True,
    help="Part of the split to test on.",
)
@population_option
@click.option(
    "--predictions",
    "stored",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of MODEL and --cohort: predictions.csv of an earlier run.",
)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--rule",
    help="Operating point of the model by its rule, such as youden or specificity>=0.95; by default the one that decides its "
    "readings.",
)
@click.option("--subgroup", default="subtype", show_default=True, help="Column whose values make subgroups.")
@click.option(
    "--by",
    default="",
    metavar="age,sex,view",
    help="Measure groups of patients by age band (0-17, 18-39, 40-59, 60-79, 80+ years), sex and view position, each with its "
    "difference to all other images.",
)
@click.option("--draws", default=2000, show_default=True, help="Bootstrap draws of patients.")
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--allow-training-patients", is_flag=True, help="Test on patients that MODEL was trained on too, and mark every result."
)
@device_option
@click.option("--record", is_flag=True, help="Write the figures into MODEL's card as well.")
def command(
    model: Path | None,
    cohort_: Path | None,
    split: str,
    population: Population | None,
    stored: Path | None,
    out: Path,
    rule: str | None,
    subgroup: str,
    by: str,
    draws: int,
    seed: int,
    allow_training_patients: bool,
    device: str,
    record: bool,
) -> None:
    """Measure a checkpoint or bundle MODEL: every figure with its 95 % interval, the patient as the unit.

    The threshold and the calibration are those that were fitted on the tune side. On the side that they were fitted on, only
    the figures that need neither are given. A model is not tested on patients or images that it was trained on.
    """
    if (stored is None) == (model is None or cohort_ is None):
        raise click.UsageError("give MODEL and --cohort, or --predictions")
    if stored and device not in ("auto", "cpu"):
        raise click.UsageError("--device is for MODEL; stored predictions need none")
    if stored and population:
        raise click.UsageError("--population is for MODEL; stored predictions have their population already")
    if record and model is None:
        raise click.UsageError("--record needs MODEL")
    if draws < 1 or seed < 0:
        raise click.UsageError("--draws must be at least 1 and --seed at least 0")
    columns = patient_groups.parse_columns(by)
    rows = (
        prediction_files.read(stored)
        if stored
        else _predict(model, cohort_, split, population, allow_training_patients, device, with_domain=bool(columns))
    )
    result = evaluate(
        rows,
        rule=rule,
        subgroup=subgroup,
        by=columns,
        on_itself="leave-out",
        allow_training_patients=allow_training_patients,
        draws=draws,
        rng=seed,
    )
    text = tables.as_markdown(result)
    if result.groups:
        with atomic_files.text(out / "groups.csv") as stream:
            stream.write(patient_groups.table(result.groups).csv())
    prediction_files.write(rows, out / "predictions.csv")
    for name, content in (
        ("metrics.json", json.dumps(tables.as_json(result), indent=2)),
        ("metrics.md", f"{text}\n{DISCLAIMER}"),
    ):
        with atomic_files.text(out / name) as stream:
            stream.write(content + "\n")
    plots.plot(out / "plots.png", rows, result)
    if record and model is not None:
        card = cards.read(model)
        measured = f"{split}, {rows.population}" if rows.population else split
        cards.write(dataclasses.replace(card, results={**card.results, measured: tables.as_json(result)}), model)
    click.echo(text)
    click.echo(f"predictions, tables and plots: {out}. {DISCLAIMER}")


def _predict(
    model: Path | None,
    cohort_: Path | None,
    split: str,
    population: Population | None,
    allow_training_patients: bool,
    device: str,
    *,
    with_domain: bool,
) -> Predictions:
    assert model is not None
    assert cohort_ is not None
    loaded = load_model(model, device)
    return predict(
        table.read(cohort_),
        split,
        loaded,
        population=population,
        with_domain=with_domain,
        allow_training_patients=allow_training_patients,
        show_progress=True,
    )
