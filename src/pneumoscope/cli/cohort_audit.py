"""``pneumoscope cohort audit``."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pneumoscope import atomic_files
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cohort import shortcut_features, table
from pneumoscope.cohort.audit import audit
from pneumoscope.cohort.image_summary import summarize
from pneumoscope.evaluation import shortcut_baseline, tables

_FILE = click.Path(path_type=Path)


@click.command("audit")
@click.argument("cohort_", metavar="COHORT", type=_FILE)
@click.option("-o", "--out", type=_FILE, required=True, help="JSON file for every result.")
@click.option("--draws", default=500, show_default=True, help="Bootstrap draws of the intervals.")
def command(cohort_: Path, out: Path, draws: int) -> int:
    """Look for leaks, duplicates, contradictions and shortcuts.

    Exit code 1 if a patient or an image lies in two splits.
    """
    if draws < 1:
        raise click.UsageError("--draws must be at least 1")
    table.not_the_cohort(out, cohort_)
    cohort = table.read(cohort_)
    summaries = summarize(cohort, show_progress=True)
    result = audit(cohort, summaries)
    baseline = shortcut_baseline.audit(cohort, shortcut_features.features(cohort, summaries), draws=draws)
    record = tables.plain({**asdict(result), "shortcuts": {name: asdict(estimate) for name, estimate in baseline.items()}})
    with atomic_files.text(out) as stream:
        stream.write(json.dumps(record, indent=2) + "\n")
    click.echo("\n".join(result.lines()))
    click.echo("shortcut baseline: ROC-AUC of classifiers that never see a lung (five-fold cross-validation by patient)")
    for name, estimate in baseline.items():
        click.echo(f"  {name:<20}{estimate} n = {estimate.n} patients")
    click.echo(f"every result: {out}")
    return SOME_FILES_FAILED if result.leaks else 0
