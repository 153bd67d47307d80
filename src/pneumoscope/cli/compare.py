"""``pneumoscope compare``: train every backbone under the same conditions, measure it, and write one report."""

from pathlib import Path
from typing import Any

import click

from pneumoscope import DISCLAIMER
from pneumoscope.cli.comparison_options import comparison_options, named_folder, request_of
from pneumoscope.cohort import table
from pneumoscope.comparison import compare, other_comparisons, report
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Unit
from pneumoscope.experiment.run import run_experiment, shipped_radiographs
from pneumoscope.statistics.figure import Figure
from pneumoscope.training.epoch import Epoch


@click.command("compare")
@click.argument("cohort_", metavar="COHORT", type=click.Path(path_type=Path))
@comparison_options
def command(cohort_: Path, out: Path, cache: Path, beside: tuple[str, ...], margin: float, **options: Any) -> None:
    """Train backbones on a split COHORT under the same conditions, measure them on its test side, and write one report.

    What is finished is kept: after an interruption at any moment run the same command again, and it goes on, within a training
    from its last epoch. More --backbones or --seeds may be named later; the report is of those that are named. Under torchrun the
    processes, on one host or on many with the same folders, train together as one process would.
    """
    request = request_of(cohort_, options)
    others = {name: other_comparisons.read(folder) for name, folder in map(named_folder, beside)}
    experiment = run_experiment(
        table.read(cohort_),
        out,
        request,
        cache=cache,
        on_message=lambda text: click.echo(text, err=True),
        on_epoch=_report_epoch,
        show_progress=True,
    )
    if experiment is None:  # another process leads, and reports
        return
    click.echo("comparing pairs and heat maps", err=True)
    comparison = compare(experiment, others, margin=margin)
    page = report.write(comparison, experiment, shipped_radiographs(), others)
    best = comparison.order[0]
    click.echo(f"highest ROC-AUC: {best}, {comparison.summary[best][Figure.ROC_AUC]}; best trade-off: {comparison.trade_off}")
    click.echo(
        f"report: {page}; in the same folder its tables (CSV, LaTeX), comparison.json, cards/ and, with radiographs of the "
        f"cohort, cases.html. {DISCLAIMER}"
    )
    if experiment.left_out:
        raise ComparisonError(f"left out of the report: {'; '.join(experiment.left_out)}")


def _report_epoch(unit: Unit, epoch: Epoch, epochs: int) -> None:
    click.echo(
        f"{unit.name}, epoch {epoch.epoch}/{epochs}: loss {epoch.loss:.4f}, tune ROC-AUC {epoch.tune_auc:.4f}, "
        f"{epoch.images_per_s:.1f} images/s"
    )
