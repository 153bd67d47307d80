"""``pneumoscope localize``: can the heat map be believed?"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click
import numpy as np
from PIL import Image

from pneumoscope import DISCLAIMER, MissingExtraError, atomic_files, radiograph
from pneumoscope.cli import models
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.cohort import SPLITS, Case, Cohort, table
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.faithfulness import intervention, occlusion_audit, stability
from pneumoscope.localization import tables
from pneumoscope.localization.case import LocalizationCase, Mask, locate
from pneumoscope.localization.localize import best_threshold, localize
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.lesions import LesionRule
from pneumoscope.reference.regions import Consensus, ReferenceRegions
from pneumoscope.statistics.estimate import Estimate

try:
    from pneumoscope.cli import explaining
except ModuleNotFoundError:  # the extra `explain`; named when it is asked for
    explaining = None  # type: ignore[assignment]  # a module where it is installed

_ALL = "all"
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("localize")
@click.argument("model", type=ModelFolder())
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), required=True, help="Split cohort.")
@click.option(
    "--side", type=click.Choice((*SPLITS, _ALL)), default="test", show_default=True, help="all: every case, split or not."
)
@click.option(
    "--regions",
    "regions_",
    type=click.Path(exists=True, path_type=Path),
    help="What radiologists marked: a CSV of boxes, COCO JSON, a folder of mask PNGs, or DICOM SEG.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Take the rows of a table, or the annotations of JSON (category, reader), with this value; repeat a column for more.",
)
@click.option(
    "--box-space", metavar="file|WxH", help="Pixel grid of the boxes of a table that does not state the size of each image."
)
@click.option(
    "--lesions",
    type=click.Choice(get_args(LesionRule)),
    default="merged",
    show_default=True,
    help="Overlapping boxes of several readers are one lesion, or each reader's box is one.",
)
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
@click.option(
    "--shortcuts", is_flag=True, help="Add ROC-AUC on radiographs without lungs, on the other class's background, and the like."
)
@click.option(
    "--intervene", type=click.IntRange(0), default=0, help="Add deletion, insertion, ROAD and faithfulness on so many cases."
)
@click.option("--stability", "stable", type=click.IntRange(0), default=0, help="Add the map's stability on so many cases.")
@click.option(
    "--methods",
    type=click.IntRange(0),
    default=0,
    help="Add other explanation methods on so many cases with regions; of a checkpoint.",
)
@click.option(
    "--sanity",
    type=click.IntRange(0),
    default=0,
    help="Add cascading randomization of the weights on so many cases; of a checkpoint.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="NAME=CHECKPOINT",
    help="With --sanity: the maps of another checkpoint, such as one of shuffled labels or of another seed; may be repeated.",
)
@click.option("--draws", type=click.IntRange(1), default=2000, show_default=True, help="Bootstrap draws of patients.")
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
def command(
    model: Path,
    cohort_: Path,
    side: str,
    regions_: Path | None,
    only: tuple[str, ...],
    box_space: str | None,
    lesions: LesionRule,
    consensus: Consensus,
    lung_masks: Path | None,
    shortcuts: bool,
    intervene: int,
    stable: int,
    methods: int,
    sanity: int,
    beside: tuple[str, ...],
    draws: int,
    out: Path,
) -> None:
    """Measure the heat maps of MODEL (a bundle or a checkpoint) on one side of a split.

    Against what radiologists marked, against maps that look at nothing, against the lungs; every figure with its interval. The
    threshold of the map is fixed on the cohort's tune side where that has regions and another side is measured, else it is
    the model's own.
    """
    if only and not regions_:
        raise click.UsageError("--only chooses rows of --regions; give a CSV of boxes")
    if (methods or sanity) and explaining is None:
        raise MissingExtraError("other explanation methods and randomization", "explain")
    if (methods or sanity) and (model / GRAPH_NAME).exists():
        raise click.UsageError(f"'{model}' is a bundle; --methods and --sanity need the checkpoint that it was exported from")
    if beside and not sanity:
        raise click.UsageError("--beside is for --sanity; say on how many cases")
    others = dict(_named(text) for text in beside)
    cohort = table.read(cohort_)
    with models.reader(model) as reader:

        def located(which: str) -> list[LocalizationCase]:
            cases = _cases(cohort, which)
            marked = _regions(regions_, cohort, cases, only, consensus, box_space, lesions)
            masks = _masks(lung_masks if which == side else None, cohort, cases)
            return locate(reader, cohort, cases, marked, masks, show_progress=True)

        threshold, threshold_from = _threshold(reader, side, cohort, regions_, located)
        cases = located(side)
        more = _more(reader, cohort, side, shortcuts, intervene, stable, draws)
    if methods or sanity:
        forgetting = positives_by_rule(_cases(cohort, side), sanity)
        more |= explaining.measure(model, cohort, forgetting, _marked(cases, methods), others, draws)
    result = localize(
        cases,
        model=reader.card.name,
        source=cohort_.stem,
        split=side,
        split_sha256=cohort.partition.sha256 if cohort.partition else "",
        threshold=threshold,
        threshold_from=threshold_from,
        draws=draws,
        more=more,
    )
    text = tables.as_markdown(result)
    with atomic_files.text(out / "localization.json") as stream:
        stream.write(json.dumps(tables.as_json(result), indent=2) + "\n")
    with atomic_files.text(out / "localization.md") as stream:
        stream.write(f"{text}\n{DISCLAIMER}\n")
    click.echo(text)
    click.echo(f"tables: {out}. {DISCLAIMER}")


def _more(
    reader: Reader, cohort: Cohort, side: str, shortcuts: bool, intervene: int, stable: int, draws: int
) -> dict[str, Mapping[str, Estimate]]:
    """What takes longer, as it was asked for."""
    more: dict[str, Mapping[str, Estimate]] = {}
    if shortcuts:
        more["ROC-AUC by what can be seen"] = occlusion_audit.audit(
            reader, cohort, _cases(cohort, side), draws=draws, show_progress=True
        )
    if intervene:
        cases = positives_by_rule(_cases(cohort, side), intervene)
        found = intervention.intervene(reader, cohort, cases, draws=draws, show_progress=True)
        more[f"by intervention, {len(cases)} cases"] = intervention.named(found)
    if stable:
        cases = positives_by_rule(_cases(cohort, side), stable)
        found_stable = stability.stability(reader, cohort, cases, draws=draws, show_progress=True)
        more[f"rank correlation of the map with itself, {len(cases)} cases"] = found_stable
    return more


def _named(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not Path(folder).is_dir():
        raise click.UsageError(f"--beside '{text}' should be NAME=CHECKPOINT with the folder of a checkpoint")
    return name, Path(folder)


def _cases(cohort: Cohort, side: str) -> tuple[Case, ...]:
    return cohort.cases if side == _ALL else cohort.on(side)


def _marked(cases: Sequence[LocalizationCase], count: int) -> list[LocalizationCase]:
    """Cases with regions, in the order of a hash."""
    marked = [c for c in cases if c.mask is not None]
    return sorted(marked, key=lambda c: hashlib.sha256(c.path.encode()).hexdigest())[:count]


def _threshold(
    reader: Reader, side: str, cohort: Cohort, regions_: Path | None, located: Callable[[str], list[LocalizationCase]]
) -> tuple[float, str]:
    """The map's threshold, and where it was fixed."""
    has_tune = any(c.split == "tune" for c in cohort.cases)
    if regions_ is None or side in ("tune", _ALL) or not has_tune:
        return reader.card.finding_threshold, "the model's card"
    cases = located("tune")
    if all(c.mask is None for c in cases):
        return reader.card.finding_threshold, "the model's card"
    return best_threshold(cases), "highest mean IoU on the tune side"


def _regions(
    source: Path | None,
    cohort: Cohort,
    cases: Sequence[Case],
    only: tuple[str, ...],
    consensus: Consensus,
    box_space: str | None,
    lesions: LesionRule,
) -> Mapping[str, ReferenceRegions]:
    if source is None:
        return {}
    found = regions.read(
        source,
        cohort,
        cases,
        only=RowFilter.parse(only),
        consensus=consensus,
        box_space=BoxSpace.parse(box_space) if box_space else None,
        lesions=lesions,
    )
    click.echo("\n".join(found.summary()), err=True)
    return found


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
    if folder and not found:
        raise click.UsageError(f"no mask in '{folder}' has the name of a radiograph of this side; are they of this cohort?")
    return found
