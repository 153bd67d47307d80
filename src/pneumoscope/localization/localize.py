"""Can a heat map be believed? Every localization figure of a set of cases, with its interval and beside chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.localization import burned_in, uninformed_maps
from pneumoscope.localization import figures as figures
from pneumoscope.localization.case import LocalizationCase, Map
from pneumoscope.localization.map_marks import marks
from pneumoscope.reference.lesion_matching import match
from pneumoscope.statistics import free_response, intervals
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.metrics import roc_auc
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.statistics.superiority import shown_above_zero

THRESHOLDS = np.linspace(0.05, 0.95, 19)
"""Of the heat map's full scale, where a threshold is looked for."""
COMPARED = ("hit", "pixel AP", "energy inside")
"""The figures that are put beside those of maps that look at nothing."""


@dataclass(frozen=True)
class UninformedBaseline:
    """A map that looks at nothing: its figure, and the model's minus its on the same cases."""

    value: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Localization:
    """What `localize` found.

    Attributes
    ----------
    threshold, threshold_from: of the heat map, for the figures that need one, and where it was fixed.
    against_regions, free_response, anatomy, image: figures by name.
    chance: by figure, by map that looks at nothing.
    verdict: one sentence.
    """

    model: str
    source: str
    split: str
    split_sha256: str
    n_images: int
    n_patients: int
    n_with_regions: int
    threshold: float
    threshold_from: str
    against_regions: Mapping[str, Estimate]
    chance: Mapping[str, Mapping[str, UninformedBaseline]]
    free_response: Mapping[str, Estimate]
    anatomy: Mapping[str, Estimate]
    image: Mapping[str, Estimate]
    verdict: str
    more: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)


def localize(
    cases: Sequence[LocalizationCase],
    *,
    model: str,
    source: str,
    split: str,
    split_sha256: str,
    threshold: float,
    threshold_from: str,
    draws: int = intervals.DRAWS,
    more: Mapping[str, Mapping[str, Estimate]] = MappingProxyType({}),
) -> Localization:
    """Measure heat maps; EvaluationError where no case has a region and no lung can be looked at."""
    marked = [c for c in cases if c.mask is not None]
    positive = [c for c in cases if c.reference or c.mask is not None]
    if not positive:
        raise EvaluationError("no case has the target or a region: there is nothing to localize; give other cases")
    regions = against_regions(marked, threshold, draws) if marked else {}
    beside = against_chance(marked, draws) if marked else {}
    return Localization(
        model=model,
        source=source,
        split=split,
        split_sha256=split_sha256,
        n_images=len(cases),
        n_patients=len({c.patient_id for c in cases}),
        n_with_regions=len(marked),
        threshold=threshold,
        threshold_from=threshold_from,
        against_regions=regions,
        chance=beside,
        free_response=marks_figures(cases, draws) if marked else {},
        anatomy=against_anatomy(positive, draws),
        image=image_figures(cases, draws),
        verdict=verdict(beside),
        more=dict(more),
    )


def best_threshold(cases: Sequence[LocalizationCase]) -> float:
    """The threshold of the highest mean IoU over cases with regions; EvaluationError where none has one."""
    marked = [c for c in cases if c.mask is not None]
    if not marked:
        raise EvaluationError("no case of the tune side has a region, so no threshold can be fixed there; give its regions")
    mean = [np.nanmean([figures.iou(c.values, _mask(c), t) for c in marked]) for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(mean))])


def _mask(case: LocalizationCase) -> NDArray[np.bool_]:
    assert case.mask is not None
    return case.mask


def against_regions(marked: Sequence[LocalizationCase], threshold: float, draws: int) -> dict[str, Estimate]:
    """Figures of cases that have reference regions."""
    boot = Bootstrap.of_patients([c.patient_id for c in marked], draws)
    hits = [figures.hit(c.values, _mask(c)) for c in marked]
    area = np.array([_mask(c).mean() for c in marked])
    iou = np.array([figures.iou(c.values, _mask(c), threshold) for c in marked])
    decided = np.array([c.positive for c in marked])
    found = {
        "hit": boot.mean(hits, share=True),
        "hit, smaller half": boot.mean(np.where(area <= np.median(area), hits, np.nan).tolist(), share=True),
        "hit, larger half": boot.mean(np.where(area > np.median(area), hits, np.nan).tolist(), share=True),
        "pixel AP": boot.mean([figures.pixel_average_precision(c.values, _mask(c)) for c in marked]),
        "PxAP (pooled)": _pooled(marked, boot),
        "energy inside": boot.mean([figures.energy_inside(c.values, _mask(c)) for c in marked]),
        "energy over area": boot.mean([figures.energy_over_area(c.values, _mask(c)) for c in marked]),
        "mIoU, misses as 0": boot.mean(np.where(decided | np.isnan(iou), iou, 0).tolist()),
        "mIoU, true positives": boot.mean(np.where(decided, iou, np.nan).tolist()),
        "IoBB": boot.mean([figures.iobb(c.values, _mask(c), threshold) for c in marked]),
    }
    boxed = [c for c in marked if c.boxes]
    if boxed:
        found |= _box_figures(boxed, Bootstrap.of_patients([c.patient_id for c in boxed], draws))
    return found


def _pooled(marked: Sequence[LocalizationCase], boot: Bootstrap) -> Estimate:
    edges = figures.pixel_edges(max(float(c.values.max()) for c in marked))
    foreground, background = map(
        np.stack, zip(*(figures.pixel_histogram(c.values, _mask(c), edges) for c in marked), strict=True)
    )
    return boot.of_all(lambda w: figures.pxap_from_histograms(foreground, background, w))


def _box_figures(boxed: Sequence[LocalizationCase], boot: Bootstrap) -> dict[str, Estimate]:
    largest = np.stack([figures.box_iou_curve(c.values, c.boxes, THRESHOLDS, "largest") for c in boxed])
    every = np.stack([figures.box_iou_curve(c.values, c.boxes, THRESHOLDS, "all") for c in boxed])
    return {
        "best-box IoU": boot.mean(every.max(1).tolist()),
        "MaxBoxAcc v1": boot.of_all(lambda w: figures.max_box_acc_v1(largest, w)),
        "MaxBoxAcc v2": boot.of_all(lambda w: figures.max_box_acc_v2(every, w)),
    }


def against_chance(marked: Sequence[LocalizationCase], draws: int) -> dict[str, dict[str, UninformedBaseline]]:
    """The compared figures beside those of maps that look at nothing, paired by case."""
    boot = Bootstrap.of_patients([c.patient_id for c in marked], draws)
    own = {name: _column(name, [c.values for c in marked], marked) for name in COMPARED}
    found: dict[str, dict[str, UninformedBaseline]] = {name: {} for name in COMPARED}
    for rule, maps in uninformed_maps.baselines(marked).items():
        for name in COMPARED:
            other = _column(name, maps, marked)
            found[name][rule] = UninformedBaseline(
                boot.mean(other, share=name == "hit"), boot.mean((np.array(own[name]) - other).tolist())
            )
    return found


def _column(name: str, maps: Sequence[Map], cases: Sequence[LocalizationCase]) -> list[float]:
    metric = {"hit": figures.hit, "pixel AP": figures.pixel_average_precision, "energy inside": figures.energy_inside}[name]
    return [metric(values, _mask(case)) for values, case in zip(maps, cases, strict=True)]


def marks_figures(cases: Sequence[LocalizationCase], draws: int) -> dict[str, Estimate]:
    """Free-response figures over all cases whose regions are known: with boxes, or without the target and unmarked.

    A case with the target but without a box says nothing about where marks belong, and is left out.
    """
    cases = [c for c in cases if c.boxes or not (c.reference or c.mask is not None)]
    if not any(c.boxes for c in cases):
        return {}
    boot = Bootstrap.of_patients([c.patient_id for c in cases], draws)
    pairs = [match(marks(c.values, c.probability), c.boxes) for c in cases]
    lesions, false = [p[0] for p in pairs], [p[1] for p in pairs]
    found = {
        f"sensitivity at {_rate(rate)} false marks an image": boot.of_all(
            partial(free_response.sensitivity_at, lesions, false, marks_per_image=rate)
        )
        for rate in free_response.RATES
    }
    found["FROC score"] = boot.of_all(lambda w: free_response.froc_score(lesions, false, w))
    found["AFROC AUC"] = boot.of_all(lambda w: free_response.afroc_auc(lesions, false, w))
    return found


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate >= 1 else f"1/{round(1 / rate)}"


def against_anatomy(positive: Sequence[LocalizationCase], draws: int) -> dict[str, Estimate]:
    """Where the map of cases with the target lies, before any mask."""
    boot = Bootstrap.of_patients([c.patient_id for c in positive], draws)
    known = [c.lungs.any() for c in positive]

    def of_lungs(measure: Callable[[LocalizationCase], float]) -> list[float]:
        return [measure(c) if k else np.nan for c, k in zip(positive, known, strict=True)]

    return {
        "peak in the lungs": boot.mean(of_lungs(lambda c: figures.hit(c.values, c.lungs)), share=True),
        "energy in the lungs": boot.mean(of_lungs(lambda c: figures.energy_inside(c.values, c.lungs))),
        "share of the image that is lung": boot.mean(of_lungs(lambda c: float(c.lungs.mean()))),
        "right side (one-sided cases)": boot.mean(
            [np.nan if c.mask is None else figures.laterality(c.values, c.right, c.left, c.mask) for c in positive], share=True
        ),
        "energy in the border": boot.mean([figures.energy_in_border(c.values) for c in positive]),
        "energy on burned-in text": boot.mean([burned_in.energy(c.values, c.pixels, c.lungs) for c in positive]),
    }


def image_figures(cases: Sequence[LocalizationCase], draws: int) -> dict[str, Estimate]:
    """ROC-AUC of the reading's probability for the reference, and agreement at its operating point."""
    boot = Bootstrap.of_patients([c.patient_id for c in cases], draws)
    reference = np.array([c.reference for c in cases], float)
    probability = np.array([c.probability for c in cases])
    right = [float(c.positive == bool(c.reference)) for c in cases]
    return {
        "ROC-AUC": boot.of_all(lambda w: float(roc_auc(reference, probability, w))),
        "accuracy at the operating point": boot.mean(right, share=True),
    }


def verdict(beside: Mapping[str, Mapping[str, UninformedBaseline]]) -> str:
    """What the comparison with maps that look at nothing says, in one sentence."""
    if not beside:
        return "No reference regions: nothing is said about whether the map shows the opacity."
    unbeaten = [
        f"{figure} of '{rule}'"
        for figure in ("hit", "pixel AP")
        for rule, found in beside[figure].items()
        if not shown_above_zero(found.difference)
    ]
    if not unbeaten:
        return "The map beats every map that looks at nothing, in hit and in pixel AP."
    return f"The map shows nothing beyond a map that looks at nothing by: {', '.join(unbeaten)}."
