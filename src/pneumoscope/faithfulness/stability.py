"""Does the map stay where it is when the radiograph is moved, turned, brightened or compressed a little?"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage, stats
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

_GRID = 64  # of the comparison: ranks of neighbouring pixels say nothing


def _shifted(pixels: Grey) -> Grey:
    return np.asarray(ndimage.shift(pixels, (0.03 * pixels.shape[0], -0.03 * pixels.shape[1]), order=1, mode="nearest"))


def _shifted_back(values: Grey) -> Grey:
    return np.asarray(ndimage.shift(values, (-0.03 * values.shape[0], 0.03 * values.shape[1]), order=1, mode="nearest"))


def _turned(pixels: Grey) -> Grey:
    return np.asarray(ndimage.rotate(pixels, 5, reshape=False, order=1, mode="nearest"))


def _turned_back(values: Grey) -> Grey:
    return np.asarray(ndimage.rotate(values, -5, reshape=False, order=1, mode="nearest"))


def _compressed(pixels: Grey) -> Grey:
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream), np.float32) / np.float32(255)


def _same(values: Grey) -> Grey:
    return values


CHANGES: Mapping[str, tuple[Callable[[Grey], Grey], Callable[[Grey], Grey]]] = {
    "shifted by 3 %": (_shifted, _shifted_back),
    "turned by 5°": (_turned, _turned_back),
    "gamma 0.8": (lambda p: p ** np.float32(0.8), _same),
    "brighter by 0.1": (lambda p: np.clip(p + np.float32(0.1), 0, 1), _same),
    "JPEG quality 50": (_compressed, _same),
}
"""What is done to the radiograph, and how its map is brought back."""


def stability(
    reader: Reader, cohort: Cohort, cases: Sequence[Case], *, draws: int = 2000, show_progress: bool = False
) -> dict[str, Estimate]:
    """Spearman correlation of the map before and after each change, and of maps of different radiographs as its floor.

    Does not show: that the map is right, only that it does not hang on what means nothing.
    """
    columns: dict[str, list[float]] = {name: [] for name in (*CHANGES, "another radiograph's map")}
    before: Grey | None = None
    for case in tqdm(cases, desc="changing", unit="image", disable=None if show_progress else True):
        image = radiograph.read(cohort.file(case))
        own = reader.read(image).heatmap.values
        for name, (change, back) in CHANGES.items():
            changed = replace(image, pixels=np.ascontiguousarray(np.clip(change(image.pixels), 0, 1), np.float32))
            columns[name].append(_agreement(own, back(reader.read(changed).heatmap.values)))
        columns["another radiograph's map"].append(np.nan if before is None else _agreement(own, before))
        before = own
    boot = Bootstrap.of_patients([c.patient_id for c in cases], draws)
    return {name: boot.mean(values) for name, values in columns.items()}


def _agreement(a: Grey, b: Grey) -> float:
    """Spearman correlation of two maps, each on a coarse grid of its own radiograph; NaN where one is flat."""
    small = [np.asarray(Image.fromarray(m).resize((_GRID, _GRID), Image.Resampling.BOX), np.float64).ravel() for m in (a, b)]
    if not (np.ptp(small[0]) and np.ptp(small[1])):
        return float("nan")
    return float(stats.spearmanr(*small).statistic)
