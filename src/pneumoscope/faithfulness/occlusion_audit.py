"""What a model makes of radiographs in which the disease cannot be seen, or in which the background speaks against it.

A model that still tells the classes apart where there is no lung takes a shortcut, and what it has above a model that does not
is no medicine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier.preprocessing import place
from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.lung_fields import LungFields
from pneumoscope.reader import Reader
from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

BORDER = 0.1
"""Share of each side that the outer frame takes."""
RING = 0.05
"""Width of the ring around the lungs whose mean fills them, in shares of the longer side."""
_FEATHER = 0.02


@dataclass(frozen=True, eq=False)
class Scene:
    """A radiograph, its lungs, and a radiograph of the other class with its lungs."""

    image: Grey
    lungs: Mask
    box: tuple[int, int, int, int]
    other: Grey
    other_lungs: Mask
    other_box: tuple[int, int, int, int]


def nothing(scene: Scene) -> Grey:
    """Even grey of the radiograph's size: what the size tells, and to a model of the lungs view where the lungs lie."""
    return np.full_like(scene.image, 0.5)


def without_lungs(scene: Scene) -> Grey:
    """The lungs filled with the mean of the ring around them: background, shoulders, abdomen, letters, and the outline."""
    ring = ndimage.binary_dilation(scene.lungs, iterations=max(1, round(RING * max(scene.image.shape)))) & ~scene.lungs
    fill = scene.image[ring].mean() if ring.any() else scene.image.mean()
    return np.where(scene.lungs, np.float32(fill), scene.image)


def silhouette(scene: Scene) -> Grey:
    """The outline of the lungs alone, dark on bright."""
    return np.where(scene.lungs, np.float32(0.3), np.float32(0.7))


def other_background(scene: Scene) -> Grey:
    """These lungs on the background of a patient of the other class, whose lung box is brought to this one's, feathered."""
    top, left, bottom, right = scene.box
    rows, cols = scene.image.shape
    y0, x0, y1, x1 = scene.other_box
    down, across = (y1 - y0) / (bottom - top), (x1 - x0) / (right - left)
    frame = (x0 - left * across, y0 - top * down, x0 + (cols - left) * across, y0 + (rows - top) * down)
    background = _crop(scene.other, frame, (rows, cols))
    soft = ndimage.gaussian_filter(scene.lungs.astype(np.float32), _FEATHER * max(rows, cols))
    weight = np.maximum(soft, scene.lungs)
    return np.asarray(weight * scene.image + (1 - weight) * background, np.float32)


def border_only(scene: Scene) -> Grey:
    """The outer tenth, its inside filled with the frame's mean."""
    rows, cols = scene.image.shape
    down, across = round(BORDER * rows), round(BORDER * cols)
    inside = np.zeros(scene.image.shape, bool)
    inside[down : rows - down, across : cols - across] = True
    return np.where(inside, scene.image[~inside].mean(dtype=np.float32), scene.image)


VIEWS: Mapping[str, Callable[[Scene], Grey]] = {
    "size only": nothing,
    "lungs removed": without_lungs,
    "silhouette of the lungs only": silhouette,
    "lungs on the other class's background": other_background,
    "outer tenth only": border_only,
}


def audit(
    reader: Reader,
    cohort: Cohort,
    cases: Sequence[Case],
    *,
    draws: int = intervals.DRAWS,
    show_progress: bool = False,
    seed: int = 0,
) -> dict[str, Estimate]:
    """ROC-AUC of the reader on the radiographs as they are and in each view, with patient-clustered intervals.

    The lung fields are those of the untouched radiograph: what is removed is removed from sight, not from the crop. A view in
    which all scores are equal has an AUC of 0.5 and no interval.
    """
    both_classes(cases, "what is measured")
    partner = _partners(cases, np.random.default_rng(seed))
    scores: dict[str, list[float]] = {"as it is": [], **{name: [] for name in VIEWS}}
    for case, other in tqdm(list(zip(cases, partner, strict=True)), desc="views", disable=None if show_progress else True):
        squares = _squares(reader, cohort, case, other)
        for name, z in zip(scores, reader.log_odds(squares), strict=True):
            scores[name].append(float(z))
    reference = np.array([c.reference for c in cases], float)
    patients = [c.patient_id for c in cases]
    weights = intervals.patient_weights(patients, draws, np.random.default_rng(seed))
    return {k: intervals.bootstrap(metrics.roc_auc, reference, np.array(v), patients, weights) for k, v in scores.items()}


def _partners(cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """A case of the other class for each, drawn by chance."""
    by_class = {value: [c for c in cases if c.reference == value] for value in (0, 1)}
    return [by_class[1 - c.reference][int(rng.integers(len(by_class[1 - c.reference])))] for c in cases]


def _squares(reader: Reader, cohort: Cohort, case: Case, other: Case) -> NDArray[np.float32]:
    """The case as it is and in each view, prepared: float32 (1 + views, channels, side, side)."""
    image, beside = radiograph.read(cohort.file(case)), radiograph.read(cohort.file(other))
    fields, other_fields = reader.find(image), reader.find(beside)
    scene = Scene(image.pixels, _lungs(fields), _box(fields), beside.pixels, _lungs(other_fields), _box(other_fields))
    views = [image, *(replace(image, pixels=np.ascontiguousarray(view(scene), np.float32)) for view in VIEWS.values())]
    return np.stack([place(v, reader.card.preprocessing, fields).pixels for v in views])


def _lungs(fields: LungFields) -> Mask:
    """The lungs, or the whole box that was looked at where they were not both found: nothing of a lung may stay in sight."""
    if fields.state == "found":
        return fields.mask
    box, inside = fields.box, np.zeros(fields.mask.shape, bool)
    inside[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = True
    return inside


def _box(fields: LungFields) -> tuple[int, int, int, int]:
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
