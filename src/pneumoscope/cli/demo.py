"""``pneumoscope demo``: the shipped model on the shipped radiographs."""

from pathlib import Path

import click

from pneumoscope import DISCLAIMER, atomic_files, radiograph
from pneumoscope.archive import LINES_NAME
from pneumoscope.archive.journal import file_sha256
from pneumoscope.archive.outputs import overlay_file, save_picture
from pneumoscope.cohort.sample import sample
from pneumoscope.reader import Reader
from pneumoscope.readings import CaseKey, form
from pneumoscope.reports.overlay import paint
from pneumoscope.reports.page import Entry, write_page


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("pneumoscope-demo"),
    show_default=True,
    help="Folder for the results; what an earlier demo left there is replaced.",
)
def command(out: Path) -> None:
    """Read the sixteen shipped radiographs and write overlays, readings.jsonl and one self-contained report.html."""
    reader = Reader.load()
    entries = []
    click.echo(f"{'case':<44}{'reference':<11}{'probability':>11}  {'decision':<10}{'sure':<6}{'domain':<9}findings")
    with sample() as cohort:
        for case in cohort.cases:
            image = radiograph.read(cohort.file(case))
            reading = reader.read(image)
            picture = paint(image, reading)
            save_picture(picture, overlay_file(out, case.path))
            reference = "positive" if case.reference else "negative"
            entries.append(Entry(form.line_of(CaseKey(case.path, file_sha256(cohort.file(case))), reading), reference, picture))
            sure = "no" if reading.abstains else "yes"
            inside = "outside" if reading.domain and not reading.domain.inside else "inside"
            click.echo(
                f"{case.path:<44}{reference:<11}{reading.score.probability:>11.3f}  {reading.decision:<10}{sure:<6}{inside:<9}"
                f"{len(reading.findings)}"
            )
    lines = "".join(form.to_json(entry.line) + "\n" for entry in entries)
    with atomic_files.text(out / LINES_NAME) as stream:
        stream.write(lines)
    write_page(out / "report.html", "Pneumoscope: the sixteen shipped radiographs", reader.card, entries)
    click.echo(f"\nreport:   {out / 'report.html'}\nreadings: {out / LINES_NAME}\noverlays: {out / 'overlays'}\n{DISCLAIMER}")
