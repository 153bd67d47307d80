"""Measure one trained unit: predictions, where its heat maps lie, size and training time."""

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
from pneumoscope.experiment.cached_measurement import cached
from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.result_files import MEASURE_AGAIN, read_object
from pneumoscope.experiment.settings import MeasurementSettings
from pneumoscope.experiment.workspace import BUNDLE, CHECKPOINT, LOCALIZATION, MEASURED, REGIONS, STAMP, UNIT_NAME, Workspace
from pneumoscope.export.graph import export
from pneumoscope.faithfulness.intervention import Intervention
from pneumoscope.localization import tables
from pneumoscope.localization.localize import FROM_CARD, Selected, measure_cases
from pneumoscope.localization.localizer import Provenance
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.training import curves
from pneumoscope.training.curves import CURVES_NAME

_CODE = ("pneumoscope.localization", "pneumoscope.localization.localize", "pneumoscope.faithfulness.intervention")
"""The modules whose change makes a kept measurement of heat maps out of date."""


def measure(unit: Unit, plan: Plan, cohort: Cohort, workspace: Workspace, settings: MeasurementSettings) -> None:
    """Export and measure a trained unit; a measurement that exists and was made in the same way is kept.

    Parameters
    ----------
    unit, plan
        The unit and the plan that it belongs to.
    cohort
        The split cohort of the unit's fold.
    workspace
        Where the unit's files are.
    settings
        How all units are measured.

    Raises
    ------
    ExportError
        If the exported graph does not agree with PyTorch.
    EvaluationError
        If the network answers with a number that is not finite, or was trained on a case of the tune or test split.
    """
    folder = workspace.folder(unit)
    reader = _exported(folder, settings)
    for split in MEASURED:
        table = folder / f"{split}.csv"
        if not _of_these_cases(table, cohort.on(split)):
            predicted = predict(
                cohort,
                split,
                reader,
                allow_training_patients=settings.allow_training_patients,
                show_progress=workspace.show_progress,
            )
            prediction_files.write(predicted, table)
    inputs = {"model": reader.model.sha256, "draws": settings.draws}
    show = workspace.show_progress
    cached(
        folder / LOCALIZATION,
        "where the heat maps lie",
        {**inputs, "split": plan.split_sha256, "intervene": settings.intervene},
        _CODE,
        partial(_on_cohort, reader, cohort, settings, show),
    )
    if settings.marked:
        cached(
            folder / REGIONS,
            "heat maps against reference regions",
            {**inputs, "regions": settings.marked.sha256},
            _CODE,
            partial(_against_regions, reader, settings.marked, settings, show),
        )
    if not (folder / UNIT_NAME).exists():
        _write_result(unit, plan, folder)


def _write_result(unit: Unit, plan: Plan, folder: Path) -> None:
    result = {
        "unit": dataclasses.asdict(unit),
        "conditions": plan.fingerprint,
        "start": plan.starts[unit.backbone],
        "bytes": (folder / BUNDLE / GRAPH_NAME).stat().st_size,
        **_size(load(folder / CHECKPOINT)),
        **_time(folder),
    }
    with atomic_files.text(folder / UNIT_NAME) as stream:
        stream.write(json.dumps(result, indent=2) + "\n")


def stamp_of(folder: Path) -> dict[str, Any]:
    """Read the weights and the graph that the measurements of a unit are of.

    Parameters
    ----------
    folder
        The folder of the unit.

    Returns
    -------
    dict[str, Any]
        Their hashes; empty if nothing was measured.

    Raises
    ------
    ComparisonError
        If the file is damaged.
    """
    file = folder / STAMP
    return read_object(file, {"weights": str, "graph": str}, MEASURE_AGAIN) if file.exists() else {}


def _exported(folder: Path, settings: MeasurementSettings) -> Reader:
    """The reader of a unit; measurements of a different checkpoint are deleted."""
    weights = cards.read(folder / CHECKPOINT).files[WEIGHTS_NAME]
    stamp = stamp_of(folder)
    if stamp.get("weights") != weights or not (folder / BUNDLE / GRAPH_NAME).exists():
        shutil.rmtree(folder / BUNDLE, ignore_errors=True)
        export(load(folder / CHECKPOINT), folder / BUNDLE, settings.proof)
    reader = Reader.load(folder / BUNDLE, policy=MARK_ALL)
    if stamp != (current := {"weights": weights, "graph": reader.model.sha256}):
        for name in (UNIT_NAME, *(f"{split}.json" for split in MEASURED)):
            (folder / name).unlink(missing_ok=True)
        with atomic_files.text(folder / STAMP) as stream:
            stream.write(json.dumps(current) + "\n")
    return reader


def _of_these_cases(table: Path, cases: Sequence[Case]) -> bool:
    """Whether a table of predictions exists and names these cases in this order: a cohort's root may have changed."""
    try:
        rows = prediction_files.read(table).rows
    except EvaluationError:  # missing, or the files of two runs
        return False
    return [(row.path, row.patient_id, row.label, row.subtype, row.reference) for row in rows] == [
        (case.path, case.patient_id, case.label, case.subtype, case.reference) for case in cases
    ]


def _on_cohort(reader: Reader, cohort: Cohort, settings: MeasurementSettings, show_progress: bool) -> dict[str, Any]:
    """Where the maps of the test split's cases with the target lie, and whether the score follows them."""
    cases = [case for case in cohort.on("test") if case.reference]
    chosen = positives_by_rule(cases, settings.intervene)
    further = [Selected(Intervention(reader, chosen), frozenset(case.path for case in chosen))] if chosen else []
    return _localization(reader, cohort, cases, {}, further, settings.draws, show_progress)


def _against_regions(reader: Reader, marked: MarkedCohort, settings: MeasurementSettings, show_progress: bool) -> dict[str, Any]:
    """The maps of the test split against reference regions and uninformed baselines."""
    return _localization(reader, marked.cohort, marked.cohort.on("test"), marked.regions, (), settings.draws, show_progress)


def _localization(
    reader: Reader,
    cohort: Cohort,
    cases: Sequence[Case],
    regions: Mapping[str, ReferenceRegions],
    further: Sequence[Selected],
    draws: int,
    show_progress: bool,
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
        draws=draws,
        workers=reader.workers,
        show_progress=show_progress,
    )
    return tables.as_json(result)


def _size(classifier: Classifier) -> dict[str, Any]:
    """Parameters, and multiply-adds of one square's score (half of the operations that PyTorch counts)."""
    wanted = classifier.card.preprocessing
    # Fused attention is not counted; the plain one is.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        classifier.network(torch.rand(1, wanted.channels, wanted.size_px, wanted.size_px))
    parameters = sum(p.numel() for p in classifier.network.parameters())
    return {"parameters": parameters, "multiply_adds": counter.get_total_flops() // 2}


def _time(folder: Path) -> dict[str, Any]:
    """Epochs, seconds, processes and speed of the training, from its learning curves."""
    history = curves.read_table(folder / CHECKPOINT / CURVES_NAME)
    return {
        "epochs": len(history),
        "seconds": sum(epoch.seconds for epoch in history),
        "processes": max(epoch.processes for epoch in history),
        "images_per_s": statistics.median(epoch.images_per_s for epoch in history),
    }
