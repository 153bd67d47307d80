"""``pneumoscope cohort build``."""

from pathlib import Path
from typing import Any

import click

from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.label_options import label_options, label_rules
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.patient_options import patient_options, patients
from pneumoscope.cli.source_options import layout_options, source_options
from pneumoscope.cohort import table
from pneumoscope.cohort.build import Built, build
from pneumoscope.cohort.layouts import LAYOUTS, default_source, recognise
from pneumoscope.population import Population


@click.command("build")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Cohort table to write: .parquet or .csv.")
@click.option(
    "--source",
    "source_name",
    default="",
    show_default="name of the published set, or of the folder",
    help="Name of the data set.",
)
@click.option("--population", type=click.Choice(["child", "adult"]), help="Population of all images, for a set without ages.")
@click.option("--layout", type=click.Choice(list(LAYOUTS)), help="What SOURCE is; by default it is recognised.")
@label_options
@source_options
@patient_options
@acceptance_options
@click.option("--skip-unmatched", is_flag=True, help="Leave out rows without a file and DICOM files without a row.")
def command(
    source: Path,
    out: Path,
    layout: str | None,
    source_name: str,
    population: Population | None,
    skip_unmatched: bool,
    **said: Any,
) -> int:
    """Build a cohort table from SOURCE, a folder or a table, opening every file once."""
    chosen = LAYOUTS[layout] if layout else recognise(source)
    labels = chosen.read(source, layout_options(said))
    with patients(said) as replaced:
        built = build(
            labels,
            label_rules(said),
            patient_ids=replaced,
            policy=policy_of(said),
            source=source_name or default_source(chosen),
            population=population or "",
            skip_unmatched=skip_unmatched,
            show_progress=True,
        )
        table.write(built.cohort, out)
    return _tell(built, out)


def _tell(built: Built, out: Path) -> int:
    for line in built.report.lines():
        click.echo(line, err=line.strip().startswith("warning:"))
    for line in built.cohort.unreadable:
        click.echo(f"  not read: {line}", err=True)
    click.echo(f"{built.report.summary}: {out}")
    return SOME_FILES_FAILED if built.cohort.unreadable else 0
