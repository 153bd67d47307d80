"""``pneumoscope study export``."""

from contextlib import closing
from pathlib import Path

import click

from pneumoscope import DISCLAIMER
from pneumoscope.reader_study import folder as studies
from pneumoscope.reader_study.exports import export as write_exports


@click.command("export")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the files.")
def export(folder: Path, out: Path) -> None:
    """Export the study in FOLDER once all answers are locked, or it is unblinded.

    One tidy table (CSV and Parquet), marks, an .imrmc file, a JAFROC workbook, readings in the versioned form, the audit trail,
    the flow of cases, and checklists (STARD-AI, DECIDE-AI, CLAIM 2024) with what the program knows filled in. The journal is
    verified first.
    """
    studies.verify(folder)
    study = studies.open_study(folder)
    with closing(study.journal):
        names = write_exports(study, out)
    click.echo(f"{', '.join(names)}: {out}. {DISCLAIMER}")
