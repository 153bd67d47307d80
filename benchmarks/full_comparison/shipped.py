"""Trainings beside the models that the package ships, on tune and on test: is one of those to be replaced?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from full_comparison.archive import Archive
from full_comparison.measure import Measure, as_json, load
from pneumoscope.reader import Reader
from pneumoscope.statistics import metrics, paired

SPLITS = ("tune", "test")


def log_odds(reader: Reader, archive: Archive, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return a shipped model's log-odds of entries."""
    return np.array([reader.read(archive.files[k]).score.log_odds for k in numbers], np.float64)


def compare(archive: Archive, results: Path, bundles: Mapping[str, Path], names: Sequence[str], out: Path) -> None:
    """Write ``shipped.json``: ROC-AUC of shipped models on Kermany's tune and test, and DeLong's test of trainings against them.

    Parameters
    ----------
    results: what `train` left.
    bundles: of the shipped models, by name.
    names: of the trainings.
    """
    records, predictions = load(results)
    meter = Measure(archive, predictions)
    told: dict[str, Any] = {}
    for model, bundle in bundles.items():
        reader = Reader.load(bundle, threads=1)
        for split in SPLITS:
            numbers = archive.of("kermany", split)
            reference, patients = meter.reference[numbers], meter.patients[numbers].tolist()
            own = log_odds(reader, archive, numbers)
            tests = {}
            for name in names:
                found = paired.delong(
                    reference, meter.log_odds(records["trainings"][name], "kermany", split, False), own, patients
                )
                tests[name] = {"difference": as_json(found.difference), "p": found.p}
            auc = float(metrics.roc_auc(reference, own))
            told.setdefault(model, {})[split] = {"ROC-AUC": auc, "model": asdict(reader.model), "minus it": tests}
    (out / "shipped.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
