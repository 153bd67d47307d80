"""``pneumoscope calibrate-severity``: fix the severity scale of a model on tune."""

import dataclasses
from pathlib import Path

import click

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import card as cards
from pneumoscope.cli import models
from pneumoscope.cli.zone_options import read_zones, zone_options
from pneumoscope.cohort import SPLITS, Cohort, table
from pneumoscope.localization.severity_calibration import (
    MASKS_REFERENCE,
    SeverityFit,
    ZoneReference,
    calibrate,
    masks_reference,
    readers_reference,
)
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings.severity import SEVERITY_NAME
from pneumoscope.reference import opacity_masks


@click.command("calibrate-severity")
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), required=True, help="Split cohort with the tune images.")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="tune",
    show_default=True,
    help="The split to fix the scale on; any other than tune is refused.",
)
@click.option(
    "--regions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of opacity masks (grey PNG): grey value / 255 is the opaqueness, 128 ground glass, 255 consolidation.",
)
@zone_options
def command(model: Path, cohort_: Path, split: str, regions: Path | None, zones: Path | None, zone_max: int) -> None:
    """Fix the severity scale of MODEL (a checkpoint or a bundle) on the tune split of a cohort, and write it into its card.

    Half of the patients give the grades of the lung zones (0 to 3) by the density of the heat map, the other half the 90 %
    prediction interval of the score (0 to 18). The reference score of a zone is 3 × the mean opaqueness of its lung by
    --regions, or the mean of the readers' scores by --zones.
    """
    if split != "tune":
        raise click.UsageError(f"a severity scale is fixed on tune, never on the {split} split; leave out --split")
    if (regions is None) == (zones is None):
        raise click.UsageError("give either --regions or --zones: the opacity masks, or the readers' zone scores")
    if model.resolve() in {folder.resolve() for folder in SHIPPED.values()}:
        raise click.UsageError("the shipped models stay as they are; copy the folder of the bundle and calibrate the copy")
    cohort = table.read(cohort_)
    reference, description = _reference(regions, zones, zone_max, cohort)
    with models.reader(model) as reader:
        fitted = calibrate(reader, cohort, reference, f"{description}; {cohort_.stem}", show_progress=True)
    cards.write(dataclasses.replace(cards.read(model), severity=fitted.scale), model)
    click.echo(_report(fitted))
    click.echo(f"written into the card of '{model}': {SEVERITY_NAME}. {DISCLAIMER}")


def _reference(regions: Path | None, zones: Path | None, zone_max: int, cohort: Cohort) -> tuple[ZoneReference, str]:
    if regions is not None:
        masks = opacity_masks.read(regions, [case.path for case in cohort.cases])
        click.echo(masks.summary(), err=True)
        return masks_reference(masks), MASKS_REFERENCE
    assert zones is not None
    scores = read_zones(zones, zone_max, cohort)
    readers = "1 reader" if len(scores.readers) == 1 else f"{len(scores.readers)} readers"
    return readers_reference(scores), f"mean zone scores of {readers}, 0 to {zone_max}, × 3 / {zone_max}"


def _report(fitted: SeverityFit) -> str:
    scale = fitted.scale
    knots = ", ".join(f"{density:.3f} → {grade:.2f}" for density, grade in scale.knots)
    left_out = f"{fitted.n_images} images, {fitted.left_out} left out without a reference or both lungs"
    return (
        f"grades of {scale.n_fitted} patients: density {knots}\n"
        f"{scale.coverage:.0%} interval of {scale.n_patients} other patients: score ± {scale.half_width:.1f}, mean absolute "
        f"error {fitted.mean_error:.1f} ({left_out})"
    )
