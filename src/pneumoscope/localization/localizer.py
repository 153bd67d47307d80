"""The noun `Localizer`: collects the figures of one case after the other and summarizes them as a `Localization`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from pneumoscope.evaluation.training_overlap import TrainingOverlap
from pneumoscope.localization import figures, pooled_pixels, uninformed_maps
from pneumoscope.localization.case import LocalizationCase
from pneumoscope.localization.case_rows import (
    THRESHOLDS,
    AnatomyRow,
    Compared,
    MarkRow,
    RegionRow,
    anatomy_row,
    compared_by_rule,
    iou_row,
    mark_row,
    region_row,
)
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.uninformed_maps import MarkedRegion, OtherRegions
from pneumoscope.statistics import free_response, intervals
from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, undefined
from pneumoscope.statistics.metrics import Array, roc_auc
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.statistics.superiority import MIN_PATIENTS, shown_above_zero

COMPARED: Mapping[str, Callable[[Compared], float]] = {
    "hit": lambda c: c.hit,
    "pixel AP": lambda c: c.pixel_ap,
    "energy inside": lambda c: c.energy_inside,
}
"""The figures that are compared with those of uninformed baselines."""
DECISIVE = ("hit", "pixel AP")
"""The compared figures that the verdict rests on: energy alone rewards a map for being narrow."""
_FEW_DRAWS = "too few bootstrap draws for an interval"
_CASES_AT_ONCE = 64
_DRAWS_AT_ONCE = 250


@dataclass(frozen=True)
class UninformedBaseline:
    """The figure of an uninformed baseline, compared with the model's on the same cases.

    Parameters
    ----------
    value
        The mean figure of the baseline's maps.
    difference
        The mean paired difference, model minus baseline.
    """

    value: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Provenance:
    """What was measured, and with which threshold.

    Parameters
    ----------
    model
        Name of the model, as its card has it.
    source
        Name of the cohort.
    split
        ``train``, ``tune``, ``test`` or ``all``.
    split_sha256
        Hash of the cohort's split; empty where it has none.
    threshold
        Threshold of the heat map, in units of its full scale.
    threshold_from
        Where the threshold was fixed, as a text for people.
    training_overlap
        How many of the cases the model was trained on.
    """

    model: str
    source: str
    split: str
    split_sha256: str
    threshold: float
    threshold_from: str
    training_overlap: TrainingOverlap


@dataclass(frozen=True)
class Localization:
    """The figures of the heat maps of a set of cases.

    Parameters
    ----------
    model, source, split, split_sha256, threshold, threshold_from, training_overlap
        As in `Provenance`.
    n_images, n_patients, n_with_regions
        Number of images, of their patients, and of images with reference regions.
    against_regions, free_response, anatomy, image
        Estimates by name of the figure; empty where there are no reference regions.
    uninformed
        By compared figure, then by uninformed baseline.
    verdict
        What the comparison with the baselines shows, in one sentence.
    further
        Estimates by name, by title of the table: the measures that were asked for in addition.
    """

    model: str
    source: str
    split: str
    split_sha256: str
    threshold: float
    threshold_from: str
    training_overlap: TrainingOverlap
    n_images: int
    n_patients: int
    n_with_regions: int
    against_regions: Mapping[str, Estimate]
    uninformed: Mapping[str, Mapping[str, UninformedBaseline]]
    free_response: Mapping[str, Estimate]
    anatomy: Mapping[str, Estimate]
    image: Mapping[str, Estimate]
    verdict: str
    further: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)


def best_threshold(cases: Iterable[LocalizationCase]) -> float:
    """Find the threshold of the heat map with the highest mean IoU.

    Parameters
    ----------
    cases
        Cases of the tune split; only those with reference regions count. They are taken one after the other.

    Returns
    -------
    float
        One of 0.05, 0.10, …, 0.95 of the map's full scale; the lowest of several equally good ones.

    Raises
    ------
    LocalizationError
        If no case has a reference region.
    """
    rows = [iou_row(case) for case in cases if case.mask is not None]
    if not rows:
        raise LocalizationError("no case of the tune split has a reference region, so no threshold can be fixed on it")
    return float(THRESHOLDS[int(np.argmax(np.nanmean(rows, axis=0)))])


@dataclass(frozen=True, eq=False)
class _Row:
    """What is kept of one case."""

    patient_id: str
    reference: int
    probability: float
    positive: bool
    region: RegionRow | None
    anatomy: AnatomyRow | None
    marks: MarkRow | None


class Localizer:
    """Collect the figures of one case after the other, and summarize them.

    Some kilobytes are kept of each case, whatever the size of its radiograph.

    Parameters
    ----------
    threshold
        Threshold of the heat map, in units of its full scale.
    seed
        Seed of the noise of the uninformed baselines.
    """

    def __init__(self, threshold: float, seed: int = 0) -> None:
        self._threshold = threshold
        self._rng = np.random.default_rng(seed)
        self._rows: list[_Row] = []
        self._baselines: list[dict[str, Compared]] = []
        self._others = OtherRegions()

    def add(self, case: LocalizationCase) -> None:
        """Measure one case.

        Parameters
        ----------
        case
            The case on its reduced grid.
        """
        region = None
        if case.mask is not None:
            region = region_row(case, self._threshold)
            self._baselines.append(compared_by_rule(uninformed_maps.maps_of_one_case(case, self._rng), case.mask))
            self._others.add(MarkedRegion.of(case))
        # A case with the target but without a box says nothing about where marks belong.
        known = bool(case.boxes) or not case.abnormal
        self._rows.append(
            _Row(
                patient_id=case.patient_id,
                reference=case.reference,
                probability=case.probability,
                positive=case.positive,
                region=region,
                anatomy=anatomy_row(case) if case.abnormal else None,
                marks=mark_row(case) if known else None,
            )
        )

    def result(
        self, provenance: Provenance, draws: int, further: Mapping[str, Mapping[str, Estimate]] | None = None
    ) -> Localization:
        """Summarize the cases that were added.

        Parameters
        ----------
        provenance
            What was measured.
        draws
            Number of bootstrap draws of patients, ≥ 1.
        further
            Tables of other measures of the same cases.

        Returns
        -------
        Localization
            Every figure with its 95 % interval.

        Raises
        ------
        LocalizationError
            If no case has the target or a reference region.
        """
        if not any(row.anatomy for row in self._rows):
            raise LocalizationError(
                "no case has the target or a reference region, so there is nothing to localize; give other cases"
            )
        uninformed = self._uninformed(draws)
        return Localization(
            **vars(provenance),
            n_images=len(self._rows),
            n_patients=len({row.patient_id for row in self._rows}),
            n_with_regions=len(self._others.regions),
            against_regions=_against_regions(self._rows, draws),
            uninformed=uninformed,
            free_response=_free_response(self._rows, draws),
            anatomy=_anatomy(self._rows, draws),
            image=_image(self._rows, draws),
            verdict=verdict(uninformed),
            further=further or {},
        )

    def _uninformed(self, draws: int) -> dict[str, dict[str, UninformedBaseline]]:
        marked = [row for row in self._rows if row.region]
        if not marked:
            return {}
        boot = Bootstrap.of_patients([row.patient_id for row in marked], draws)
        rows = [early | self._of_others(k) for k, early in enumerate(self._baselines)]
        return {
            name: {
                rule: _baseline(boot, name, [figure(row.region.compared) for row in marked if row.region],
                                [figure(of_rule[rule]) for of_rule in rows])
                for rule in uninformed_maps.RULES
            }
            for name, figure in COMPARED.items()
        }  # fmt: skip

    def _of_others(self, index: int) -> dict[str, Compared]:
        """The figures of the mean region of other patients, which are known only once every case was seen."""
        return compared_by_rule(self._others.maps(index), self._others.regions[index].mask.array())


def _baseline(boot: Bootstrap, name: str, own: Sequence[float], other: Sequence[float]) -> UninformedBaseline:
    column = np.array(own) - np.array(other)
    difference = boot.mean(column.tolist())
    if difference.reason == EQUAL_DRAWS and np.ptp(column[~np.isnan(column)]):
        # Equal draws stand for patients who all agree; these do not, so that there are just too few draws to show it.
        difference = replace(difference, reason=_FEW_DRAWS)
    return UninformedBaseline(boot.mean(other, share=name == "hit"), difference)


def _against_regions(rows: Sequence[_Row], draws: int) -> dict[str, Estimate]:
    marked = [(row, row.region) for row in rows if row.region]
    if not marked:
        return {}
    boot = Bootstrap.of_patients([row.patient_id for row, _ in marked], draws)
    hits = np.array([region.compared.hit for _, region in marked])
    area = np.array([region.area for _, region in marked])
    iou = np.array([region.iou for _, region in marked])
    positive = np.array([row.positive for row, _ in marked])
    small = area <= np.median(area)
    estimates = {
        "hit": boot.mean(hits.tolist(), share=True),
        "hit, smaller half": boot.mean(np.where(small, hits, np.nan).tolist(), share=True),
        "hit, larger half": boot.mean(np.where(small, np.nan, hits).tolist(), share=True),
        "pixel AP": boot.mean([region.compared.pixel_ap for _, region in marked]),
        "PxAP (pooled)": _pooled([region for _, region in marked], boot),
        "energy inside": boot.mean([region.compared.energy_inside for _, region in marked]),
        "energy over area": boot.mean([region.energy_over_area for _, region in marked]),
        "mIoU, misses as 0": boot.mean(np.where(positive | np.isnan(iou), iou, 0).tolist()),
        "mIoU, true positives": boot.mean(np.where(positive, iou, np.nan).tolist()),
        "IoBB": boot.mean([region.iobb for _, region in marked]),
    }
    return estimates | _box_figures([(row.patient_id, region) for row, region in marked], draws)


def _pooled(regions: Sequence[RegionRow], boot: Bootstrap) -> Estimate:
    """PxAP over the pooled histogram of each draw, which is summed over some cases and some draws at a time."""

    def of(weights: Array) -> Array:
        pooled = np.zeros((len(weights), *regions[0].histogram.shape))
        for start in range(0, len(regions), _CASES_AT_ONCE):
            counts = np.stack([r.histogram.array() for r in regions[start : start + _CASES_AT_ONCE]]).astype(np.float64)
            pooled += np.tensordot(weights[:, start : start + _CASES_AT_ONCE], counts, 1)
        return np.array([pooled_pixels.pxap(foreground, background) for foreground, background in pooled])

    n = len(np.unique(np.asarray(boot.patients)))
    (value,) = of(np.ones((1, len(regions)))).tolist()
    if np.isnan(value):
        return undefined(n, "no case has a reference pixel on the reduced grid")
    blocks = range(0, len(boot.weights), _DRAWS_AT_ONCE)
    drawn = np.concatenate([of(boot.weights[start : start + _DRAWS_AT_ONCE].astype(np.float64)) for start in blocks])
    return intervals.percentile(value, drawn, n)


def _box_figures(marked: Sequence[tuple[str, RegionRow]], draws: int) -> dict[str, Estimate]:
    boxed = [(patient, row.largest, row.every) for patient, row in marked if row.largest is not None and row.every is not None]
    if not boxed:
        return {}
    boot = Bootstrap.of_patients([patient for patient, _, _ in boxed], draws)
    largest, every = (np.stack([row[k] for row in boxed]) for k in (1, 2))
    return {
        "best-box IoU": boot.mean(every.max(1).tolist()),
        "MaxBoxAcc v1": boot.of_all(lambda w: figures.max_box_acc_v1(largest, w)),
        "MaxBoxAcc v2": boot.of_all(lambda w: figures.max_box_acc_v2(every, w)),
    }


def _free_response(rows: Sequence[_Row], draws: int) -> dict[str, Estimate]:
    """Free-response figures over all cases whose regions are known: with boxes, or without the target and unmarked."""
    known = [(row.patient_id, row.marks) for row in rows if row.marks]
    lesions, false = [marks.lesions for _, marks in known], [marks.false for _, marks in known]
    if not any(len(ratings) for ratings in lesions):
        return {}
    boot = Bootstrap.of_patients([patient for patient, _ in known], draws)
    estimates = {
        f"sensitivity at {_rate(rate)} false marks per image": boot.of_all(
            partial(free_response.sensitivity_at, lesions, false, marks_per_image=rate)
        )
        for rate in free_response.RATES
    }
    estimates["FROC score"] = boot.of_all(lambda w: free_response.froc_score(lesions, false, w))
    estimates["AFROC AUC"] = boot.of_all(lambda w: free_response.afroc_auc(lesions, false, w))
    return estimates


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate >= 1 else f"1/{round(1 / rate)}"


def _anatomy(rows: Sequence[_Row], draws: int) -> dict[str, Estimate]:
    """Where the maps of cases with the target, or with a reference region, lie."""
    abnormal = [(row.patient_id, row.anatomy) for row in rows if row.anatomy]
    boot = Bootstrap.of_patients([patient for patient, _ in abnormal], draws)
    of = [anatomy for _, anatomy in abnormal]
    return {
        "peak in the lungs": boot.mean([a.peak_in_lungs for a in of], share=True),
        "energy in the lungs": boot.mean([a.energy_in_lungs for a in of]),
        "share of the image that is lung": boot.mean([a.lung_share for a in of]),
        "correct laterality (one-sided cases)": boot.mean([a.laterality for a in of], share=True),
        "energy in the border": boot.mean([a.border_energy for a in of]),
        "energy on burned-in text": boot.mean([a.text_energy for a in of]),
    }


def _image(rows: Sequence[_Row], draws: int) -> dict[str, Estimate]:
    """ROC-AUC of the probability for the reference standard, and accuracy at the operating point."""
    boot = Bootstrap.of_patients([row.patient_id for row in rows], draws)
    reference = np.array([row.reference for row in rows], float)
    probability = np.array([row.probability for row in rows])
    correct = [float(row.positive == bool(row.reference)) for row in rows]
    return {
        "ROC-AUC": boot.estimate(roc_auc, reference, probability),
        "accuracy at the operating point": boot.mean(correct, share=True),
    }


def verdict(uninformed: Mapping[str, Mapping[str, UninformedBaseline]]) -> str:
    """Say in one sentence what the comparison with uninformed baselines shows.

    Parameters
    ----------
    uninformed
        By compared figure, then by baseline; empty without reference regions.

    Returns
    -------
    str
        That the map is better than every baseline in hit and in pixel AP, or by which of them this is not shown. A difference
        counts only if `pneumoscope.statistics.superiority.shown_above_zero` accepts it.
    """
    if not uninformed:
        return "No reference regions: nothing is said about whether the map shows the opacity."
    baselines = [(figure, rule, baseline) for figure in DECISIVE for rule, baseline in uninformed[figure].items()]
    n = max(baseline.difference.n for _, _, baseline in baselines)
    if n < MIN_PATIENTS:
        return (
            f"No verdict: {n} {'patient' if n == 1 else 'patients'} with reference regions cannot show a difference "
            f"at the 5 % level; at least {MIN_PATIENTS} are needed."
        )
    not_better = [f"{figure} of '{rule}'" for figure, rule, baseline in baselines if not shown_above_zero(baseline.difference)]
    if not not_better:
        return "The map is better than every uninformed baseline, in hit and in pixel AP."
    return f"The map is not shown to be better than an uninformed baseline by: {', '.join(not_better)}."
