"""The command line of the full comparison; see the package's docstring."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from full_comparison import archive, run, shipped
from full_comparison import measure as measures
from full_comparison.fit import halved
from full_comparison.page import page
from pneumoscope.cohort import table
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.lung_fields import LungFinder
from pneumoscope.reader import DEFAULT_BUNDLE
from pneumoscope.reference import regions

_PATH = click.Path(path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_THERE = click.Path(exists=True, path_type=Path)


@click.group()
def main() -> None:
    """Pack a cohort, train all backbones on an accelerator within a budget, measure, and write the page."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("archive", type=_FOLDER),
            click.option("-o", "--out", type=_PATH, required=True),
            click.option("--work", type=_PATH, default=Path("full-comparison-work"), show_default=True),
            click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default="cuda, else cpu"),
            click.option("--workers", default=3, show_default=True),
            click.option("--minutes", default=9.0, show_default=True),
            click.option("--size-px", default=224, show_default=True),
            click.option("--batch", default=64, show_default=True),
            click.option("--few", default=0, help="Train on so many images only, to try the script."),
            click.option("--most-epochs", default=0, help="At most so many epochs, to try the script."),
            click.option("--only", multiple=True, help="A backbone; may be repeated."),
            click.option("--benchmark/--no-benchmark", default=False, show_default=True, help="Let cuDNN try its algorithms."),
            click.option("--graph/--no-graph", default=True, show_default=True, help="Capture steps as CUDA graphs."),
        )
    ):
        command = option(command)
    return command


def _asked(work: Path, **options: Any) -> run.Asked:
    return run.Asked(prepared=work / "prepared", work=work / "trainings", **options)


@main.command()
@_options
def train(**options: Any) -> None:
    """Train what the budget holds and leave predictions, maps, records and weights in OUT; resumes by training."""
    run.train(_asked(**options))


@main.command()
@_options
def probe(**options: Any) -> None:
    """Take a few steps of every backbone, to see that it works on this device and how fast."""
    run.probe(_asked(**options))


@main.command()
@click.argument("cohort", type=_FILE)
@click.option("-o", "--out", type=_PATH, required=True)
@click.option("--external", type=(str, _FILE, _THERE), multiple=True, help="Name, cohort and regions of adults; may be repeated.")
@click.option("--only", "rows", multiple=True, help="COLUMN=VALUE of the tables of boxes to take.")
@click.option("--init", multiple=True, help="BACKBONE=FILE of ImageNet weights, packed in half precision.")
def pack(cohort: Path, out: Path, external: Sequence[tuple[str, Path, Path]], rows: Sequence[str], init: Sequence[str]) -> None:
    """Pack a split cohort, external ones and ImageNet weights into OUT, for a machine without them."""
    cohorts = {"kermany": table.read(cohort)} | {name: table.read(file) for name, file, _ in external}
    chosen = RowFilter.parse(rows)
    marked = {
        name: regions.read(source, cohorts[name], cohorts[name].cases, only=None if source.is_dir() else chosen)
        for name, _, source in external
    }
    paths = archive.write(archive.build(cohorts, marked, LungFinder.load()), out)
    paths += [halved(Path(file), out / f"{name}.safetensors") for name, _, file in (text.partition("=") for text in init)]
    click.echo(f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB: {out}")


@main.command("measure")
@click.argument("packed", type=_FOLDER)
@click.argument("results", type=_FOLDER)
@click.option("-o", "--out", type=_PATH, required=True)
@click.option("--draws", default=measures.DRAWS, show_default=True, help="Bootstrap draws of patients.")
def measure(packed: Path, results: Path, out: Path, draws: int) -> None:
    """Fix thresholds on tune and measure what `train` left in RESULTS on the packed test splits."""
    measures.measure(archive.read(packed), results, out, draws)


@main.command("shipped")
@click.argument("packed", type=_FOLDER)
@click.argument("results", type=_FOLDER)
@click.argument("trainings", nargs=-1, required=True)
@click.option("-o", "--out", type=_PATH, required=True)
def against_shipped(packed: Path, results: Path, trainings: Sequence[str], out: Path) -> None:
    """Compare TRAININGS with the models that the package ships, by DeLong's test on tune and on test."""
    bundles = {name: DEFAULT_BUNDLE.parent / name for name in ("default", "whole")}
    shipped.compare(archive.read(packed), results, bundles, trainings, out)


@main.command("page")
@click.argument("figures", type=_FOLDER)
@click.option("-o", "--out", type=_PATH, required=True)
def write_page(figures: Path, out: Path) -> None:
    """Write the page of what `measure` and `shipped` left in FIGURES."""
    told, beside = (json.loads((figures / name).read_text(encoding="utf-8")) for name in ("figures.json", "shipped.json"))
    out.write_text(page(told, beside), encoding="utf-8")


if __name__ == "__main__":
    main()
