"""Fix the severity scale of a model on tune: grades by monotone regression, the interval by split conformal prediction.

The reference score of a zone lies in [0, 3]. From opacity masks it is 3 × the mean opaqueness of the zone's lung (grey value /
255), so that 0 is no opacity and 3 a zone that is consolidated throughout; from a table it is the mean of the readers' scores × 3
/ the highest score.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from pneumoscope.classifier.severity_scale import HIGHEST_GRADE, HIGHEST_SCORE, SeverityScale
from pneumoscope.cohort import Cohort
from pneumoscope.evaluation.training_overlap import training_overlap
from pneumoscope.localization.case import ReadCase, read_cases
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.reader import Reader
from pneumoscope.reference.opacity_masks import OpacityMasks
from pneumoscope.reference.zone_tables import ZoneScores
from pneumoscope.statistics.metrics import Array

COVERAGE = 0.9
"""Coverage of the prediction interval of the score."""
MASKS_REFERENCE = "3 × mean opaqueness of opacity masks over each lung zone"
_QUANTILES = (0.25, 0.5, 0.75)
_DECIMALS = 4
_ROUNDING = 1e-9

ZoneReference = Callable[[ReadCase], Array | None]
"""Gives the reference scores of the six zones of a case, in [0, 3], or None where it has none."""


@dataclass(frozen=True)
class SeverityFit:
    """A severity scale, and how it does on the patients that gave its interval.

    Parameters
    ----------
    scale : SeverityScale
        The scale.
    n_images : int
        Number of images that were used, for the grades and for the interval.
    left_out : int
        Number of images without a reference or without both lungs.
    mean_error : float
        Mean absolute error of the score over the images that gave the interval.
    """

    scale: SeverityScale
    n_images: int
    left_out: int
    mean_error: float


def masks_reference(masks: OpacityMasks) -> ZoneReference:
    """Score the zones of a case by its opacity masks.

    Parameters
    ----------
    masks : OpacityMasks
        The masks.

    Returns
    -------
    ZoneReference
        3 × the mean opaqueness of each zone.
    """

    def reference(read: ReadCase) -> Array | None:
        opaqueness = masks.zone_opaqueness(read.case.path, read.reading.lung_fields)
        return None if opaqueness is None else HIGHEST_GRADE * opaqueness

    return reference


def readers_reference(scores: ZoneScores) -> ZoneReference:
    """Score the zones of a case by the mean of its readers.

    Parameters
    ----------
    scores : ZoneScores
        The readers' scores.

    Returns
    -------
    ZoneReference
        The mean score × 3 / the highest score; None where a zone has no score.
    """

    def reference(read: ReadCase) -> Array | None:
        if read.case.path not in scores.scores:
            return None
        mean = scores.mean(read.case.path) * HIGHEST_GRADE / scores.highest
        return None if np.isnan(mean).any() else mean

    return reference


def calibrate(
    reader: Reader, cohort: Cohort, reference: ZoneReference, description: str, *, show_progress: bool = False
) -> SeverityFit:
    """Fix the severity scale of a model on the tune split of a cohort.

    Parameters
    ----------
    reader : Reader
        The model.
    cohort : Cohort
        A split cohort.
    reference : ZoneReference
        Reference scores of the zones, as `masks_reference` and `readers_reference` give them.
    description : str
        What the reference is, in words.
    show_progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    SeverityFit
        The scale for the card's field ``severity``, and what it rests on.

    Raises
    ------
    CohortError
        If the cohort has no tune split.
    LocalizationError
        If the model was trained on patients or images of the tune split, or as `fit` raises it.
    """
    cases = cohort.on("tune")
    overlap = training_overlap(reader.trained_on, cases)
    if overlap:
        raise LocalizationError(
            f"'{reader.card.name}' was trained on {overlap.cases} of the {len(cases)} tune images, so that its errors there are "
            "too small; fix the scale on patients that it was not trained on"
        )
    reads = read_cases(reader, cohort, cases, workers=reader.workers, show_progress=show_progress)
    return fit(reads, reference, description, cohort.partition.sha256 if cohort.partition else "")


def fit(reads: Iterable[ReadCase], reference: ZoneReference, description: str, split_sha256: str) -> SeverityFit:
    """Fit a severity scale to the tune split.

    Patients are divided into two halves by a hash of their identifiers. The grades are fitted to the zones of the first half. The
    interval is split conformal (Lei et al. 2018, doi 10.1080/01621459.2017.1307116): of the n patients of the second half, each
    with its largest absolute error, the ⌈0.9 (n + 1)⌉-th smallest error is half the width.

    Parameters
    ----------
    reads : iterable of ReadCase
        The cases of the tune split, as the model read them.
    reference : ZoneReference
        Their reference scores.
    description : str
        What the reference is, in words.
    split_sha256 : str
        SHA-256 of the split.

    Returns
    -------
    SeverityFit
        The scale and what it rests on.

    Raises
    ------
    LocalizationError
        If there are too few patients for an interval of this coverage, or the map is the same in all zones.
    """
    rows, left_out = [], 0
    for read in reads:
        severity, scores = read.reading.severity, reference(read)
        if severity is None or not severity.zones or scores is None or np.isnan(scores).any():
            left_out += 1
            continue
        rows.append((read.case.patient_id, np.array([zone.density for zone in severity.zones]), scores))
    first = _first_half({patient for patient, _, _ in rows})
    fitted = [row for row in rows if row[0] in first]
    calibrated = [row for row in rows if row[0] not in first]
    n = len({patient for patient, _, _ in calibrated})
    rank = math.ceil(COVERAGE * (n + 1) - _ROUNDING)
    if rank > n:
        least = 2 * math.ceil(COVERAGE / (1 - COVERAGE) - _ROUNDING) - 1
        raise LocalizationError(
            f"{len(first) + n} patients of the tune split have reference scores and both lungs; an interval of {COVERAGE:.0%} "
            f"needs at least {least}: give more patients"
        )
    knots = fit_knots(*(np.concatenate([row[k] for row in fitted]) for k in (1, 2)))
    densities, grades = np.array(knots).T
    errors = np.array([abs(np.interp(density, densities, grades).sum() - scores.sum()) for _, density, scores in calibrated])
    largest = sorted(max(e for e, row in zip(errors, calibrated, strict=True) if row[0] == p) for p in {r[0] for r in calibrated})
    half_width = min(float(HIGHEST_SCORE), round(float(largest[rank - 1]), _DECIMALS))
    scale = SeverityScale(knots, half_width, COVERAGE, n, len(first), description, "tune", split_sha256)
    return SeverityFit(scale, len(rows), left_out, float(errors.mean()))


def fit_knots(density: Array, score: Array) -> tuple[tuple[float, float], ...]:
    """Fit the monotone piecewise linear curve of least squares with knots at 0, the quartiles and the maximum of the density.

    The curve is a sum of ramps between neighbouring knots with heights >= 0, found by non-negative least squares (Lawson & Hanson
    1974, Solving Least Squares Problems, chapter 23).

    Parameters
    ----------
    density : ndarray of float64, shape (n,)
        Densities of zones, in [0, 1].
    score : ndarray of float64, shape (n,)
        Their reference scores, in [0, 3].

    Returns
    -------
    tuple of (float, float)
        Knots (density, grade), as `SeverityScale` holds them.

    Raises
    ------
    LocalizationError
        If all densities are 0.
    """
    ends = np.unique(np.round([0.0, *np.quantile(density, _QUANTILES), density.max()], _DECIMALS))
    if len(ends) < 2:
        raise LocalizationError(
            "the heat map is 0 in every lung zone of the tune split, so no grades can be fitted; train the model"
        )
    ramps = [np.clip((density - low) / (high - low), 0, 1) for low, high in pairwise(ends.tolist())]
    heights, _ = nnls(np.stack([np.ones_like(density), *ramps], 1), score)
    grades = np.minimum(np.round(np.cumsum(heights), _DECIMALS), HIGHEST_GRADE)
    return tuple(zip(ends.tolist(), grades.tolist(), strict=True))


def _first_half(patients: set[str]) -> frozenset[str]:
    """Half of the patients, one less for an odd number, in the order of a hash, so that no property of theirs decides."""
    ordered: Sequence[str] = sorted(patients, key=lambda patient: hashlib.sha256(patient.encode()).hexdigest())
    return frozenset(ordered[: len(ordered) // 2])
