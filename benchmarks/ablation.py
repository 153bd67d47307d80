"""Measure what each part of the evidence recipe is worth: the same short training with one part left out at a time.

    python benchmarks/ablation.py COHORT --masks-cohort COHORT --masks FOLDER --boxes-cohort COHORT --boxes FILE \\
        --opacity-cohort COHORT --opacity FOLDER --init FILE -o OUT [--size-px 96] [--epochs 2]

Trains on the train split of COHORT and measures everything on tune splits: ROC-AUC on COHORT, energy and peak in the lungs on the
cohort with lung masks, ROC-AUC, hit and pixel average precision on the cohorts with boxes and with opacity masks. Finished runs
are not repeated, so the command can be interrupted and run again. Writes one JSON file per run to OUT.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files, radiograph
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.checkpoint import load
from pneumoscope.cohort import Cohort, table
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.cohort.sample import sample
from pneumoscope.evaluation import evaluate, predict
from pneumoscope.evaluation.training_overlap import training_overlap
from pneumoscope.export.graph import export
from pneumoscope.localization.localize import measure_cases
from pneumoscope.localization.localizer import Localization, Provenance
from pneumoscope.lung_fields import LungFinder
from pneumoscope.reader import Reader
from pneumoscope.reference import regions
from pneumoscope.reference.lung_masks import lung_masks
from pneumoscope.training.fit import fit
from pneumoscope.training.recipe import Recipe, recipe

WITHOUT: dict[str, dict[str, Any]] = {
    "0 nothing": {},
    "1 crop to the lungs": {"crop": "whole"},
    "2 pooling over the lungs only": {"head": "evidence-everywhere"},
    "3 energy loss": {"energy_weight": 0.0},
    "4 pyramid": {"head": "evidence-coarse"},
    "5 painting": {"painting_weight": 0.0, "painted_negatives": 0, "painted_positives": 0},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cohort", type=Path)
    for name in ("masks-cohort", "masks", "boxes-cohort", "boxes", "opacity-cohort", "opacity"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    arguments.add_argument("--init", default="imagenet")
    arguments.add_argument("--cache", type=Path, default=Path("ablation-cache"))
    arguments.add_argument("--size-px", type=int, default=96)
    arguments.add_argument("--epochs", type=int, default=2)
    arguments.add_argument("-o", "--out", type=Path, required=True)
    asked = arguments.parse_args()
    for name, change in WITHOUT.items():
        path = asked.out / f"{name.replace(' ', '-')}.json"
        if path.exists():
            continue
        chosen = recipe("evidence", size_px=asked.size_px, epochs=asked.epochs, **change)
        row = {"left out": name.split(" ", 1)[1], "figures": measured(asked, chosen, asked.out / "runs" / path.stem)}
        with atomic_files.text(path) as stream:
            stream.write(json.dumps(row, indent=2) + "\n")
        print(row, flush=True)


def measured(asked: argparse.Namespace, chosen: Recipe, out: Path) -> dict[str, float]:
    cohort = table.read(asked.cohort)
    resume = (out / "state").exists()
    if not (out / "card.json").exists():
        fit(
            cohort,
            backbone("mobilenet_v2"),
            chosen,
            out,
            init=asked.init,
            cache=asked.cache,
            finder=LungFinder.load(),
            resume=resume,
        )
    classifier = load(out)
    if not (out / "bundle").exists():
        with sample() as shipped:
            export(classifier, out / "bundle", [radiograph.read(shipped.file(case)) for case in shipped.cases])
    reader = Reader.load(out / "bundle")
    auc = evaluate(predict(cohort, "tune", reader), on_itself="leave-out", draws=1).figures["ROC-AUC"].value
    lungs = localized(reader, table.read(asked.masks_cohort), masks=asked.masks)
    boxes = localized(reader, table.read(asked.boxes_cohort), source=asked.boxes, only=("source=RSNA",))
    opacity = localized(reader, table.read(asked.opacity_cohort), source=asked.opacity)
    figures = {
        "Kermany ROC-AUC": auc,
        "energy in the lungs": lungs.anatomy["energy in the lungs"].value,
        "peak in the lungs": lungs.anatomy["peak in the lungs"].value,
        "RSNA ROC-AUC": boxes.image["ROC-AUC"].value,
    }
    for name, localization in (("RSNA", boxes), ("COVID", opacity)):
        figures |= {f"{name} {figure}": localization.against_regions[figure].value for figure in ("hit", "pixel AP")}
    return figures


def localized(
    reader: Reader, cohort: Cohort, *, source: Path | None = None, only: Sequence[str] = (), masks: Path | None = None
) -> Localization:
    """Measure the tune split; with lung masks, those of its cases that have one."""
    cases = cohort.on("tune")
    drawn = regions.read(source, cohort, cases, only=RowFilter.parse(only)) if source else None
    lungs = lung_masks(masks, [case.path for case in cases]) if masks else None
    measured_cases = [case for case in cases if lungs is None or case.path in lungs.files]
    provenance = Provenance(
        reader.card.name, cohort.source, "tune", "", 0.5, "fixed", training_overlap(reader.trained_on, measured_cases)
    )
    return measure_cases(
        reader, cohort, measured_cases, provenance, regions=drawn, lung_mask_of=lungs.on_grid if lungs else None, draws=1
    )


if __name__ == "__main__":
    main()
