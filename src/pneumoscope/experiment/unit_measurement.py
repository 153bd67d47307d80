"""What is measured of a trained unit: predictions, where its heat maps lie, size and time."""

import dataclasses
import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pneumoscope import atomic_files
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import WEIGHTS_NAME, Classifier, load
from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.evaluation import EvaluationError, predict, prediction_files
from pneumoscope.evaluation.training_overlap import training_overlap
from pneumoscope.experiment.cached_json import kept
from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.run_settings import BUNDLE, CHECKPOINT, LOCALIZATION, MEASURED, REGIONS, STAMP, UNIT_NAME, RunSettings
from pneumoscope.export.graph import export
from pneumoscope.faithfulness.intervention import Intervention
from pneumoscope.localization import tables
from pneumoscope.localization.localize import FROM_CARD, Selected, measure_cases
from pneumoscope.localization.localizer import Provenance
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.training import curves
from pneumoscope.training.curves import CURVES_NAME

_FORM = 2
"""Of the localization that is kept: 2 names its keys otherwise than 1."""


def measure(unit: Unit, plan: Plan, cohort: Cohort, place: RunSettings) -> None:
    """Export and measure a trained unit, going on where it stopped; what was measured the same way before is kept."""
    folder = place.folder(unit)
    reader = _exported(folder, place)
    for side in MEASURED:
        table = folder / f"{side}.csv"
        if not _names(table, cohort.on(side)):
            prediction_files.write(predict(cohort, side, reader, show_progress=place.show_progress), table)
    asked = {"form": _FORM, "model": reader.model.sha256, "draws": place.draws}
    kept(folder / LOCALIZATION, {**asked, "intervene": place.intervene}, partial(_localized, reader, cohort, place))
    if place.marked:
        kept(folder / REGIONS, {**asked, "regions": place.marked.sha256}, partial(_against_regions, reader, place.marked, place))
    if (folder / UNIT_NAME).exists():
        return
    told = {
        "unit": dataclasses.asdict(unit),
        "conditions": plan.fingerprint,
        "start": plan.starts[unit.backbone],
        "bytes": (folder / BUNDLE / GRAPH_NAME).stat().st_size,
        **_size(load(folder / CHECKPOINT)),
        **_time(folder),
    }
    with atomic_files.text(folder / UNIT_NAME) as stream:
        stream.write(json.dumps(told, indent=2) + "\n")


def _exported(folder: Path, place: RunSettings) -> Reader:
    """The unit's reader; what was measured of another network than the checkpoint there is taken away."""
    weights = cards.read(folder / CHECKPOINT).files[WEIGHTS_NAME]
    stamp = json.loads((folder / STAMP).read_text(encoding="utf-8")) if (folder / STAMP).exists() else {}
    graph = folder / BUNDLE / GRAPH_NAME
    if stamp.get("weights") != weights or not graph.exists():
        shutil.rmtree(folder / BUNDLE, ignore_errors=True)
        export(load(folder / CHECKPOINT), folder / BUNDLE, place.proof)
    reader = Reader.load(folder / BUNDLE)
    if stamp != (made := {"weights": weights, "graph": reader.model.sha256}):
        for name in (UNIT_NAME, *(f"{side}.json" for side in MEASURED)):
            (folder / name).unlink(missing_ok=True)
        with atomic_files.text(folder / STAMP) as stream:
            stream.write(json.dumps(made) + "\n")
    return reader


def _names(table: Path, cases: Sequence[Case]) -> bool:
    """Whether predictions name the cases, and in the order, as the cohort does now: a split is the same from another root."""
    try:
        rows = prediction_files.read(table).rows
    except EvaluationError:  # not there, or cut off between its two files
        return False
    return [(row.path, row.patient_id, row.label, row.subtype, row.reference) for row in rows] == [
        (case.path, case.patient_id, case.label, case.subtype, case.reference) for case in cases
    ]


def _localized(reader: Reader, cohort: Cohort, place: RunSettings) -> dict[str, Any]:
    """Where the maps of the test split's cases with the target lie, and whether the score follows them."""
    cases = [case for case in cohort.on("test") if case.reference]
    chosen = positives_by_rule(cases, place.intervene)
    further = [Selected(Intervention(reader, chosen), frozenset(case.path for case in chosen))] if chosen else []
    return _measured(reader, cohort, cases, {}, further, place)


def _against_regions(reader: Reader, marked: MarkedCohort, place: RunSettings) -> dict[str, Any]:
    """The maps of the test split against reference regions and uninformed baselines."""
    return _measured(reader, marked.cohort, marked.cohort.on("test"), marked.regions, (), place)


def _measured(
    reader: Reader,
    cohort: Cohort,
    cases: Sequence[Case],
    regions: Mapping[str, ReferenceRegions],
    further: Sequence[Selected],
    place: RunSettings,
) -> dict[str, Any]:
    assert cohort.partition is not None
    provenance = Provenance(
        model=reader.card.name,
        source=cohort.source,
        split="test",
        split_sha256=cohort.partition.sha256,
        threshold=reader.card.finding_threshold,
        threshold_from=FROM_CARD,
        training_overlap=training_overlap(reader.trained_on, cases),
    )
    result = measure_cases(
        reader,
        cohort,
        cases,
        provenance,
        regions=regions,
        further=further,
        draws=place.draws,
        workers=reader.workers,
        show_progress=place.show_progress,
    )
    return tables.as_json(result)


def _size(classifier: Classifier) -> dict[str, Any]:
    """Parameters, and multiply-adds of one square's score (half of what PyTorch counts as operations)."""
    wanted = classifier.card.preprocessing
    # The fused attention is not counted, and without gradients there is no other.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        classifier.network(torch.rand(1, wanted.channels, wanted.size_px, wanted.size_px))
    parameters = sum(p.numel() for p in classifier.network.parameters())
    return {"parameters": parameters, "multiply_adds": counter.get_total_flops() // 2}


def _time(folder: Path) -> dict[str, Any]:
    """Of the epochs that are in the learning curves."""
    history = curves.read_table(folder / CHECKPOINT / CURVES_NAME)
    return {
        "epochs": len(history),
        "seconds": sum(epoch.seconds for epoch in history),
        "processes": max(epoch.processes for epoch in history),
        "images_per_s": statistics.median(epoch.images_per_s for epoch in history),
    }
