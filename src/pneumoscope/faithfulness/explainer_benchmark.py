"""Several ways to explain one model, on the same cases."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Cohort
from pneumoscope.evaluation import Model
from pneumoscope.localization import figures as figures
from pneumoscope.localization.case import LocalizationCase
from pneumoscope.localization.figures import block_mean, reduction_factor
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

Attribute = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""Name of a method and a prepared square (channels, side, side) to a map (side, side)."""


@dataclass(frozen=True)
class Method:
    """A method's figures on the cases, and its time for one of them in seconds (median)."""

    hit: Estimate
    pixel_ap: Estimate
    lung_energy: Estimate
    lung_peak: Estimate
    seconds: float


def compare(
    attribute: Attribute,
    names: Sequence[str],
    model: Model,
    cohort: Cohort,
    cases: Sequence[LocalizationCase],
    *,
    draws: int = 2000,
    show_progress: bool = False,
) -> dict[str, Method]:
    """Measure each method on cases with regions; a method's negative values count as none, as they are no evidence for."""
    boot = Bootstrap.of_patients([c.patient_id for c in cases], draws)
    by_path = {c.path: c for c in cohort.cases}
    found = {}
    for name in names:
        mapped, seconds = [], []
        for case in tqdm(cases, desc=name, unit="image", disable=None if show_progress else True):
            image = radiograph.read(cohort.file(by_path[case.path]))
            square = model.prepare(image)
            start = time.perf_counter()
            values = attribute(name, square.pixels)
            seconds.append(time.perf_counter() - start)
            whole = square.placement.map_to_radiograph(np.maximum(values, 0))
            mapped.append(dataclasses.replace(case, values=block_mean(whole, reduction_factor(whole.shape))))
        found[name] = _measured(mapped, boot, float(np.median(seconds)))
    return found


def _measured(cases: Sequence[LocalizationCase], boot: Bootstrap, seconds: float) -> Method:
    masks = [c.mask if c.mask is not None else np.zeros(c.values.shape, bool) for c in cases]
    pairs = list(zip(cases, masks, strict=True))
    return Method(
        boot.mean([figures.hit(c.values, m) for c, m in pairs], share=True),
        boot.mean([figures.pixel_average_precision(c.values, m) for c, m in pairs]),
        boot.mean([figures.energy_inside(c.values, c.lungs) for c in cases]),
        boot.mean([figures.hit(c.values, c.lungs) for c in cases], share=True),
        seconds,
    )
