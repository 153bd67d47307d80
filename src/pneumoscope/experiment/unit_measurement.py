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
from pneumoscope.experiment.cached_json import kept
from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.run_settings import BUNDLE, CHECKPOINT, LOCALIZATION, MEASURED, REGIONS, STAMP, UNIT_NAME, RunSettings
from pneumoscope.export.graph import export
from pneumoscope.faithfulness import intervention
from pneumoscope.localization import tables
from pneumoscope.localization.case import LocalizationCase, locate
from pneumoscope.localization.localize import localize
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.training import curves
from pneumoscope.training.curves import CURVES_NAME


def measure(unit: Unit, plan: Plan, cohort: Cohort, place: RunSettings) -> None:
    """Export and measure a trained unit, going on where it stopped; what was measured the same way before is kept."""
    folder = place.folder(unit)
    reader = _exported(folder, place)
    for side in MEASURED:
        table = folder / f"{side}.csv"
        if not _names(table, cohort.on(side)):
            prediction_files.write(predict(cohort, side, reader, show_progress=place.show_progress), table)
    asked = {"model": reader.model.sha256, "draws": place.draws}
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
    """Where the maps of the test side's cases with the target lie, and whether the score follows them."""
    cases = [case for case in cohort.on("test") if case.reference]
    located = locate(reader, cohort, cases, {}, {}, show_progress=place.show_progress)
    more = {}
    if place.intervene:
        chosen = positives_by_rule(cases, place.intervene)
        found = intervention.intervene(reader, cohort, chosen, draws=place.draws, show_progress=place.show_progress)
        more["by intervention"] = intervention.named(found)
    return _as_json(located, reader, cohort, place, more)


def _against_regions(reader: Reader, marked: MarkedCohort, place: RunSettings) -> dict[str, Any]:
    """The maps of the test side against what radiologists marked there, and against maps that look at nothing."""
    cases = marked.cohort.on("test")
    located = locate(reader, marked.cohort, cases, marked.regions, {}, show_progress=place.show_progress)
    return _as_json(located, reader, marked.cohort, place, {})


def _as_json(
    located: Sequence[LocalizationCase],
    reader: Reader,
    cohort: Cohort,
    place: RunSettings,
    more: Mapping[str, Mapping[str, Estimate]],
) -> dict[str, Any]:
    assert cohort.partition is not None
    found = localize(
        located,
        model=reader.card.name,
        source=cohort.source,
        split="test",
        split_sha256=cohort.partition.sha256,
        threshold=reader.card.finding_threshold,
        threshold_from="the model's card",
        draws=place.draws,
        more=more,
    )
    return tables.as_json(found)


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
