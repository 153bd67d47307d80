"""The noun `Plan`: what is trained, and the conditions that are the same for all of it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope import PneumoscopeError, storage
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.split import folds as split_in_folds
from pneumoscope.training.recipe import Recipe

PLAN_NAME = "plan.json"


class ComparisonError(PneumoscopeError):
    """A comparison cannot be made as it was asked for."""


@dataclass(frozen=True)
class Unit:
    """One network to train: its result is kept whole or not at all.

    `fold` is 0 for the cohort's own split, else the number of the fold, from 1.
    """

    backbone: str
    seed: int
    fold: int = 0

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.backbone}-seed{self.seed}" + (f"-fold{self.fold}" if self.fold else "")


@dataclass(frozen=True)
class Plan:
    """Which backbones and seeds are trained, and how.

    Attributes
    ----------
    recipe: of every unit, but for the seed.
    inits: what each backbone starts from, as `classifier.weights.initialize` takes it.
    lungs: hash of the lung-field model that is looked through, empty where none is.
    folds: number of folds, 0 for the cohort's own split.
    note: what is to be said of the conditions in a report.
    """

    backbones: tuple[str, ...]
    seeds: tuple[int, ...]
    recipe: Recipe
    inits: Mapping[str, str]
    split_sha256: str
    lungs: str = ""
    folds: int = 0
    note: str = ""

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every backbone once before any of them a second time."""
        numbers = range(1, self.folds + 1) if self.folds else (0,)
        return tuple(Unit(b, seed, fold) for seed in self.seeds for fold in numbers for b in self.backbones)

    def recipe_of(self, unit: Unit) -> Recipe:
        return dataclasses.replace(self.recipe, seed=unit.seed)

    def conditions(self) -> dict[str, Any]:
        """What must not change while units are added: all but backbones and seeds."""
        recipe = {k: v for k, v in dataclasses.asdict(self.recipe).items() if k != "seed"}
        return {"recipe": recipe, "split": self.split_sha256, "lungs": self.lungs, "folds": self.folds, "note": self.note}

    @property
    def fingerprint(self) -> str:
        """Hash of the conditions."""
        return hashlib.sha256(json.dumps(self.conditions(), sort_keys=True).encode()).hexdigest()


def cohorts(plan: Plan, cohort: Cohort) -> dict[int, Cohort]:
    """The cohort by the number of the fold: itself under 0, or split in folds."""
    if not plan.folds:
        return {0: cohort}
    return dict(enumerate(split_in_folds(cohort, plan.folds), start=1))


def keep(plan: Plan, out: Path) -> None:
    """Write the conditions to `out`; ComparisonError where other ones were used there before."""
    file = out / PLAN_NAME
    wanted = plan.conditions()
    if file.exists():
        there = json.loads(file.read_text(encoding="utf-8"))["conditions"]
        if there != json.loads(json.dumps(wanted)):
            apart = sorted(key for key in wanted if there.get(key) != json.loads(json.dumps(wanted[key])))
            raise ComparisonError(
                f"'{out}' holds a comparison under other conditions (other: {', '.join(apart)}); choose another folder with -o"
            )
    told = {"conditions": wanted, "backbones": plan.backbones, "seeds": plan.seeds, "inits": dict(plan.inits)}
    with storage.text(file) as stream:
        stream.write(json.dumps(told, indent=2) + "\n")
