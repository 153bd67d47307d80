"""``pneumoscope study size``."""

import re
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, atomic_files
from pneumoscope.reader_study import formats
from pneumoscope.reader_study.analysis.analyse import analyse
from pneumoscope.reader_study.analysis.plan import POPULATIONS, Plan
from pneumoscope.reader_study.analysis.size import Question, components_of, size_table
from pneumoscope.reader_study.analysis.size_picture import size_picture
from pneumoscope.statistics.multireader.sizing import StatedComponents

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


# fmt: off
@click.command("size")
@click.option("--pilot", type=click.Path(exists=True, path_type=Path),
              help="Table of a fully crossed pilot study, as `study analyse` reads it.")
@click.option("--components", metavar="VarTR,Var,Cov1,Cov2,Cov3,CASES",
              help="Instead of a pilot: variance components of Obuchowski-Rockette and the number of cases they are of.")
@click.option("--effect", type=float, required=True, help="Difference of the figures that is to be shown, such as 0.05.")
@click.option("--readers", default="3-12", show_default=True, help="Number of readers, or a range such as 4-10.")
@click.option("--cases", multiple=True, type=click.IntRange(2), help="Also give the power with this many cases; may be repeated.")
@click.option("--power", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.8, show_default=True,
              help="Wanted power.")
@click.option("--groups", type=click.IntRange(1), default=1, show_default=True,
              help="Groups of a split-plot study: each reader reads one share of the cases.")
@click.option("--population", type=click.Choice(list(POPULATIONS)), default="readers and cases", show_default=True,
              help="What is random.")
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True,
              help="Two-sided significance level.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw the power against the number of cases: an SVG file.")
def command(
    pilot: Path | None, components: str | None, effect: float, readers: str, cases: tuple[int, ...], power: float, groups: int,
    population: str, alpha: float, plot: Path | None,
) -> None:
    # fmt: on
    """Compute how many cases and readers a comparison of two modalities needs (Hillis, Obuchowski & Berbaum 2011).

    Cases are those of the whole study, in the pilot's mix of cases with and without the target.
    """
    if (pilot is None) == (components is None):
        raise click.UsageError("give --pilot or --components")
    stated = components_of(analyse(formats.read(pilot), Plan())) if pilot else _stated(components or "")
    question = Question(effect, power, POPULATIONS[population], alpha, groups)
    wanted = [n for n in _numbers(readers) if n % groups == 0]
    if not wanted or any(n % groups for n in cases):
        raise click.UsageError(f"{groups} groups need numbers of readers and cases that they divide")
    click.echo(
        f"components of {stated.n_cases} cases: VarTR {stated.modality_reader:.6f}, Var {stated.variance:.6f}, "
        f"Cov1 {stated.cov1:.6f}, Cov2 {stated.cov2:.6f}, Cov3 {stated.cov3:.6f}; effect {effect:g}, α = {alpha:g}, "
        f"{question.population}{f', {groups} groups' if groups > 1 else ''}\n"
    )
    click.echo(size_table(stated, question, wanted, cases).markdown())
    if plot:
        with atomic_files.text(plot) as stream:
            stream.write(size_picture(stated, question, wanted))
        click.echo(f"plot: {plot}")
    click.echo(DISCLAIMER)


def _stated(text: str) -> StatedComponents:
    try:
        *values, n_cases = text.split(",")
        modality_reader, variance, cov1, cov2, cov3 = map(float, values)
        return StatedComponents(modality_reader, variance, cov1, cov2, cov3, int(n_cases))
    except ValueError as error:
        raise click.UsageError(f"--components '{text}' is not six numbers, VarTR,Var,Cov1,Cov2,Cov3,CASES") from error


def _numbers(text: str) -> range:
    found = _RANGE.fullmatch(text.strip())
    if found is None or int(found[1]) < 1 or int(found[2] or found[1]) < int(found[1]):
        raise click.UsageError(f"--readers '{text}' should be a number or a range such as 4-10")
    return range(int(found[1]), int(found[2] or found[1]) + 1)
