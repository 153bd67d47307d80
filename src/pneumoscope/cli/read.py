"""``pneumoscope read``: any number of files, in flat memory, resumably."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from pneumoscope import DISCLAIMER, PneumoscopeError, atomic_files
from pneumoscope.archive import manifest
from pneumoscope.archive.manifest import Item
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.ordered_map import chunks, ordered_map
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Outcome, Reader
from pneumoscope.readings import Reading, form
from pneumoscope.reports.overlay import paint

LINES_NAME = "readings.jsonl"
_MOST_TOLD = 20  # of files outside the domain in the summary; the lines hold all


@dataclass(frozen=True)
class Wanted:
    """What is written beside the lines."""

    overlays: bool
    maps: bool
    target: str
    method: str
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
@click.option(
    "--target",
    default="",
    show_default="the model's target",
    help="Class whose evidence the heat map shows; predicted: the one that is decided for.",
)
@click.option(
    "--method", default="", show_default="the model's own", help="How the heat map is made, of those that the model's card names."
)
@click.option("--provider", multiple=True, help="ONNX Runtime's execution provider; may be repeated, the processor by default.")
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Radiographs that go through the graph together."
)
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
    inputs_: tuple[str, ...],
    out: Path,
    model: Path,
    overlays: bool,
    maps: bool,
    target: str,
    method: str,
    provider: tuple[str, ...],
    batch: int,
    overlay_scale: str,
    format_: str,
) -> int:
    """Read radiographs (DICOM CR/DX, PNG, JPEG).

    OUT/readings.jsonl gets one line a file. A file that cannot be read gets a line with its error, the rest go on, and the
    exit code is 1. Run the same command again to go on where it stopped; files with an error are tried again.
    """
    items = manifest.find(inputs_, out)
    if not items:
        raise click.UsageError(f"no radiograph lies below {', '.join(inputs_)}")
    # Several are read at once, each by one thread; a single one by all.
    reader = Reader.load(model, threads=1 if len(items) > 1 else 0, providers=provider)
    out.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(overlays, maps, target, method, overlay_scale == "image")
    done = resume(out, reader, wanted)
    todo = [item for item in items if item.name not in done]
    if len(todo) < len(items):
        click.echo(f"{len(items) - len(todo)} of {len(items)} files were read before; going on", err=True)
    with (out / LINES_NAME).open("a", encoding="utf-8") as stream:
        # Each is painted by the worker that read it, so that a line waits for no file but those before it.
        answers = ordered_map(lambda some: answer(reader, some, out, wanted), chunks(todo, batch), reader.workers)
        for line in tqdm(itertools.chain.from_iterable(answers), total=len(todo), unit="file", disable=None):
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            stream.flush()
    return _summary(out, items, format_)


def answer(reader: Reader, items: Sequence[Item], out: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Read a few files together, write what is wanted beside their lines, and return the lines."""
    outcomes = reader.read_together([item.file for item in items], target=wanted.target, method=wanted.method)
    return [_line(reader, item, outcome, out, wanted) for item, outcome in zip(items, outcomes, strict=True)]


def _line(reader: Reader, item: Item, outcome: Outcome, out: Path, wanted: Wanted) -> dict[str, Any]:
    if outcome.radiograph is None or outcome.reading is None:
        error = outcome.error
        message = str(error) if isinstance(error, PneumoscopeError) else (error and error.strerror) or "could not be opened"
        return form.as_error(item.name, reader.card.target, reader.model, type(error).__name__, message)
    _write_beside(outcome.radiograph, outcome.reading, item, out, wanted)
    return form.as_json(item.name, outcome.reading)


def _write_beside(image: Radiograph, reading: Reading, item: Item, out: Path, wanted: Wanted) -> None:
    if wanted.maps:
        with atomic_files.binary(out / "maps" / f"{item.name}.npy") as stream:
            np.lib.format.write_array(stream, reading.heatmap.values)
    if wanted.overlays:
        top = float(reading.heatmap.values.max()) if wanted.scale_per_image else 1.0
        save_picture(paint(image, reading, top or 1.0), out / manifest.OVERLAYS / f"{item.name}.png")


def save_picture(picture: Image.Image, file: Path) -> None:
    """Write a PNG atomically."""
    with atomic_files.binary(file) as stream:
        picture.save(stream, "PNG", compress_level=1)


def resume(out: Path, reader: Reader, wanted: Wanted) -> set[str]:
    """Names that were read before by this very model, with all that is wanted beside their line.

    Drops the other lines, those with an error, and a line that was cut in the middle.
    """
    lines, method = out / LINES_NAME, wanted.method or reader.card.map_method
    if not lines.exists():
        return set()
    done = set()
    # A line may be cut within a character.
    with atomic_files.text(lines) as new, lines.open(encoding="utf-8", errors="replace") as old:
        for line in _intact(old):
            if not isinstance(line, dict) or line.get("schema") != form.SCHEMA_VERSION:
                raise click.UsageError(f"'{lines}' was not written by this version; choose another folder with -o")
            point = line["operating_point"] or {"threshold": reader.card.operating_point.threshold}
            if line["model"]["sha256"] != reader.model.sha256 or point["threshold"] != reader.card.operating_point.threshold:
                raise click.UsageError(f"'{out}' holds readings of another model; choose another folder with -o")
            complete = (
                line["error"] is None and _shows(line, reader, wanted.target, method) and _is_beside(out, line["path"], wanted)
            )
            if complete and line["path"] not in done:
                done.add(line["path"])
                new.write(json.dumps(line, ensure_ascii=False) + "\n")
    return done


def _shows(line: Mapping[str, Any], reader: Reader, target: str, method: str) -> bool:
    """Whether the map of a line is for this target and made in this way."""
    shown = reader.explained(target, line["decision"])
    return bool(line["map"]["target"] == shown and line["map"]["method"] == method)


def _is_beside(out: Path, name: str, wanted: Wanted) -> bool:
    overlay, values = out / manifest.OVERLAYS / f"{name}.png", out / "maps" / f"{name}.npy"
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
    read = positive = unsure = 0
    failed, outside = [], []
    with (out / LINES_NAME).open(encoding="utf-8") as stream:
        for line in _intact(stream):
            if line["path"] in names and line["error"]:
                failed.append(f"  not read: {line['path']}: {line['error']['message']}")
            elif line["path"] in names:
                read += 1
                positive += line["decision"] == "positive"
                unsure += bool(line["abstains"])
                if line["domain"] and not line["domain"]["inside"]:
                    outside.append(f"  outside the model's domain: {line['path']}: {line['domain']['reason']}")
    if format_ == "csv":
        with (out / LINES_NAME).open(encoding="utf-8") as stream:
            form.write_csv(out / "readings.csv", _intact(stream))
    told = f"{read} radiographs read, {positive} positive, {unsure} unsure, {len(outside)} outside the model's domain"
    click.echo(f"{told}: {out / LINES_NAME}. {DISCLAIMER}")
    hidden = [f"  and {len(outside) - _MOST_TOLD} more outside the domain"] if len(outside) > _MOST_TOLD else []
    for text in (*outside[:_MOST_TOLD], *hidden, *failed):
        click.echo(text, err=True)
    return SOME_FILES_FAILED if failed else 0
