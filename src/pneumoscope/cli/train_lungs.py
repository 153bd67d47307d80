"""``pneumoscope train-lungs``: train a lung-field model on radiographs with lung masks."""

import shutil
from pathlib import Path

import click

from pneumoscope.classifier import device as devices
from pneumoscope.cli.device_options import compile_option, device_option, precision_option
from pneumoscope.cohort import table
from pneumoscope.cohort.case import SPLITS
from pneumoscope.export.lungs import export
from pneumoscope.lung_fields.card import CARD_NAME
from pneumoscope.training.compute import Compute
from pneumoscope.training.lung_fields.fit import LungEpoch, fit
from pneumoscope.training.lung_fields.recipe import LungRecipe
from pneumoscope.training.lung_fields.squares import LungSet
from pneumoscope.training.precision import Precision


@click.command("train-lungs")
@click.argument("sets", metavar="COHORT:MASKS:SPLIT...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the model.")
@click.option("--resume", is_flag=True, help="Continue after the last completed epoch.")
@click.option("--epochs", type=click.IntRange(1), default=LungRecipe().epochs, show_default=True, help="Number of epochs.")
@click.option("--batch", type=click.IntRange(2), default=LungRecipe().batch, show_default=True, help="Images per step.")
@click.option("--seed", type=click.IntRange(0), default=LungRecipe().seed, show_default=True, help="Random seed.")
@device_option
@precision_option
@compile_option
@click.option("--data-licence", multiple=True, help="Source and licence of the training data, for the card; may be repeated.")
def command(
    sets: tuple[str, ...], out: Path, resume: bool, epochs: int, batch: int, seed: int, device: str, precision: Precision,
    compiled: bool, data_licence: tuple[str, ...],
) -> None:  # fmt: skip
    """Train a network that segments the lung fields.

    Each COHORT:MASKS:SPLIT names a split cohort, a folder of PNG masks (with the path or the name of their radiograph), and the
    split to train on. At least one cohort must have a tune split that is not trained on; it fixes the quality threshold. The
    model is evaluated on all tune and test splits that are not trained on. An interrupted run loses at most the current epoch:
    run the command again with --resume.
    """
    recipe = LungRecipe(epochs=epochs, batch=batch, seed=seed)
    if (out / CARD_NAME).exists():
        raise click.UsageError(f"'{out}' already holds a lung-field model; choose another folder")
    parsed = [_set(text) for text in sets]
    if len({s.name for s in parsed}) < len(parsed):
        raise click.UsageError("two cohorts have the same file name, which identifies their results; rename one")

    def report(row: LungEpoch) -> None:
        click.echo(
            f"epoch {row.epoch}/{epochs}: loss {row.loss:.4f}, tune Dice {row.tune_dice:.4f}, {row.images_per_s:.0f} images/s"
        )

    compute = Compute(devices.find(device), precision, compiled)
    click.echo(compute)
    trained = fit(parsed, recipe, out, compute=compute, resume=resume, show_progress=True, on_epoch=report, licences=data_licence)
    card = export(trained.network, trained.card, trained.proof, out)
    shutil.rmtree(out / "state")
    for name, row in card.results.items():
        click.echo(
            f"{name}: {row['images']} images, Dice {row['dice_mean']:.3f} (lowest {row['dice_least']:.3f}), "
            f"mean boundary distance {row['boundary_distance_percent_of_side']:.2f} % of the image side"
        )
    click.echo(f"a lung counts as found if its quality is at least {card.quality_threshold:.3f}; model: {out}")


def _set(text: str) -> LungSet:
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or parts[2] not in SPLITS:
        raise click.UsageError(f"'{text}' should be COHORT:MASKS:SPLIT, where SPLIT is one of {', '.join(SPLITS)}")
    cohort, masks, split = Path(parts[0]), Path(parts[1]), parts[2]
    if not masks.is_dir():
        raise click.UsageError(f"'{masks}' is not a folder of masks")
    return LungSet(cohort.stem, table.read(cohort), masks, split)
