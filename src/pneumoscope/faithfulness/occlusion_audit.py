"""What a model makes of radiographs in which the disease cannot be seen, or in which the background speaks against it.

A model that still separates the classes where there is no lung takes a shortcut.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pneumoscope import radiograph
from pneumoscope.classifier.preprocessing import place
from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.localization.case import ReadCase
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

BORDER_SHARE = 0.1
"""Share of each side that the outer frame takes."""
RING_SHARE = 0.05
"""Width of the ring around the lungs whose mean fills them, as a share of the longer side."""
UNCHANGED = "unchanged"
_FEATHER_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Scene:
    """A radiograph and one of the other class, both in the displayed order.

    Parameters
    ----------
    image, lungs, box
        The radiograph, float32 (rows, cols) in [0, 1], its lungs, bool (rows, cols), and the (top, left, bottom, right) around
        them in pixels.
    donor, donor_box
        The radiograph of the other class, on a grid of its own, and the box around its lungs.
    """

    image: Grey
    lungs: Mask
    box: Box
    donor: Grey
    donor_box: Box


def uniform_grey(scene: Scene) -> Grey:
    """Return even grey of the radiograph's size: all that is left is the size, and for a lung crop where the lungs lie.

    Parameters
    ----------
    scene
        The radiograph.

    Returns
    -------
    ndarray
        float32 (rows, cols), 0.5 everywhere.
    """
    return np.full_like(scene.image, 0.5)


def without_lungs(scene: Scene) -> Grey:
    """Fill the lungs with the mean of the ring around them, which leaves background, shoulders, abdomen, letters and outline.

    Parameters
    ----------
    scene
        The radiograph.

    Returns
    -------
    ndarray
        float32 (rows, cols) in [0, 1].
    """
    ring = ndimage.binary_dilation(scene.lungs, iterations=max(1, round(RING_SHARE * max(scene.image.shape)))) & ~scene.lungs
    fill = scene.image[ring].mean() if ring.any() else scene.image.mean()
    return np.where(scene.lungs, np.float32(fill), scene.image)


def lung_outline(scene: Scene) -> Grey:
    """Draw the lungs alone, dark (0.3) on bright (0.7).

    Parameters
    ----------
    scene
        The radiograph.

    Returns
    -------
    ndarray
        float32 (rows, cols).
    """
    return np.where(scene.lungs, np.float32(0.3), np.float32(0.7))


def other_background(scene: Scene) -> Grey:
    """Put the lungs on the background of the radiograph of the other class, whose lung box is moved to theirs, feathered.

    Parameters
    ----------
    scene
        The radiograph and its donor.

    Returns
    -------
    ndarray
        float32 (rows, cols) in [0, 1].
    """
    top, left, bottom, right = scene.box
    rows, cols = scene.image.shape
    y0, x0, y1, x1 = scene.donor_box
    down, across = (y1 - y0) / (bottom - top), (x1 - x0) / (right - left)
    frame = (x0 - left * across, y0 - top * down, x0 + (cols - left) * across, y0 + (rows - top) * down)
    background = _crop(scene.donor, frame, (rows, cols))
    soft = ndimage.gaussian_filter(scene.lungs.astype(np.float32), _FEATHER_SHARE * max(rows, cols))
    weight = np.maximum(soft, scene.lungs)
    return np.asarray(weight * scene.image + (1 - weight) * background, np.float32)


def outer_frame(scene: Scene) -> Grey:
    """Keep the outer tenth, and fill its inside with the mean of the frame.

    Parameters
    ----------
    scene
        The radiograph.

    Returns
    -------
    ndarray
        float32 (rows, cols) in [0, 1].
    """
    rows, cols = scene.image.shape
    down, across = round(BORDER_SHARE * rows), round(BORDER_SHARE * cols)
    inside = np.zeros(scene.image.shape, bool)
    inside[down : rows - down, across : cols - across] = True
    return np.where(inside, scene.image[~inside].mean(dtype=np.float32), scene.image)


OCCLUSIONS: Mapping[str, Callable[[Scene], Grey]] = {
    "size only": uniform_grey,
    "lungs removed": without_lungs,
    "lung outline only": lung_outline,
    "lungs on the other class's background": other_background,
    "outer tenth only": outer_frame,
}
"""What is done to a radiograph, by name."""


def occluded_log_odds(read: ReadCase, donor: Radiograph, reader: Reader) -> NDArray[np.float64]:
    """Compute the log-odds of one case as it is and under each occlusion.

    The crop is that of the untouched radiograph: what is removed is removed from sight, not from the crop.

    Parameters
    ----------
    read
        The case as it was read.
    donor
        A radiograph of the other class.
    reader
        The model.

    Returns
    -------
    ndarray
        float64 (1 + number of `OCCLUSIONS`,), the unchanged radiograph first.
    """
    shown, fields = _displayed(read.radiograph, reader, read.reading.lung_fields)
    shown_donor, donor_fields = _displayed(donor, reader)
    scene = Scene(shown.pixels, _lungs(fields), _box(fields), shown_donor.pixels, _box(donor_fields))
    occluded = (Radiograph(np.ascontiguousarray(change(scene), np.float32)) for change in OCCLUSIONS.values())
    squares = np.stack([place(v, reader.card.preprocessing, fields).pixels for v in (shown, *occluded)])
    return reader.log_odds(squares)


class OcclusionAudit:
    """Measure how well a model separates the classes when the lungs are hidden, one case after the other.

    Each case is paired with a random case of the other class, whose file is opened a second time as the donor of a background;
    every other file access is that of the pass itself.

    Parameters
    ----------
    reader
        The model.
    cohort
        The cohort that the cases belong to.
    cases
        The cases that will be added, of both classes.
    seed
        Seed of the pairs and of the bootstrap.

    Raises
    ------
    CohortError
        If all cases are of one class.
    """

    def __init__(self, reader: Reader, cohort: Cohort, cases: Sequence[Case], seed: int = 0) -> None:
        both_classes(cases, "the set that the shortcuts are measured on")
        self._reader, self._cohort, self._seed = reader, cohort, seed
        donors = _donors(cases, np.random.default_rng(seed))
        self._donor_of = {case.path: donor for case, donor in zip(cases, donors, strict=True)}
        self._cases: list[Case] = []
        self._log_odds: list[NDArray[np.float64]] = []

    def add(self, read: ReadCase) -> None:
        """Measure one case.

        Parameters
        ----------
        read
            One of the cases.
        """
        donor = radiograph.read(self._cohort.file(self._donor_of[read.case.path]))
        self._cases.append(read.case)
        self._log_odds.append(occluded_log_odds(read, donor, self._reader))

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the cases as a table.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            One table: ROC-AUC by occlusion. An occlusion under which all scores are equal has 0.5 and no interval.
        """
        reference = np.array([case.reference for case in self._cases], float)
        patients = [case.patient_id for case in self._cases]
        weights = intervals.patient_weights(patients, draws, np.random.default_rng(self._seed))
        columns = zip((UNCHANGED, *OCCLUSIONS), np.array(self._log_odds).T, strict=True)
        return {
            "ROC-AUC when parts of the image are hidden": {
                name: intervals.bootstrap(metrics.roc_auc, reference, scores, patients, weights) for name, scores in columns
            }
        }


def _donors(cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """A random case of the other class for each."""
    by_class = {value: [c for c in cases if c.reference == value] for value in (0, 1)}
    return [by_class[1 - c.reference][int(rng.integers(len(by_class[1 - c.reference])))] for c in cases]


def _displayed(image: Radiograph, reader: Reader, fields: LungFields | None = None) -> tuple[Radiograph, LungFields]:
    """The radiograph in the displayed order, so that two of different storage orders can be put together, with its lungs."""
    if image.orientation.is_displayed:
        return image, fields or reader.find(image)
    turned = Radiograph(np.ascontiguousarray(image.orientation.to_display(image.pixels)))
    return turned, reader.find(turned)


def _lungs(fields: LungFields) -> Mask:
    """The lungs, or the whole box that was looked at where they were not both found: nothing of a lung may stay in sight."""
    if fields.state == "found":
        return fields.mask
    inside = np.zeros(fields.mask.shape, bool)
    top, left, bottom, right = _box(fields)
    inside[top:bottom, left:right] = True
    return inside


def _box(fields: LungFields) -> Box:
    box = fields.box
    return round(box.top), round(box.left), round(box.bottom), round(box.right)


def _crop(image: Grey, frame: tuple[float, float, float, float], shape: tuple[int, int]) -> Grey:
    """A frame (left, top, right, bottom) of an image, which may reach beyond it, resampled to a shape; the edge repeats."""
    rows, cols = image.shape
    pad = max(0, *(int(np.ceil(v)) for v in (-frame[0], -frame[1], frame[2] - cols, frame[3] - rows)))
    padded = Image.fromarray(np.pad(image, pad, "edge"))
    box = tuple(v + pad for v in frame)
    resized = padded.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=(box[0], box[1], box[2], box[3]))
    return np.asarray(resized, np.float32)
