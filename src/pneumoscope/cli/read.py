"""``pneumoscope read``: any number of files, in flat memory, resumably."""

from pathlib import Path
from typing import Literal, get_args

import click

from pneumoscope import DISCLAIMER
from pneumoscope.archive import LINES_NAME, Options, Summary, manifest, read_files
from pneumoscope.archive.journal import lines_of
from pneumoscope.classifier import Population
from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.dicom_out import dicom_options, further_files, report_omitted
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.radiograph import Caution
from pneumoscope.radiograph.acceptance import Choice
from pneumoscope.reader import Reader
from pneumoscope.reports.csv_table import write_csv


@click.command("read")
@click.argument("inputs_", metavar="FILE|FOLDER|GLOB...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--model",
    type=ModelFolder(),
    default="default",
    show_default=True,
    help="Bundle to read with: a folder, or a shipped one, default (lungs) or whole (published whole-image model, Grad-CAM).",
)
@click.option("--overlays/--no-overlays", default=True, show_default=True, help="Write OUT/overlays/<path>.png.")
@click.option("--maps", is_flag=True, help="Write OUT/maps/<path>.npy: float32 (rows, cols) on the radiograph's own grid.")
@click.option(
    "--target",
    default="",
    show_default="the model's target",
    help="Class whose evidence the heat map shows; predicted: the class of the decision.",
)
@click.option("--method", default="", show_default="the model's own", help="Heat map method, one of those that the card names.")
@click.option(
    "--population",
    type=click.Choice(get_args(Population)),
    help="The patients' population where their age is not in the file, for a model with settings by population.",
)
@click.option("--provider", multiple=True, help="ONNX Runtime execution provider; may be repeated. The processor by default.")
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Radiographs that go through the graph together."
)
@click.option(
    "--isolate/--no-isolate",
    default=None,
    show_default="isolate where there is more than one file",
    help="Decode in worker processes with limits of time and memory, so that no file can stop the others.",
)
@click.option(
    "--overlay-scale",
    type=click.Choice(["fixed", "image"]),
    default="fixed",
    show_default=True,
    help="Paint all heat maps on the model's one scale, or each up to its own maximum.",
)
@dicom_options
@acceptance_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="csv: write OUT/readings.csv as well.",
)
def command(
    inputs_: tuple[str, ...],
    out: Path,
    model: Path,
    overlays: bool,
    maps: bool,
    target: str,
    method: str,
    population: Population | None,
    provider: tuple[str, ...],
    batch: int,
    isolate: bool | None,
    overlay_scale: Literal["fixed", "image"],
    format_: str,
    dicom_out: tuple[str, ...] | None,
    profile: str,
    segmentation: str,
    deidentify: bool,
    **policy_said: Choice,
) -> int:
    """Read radiographs (DICOM CR/DX, PNG, JPEG).

    OUT/readings.jsonl gets one line a file. A file that cannot be read gets a line with its error, the rest go on, and the
    exit code is 1. Run the same command again to go on where it stopped: files with an error, and files whose content has
    changed since, are read again.

    A model with settings by population (children, adults) reads each file as the Patient's Age in it tells, else as --population
    says, else with the cautious settings of the more sensitive population; every output says which.
    """
    files = manifest.find(inputs_, out)
    items = files.items
    further = further_files(dicom_out, profile, segmentation, deidentify, out, [item.file for item in items])
    # Several are read at once, each by one thread; a single one by all.
    reader = Reader.load(model, threads=1 if len(items) > 1 else 0, providers=provider, policy=policy_of(policy_said))
    options = Options(target, method, overlay_scale if overlays else "none", maps, population)
    summary = read_files(
        reader,
        items,
        out,
        options,
        batch=batch,
        isolate=isolate,
        further=further,
        show_progress=True,
        on_resume=lambda done: click.echo(f"{done} of {len(items)} files were read before; going on", err=True),
    )
    if format_ == "csv":
        write_csv(out / "readings.csv", lines_of(out))
    _report(summary, out, str(files))
    if further:
        report_omitted(items, out)
    return SOME_FILES_FAILED if summary.failed else 0


def _report(summary: Summary, out: Path, left_out: str) -> None:
    counts = (
        f"{summary.read} radiographs read, {summary.positive} positive, {summary.unsure} unsure, "
        f"{summary.outside} outside the model's domain, {summary.cautioned} with a caution"
    )
    click.echo(f"{counts}: {out / LINES_NAME}. {DISCLAIMER}")
    for read_as, count in summary.populations.items():
        click.echo(f"  {count} {read_as}")
    if summary.severity:
        click.echo(summary.severity)
    if summary.no_side:
        click.echo(f"  {summary.no_side} {Caution.SIDE}")
    for what, listed, count in (
        ("outside the model's domain", summary.outside_listed, summary.outside),
        ("with a caution", summary.cautioned_listed, summary.otherwise_cautioned),
        ("not read", summary.failed, len(summary.failed)),
    ):
        for text in listed:
            click.echo(f"  {what}: {text}", err=True)
        if count > len(listed):
            click.echo(f"  and {count - len(listed)} more {what}", err=True)
    if left_out:
        click.echo(f"  {left_out}", err=True)
