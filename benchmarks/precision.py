"""Measure size, speed and agreement of bundles in lower precision, as `pneumoscope export --precision` records them in the card.

    python benchmarks/precision.py COHORT CHECKPOINT [CHECKPOINT ...] [--precisions fp16 int8] [--json FILE]

Exports each checkpoint in each precision with the tune split of COHORT, the split cohort on which it was trained. If a bundle is
refused, the table gives the reason.
"""

import tempfile
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from measuring import machine, parser, table, write

from pneumoscope import radiograph
from pneumoscope.classifier import checkpoint
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.cohort import table as cohorts
from pneumoscope.cohort.sample import sample
from pneumoscope.export.errors import ExportError
from pneumoscope.export.graph import Tune, export
from pneumoscope.radiograph import Radiograph

Precision = Literal["fp16", "int8"]


def shipped() -> list[Radiograph]:
    with sample() as cohort:
        return [radiograph.read(cohort.file(case)) for case in cohort.cases]


def row(classifier: Classifier, precision: Precision, tune: Tune, proof: list[Radiograph]) -> dict[str, Any]:
    names: dict[str, Any] = {"model": classifier.card.name, "precision": precision}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            card = export(classifier, Path(scratch) / "bundle", proof, precision=precision, tune=tune)
        except ExportError as error:
            return {**names, "refused": str(error)}
    cost, agreement = card.results["cost"], card.results["precision"]
    sizes, taken = cost["bytes"], cost["ms"]
    faster = taken["fp32"] / taken[precision]
    return {**names, "MB fp32": sizes["fp32"] / 1e6, "MB": sizes[precision] / 1e6, "faster": faster, **agreement}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("checkpoints", type=Path, nargs="+")
    arguments.add_argument("--precisions", nargs="+", default=["fp16", "int8"], choices=["fp16", "int8"])
    asked = arguments.parse_args()
    cohort = cohorts.read(asked.cohort)
    cases = cohort.on("tune")
    tune = Tune([radiograph.read(cohort.file(case)) for case in cases], np.array([case.reference for case in cases]))
    proof, rows = shipped(), []
    for folder in asked.checkpoints:
        for precision in cast(list[Precision], asked.precisions):
            rows.append(row(checkpoint.load(folder), precision, tune, proof))
            print("\n" + table(rows[-1:]), flush=True)
            write(asked.json, {"machine": machine("onnxruntime"), "tune images": len(cases), "rows": rows})


if __name__ == "__main__":
    main()
