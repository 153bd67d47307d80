"""``pneumoscope study``: from the idea to the frozen protocol."""

import sys
from contextlib import closing
from pathlib import Path

import click

from pneumoscope import csv_cells
from pneumoscope.reader_study import folder as studies
from pneumoscope.reader_study.contact_sheets import write_contact_sheets
from pneumoscope.reader_study.definition import schema_text
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.fault import errors
from pneumoscope.reader_study.protocol import Protocol
from pneumoscope.reader_study.room import reader_link
from pneumoscope.reader_study.template import write_template
from pneumoscope.reader_study.worklist import worklists

_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
_PILOT = click.option("--pilot", is_flag=True, help="A pilot, whose answers do not count.")


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a study file to fill in, FOLDER/study.toml, with its JSON Schema."""
    file = write_template(folder, schema_text())
    click.echo(f"fill in {file}, then:  pneumoscope study check {folder}")


@click.command("check")
@_FOLDER
@click.option("--contact-sheets", "sheets", type=click.Path(file_okay=False, path_type=Path),
              help="Write every radiograph with its borders enlarged to this folder, to look for burned-in names.")  # fmt: skip
def check(folder: Path, sheets: Path | None) -> int:
    """Say what makes the study in FOLDER invalid, and what makes it weak; every radiograph and overlay is opened."""
    protocol, faults = studies.check(folder)
    if protocol and sheets:
        _write_sheets(protocol, sheets)
    for fault in faults:
        click.echo(f"{fault.severity}: {fault.sentence}")
    if protocol is None or errors(faults):
        raise InvalidStudyError(f"the study is not valid: {len(errors(faults))} errors; correct study.toml")
    definition, cases = protocol.definition, protocol.read_cases
    diseased = sum(case.diseased for case in cases)
    tasks = worklists(protocol)
    click.echo(f"{len(cases)} cases, {diseased} with {definition.target}; {len(protocol.not_chosen)} eligible cases are not read")
    click.echo(f"{len(tasks)} readers, {sum(map(len, tasks.values()))} answers; mode {definition.mode}")
    click.echo(f"success: {definition.analysis.criterion}")
    return 0


def _write_sheets(protocol: Protocol, folder: Path) -> None:
    sheets = write_contact_sheets(protocol, folder)
    click.echo(
        f"{len(sheets)} contact sheets: {folder}. Look at each of them; the end of the last one says how to confirm in "
        "study.toml that no radiograph shows a name, a date or a number of a patient"
    )


@click.command("launch")
@_FOLDER
@_PILOT
def launch(folder: Path, pilot: bool) -> None:
    """Launch the study in FOLDER: freeze its protocol by its hash, and begin its journal. A study is launched once."""
    study = studies.freeze(folder, "pilot" if pilot else "study")
    with closing(study.journal):
        body = study.journal.events("frozen")[0].body
        for sentence in body["warnings"]:
            click.echo(f"warning: {sentence}")
        click.echo(f"launched as a {body['stage']}: {study.folder}")
        click.echo(f"SHA-256 of the frozen protocol, for the registration: {body['protocol_sha256']}")
        click.echo(f"next: pneumoscope study serve {folder}; the order of cases: pneumoscope study worklist {folder}")


@click.command("worklist")
@_FOLDER
@click.option("--reader", default="", help="One reader only.")
def worklist(folder: Path, reader: str) -> None:
    """Print the order of cases and arms of every reader as CSV, for the protocol. It names cases: not for readers."""
    study = studies.open_study(folder)
    with closing(study.journal):
        lists = worklists(study.protocol)
    if reader and reader not in lists:
        raise click.UsageError(f"there is no reader '{reader}'; the readers are {', '.join(lists)}")
    csv_cells.write_rows(sys.stdout, [("reader", "session", "place", "case", "arm", "step", "practice")])
    for name, tasks in lists.items():
        if name == reader or not reader:
            rows = ((name, t.session, t.place, t.case, t.arm, t.step, int(t.training)) for t in tasks)
            csv_cells.write_rows(sys.stdout, rows)


@click.command("links")
@_FOLDER
def links(folder: Path) -> None:
    """Print the secret of every reader's personal link: give each reader the own one only."""
    study = studies.open_study(folder)
    with closing(study.journal):
        for reader in study.protocol.definition.readers:
            click.echo(f"{reader.name}\t{reader_link(study.key, reader.name)}")
