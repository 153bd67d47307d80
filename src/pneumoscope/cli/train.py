"""``pneumoscope train``: train a classifier on a split cohort."""

from pathlib import Path

import click

from pneumoscope.classifier.backbone import backbone as look_up
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.cli.device_options import compile_option, device_option, precision_option
from pneumoscope.cli.training_options import (
    HELP,
    cache_option,
    chosen,
    licence_option,
    lungs_option,
    population_option,
    recipe_options,
    teacher_option,
)
from pneumoscope.cohort import table
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import from_json
from pneumoscope.training.compute import Compute
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.fit import fit, has_state
from pneumoscope.training.fixed_on_tune import BY_SOURCE
from pneumoscope.training.precision import Precision
from pneumoscope.training.process_group import joined


@click.command("train")
@click.argument("cohort_", metavar="COHORT", type=click.Path(path_type=Path))
@click.option(
    "--backbone",
    required=True,
    help="Architecture: resnet18, resnet50, densenet121, efficientnet_b0, mobilenet_v2, mobilenet_v3_large, vit_b_16 or "
    "efficientnet_lite0.",
)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the checkpoint.")
@click.option(
    "--init",
    default="imagenet",
    show_default=True,
    help="Initial weights: imagenet, timm:NAME (pretrained weights of timm, such as timm:resnet18.a1_in1k), scratch (random), or "
    "a .safetensors or .pth file.",
)
@click.option("--recipe", "recipe_", default="default", show_default=True, help=HELP)
@click.option("--resume", is_flag=True, help="Continue after the last completed epoch.")
@click.option(
    "--calibration",
    type=click.Choice(["temperature", "isotonic", "none"]),
    default="temperature",
    show_default=True,
    help="Calibration of the probabilities, fitted on tune.",
)
@device_option
@precision_option
@compile_option
@cache_option
@lungs_option
@teacher_option
@licence_option
@population_option
@recipe_options
def command(
    cohort_: Path,
    backbone: str,
    out: Path,
    init: str,
    recipe_: str,
    resume: bool,
    calibration: CalibrationMethod,
    device: str,
    precision: Precision,
    compiled: bool,
    cache: Path,
    lungs: Path,
    teacher: Path | None,
    licences: tuple[str, ...],
    population: str,
    **changes: object,
) -> None:
    """Train a classifier on the train split of COHORT; epoch, threshold and calibration are selected on the tune split.

    An interrupted run loses at most the current epoch: run the command again with --resume. Under torchrun, each batch is divided
    among the processes, and restarted processes resume automatically.
    """
    recipe = chosen(recipe_, changes)

    def report(epoch: Epoch) -> None:
        click.echo(
            f"epoch {epoch.epoch}/{recipe.epochs}: loss {epoch.loss:.4f}, tune loss {epoch.tune_loss:.4f}, "
            f"tune ROC-AUC {epoch.tune_auc:.4f}, {epoch.images_per_s:.1f} images/s"
        )

    with joined() as group:
        if group.restarted and (out / CARD_NAME).exists() and not has_state(out):
            return  # the process was restarted after the run had finished
        compute = Compute(group.device(device), precision, compiled)
        if group.leads:
            click.echo(compute)
        card = fit(
            table.read(cohort_),
            look_up(backbone),
            recipe,
            out,
            init=init,
            cache=cache,
            teacher=Reader.load(teacher, policy=MARK_ALL) if teacher else None,
            finder=LungFinder.load(lungs) if recipe.crop == "lungs" or recipe.adds_up else None,
            resume=group.from_leader(lambda: resume or (group.launched and has_state(out))),
            group=group,
            compute=compute,
            calibrate=calibration,
            show_progress=group.leads,
            on_epoch=report,
            licences=licences,
            population=population,
        )
    if not group.leads:
        return
    point = card.operating_point
    for source, auc in card.results.get(BY_SOURCE, {}).items():
        click.echo(f"tune ROC-AUC of {source}: {from_json(auc)}")
    click.echo(f"threshold {point.threshold:.4f} by {point.rule} on {point.split}; checkpoint and learning curves: {out}")
    click.echo(f"next: pneumoscope evaluate {out} --cohort {cohort_} --split test -o {out}/test")
