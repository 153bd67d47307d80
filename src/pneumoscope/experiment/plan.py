"""The noun `Plan`: what is trained, and the conditions that are the same for all of it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope import PneumoscopeError, atomic_files
from pneumoscope.cohort import SPLITS, Cohort
from pneumoscope.cohort.case import both_classes
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
    starts: the same as it is told and compared: of a file its name and hash.
    split_sha256: of the cohort's split, or of all folds together.
    lungs: hash of the lung-field model that is looked through, empty where none is.
    folds: number of folds, 0 for the cohort's own split.
    minutes: the budget that the recipe's epochs come from, 0 where there was none.
    at_most: epochs that were asked for beside a budget; shared_by: runs that shared it when the comparison was begun.
    teacher: name and hash of the bundle that is learned from, empty where none is.
    """

    backbones: tuple[str, ...]
    seeds: tuple[int, ...]
    recipe: Recipe
    inits: Mapping[str, str]
    starts: Mapping[str, str]
    split_sha256: str
    lungs: str = ""
    folds: int = 0
    minutes: float = 0.0
    at_most: int = 0
    shared_by: int = 0
    teacher: str = ""

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every backbone once before any of them a second time."""
        numbers = range(1, self.folds + 1) if self.folds else (0,)
        return tuple(Unit(b, seed, fold) for seed in self.seeds for fold in numbers for b in self.backbones)

    def recipe_of(self, unit: Unit) -> Recipe:
        return dataclasses.replace(self.recipe, seed=unit.seed)

    def conditions(self) -> dict[str, Any]:
        """What must not change while units are added: all but backbones and seeds."""
        recipe = {k: v for k, v in self.recipe.options.items() if k != "seed"}
        told = {"recipe": recipe, "split": self.split_sha256, "lungs": self.lungs, "folds": self.folds, "budget": self.minutes}
        told["teacher"] = self.teacher
        if self.minutes:
            told |= {"at most": self.at_most, "shared by": self.shared_by}
        plain: dict[str, Any] = json.loads(json.dumps(told))
        return plain

    @property
    def fingerprint(self) -> str:
        """Hash of the conditions."""
        return hashlib.sha256(json.dumps(self.conditions(), sort_keys=True).encode()).hexdigest()


def splits(cohort: Cohort, folds: int) -> dict[int, Cohort]:
    """The cohort by the number of the fold: itself under 0, or split in folds; CohortError where a side has not both classes."""
    found = dict(enumerate(split_in_folds(cohort, folds), start=1)) if folds else {0: cohort}
    for one in found.values():
        for side in SPLITS:
            both_classes(one.on(side), f"the {side} side")
    return found


def split_of(cohorts: Mapping[int, Cohort]) -> str:
    """The hash of the cohort's own split, or one of all folds."""
    hashes = [cohort.partition.sha256 for cohort in cohorts.values() if cohort.partition]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def keep(plan: Plan, out: Path) -> None:
    """Write the conditions to `out`; ComparisonError where other ones, or another start of a backbone, were used there before."""
    wanted, starts = plan.conditions(), dict(plan.starts)
    if (there := kept(out)) is not None:
        apart = sorted(key for key in wanted if there["conditions"].get(key) != wanted[key])
        apart += [f"start of {name}" for name in starts if there["starts"].get(name, starts[name]) != starts[name]]
        if apart:
            raise ComparisonError(
                f"'{out}' holds a comparison under other conditions (other: {', '.join(apart)}); choose another folder with -o"
            )
        starts = {**there["starts"], **starts}
    with atomic_files.text(out / PLAN_NAME) as stream:
        stream.write(json.dumps({"conditions": wanted, "starts": starts}, indent=2) + "\n")


def kept(out: Path) -> dict[str, Any] | None:
    """The conditions and starts of the comparison in a folder, if there is one."""
    file = out / PLAN_NAME
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return found
