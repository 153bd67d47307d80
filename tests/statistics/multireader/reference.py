"""Reference data and numbers: the simulated part from this folder, the published studies from the data beside the checkout.

The numbers come from RJafroc 2.1.3, MRMCaov 0.3.0, iMRMC 2.1.2, pROC, google-health, clust.bin.pair 0.1.2, lme4, irrCAC 1.4,
irr 0.84.1 and psych, run on the same rows; `source` in the JSON names package and call. They have twelve digits.
"""

import csv
import json
import math
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from pneumoscope.statistics.multireader.ratings import ReaderRatings, from_table

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "reader_study"
SIMULATED = {
    "sim_crossed": "crossed",
    "sim_ordinal": "ordinal",
    "sim_split_plot": "split_plot",
    "sim_missing": "missing",
    "sim_cases_nested": "cases_nested",
    "sim_readers_nested": "readers_nested",
}
PUBLISHED = ("van_dyke", "franken", "rj08_penedo", "rj10_ruschin", "rj14_federica_real", "kundel", "imrmc_example")
RELATIVE = 1e-8
"""Tolerance that the reference numbers are given for."""


USED: list[tuple[str, str]] = []
"""Study and method of the reference numbers that were looked up, for `golden_table`."""
OF_SEVERAL = ("agreement.values", "sample_size.rjafroc", "sample_size.mrmcsamplesize", "roe_metz.or_parameters")


class Reference(dict):
    """Reference numbers of a study by method, which note what is looked up."""

    def __init__(self, study, numbers):
        super().__init__(numbers)
        self.study = study

    def __getitem__(self, method):
        value, name = super().__getitem__(method), f"{self.study}.{method}"
        if name in OF_SEVERAL:
            return Reference(name, value)
        USED.append((self.study, method))
        return value

    def items(self):
        return ((method, self[method]) for method in self)


@cache
def golden(study):
    folder = DATA if study.startswith("sim_") or study == "roe_metz" else SHARED
    return Reference(study, json.loads((folder / "golden.json").read_text(encoding="utf-8"))[study])


def rows_of(study):
    path = DATA / f"{SIMULATED[study]}.csv" if study in SIMULATED else SHARED / "roc" / f"{study}.csv"
    return rows(path)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def ratings(study, case="case") -> ReaderRatings:
    return table(rows_of(study), case)


def table(rows, case="case"):
    columns = {name: [row[name] for row in rows] for name in ("reader", case, "truth", "rating")}
    modality = [row.get("modality", "m") for row in rows]
    truth, rating = (np.array(columns[name], float) for name in ("truth", "rating"))
    return from_table(columns["reader"], modality, columns[case], truth, rating)


class Deviations:
    """Compares numbers with reference numbers and keeps those that do not agree."""

    seen: ClassVar[list["Deviations"]] = []

    def __init__(self, relative=RELATIVE, floor=1e-11):
        self.relative, self.floor, self.compared, self.largest, self.bad = relative, floor, 0, 0.0, []
        Deviations.seen.append(self)

    def add(self, name, value, reference):
        self.compared += 1
        if reference is None:
            agrees = not math.isfinite(value)
        else:
            agrees = math.isclose(value, reference, rel_tol=self.relative, abs_tol=self.floor)
            if math.isfinite(value):  # of numbers below .001 the difference over .001
                self.largest = max(self.largest, abs(value - reference) / max(abs(reference), 1e-3))
        if not agrees:
            self.bad.append((name, value, reference))

    def add_each(self, name, values, references):
        values = list(values)
        assert len(values) == len(references), name
        for position, (value, reference) in enumerate(zip(values, references, strict=True)):
            self.add(f"{name}[{position}]", value, reference)

    def add_inference(self, name, result, reference, keys):
        for attribute, key in keys.items():
            self.add(f"{name} {attribute}", getattr(result, attribute), reference[key])

    def none(self, at_least):
        assert not self.bad, self.bad
        assert self.compared >= at_least


DIFFERENCE = {"estimate": "estimate", "standard_error": "se", "p": "p", "low": "low", "high": "high"}
MEAN = {"estimate": "estimate", "standard_error": "se", "low": "low", "high": "high"}
