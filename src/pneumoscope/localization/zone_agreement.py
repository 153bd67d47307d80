"""Measure the opacity severity of lung zones against readers' zone scores, and the readers among themselves.

The figures are those by which scores such as the Brixia score (Borghesi & Maroldi 2020, doi 10.1007/s11547-020-01200-3) are
compared: rank correlations and the weighted kappa (Cohen 1968, Psychological Bulletin 70:213). The zones of the Brixia score end
at anatomical landmarks; those of the model are thirds of the lung's height.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pneumoscope.classifier.severity_scale import HIGHEST_GRADE
from pneumoscope.cohort import Case
from pneumoscope.localization.case import ReadCase
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.localize import Selected
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.reference.zone_tables import ZoneScores
from pneumoscope.statistics import intervals
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.metrics import Array, Metric
from pneumoscope.statistics.ordinal import quadratic_kappa, spearman
from pneumoscope.statistics.patient_bootstrap import Bootstrap

GLOBAL, ALL_ZONES, WITHIN, KAPPA = (
    "Spearman of the film's sum",
    "Spearman of all zones",
    "mean Spearman within an image",
    "quadratic-weighted kappa of the zones",
)
ORDERED = "images with a defined Spearman within the image"
MEASURED = "images in which the model found both lungs"
AMONG_READERS = "severity by zone, readers among themselves"
_FEWEST_ZONES = 3
_DECIMALS = 9
_NO_SCALE = "the model has no severity scale, so its zones have no grades"
_ONE_READER = "one reader"


@dataclass(frozen=True, eq=False)
class _Row:
    """What is kept of one image: zones in the order of `ZONES`, NaN where unknown."""

    patient_id: str
    density: Array
    grade: Array
    median: Array
    readers: Array


@dataclass(frozen=True, eq=False)
class _Rater:
    """The answers of one rater for n images: an ordering of the zones (n, 6), their sum (n,), and whole-number grades (n, 6)."""

    zones: Array
    film: Array
    grades: Array


class ZoneAgreement:
    """Compare the opacity severity of each image with readers' zone scores, one image after the other.

    The model orders zones by their density and films by the severity score; a model without a severity scale orders films by the
    sum of the densities and has no kappa. For the kappa, grades are rounded to the whole numbers of the readers' scores. Against
    several readers, and among pairs of readers, figures are averaged. An image in which a rater did not score all zones has no
    sum for this rater.

    Parameters
    ----------
    scores : ZoneScores
        The readers' scores.
    """

    def __init__(self, scores: ZoneScores) -> None:
        self._scores = scores
        self._rows: list[_Row] = []

    def add(self, read: ReadCase) -> None:
        """Take one image.

        Parameters
        ----------
        read : ReadCase
            The case as it was read; it must have zone scores.
        """
        path, severity = read.case.path, read.reading.severity
        zones = severity.zones if severity else ()
        missing = np.full(len(ZONES), math.nan)
        grades = [math.nan if zone.grade is None else zone.grade for zone in zones]
        self._rows.append(
            _Row(
                patient_id=read.case.patient_id,
                density=np.array([zone.density for zone in zones]) if zones else missing,
                grade=np.array(grades) if zones else missing,
                median=self._scores.median(path),
                readers=self._scores.scores[path],
            )
        )

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the images that were taken.

        Parameters
        ----------
        draws : int
            Number of bootstrap draws of patients, >= 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            Figures by name: of the model and the readers' median, of the model and each reader, and of the readers among
            themselves.
        """
        boot = Bootstrap.of_patients([row.patient_id for row in self._rows], draws)
        model, names = self._model(), self._scores.readers
        median = _reader(np.stack([row.median for row in self._rows]))
        readers = [_reader(np.stack([row.readers[k] for row in self._rows])) for k in range(len(names))]
        measured = [float(not np.isnan(row.density).any()) for row in self._rows]
        against = "the readers' median" if len(names) > 1 else "the reader"
        tables = {
            f"severity by zone, model and {against}": _figures(boot, [(model, median)])
            | {MEASURED: boot.mean(measured, share=True)}
        }
        pairs = [*combinations(readers, 2)]
        if len(names) > 1:
            of_each = {
                f"{KAPPA}, {name or 'no name'}": _kappa(boot, [(model, r)]) for name, r in zip(names, readers, strict=True)
            }
            each = _figures(boot, [(model, reader) for reader in readers])
            tables[f"severity by zone, model and each reader, mean of {len(names)}"] = each | of_each
        if not pairs:
            return tables | {AMONG_READERS: dict.fromkeys((GLOBAL, ALL_ZONES, WITHIN, KAPPA), undefined(0, _ONE_READER))}
        title = f"{AMONG_READERS}, mean of {len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}"
        return tables | {title: _figures(boot, pairs)}

    def _model(self) -> _Rater:
        density, grade = np.stack([row.density for row in self._rows]), np.stack([row.grade for row in self._rows])
        graded = not np.isnan(grade[~np.isnan(density).any(1)]).any()
        whole = np.floor(grade * self._scores.highest / HIGHEST_GRADE + 0.5)
        # Rounded, so that equal sums are ties in whatever order they were added up.
        film = np.round((grade if graded else density).sum(1), _DECIMALS)
        return _Rater(density, film, whole if graded else np.full_like(grade, math.nan))


def zone_agreement(scores: ZoneScores, cases: Sequence[Case]) -> Selected:
    """Make the measure of readers' zone scores for the cases that have some.

    Parameters
    ----------
    scores : ZoneScores
        The readers' scores.
    cases : sequence of Case
        The cases that are going to be measured.

    Returns
    -------
    Selected
        The measure with the cases that it is for.

    Raises
    ------
    LocalizationError
        If no case has zone scores.
    """
    paths = frozenset(case.path for case in cases) & scores.scores.keys()
    if not paths:
        raise LocalizationError(
            f"none of the {len(cases)} images to measure has zone scores, only images of other splits have; choose their split"
        )
    return Selected(ZoneAgreement(scores), paths)


def _reader(scores: Array) -> _Rater:
    return _Rater(scores, scores.sum(1), scores)


def _figures(boot: Bootstrap, pairs: Sequence[tuple[_Rater, _Rater]]) -> dict[str, Estimate]:
    of_image = _mean_of_known(np.array([_within_images(a.zones, b.zones) for a, b in pairs]))
    return {
        GLOBAL: _mean_of(boot, spearman, [(a.film[:, None], b.film[:, None]) for a, b in pairs]),
        ALL_ZONES: _mean_of(boot, spearman, [(a.zones, b.zones) for a, b in pairs]),
        WITHIN: boot.mean(of_image.tolist()),
        ORDERED: boot.mean((~np.isnan(of_image)).astype(float).tolist(), share=True),
        KAPPA: _kappa(boot, pairs),
    }


def _kappa(boot: Bootstrap, pairs: Sequence[tuple[_Rater, _Rater]]) -> Estimate:
    if any(np.isnan(rater.grades).all() and not np.isnan(rater.zones).all() for pair in pairs for rater in pair):
        return undefined(0, _NO_SCALE)
    return _mean_of(boot, quadratic_kappa, [(a.grades, b.grades) for a, b in pairs])


def _mean_of(boot: Bootstrap, metric: Metric, pairs: Sequence[tuple[Array, Array]]) -> Estimate:
    """Average a figure over pairs of raters, each with answers (n, k) of which those that both gave count."""
    values, drawn, counted = [], [], np.zeros(len(boot.patients), bool)
    for first, second in pairs:
        known = ~np.isnan(first) & ~np.isnan(second)
        counted |= known.any(1)
        if not known.any():
            continue
        image = np.nonzero(known)[0]
        values.append(float(metric(first[known], second[known])))
        drawn.append(intervals.over_draws(metric, first[known], second[known], boot.weights[:, image]))
    n = len({patient for patient, count in zip(boot.patients, counted, strict=True) if count})
    defined = [k for k, value in enumerate(values) if not math.isnan(value)]
    if not defined:
        return undefined(n, intervals.NOT_DEFINED)
    estimate = intervals.percentile(float(np.mean([values[k] for k in defined])), _mean_of_known(np.array(drawn)[defined]), n)
    notes = [f"{int((~counted).sum())} images left out"] if not counted.all() else []
    notes += [f"undefined in {len(pairs) - len(defined)} of {len(pairs)} pairs"] if len(defined) < len(pairs) else []
    return dataclasses.replace(estimate, method="; ".join([estimate.method, *notes]))


def _within_images(first: Array, second: Array) -> list[float]:
    """Spearman's correlation over the zones of each image; NaN for an image with too few zones, or of one score."""
    return [float(_over_zones(a, b)) for a, b in zip(first, second, strict=True)]


def _over_zones(first: Array, second: Array) -> Array:
    known = ~np.isnan(first) & ~np.isnan(second)
    return spearman(first[known], second[known]) if known.sum() >= _FEWEST_ZONES else np.array(math.nan)


def _mean_of_known(rows: Array) -> Array:
    """Mean over the first axis of what is not NaN; NaN where all are."""
    known = ~np.isnan(rows)
    count = known.sum(0)
    return np.asarray(np.where(count, np.where(known, rows, 0).sum(0) / np.maximum(count, 1), math.nan))
