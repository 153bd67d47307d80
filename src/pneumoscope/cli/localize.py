"""``pneumoscope localize``: can the heat map be believed?"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import click
import numpy as np
from PIL import Image

from pneumoscope import DISCLAIMER, radiograph, storage
from pneumoscope.cli import models
from pneumoscope.cohort import SIDES, Case, Cohort, table
from pneumoscope.evaluation import localization_tables, regions
from pneumoscope.evaluation.localize import best_threshold, localize
from pneumoscope.evaluation.located import Located, Mask, locate
from pneumoscope.evaluation.regions import Consensus, ReferenceRegions
from pneumoscope.reader import Reader

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("localize")
@click.argument("model", type=_FOLDER)
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), required=True, help="Split cohort.")
@click.option("--side", type=click.Choice(SIDES), default="test", show_default=True)
@click.option(
    "--regions",
    "regions_",
    type=click.Path(exists=True, path_type=Path),
    help="What radiologists marked: a CSV of boxes, COCO JSON, a folder of mask PNGs, or DICOM SEG.",
)
@click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="Of a CSV of boxes, take the rows with this value.")
@click.option(
    "--consensus",
    type=click.Choice(get_args(Consensus)),
    default="union",
    show_default=True,
    help="Which pixels count where several readers marked.",
)
@click.option(
    "--lung-masks", type=_FOLDER, help="Reference lung masks (PNG); by default the lungs that the model's reader finds."
)
@click.option("--draws", type=click.IntRange(1), default=2000, show_default=True, help="Bootstrap draws of patients.")
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
def command(
    model: Path,
    cohort_: Path,
    side: str,
    regions_: Path | None,
    only: tuple[str, ...],
    consensus: Consensus,
    lung_masks: Path | None,
    draws: int,
    out: Path,
) -> None:
    """Measure the heat maps of MODEL (a bundle or a checkpoint) on one side of a split.

    Against what radiologists marked, against maps that look at nothing, against the lungs; every figure with its interval. The
    threshold of the map is fixed on the cohort's tune side where that has regions and another side is measured, else it is
    the model's own.
    """
    cohort = table.read(cohort_)
    with models.reader(model) as reader:

        def located(which: str) -> list[Located]:
            cases = cohort.on(which)
            marked = _regions(regions_, cohort, cases, only, consensus)
            return locate(reader, cohort, cases, marked, _masks(lung_masks, cohort, cases), show_progress=True)

        threshold, threshold_from = _threshold(reader, side, cohort, regions_, located)
        cases = located(side)
    assert cohort.split is not None
    result = localize(
        cases,
        model=reader.card.name,
        source=cohort_.stem,
        side=side,
        split_sha256=cohort.split.sha256,
        threshold=threshold,
        threshold_from=threshold_from,
        draws=draws,
    )
    text = localization_tables.as_markdown(result)
    with storage.text(out / "localization.json") as stream:
        stream.write(json.dumps(localization_tables.as_json(result), indent=2) + "\n")
    with storage.text(out / "localization.md") as stream:
        stream.write(f"{text}\n{DISCLAIMER}\n")
    click.echo(text)
    click.echo(f"tables: {out}. {DISCLAIMER}")


def _threshold(
    reader: Reader, side: str, cohort: Cohort, regions_: Path | None, located: Callable[[str], list[Located]]
) -> tuple[float, str]:
    """The map's threshold, and where it was fixed."""
    has_tune = any(c.side == "tune" for c in cohort.cases)
    if regions_ is None or side == "tune" or not has_tune:
        return reader.card.finding_threshold, "the model's card"
    return best_threshold(located("tune")), "highest mean IoU on the tune side"


def _regions(
    source: Path | None, cohort: Cohort, cases: Sequence[Case], only: tuple[str, ...], consensus: Consensus
) -> dict[str, ReferenceRegions]:
    if source is None:
        return {}
    wanted = {}
    for text in only:
        column, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--only '{text}' should be COLUMN=VALUE")
        wanted[column] = value
    return dict(regions.read(source, cohort, cases, only=wanted, consensus=consensus))


def _masks(folder: Path | None, cohort: Cohort, cases: Sequence[Case]) -> dict[str, Mask]:
    """Lung masks on each radiograph's grid; a case without a file has none."""
    found = {}
    for case in cases if folder else ():
        assert folder is not None
        path = Path(case.path)
        for file in (folder / path.with_suffix(".png"), folder / f"{path.stem}.png"):
            if file.is_file():
                image = radiograph.read(cohort.file(case))
                with Image.open(file) as mask:
                    resized = mask.convert("L").resize((image.cols, image.rows), Image.Resampling.NEAREST)
                found[case.path] = np.asarray(resized) > 0
                break
    return found
