"""Radiographs with lung masks, resampled to the square of the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Cohort
from pneumoscope.lung_fields.network import SIDE_PX
from pneumoscope.radiograph.orientation import Orientation
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reference.lung_masks import lung_masks
from pneumoscope.training.errors import TrainingError

Masks = NDArray[np.bool_]
_MASK_PX = 2 * SIDE_PX  # enough to tell the lungs apart, and much faster than at full resolution
_LEAST_PART = 0.1  # of the larger lung's area; smaller parts of a mask are specks


@dataclass(frozen=True)
class LungSet:
    """A cohort with lung masks.

    Parameters
    ----------
    name
        Short name, shown in figures; different for each set of a training.
    cohort
        The split cohort.
    masks
        Folder of PNG masks, named by the path of the radiograph or by its bare name.
    split
        The part of the split that is trained on.
    """

    name: str
    cohort: Cohort
    masks: Path
    split: str


@dataclass(frozen=True, eq=False)
class LungSquares:
    """n images with lung masks.

    Parameters
    ----------
    images
        uint8, shape (n, size_px, size_px).
    masks
        bool, shape (n, 2, size_px, size_px): the patient's right lung, then the left.
    sets
        Name of the set of each image.
    splits
        The part of the split that each image belongs to.
    trained
        bool, shape (n,): whether the image is trained on.
    """

    images: NDArray[np.uint8]
    masks: Masks
    sets: tuple[str, ...]
    splits: tuple[str, ...]
    trained: NDArray[np.bool_]

    def where(self, name: str, split: str) -> NDArray[np.intp]:
        """Return the indices of the images of one set and one part of its split.

        Parameters
        ----------
        name
            Name of the set.
        split
            ``train``, ``tune`` or ``test``.

        Returns
        -------
        ndarray of int
            Indices, in order.
        """
        return np.flatnonzero([s == name and d == split for s, d in zip(self.sets, self.splits, strict=True)])

    def tune(self, sets: Sequence[LungSet]) -> NDArray[np.intp]:
        """Return the indices of the tune images that no set trains on.

        Parameters
        ----------
        sets
            The sets that the images come from.

        Returns
        -------
        ndarray of int
            Indices, at least one.

        Raises
        ------
        TrainingError
            If there are none.
        """
        parts = [self.where(s.name, "tune") for s in sets if s.split != "tune"]
        chosen = np.concatenate(parts) if parts else np.array([], np.intp)
        if not len(chosen):
            raise TrainingError("no set keeps a tune side for the quality threshold; split one with a train and a tune side")
        return chosen


def load(sets: Sequence[LungSet], *, show_progress: bool = False) -> LungSquares:
    """Read radiographs and masks.

    A case without a mask, or whose mask does not show two lungs, is left out.

    Parameters
    ----------
    sets
        The cohorts with their masks.
    show_progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    LungSquares
        The images of all sets, in their order.

    Raises
    ------
    TrainingError
        If a cohort has no split, or no radiograph of a set has a mask of two lungs.
    RegionsError
        If a mask may belong to several radiographs, a radiograph has two masks, or no mask belongs to any radiograph.
    RadiographError
        If a radiograph cannot be read.
    """
    images: list[NDArray[np.uint8]] = []
    masks: list[Masks] = []
    names, splits, trained = [], [], []
    for lung_set in sets:
        if lung_set.cohort.partition is None:
            raise TrainingError(f"the cohort of '{lung_set.name}' has no split yet: run  pneumoscope cohort split  first")
        before = len(images)
        drawn = lung_masks(lung_set.masks, [case.path for case in lung_set.cohort.cases])
        for case in tqdm(lung_set.cohort.cases, desc=lung_set.name, unit="image", disable=None if show_progress else True):
            stored = drawn.stored(case.path)
            if stored is None:
                continue
            image = radiograph.read(lung_set.cohort.file(case))
            mask = _two_lungs_of(stored, image.orientation)
            if mask is None:
                continue
            images.append(np.rint(on_whole(image, SIDE_PX).pixels_to_square(image) * 255).astype(np.uint8))
            masks.append(mask)
            names.append(lung_set.name)
            splits.append(case.split)
            trained.append(case.split == lung_set.split)
        if len(images) == before:
            raise TrainingError(f"no radiograph of '{lung_set.name}' has a mask of two lungs in '{lung_set.masks}'")
    return LungSquares(np.stack(images), np.stack(masks), tuple(names), tuple(splits), np.array(trained))


def _two_lungs_of(mask: Masks, orientation: Orientation) -> Masks | None:
    """Right and left lung of a mask on the stored grid of its radiograph, turned into the displayed order."""
    square = Image.fromarray(mask.astype(np.uint8)).resize((_MASK_PX, _MASK_PX), Image.Resampling.NEAREST)
    return two_lungs(orientation.to_display(np.asarray(square) > 0))


def two_lungs(mask: Masks) -> Masks | None:
    """Separate a mask of both lungs into right and left.

    Parameters
    ----------
    mask
        bool, shape (rows, cols), over the whole radiograph as displayed; the patient's right lung lies on the left.

    Returns
    -------
    ndarray of bool or None
        Shape (2, size_px, size_px) on the network's square, right and left; None if the mask does not show two lungs.
    """
    labels, count = ndimage.label(mask)
    if count < 2:
        return None
    area = np.bincount(labels.ravel())[1:]
    first, second = np.argsort(area)[::-1][:2] + 1
    if area[second - 1] < _LEAST_PART * area[first - 1]:
        return None
    parts = sorted((labels == first, labels == second), key=lambda part: float(np.nonzero(part)[1].mean()))
    return np.stack([_resampled(part) for part in parts])


def _resampled(mask: Masks) -> Masks:
    image = Image.fromarray(mask.astype(np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) >= 0.5
