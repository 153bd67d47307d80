"""The noun `Plan`: what is trained, and the conditions that are the same for all of it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.cohort import SPLITS, Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.cohort.split import folds as split_in_folds
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.result_files import ANOTHER_FOLDER, read_object
from pneumoscope.training.recipe import Recipe

PLAN_NAME = "plan.json"


@dataclass(frozen=True)
class Unit:
    """One network to train; its result is kept whole or not at all.

    Parameters
    ----------
    backbone
        Name of the backbone.
    seed
        Of weights, order and augmentation.
    fold
        0 for the cohort's own split, else the number of the fold, from 1.
    """

    backbone: str
    seed: int
    fold: int = 0

    @property
    def name(self) -> str:
        """Name of the unit's folder."""
        return f"{self.backbone}-seed{self.seed}" + (f"-fold{self.fold}" if self.fold else "")


@dataclass(frozen=True)
class Plan:
    """Which backbones and seeds are trained, and how.

    Parameters
    ----------
    backbones
        Names of the backbones.
    seeds
        A run of every backbone for each.
    recipe
        The recipe of every unit, apart from the seed.
    inits
        What each backbone starts from, as `classifier.weights.initialize` takes it.
    starts
        The same for reports and for comparing: a file is given by its name and hash.
    split_sha256
        SHA-256 of the cohort's split, or of the splits of all folds.
    lungs
        SHA-256 of the lung-field model; empty if none is used.
    folds
        Number of folds; 0 for the cohort's own split.
    minutes
        Training budget that the recipe's epochs were computed from; 0 without one.
    at_most
        Epochs that were asked for in addition to a budget.
    shared_by
        Number of runs that shared the budget when the experiment was begun.
    teacher
        Name and hash of the model that is learned from; empty if there is none.
    rounding
        What decides the results besides the recipe: precision and compilation; empty in single precision.
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
    rounding: tuple[str, ...] = ()

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units, every backbone once before any backbone twice."""
        numbers = range(1, self.folds + 1) if self.folds else (0,)
        return tuple(Unit(backbone, seed, fold) for seed in self.seeds for fold in numbers for backbone in self.backbones)

    def recipe_of(self, unit: Unit) -> Recipe:
        """The recipe of one unit.

        Parameters
        ----------
        unit
            The unit.

        Returns
        -------
        Recipe
            The plan's recipe with the unit's seed.
        """
        return dataclasses.replace(self.recipe, seed=unit.seed)

    def conditions(self) -> dict[str, Any]:
        """What must not change when units are added: everything but backbones and seeds.

        Returns
        -------
        dict[str, Any]
            Plain JSON values by name.
        """
        recipe = {key: value for key, value in self.recipe.options.items() if key != "seed"}
        conditions: dict[str, Any] = {
            "recipe": recipe,
            "split": self.split_sha256,
            "lungs": self.lungs,
            "folds": self.folds,
            "budget": self.minutes,
            "teacher": self.teacher,
        }
        if self.rounding:
            conditions["precision"] = self.rounding
        if self.minutes:
            conditions |= {"at most": self.at_most, "shared by": self.shared_by}
        plain: dict[str, Any] = json.loads(json.dumps(conditions))
        return plain

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the conditions."""
        return hashlib.sha256(json.dumps(self.conditions(), sort_keys=True).encode()).hexdigest()


def splits(cohort: Cohort, folds: int) -> dict[int, Cohort]:
    """Split a cohort in folds.

    Parameters
    ----------
    cohort
        A split cohort, or any cohort if there are folds.
    folds
        Number of folds; 0 takes the cohort's own split.

    Returns
    -------
    dict[int, Cohort]
        A split cohort by the number of the fold, from 1; under 0 the cohort itself.

    Raises
    ------
    CohortError
        If a part of a split lacks a class.
    """
    cohorts = dict(enumerate(split_in_folds(cohort, folds), start=1)) if folds else {0: cohort}
    for one in cohorts.values():
        for split in SPLITS:
            both_classes(one.on(split), f"the {split} side")
    return cohorts


def split_of(cohorts: Mapping[int, Cohort]) -> str:
    """Hash the splits of an experiment.

    Parameters
    ----------
    cohorts
        What `splits` returned.

    Returns
    -------
    str
        SHA-256 of the cohort's own split, or one of all folds.
    """
    hashes = [cohort.partition.sha256 for cohort in cohorts.values() if cohort.partition]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def write(plan: Plan, out: Path) -> None:
    """Write the conditions of an experiment to its folder, and check those that are already there.

    Parameters
    ----------
    plan
        The plan.
    out
        The folder of the experiment.

    Raises
    ------
    ComparisonError
        If the folder holds an experiment under other conditions, or with another start of a backbone, or a damaged plan.
    """
    conditions, starts = plan.conditions(), dict(plan.starts)
    if (earlier := read(out)) is not None:
        before = earlier["conditions"]
        different = sorted(key for key in {*conditions, *before} if before.get(key) != conditions.get(key))
        different += [f"start of {name}" for name in starts if earlier["starts"].get(name, starts[name]) != starts[name]]
        if different:
            raise ComparisonError(
                f"'{out}' holds a comparison under other conditions (other: {', '.join(different)}); "
                "choose another folder with -o"
            )
        starts = {**earlier["starts"], **starts}
    with atomic_files.text(out / PLAN_NAME) as stream:
        stream.write(json.dumps({"conditions": conditions, "starts": starts}, indent=2) + "\n")


def read(out: Path) -> dict[str, Any] | None:
    """Read the conditions and starts of the experiment in a folder.

    Parameters
    ----------
    out
        The folder of the experiment.

    Returns
    -------
    dict[str, Any] | None
        The conditions under ``conditions`` and the starts under ``starts``; None if there is no experiment.

    Raises
    ------
    ComparisonError
        If the file is damaged.
    """
    file = out / PLAN_NAME
    return read_object(file, {"conditions": dict, "starts": dict}, ANOTHER_FOLDER) if file.exists() else None
