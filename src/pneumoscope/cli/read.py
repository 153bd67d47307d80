"""``pneumoscope read``: any number of files, in flat memory, resumably."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from pneumoscope import DISCLAIMER, PneumoscopeError, radiograph, storage
from pneumoscope.cli import inputs
from pneumoscope.cli.inputs import Item
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.findings import Reading
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import NotAChestError, Reader
from pneumoscope.reports import readings
from pneumoscope.reports.overlay import paint

LINES_NAME = "readings.jsonl"


@dataclass(frozen=True)
class Wanted:
    """What is written beside the lines."""

    overlays: bool
    maps: bool
    target: str
    scale_per_image: bool


@click.command("read")
@click.argument("inputs_", metavar="FILE|FOLDER|GLOB...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--model",
    type=ModelFolder(),
    default="default",
    show_default=True,
    help="Bundle to read with: a folder, or one of the shipped ones, default (lungs) and whole (published view, Grad-CAM).",
)
@click.option("--overlays/--no-overlays", default=True, show_default=True, help="Write OUT/overlays/<path>.png.")
@click.option("--maps", is_flag=True, help="Write OUT/maps/<path>.npy: float32 (rows, cols) on the radiograph's own grid.")
@click.option("--target", default="", show_default="the model's target", help="Class whose evidence the heat map shows.")
@click.option(
    "--overlay-scale",
    type=click.Choice(["fixed", "image"]),
    default="fixed",
    show_default=True,
    help="Paint all maps on the model's one scale, or each up to its own maximum.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="With csv, write OUT/readings.csv as well.",
)
def command(
    inputs_: tuple[str, ...], out: Path, model: Path, overlays: bool, maps: bool, target: str, overlay_scale: str, format_: str
) -> int:
    """Read radiographs (DICOM CR/DX, PNG, JPEG).

    OUT/readings.jsonl gets one line a file. A file that cannot be read gets a line with its error, the rest go on, and the
    exit code is 1. Run the same command again to go on where it stopped; files with an error are tried again.
    """
    items = inputs.find(inputs_, out)
    if not items:
        raise click.UsageError(f"no radiograph lies below {', '.join(inputs_)}")
    reader = Reader.load(model)
    out.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(overlays, maps, target, overlay_scale == "image")
    done = resume(out, reader, wanted)
    todo = [item for item in items if item.name not in done]
    if len(todo) < len(items):
        click.echo(f"{len(items) - len(todo)} of {len(items)} files were read before; going on", err=True)
    with (out / LINES_NAME).open("a", encoding="utf-8") as stream:
        for item, image in tqdm(decoded(todo), total=len(todo), unit="file", disable=None):
            stream.write(json.dumps(answer(reader, item, image, out, wanted), ensure_ascii=False) + "\n")
            stream.flush()
    return _summary(out, items, format_)


def decoded(items: Sequence[Item]) -> Iterator[tuple[Item, Radiograph | Exception]]:
    """Each file's radiograph, or why there is none; the next file is decoded while the caller works on this one."""
    with ThreadPoolExecutor(1) as ahead:
        waiting: Future[Radiograph] | None = ahead.submit(radiograph.read, items[0].file) if items else None
        for k, item in enumerate(items):
            assert waiting is not None
            error = waiting.exception()
            outcome = error if isinstance(error, PneumoscopeError | OSError) else waiting.result()
            waiting = ahead.submit(radiograph.read, items[k + 1].file) if k + 1 < len(items) else None
            yield item, outcome


def answer(reader: Reader, item: Item, image: Radiograph | Exception, out: Path, wanted: Wanted) -> dict[str, Any]:
    """Read one radiograph, write what is wanted beside its line, and return the line."""
    try:
        if isinstance(image, Exception):
            raise image
        reading = reader.read(image, target=wanted.target)
    except (radiograph.RadiographError, NotAChestError, OSError) as error:
        message = str(error) if isinstance(error, PneumoscopeError) else (error.strerror or "could not be opened")
        return readings.as_error(item.name, reader.card.target, reader.model, type(error).__name__, message)
    _write_beside(image, reading, item, out, wanted)
    return readings.as_json(item.name, reading)


def _write_beside(image: Radiograph, reading: Reading, item: Item, out: Path, wanted: Wanted) -> None:
    if wanted.maps:
        with storage.binary(out / "maps" / f"{item.name}.npy") as stream:
            np.lib.format.write_array(stream, reading.heatmap.values)
    if wanted.overlays:
        top = float(reading.heatmap.values.max()) if wanted.scale_per_image else 1.0
        save_picture(paint(image, reading, top or 1.0), out / inputs.OVERLAYS / f"{item.name}.png")


def save_picture(picture: Image.Image, file: Path) -> None:
    """Write a PNG atomically."""
    with storage.binary(file) as stream:
        picture.save(stream, "PNG", compress_level=1)


def resume(out: Path, reader: Reader, wanted: Wanted) -> set[str]:
    """Names that were read before by this very model, with all that is wanted beside their line.

    Drops the other lines, those with an error, and a line that was cut in the middle.
    """
    lines, target = out / LINES_NAME, wanted.target or reader.card.target
    if not lines.exists():
        return set()
    done = set()
    # A line may be cut within a character.
    with lines.open(encoding="utf-8", errors="replace") as old, storage.text(lines) as new:
        for line in _intact(old):
            if not isinstance(line, dict) or line.get("schema") != readings.SCHEMA_VERSION:
                raise click.UsageError(f"'{lines}' was not written by this version; choose another folder with -o")
            point = line["operating_point"] or {"threshold": reader.card.operating_point.threshold}
            if line["model"]["sha256"] != reader.model.sha256 or point["threshold"] != reader.card.operating_point.threshold:
                raise click.UsageError(f"'{out}' holds readings of another model; choose another folder with -o")
            complete = line["error"] is None and line["map"]["target"] == target and _is_beside(out, line["path"], wanted)
            if complete and line["path"] not in done:
                done.add(line["path"])
                new.write(json.dumps(line, ensure_ascii=False) + "\n")
    return done


def _is_beside(out: Path, name: str, wanted: Wanted) -> bool:
    overlay, values = out / inputs.OVERLAYS / f"{name}.png", out / "maps" / f"{name}.npy"
    return (overlay.exists() or not wanted.overlays) and (values.exists() or not wanted.maps)


def _intact(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for text in lines:
        try:
            line: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            continue
        yield line


def _summary(out: Path, items: Sequence[Item], format_: str) -> int:
    """Count what was read and list what was not, in memory that does not grow with the readings."""
    names = {item.name for item in items}
    read = positive = 0
    failed = []
    with (out / LINES_NAME).open(encoding="utf-8") as stream:
        for line in _intact(stream):
            if line["path"] in names and line["error"]:
                failed.append(f"  not read: {line['path']}: {line['error']['message']}")
            elif line["path"] in names:
                read += 1
                positive += line["decision"] == "positive"
    if format_ == "csv":
        with (out / LINES_NAME).open(encoding="utf-8") as stream:
            readings.write_csv(out / "readings.csv", _intact(stream))
    click.echo(f"{read} radiographs read, {positive} positive: {out / LINES_NAME}. {DISCLAIMER}")
    for text in failed:
        click.echo(text, err=True)
    return SOME_FILES_FAILED if failed else 0
