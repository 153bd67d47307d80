"""The noun `PreparedSplit`: one part of a split as a network looks at it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Preprocessing
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.lung_fields import LungFinder
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.pool import Pool
from pneumoscope.training.prepared import Squares, squares
from pneumoscope.training.recipe import Recipe

SOURCE_PX = 224
"""Edge of the square that the whole radiograph is resampled to before lungs are found: the usual size of training copies."""


@dataclass(frozen=True, eq=False)
class PreparedSplit:
    """One part of a split as a network looks at it, in the order of the cohort.

    Parameters
    ----------
    squares
        uint8, shape (n, channels, size_px, size_px).
    reference
        int64, shape (n,): 1 for cases with the target, else 0.
    patients
        Patient of each image.
    taught
        A teacher's log-odds, float32, shape (n,); None without a teacher.
    sources, labels
        Data set and label of each image; empty where they are not known.
    """

    squares: Squares
    reference: NDArray[np.int64]
    patients: tuple[str, ...]
    taught: NDArray[np.float32] | None = None
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def pool(self) -> Pool:
        """What batches are drawn by."""
        return Pool(self.reference, self.sources, self.labels)


def preprocessing_of(recipe: Recipe, finder: LungFinder | None) -> Preprocessing:
    """Derive what a classifier trained by a recipe looks at.

    Parameters
    ----------
    recipe
        Crop and size of the square.
    finder
        The lung-field model, if there is one.

    Returns
    -------
    Preprocessing
        The preprocessing for its card.

    Raises
    ------
    TrainingError
        If the recipe needs lungs and there is no lung-field model.
    """
    if recipe.crop == "whole" and not recipe.adds_up:
        return Preprocessing(recipe.size_px)
    if finder is None:
        raise TrainingError(f"the recipe '{recipe.name}' looks at lungs; give a lung-field model")
    return Preprocessing(recipe.size_px, recipe.crop, source_px=SOURCE_PX, lungs=finder.sha256)


def prepare_split(
    cohort: Cohort,
    split: str,
    preprocessing: Preprocessing,
    cache: Path,
    *,
    finder: LungFinder | None = None,
    show_progress: bool = False,
) -> PreparedSplit:
    """Prepare one part of a split, or read it from the cache.

    Parameters
    ----------
    cohort
        The split cohort.
    split
        ``train``, ``tune`` or ``test``.
    preprocessing
        What the network looks at.
    cache
        Folder for the prepared squares.
    finder
        The lung-field model that `preprocessing` names; None if it names none.
    show_progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    PreparedSplit
        The prepared cases.

    Raises
    ------
    CohortError
        If the part is empty or has one class only.
    """
    cases = cohort.on(split)
    both_classes(cases, f"the {split} side")
    images = squares(cohort, cases, preprocessing, cache, finder=finder, show_progress=show_progress)
    pool = Pool.of(cases)
    patients = tuple(case.patient_id for case in cases)
    return PreparedSplit(images, pool.reference, patients, sources=pool.sources, labels=pool.labels)
