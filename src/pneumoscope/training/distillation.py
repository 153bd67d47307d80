"""The answers of a trained reader for every training image: log-odds and, if its score is pooled from evidence, heat maps."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.array_file import write_array
from pneumoscope.cache import Question, file_answer
from pneumoscope.classifier import Card, Preprocessing
from pneumoscope.cohort import Case, Cohort
from pneumoscope.heatmap.heatmap import EVIDENCE, scaled
from pneumoscope.ordered_map import chunks, ordered_map
from pneumoscope.reader import Reader
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared import Squares, images_stated
from pneumoscope.training.recipe import Distillation, Recipe

DISTILLATION_WEIGHT = 1.0
TEACHER_WEIGHT = 0.5
_SURE = 1e-6  # of a calibrated probability, so that it has log-odds
_BATCH, _CHUNK = 16, 256


@dataclass(frozen=True, eq=False)
class Lessons:
    """A teacher's answers for n images.

    Parameters
    ----------
    log_odds
        Calibrated log-odds of the target, float32, shape (n,).
    maps
        Raw heat maps over the teacher's square, float32, shape (n, h, w).
    """

    log_odds: NDArray[np.float32]
    maps: NDArray[np.float32]

    def on_squares(self, card: Card, size_px: int) -> Squares:
        """Resample the heat maps, at the teacher's full scale, to a channel of squares.

        Parameters
        ----------
        card
            The teacher's card.
        size_px
            Edge of the squares in pixels.

        Returns
        -------
        ndarray of uint8
            Shape (n, 1, size_px, size_px).
        """
        parts = []
        for k in range(0, len(self.maps), _CHUNK):
            raw = torch.from_numpy(self.maps[k : k + _CHUNK])[:, None]
            whole = F.interpolate(raw, size=(size_px, size_px), mode="bilinear").numpy()
            parts.append(np.rint(scaled(whole, card) * 255).astype(np.uint8))
        return np.concatenate(parts)


def taught_by(recipe: Recipe, teacher: Reader | None, preprocessing: Preprocessing) -> Recipe:
    """Complete a recipe for a teacher: without weights of its own it gets the default weight of each output of the teacher.

    Parameters
    ----------
    recipe
        The recipe.
    teacher
        The bundle to learn from; None for none.
    preprocessing
        What the learner looks at.

    Returns
    -------
    Recipe
        The recipe with a distillation part if there is a teacher.

    Raises
    ------
    TrainingError
        If the recipe needs a teacher and there is none, or the teacher's heat map is no evidence over the learner's square.
    """
    if teacher is None:
        if recipe.distillation:
            raise TrainingError(f"the recipe '{recipe.name}' learns from a teacher; give its bundle")
        return recipe
    shows = recipe.adds_up and _same_square(teacher, preprocessing)
    if recipe.distillation and recipe.distillation.teacher_weight and not shows:
        raise TrainingError(
            f"the recipe '{recipe.name}' needs a teacher with an evidence head over the same crop ({preprocessing.crop}); "
            "give its bundle"
        )
    if recipe.distillation:
        return recipe
    usual = Distillation(TEACHER_WEIGHT if shows else 0.0, DISTILLATION_WEIGHT)
    return dataclasses.replace(recipe, distillation=usual)


def _same_square(teacher: Reader, preprocessing: Preprocessing) -> bool:
    """Whether the teacher's heat map is evidence over the same crop as the learner's; the sizes in pixels may differ."""
    own = dataclasses.replace(teacher.card.preprocessing, size_px=preprocessing.size_px)
    return teacher.card.map_method == EVIDENCE and own == preprocessing


def lessons(teacher: Reader, cohort: Cohort, cases: Sequence[Case], cache: Path, *, show_progress: bool = False) -> Lessons:
    """Read cases with the teacher, or take its readings from the cache.

    Log-odds and maps are means over a square and its mirror image.

    Parameters
    ----------
    teacher
        The bundle to learn from.
    cohort
        The cohort that the files of the cases belong to.
    cases
        n cases, in the order of the result.
    cache
        Folder for what the teacher said; made if it does not exist.
    show_progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    Lessons
        Calibrated log-odds and raw heat maps of the n cases.
    """
    question = Question(
        "lessons of a teacher",
        {
            "graph": teacher.model.sha256,
            "calibration": dataclasses.asdict(teacher.card.calibration),
            "map method": teacher.card.map_method,
            "images": images_stated(cohort, cases),
        },
        code=(__name__,),
        libraries=("numpy", "pillow", "pydicom"),
    )

    def write(stream: BinaryIO) -> None:
        read = _read(teacher, cohort, cases, show_progress)
        for part in (read.log_odds, read.maps):
            write_array(stream, part)

    file = file_answer(cache / f"lessons-{question.sha256[:32]}.npy", question, write)
    with file.open("rb") as stream:
        return Lessons(np.lib.format.read_array(stream), np.lib.format.read_array(stream))


def _read(teacher: Reader, cohort: Cohort, cases: Sequence[Case], show_progress: bool) -> Lessons:
    log_odds, maps = [], []
    squares = ordered_map(lambda case: teacher.square(radiograph.read(cohort.file(case))), cases, teacher.workers)
    steps, hidden = -(-len(cases) // _BATCH), None if show_progress else True
    for batch in tqdm(chunks(squares, _BATCH), desc="teacher", unit=f"×{_BATCH} images", total=steps, disable=hidden):
        images = np.stack(batch)
        (straight, shown), (mirrored, turned) = (teacher.explain(np.ascontiguousarray(x)) for x in (images, images[..., ::-1]))
        log_odds.append(_calibrated(teacher, (straight + mirrored) / 2))
        maps.append((shown + turned[..., ::-1]) / 2)
    return Lessons(np.concatenate(log_odds), np.concatenate(maps))


def _calibrated(teacher: Reader, log_odds: NDArray[np.float64]) -> NDArray[np.float32]:
    probability = np.clip(teacher.card.calibration(log_odds), _SURE, 1 - _SURE)
    return np.log(probability / (1 - probability)).astype(np.float32)
