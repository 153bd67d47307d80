"""``pneumoscope demo``: read the shipped radiographs with the shipped model."""

from collections import Counter
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, atomic_files, radiograph
from pneumoscope.archive import LINES_NAME
from pneumoscope.archive.journal import file_sha256, only_writer
from pneumoscope.archive.outputs import overlay_file, save_picture
from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.sample import sample
from pneumoscope.reader import Reader
from pneumoscope.readings import CaseKey, form
from pneumoscope.readings.figures import probability_text
from pneumoscope.reports.overlay import paint
from pneumoscope.reports.page import Entry, write_page


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("pneumoscope-demo"),
    show_default=True,
    help="Output folder; the results of an earlier demo in it are replaced.",
)
def command(out: Path) -> None:
    """Read the sixteen shipped radiographs and write overlays, readings.jsonl and a self-contained report.html."""
    reader = Reader.load()
    click.echo(f"{'case':<44}{'reference':<11}{'probability':>11}  {'decision':<10}{'sure':<6}{'domain':<9}findings")
    with only_writer(out), sample() as cohort:
        entries = [_entry(reader, cohort, case, out) for case in cohort.cases]
        with atomic_files.text(out / LINES_NAME) as stream:
            stream.writelines(form.to_json(entry.line) + "\n" for entry in entries)
        write_page(out / "report.html", "Pneumoscope: the sixteen shipped radiographs", reader.card, entries)
    for caution, count in Counter(caution for entry in entries for caution in entry.line.cautions).items():
        click.echo(f"caution:  {count} {caution}")
    click.echo(f"\nreport:   {out / 'report.html'}\nreadings: {out / LINES_NAME}\noverlays: {out / 'overlays'}\n{DISCLAIMER}")


def _entry(reader: Reader, cohort: Cohort, case: Case, out: Path) -> Entry:
    """Read one radiograph, write its overlay and print its row of the table."""
    file = cohort.file(case)
    image = radiograph.read(file)
    population = case.population or None if reader.card.populations else None
    reading = reader.read(image, population=population)
    entry = Entry(
        form.line_of(CaseKey(case.path, file_sha256(file)), reading),
        "positive" if case.reference else "negative",
        paint(image, reading),
    )
    save_picture(entry.overlay, overlay_file(out, case.path))
    sure, domain = "no" if reading.abstains else "yes", "outside" if entry.line.outside_domain else "inside"
    probability = probability_text(reading.score.probability)
    click.echo(
        f"{case.path:<44}{entry.reference:<11}{probability:>11}  {reading.decision:<10}{sure:<6}{domain:<9}"
        f"{len(reading.findings)}"
    )
    return entry
