"""``pneumoscope calibrate``: fix the settings of a population on cohorts of its patients."""

from pathlib import Path
from typing import get_args

import click
import numpy as np

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import Population, PopulationSettings
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.checkpoint import load
from pneumoscope.classifier.population import PLURALS
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.cli.device_options import device_option
from pneumoscope.cohort import SPLITS, table
from pneumoscope.training.population import PART_NAMES, RULES, Calibrated, CohortPart, Measured, calibrate


@click.command("calibrate")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--cohort",
    "cohorts",
    multiple=True,
    required=True,
    metavar="FILE[:SPLIT]",
    help="Cohort of the population, with the part of its split (train, tune; all for a cohort without a split); may be repeated, "
    "for example one of positive and one of negative patients.",
)
@click.option("--split", default="tune", show_default=True, help="Part of the split of a cohort that is given without one.")
@click.option(
    "--population",
    type=click.Choice(get_args(Population)),
    required=True,
    help="The population; cases of the other one are left out.",
)
@click.option(
    "--rule",
    default=RULES[0],
    show_default=True,
    help="Rule of the default operating point: youden, or sensitivity>=X or specificity>=X, such as specificity>=0.97.",
)
@click.option(
    "--calibration",
    "method",
    type=click.Choice(get_args(CalibrationMethod)),
    default="logistic",
    show_default=True,
    help="How log-odds become probabilities.",
)
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of positives that the probabilities are to be right for (logistic calibration). By default that of the images.",
)
@device_option
def command(
    run: Path,
    cohorts: tuple[str, ...],
    split: str,
    population: Population,
    rule: str,
    method: CalibrationMethod,
    prevalence: float | None,
    device: str,
) -> None:
    """Fix the settings of a population for the checkpoint RUN, and write them into its card.

    Calibration, operating points, grey zone, the limit of the domain and the threshold of findings are fixed on the images of the
    cohorts, which must not be a test split and must hold no patient that the model was trained on. `pneumoscope export` carries
    the settings into a bundle, whose reader then reads each patient with the settings of the population.
    """
    parts = [_part(text, split, population) for text in cohorts]
    classifier = load(run, devices.find(device))
    calibrated = calibrate(classifier, run, parts, rule=rule, method=method, prevalence=prevalence, show_progress=True)
    click.echo("\n".join([*_report(population, calibrated), *map(_selection, parts)]))
    click.echo(f"written to {run / CARD_NAME}; next: pneumoscope export {run} -o BUNDLE. {DISCLAIMER}")


def _part(text: str, default: str, population: Population) -> CohortPart:
    """A cohort and a part of its split, from FILE or FILE:SPLIT."""
    file, _, split = text.rpartition(":")
    if not file or split not in (*SPLITS, "all"):
        file, split = text, default
    if split not in (*SPLITS, "all"):
        raise click.UsageError(f"'{split}' is no part of a split; give one of {', '.join(PART_NAMES)}")
    path = Path(file)
    return CohortPart(table.read(path), split, path.stem, population)  # type: ignore[arg-type]  # the test split is refused there


def _selection(part: CohortPart) -> str:
    """Which cases of a cohort were taken, and which were left out."""
    return (
        f"{part.name}: {part.n_left_out:,} images of another population left out; {part.n_taken:,} images of which the cohort "
        f"does not tell the population taken as {PLURALS[part.population]}"
    )


def _report(population: Population, calibrated: Calibrated) -> list[str]:
    settings, measured = calibrated.settings, calibrated.measured
    n, positive = len(measured.reference), int(measured.reference.sum())
    lines = [f"settings of the population {population}, fixed on {n:,} images, {positive:,} positive ({positive / n:.1%}):"]
    lines += [
        f"  {one.source} ({one.split}): {one.n_images:,} images of {one.n_patients:,} patients, {one.n_positive:,} positive"
        for one in settings.fixed_on
    ]
    lines += [f"  {calibrated.training_overlap}", *_answers(settings, measured)]
    if settings.domain is not None:
        lines.append(f"domain: up to a distance of {settings.domain.distance:.3f}; {settings.domain.rule}")
    return [*lines, f"findings: from a heat map value of {settings.finding_threshold:.4f}"]


def _answers(settings: PopulationSettings, measured: Measured) -> list[str]:
    fitted, zone = settings.calibration, settings.grey_zone
    probability = fitted(measured.log_odds)
    present = measured.reference == 1
    prevalence = measured.reference.mean() if settings.prevalence is None else settings.prevalence
    lines = [
        f"calibration: {fitted.method}, slope {1 / fitted.temperature:.4f}, intercept {fitted.intercept:.4f}; "
        f"right for a prevalence of {prevalence:.1%}",
        "operating points (sensitivity and specificity on these same images, so that they are too good):",
    ]
    for point in settings.operating_points:
        share = probability >= point.threshold
        default = " (default)" if point is settings.operating_point else ""
        lines.append(
            f"  {point.rule}{default}: threshold {point.threshold:.4f}, log-odds {fitted.inverse(point.threshold):.4f}; "
            f"sensitivity {share[present].mean():.3f}, specificity {1 - share[~present].mean():.3f}"
        )
    if zone is not None:
        unsure = np.mean([zone.holds(p) for p in probability])
        lines.append(f"grey zone: {zone.low:.4f} to {zone.high:.4f}, {unsure:.1%} of these images")
    return lines
