"""The noun `PreparedSplit`: one side of a split as a classifier looks at it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Preprocessing
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.lung_fields import LungFinder
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared import Squares, squares
from pneumoscope.training.recipe import Recipe

SOURCE_PX = 224
"""Side that the whole radiograph is brought to before lungs are looked at: what training copies usually have."""


@dataclass(frozen=True, eq=False)
class PreparedSplit:
    """One side of the split in the cohort's order, for a model: squares uint8 (n, channels, side, side), reference (n,)."""

    squares: Squares
    reference: NDArray[np.int64]
    patients: tuple[str, ...]
    taught: NDArray[np.float32] | None = None
    """A teacher's log-odds (n,), where there is one to learn from."""


def preprocessing_of(recipe: Recipe, finder: LungFinder | None) -> Preprocessing:
    """What a classifier trained by this recipe looks at; TrainingError where that needs lungs and nothing finds them."""
    if recipe.crop == "whole" and not recipe.adds_up:
        return Preprocessing(recipe.size_px)
    if finder is None:
        raise TrainingError(f"the recipe '{recipe.name}' looks at lungs; give a lung-field model")
    return Preprocessing(recipe.size_px, recipe.crop, source_px=SOURCE_PX, lungs=finder.sha256)


def prepare_split(
    cohort: Cohort,
    side: str,
    preprocessing: Preprocessing,
    cache: Path,
    *,
    finder: LungFinder | None = None,
    show_progress: bool = False,
) -> PreparedSplit:
    """Prepare a side from the cache; CohortError where it is missing or has one class."""
    cases = cohort.on(side)
    both_classes(cases, f"the {side} side")
    images = squares(cohort, cases, preprocessing, cache, finder=finder, show_progress=show_progress)
    return PreparedSplit(images, np.array([c.reference for c in cases]), tuple(c.patient_id for c in cases))
