"""``pneumoscope study``: what the coordinator sees and does while the study runs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from pneumoscope.reader_study import folder as studies
from pneumoscope.reader_study import trail
from pneumoscope.reader_study.flow import flow
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.journal import Event
from pneumoscope.reader_study.quality import flags
from pneumoscope.reader_study.results import progress_of, readings

_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
_REASON = click.option("--reason", required=True, help="Why; it stays in the trail.")


@contextmanager
def _opened(folder: Path) -> Iterator[OpenStudy]:
    study = studies.open_study(folder)
    with closing(study.journal):
        yield study


@click.command("status")
@_FOLDER
def status(folder: Path) -> None:
    """Show progress, flags of data quality and the flow of cases of the study in FOLDER; no answer and no result."""
    with _opened(folder) as study:
        number, head = study.journal.head()
        click.echo(f"{study.protocol.definition.title} ({study.protocol.stage}, {study.folder.name})")
        for reader, done in progress_of(study).items():
            click.echo(f"{reader}: {done}")
        for flag in flags(readings(study)):
            click.echo(f"to ask {flag.reader}: {flag.sentence}")
        click.echo("\n".join(flow(study).lines()))
        click.echo(f"journal: {number} events, last hash {head}")


@click.command("verify")
@_FOLDER
@click.option("--head", default="", help="Hash that `study status` printed earlier: it must be in the journal.")
def verify(folder: Path, head: str) -> None:
    """Verify every hash of the journal in FOLDER, the stored answers and the frozen protocol."""
    number, last = studies.verify(folder, head=head)
    click.echo(f"intact: {number} events, last hash {last}")
    if not head:
        click.echo("note this hash outside of the study's machine: only with --head is a journal that was cut off recognised")


@click.command("override-washout")
@_FOLDER
@click.option("--reader", required=True, help="Pseudonym of the reader.")
@click.option("--session", required=True, type=click.IntRange(2), help="The session that may start early.")
@_REASON
def override_washout(folder: Path, reader: str, session: int, reason: str) -> None:
    """Let a reader start a session before the washout is over."""
    with _opened(folder) as study:
        _said(trail.override_washout(study, reader, session, reason))


@click.command("exclude")
@_FOLDER
@click.option("--case", default="", help="Path of the case, as in the cohort; without one, all cases of --reader.")
@click.option("--reader", default="", help="Pseudonym; without one, all readers of --case.")
@_REASON
def exclude(folder: Path, case: str, reader: str, reason: str) -> None:
    """Exclude a case, a reader, or one reader's answers to a case from all results."""
    with _opened(folder) as study:
        _said(trail.exclude(study, case=case, reader=reader, reason=reason))


@click.command("unblind")
@_FOLDER
@_REASON
def unblind(folder: Path, reason: str) -> None:
    """Open the results before all answers are locked."""
    with _opened(folder) as study:
        _said(trail.unblind(study, reason))


def _said(event: Event) -> None:
    click.echo(f"{event.kind}: event {event.number} of the journal, hash {event.sha256}")
