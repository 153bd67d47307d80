"""``pneumoscope read``: any number of files, in flat memory, resumably."""

import importlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import click
from click.core import ParameterSource

from pneumoscope import DISCLAIMER, MissingExtraError
from pneumoscope.archive import LINES_NAME, Options, Summary, locations, manifest, read_files
from pneumoscope.archive.decoding import decoded_ahead
from pneumoscope.archive.items import Items
from pneumoscope.archive.journal import lines_of
from pneumoscope.archive.outputs import FurtherFiles, OverlayFormat
from pneumoscope.classifier import Population
from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.archive_options import Engine, EngineOptions, check_engine, check_given, decode_option
from pneumoscope.cli.dicom_out import dicom_options, further_files, report_omitted
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.counted import counted
from pneumoscope.printable import printable
from pneumoscope.radiograph import Caution
from pneumoscope.radiograph.acceptance import AcceptancePolicy, Choice
from pneumoscope.radiograph.reduction import Decoding
from pneumoscope.reader import Reader
from pneumoscope.reports.csv_table import write_csv


@click.command("read")
@click.argument("inputs_", metavar="FILE|FOLDER|GLOB...", nargs=-1, required=True)
@click.option("-o", "--out", "place", type=click.Path(file_okay=False), required=True, help="Folder or URL for the results.")
@click.option(
    "--model",
    type=ModelFolder(),
    default="default",
    show_default=True,
    help="Bundle to read with: a folder, or a shipped one, default (lungs) or whole (published whole-image model, Grad-CAM).",
)
@click.option("--overlays/--no-overlays", default=True, show_default=True, help="Write OUT/overlays/<path>.<format>.")
@click.option(
    "--overlay-format",
    type=click.Choice(get_args(OverlayFormat)),
    default="png",
    show_default=True,
    help="png: without loss; jpeg: written fastest; webp: the smallest. Radiograph and overlay are at most 720 px high and wide.",
)
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
    "--batch",
    type=click.IntRange(1),
    show_default="4 for many files on the processor, else 1",
    help="Radiographs that go through the graph together.",
)
@click.option(
    "--isolate/--no-isolate",
    default=None,
    show_default="isolate where there is more than one file",
    help="Decode in worker processes with limits of time and memory, so that no file can stop the others.",
)
@decode_option
@click.option(
    "--overlay-scale",
    type=click.Choice(["fixed", "image"]),
    default="fixed",
    show_default=True,
    help="Paint all heat maps on the model's one scale, or each up to its own maximum.",
)
@click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="local",
    show_default=True,
    help="ray: on the nodes of a Ray cluster, into a data set, as for URLs.",
)
@click.option("--ray-address", default="local", show_default=True, help="As for  pneumoscope archive read.")
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
    place: str,
    model: Path,
    overlays: bool,
    overlay_format: OverlayFormat,
    maps: bool,
    target: str,
    method: str,
    population: Population | None,
    provider: tuple[str, ...],
    batch: int | None,
    isolate: bool | None,
    decode: Decoding,
    overlay_scale: Literal["fixed", "image"],
    engine: Engine,
    ray_address: str,
    format_: str,
    dicom_out: tuple[str, ...] | None,
    profile: str,
    segmentation: str,
    parametric_map: str,
    deidentify: bool,
    **policy_said: Choice,
) -> int:
    """Read radiographs (DICOM CR/DX, PNG, JPEG).

    OUT/readings.jsonl gets one line a file. A file that cannot be read gets a line with its error, the rest go on, and the
    exit code is 1. Run the same command again to go on where it stopped: files with an error, and files whose content has
    changed since, are read again.

    A model with settings by population (children, adults) reads each file as the Patient's Age in it tells, else as --population
    says, else with the cautious settings of the more sensitive population; every output says which.

    Where a FILE or OUT is a URL such as s3://bucket/prefix, and with --engine ray, OUT becomes a data set of Parquet files, as by
    pneumoscope archive read.
    """
    check_given(place, *inputs_)
    policy = policy_of(policy_said)
    painted = overlay_scale if overlays else "none"
    options = Options(target, method, painted, maps, population, overlay_format=overlay_format, decode=decode)
    if engine == "ray" or any(map(locations.is_url, (place, *inputs_))):
        _check_for_data_set(click.get_current_context())
        how = EngineOptions(engine, 0, isolate is not False, ray_address, 1.0)
        return _read_into_data_set(inputs_, place, model, policy, replace(options, overlays="none"), how)
    _check_for_folder(ray_address, dicom_out, decode)
    out = Path(place)
    files = manifest.find(inputs_, out)
    further = further_files(
        dicom_out, profile, segmentation, parametric_map, deidentify, out, (item.file for item in files.items)
    )
    summary = _read_into_folder(files.items, out, model, policy, options, provider, batch, isolate, further)
    if format_ == "csv":
        write_csv(out / "readings.csv", lines_of(out))
    _report(summary, out, str(files))
    if further:
        report_omitted(files.items, out)
    return SOME_FILES_FAILED if summary.failed else 0


_OF_FOLDERS = (
    *("overlays", "overlay_format", "overlay_scale", "provider", "batch", "format_"),
    *("dicom_out", "profile", "segmentation", "parametric_map", "deidentify"),
)
"""Options that say something of an output folder only."""


def _check_for_data_set(context: click.Context) -> None:
    for option in context.command.params:
        if option.name in _OF_FOLDERS and context.get_parameter_source(option.name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{option.opts[0]} is for a folder of results on this machine, not for a data set")


def _check_for_folder(ray_address: str, dicom_out: tuple[str, ...] | None, decode: Decoding) -> None:
    if ray_address != "local":
        raise click.UsageError("--ray-address is for --engine ray")
    if dicom_out and decode == "reduced":
        raise click.UsageError("--dicom-out writes objects of every pixel; leave out --decode reduced")


def _read_into_data_set(
    inputs: tuple[str, ...], out: str, model: Path, policy: AcceptancePolicy, options: Options, how: EngineOptions
) -> int:
    try:
        archive_read: Any = importlib.import_module("pneumoscope.cli.archive_read")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pneumoscope"):
            raise
        raise MissingExtraError("reading from or into a data set", "scale") from error
    check_engine(click.get_current_context(), how.engine)
    reader = Reader.load(model, threads=1, policy=policy)
    code: int = archive_read.read_sources(inputs, out, reader, model, options, how, None)
    return code


def _read_into_folder(
    items: Items,
    out: Path,
    model: Path,
    policy: AcceptancePolicy,
    options: Options,
    providers: tuple[str, ...],
    batch: int | None,
    isolate: bool | None,
    further: FurtherFiles | None,
) -> Summary:
    # A single file is decoded while the model is loaded, and read by all threads; several are read at once, each by one.
    is_alone = len(items) == 1 and not isolate and options.decode == "full"
    with decoded_ahead(items[0].file) if is_alone else nullcontext() as decoded:
        return read_files(
            Reader.load(model, threads=1 if len(items) > 1 else 0, providers=providers, policy=policy),
            items,
            out,
            options,
            batch=batch,
            isolate=isolate,
            decode=decoded,
            further=further,
            show_progress=True,
            on_resume=lambda done: click.echo(f"{done} of {len(items)} files were read before; going on", err=True),
        )


def _report(summary: Summary, out: Path, left_out: str) -> None:
    counts = (
        f"{summary.read} radiographs read, {summary.positive} positive, {summary.unsure} unsure, "
        f"{summary.outside} outside the model's domain, {summary.cautioned} with a caution"
    )
    click.echo(f"{counts}: {out / LINES_NAME}. {DISCLAIMER}")
    if summary.others:
        others = counted(summary.others, "file")
        click.echo(f"  and the lines of {others} read into this folder before, and not now", err=True)
    for read_as, count in summary.populations.items():
        click.echo(f"  {count} {read_as}")
    if summary.severity:
        click.echo(summary.severity)
    if summary.no_side:
        click.echo(f"  {summary.no_side} {Caution.SIDE}")
    for what, listed, count in (
        ("outside the model's domain", summary.outside_listed, summary.outside),
        ("with a caution", summary.cautioned_listed, summary.otherwise_cautioned),
        ("not read", summary.failed_listed, summary.failed),
    ):
        for text in listed:
            click.echo(printable(f"  {what}: {text}"), err=True)
        if count > len(listed):
            click.echo(f"  and {count - len(listed)} more {what}", err=True)
    if left_out:
        click.echo(f"  {left_out}", err=True)
