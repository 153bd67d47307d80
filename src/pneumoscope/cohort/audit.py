"""Look for what would make a figure on this cohort untrue: leaks, duplicates, conflicts, unreadable files."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pneumoscope import MissingExtraError, radiograph
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.split import crossing

try:
    import imagehash
except ImportError:  # the extra is named when an audit is asked for
    imagehash = None  # type: ignore[assignment]  # a module where it is installed

_HASH_SIDE = 16
_THUMBNAIL_SIDE = 64


@dataclass(frozen=True)
class Pair:
    """Two files that look alike; `correlation` of their 64 × 64 px thumbnails."""

    first: str
    second: str
    correlation: float
    same_patient: bool
    sides: tuple[str, str]
    same_label: bool


@dataclass(frozen=True)
class Audit:
    """What was found; empty tuples are good news."""

    n_images: int
    n_patients: int
    by_label: dict[str, dict[str, int]]
    by_size: dict[str, dict[str, float]]
    patients_on_two_sides: tuple[str, ...]
    identical: tuple[Pair, ...]
    near: tuple[Pair, ...]
    patients_with_both_labels: tuple[str, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def leaks(self) -> bool:
        """Whether a patient or an image (identical or near) is on two sides of the split."""
        return bool(self.patients_on_two_sides) or any(len(set(p.sides)) > 1 for p in (*self.identical, *self.near))


def audit(cohort: Cohort, *, max_bits: int = 20, min_correlation: float = 0.995, show_progress: bool = False) -> Audit:
    """Audit a cohort.

    Near-duplicates are pairs whose 256-bit perceptual hashes (DCT, `imagehash.phash`) differ in at most `max_bits` bits and
    whose thumbnails correlate with at least `min_correlation`: all chest radiographs resemble one another, so neither
    alone would do.
    """
    if imagehash is None:
        raise MissingExtraError("a cohort audit", "evaluate")
    hashes, thumbnails = _fingerprints(cohort, show_progress)
    identical = _identical(cohort.cases)
    known = {frozenset((p.first, p.second)) for p in identical}
    near = [p for p in _near(cohort.cases, hashes, thumbnails, max_bits, min_correlation)
            if frozenset((p.first, p.second)) not in known]  # fmt: skip
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for case in cohort.cases:
        labels[case.patient_id].add(case.reference)
    return Audit(
        n_images=len(cohort.cases),
        n_patients=len(labels),
        by_label=_by_label(cohort.cases),
        by_size=_by_size(cohort.cases),
        patients_on_two_sides=tuple(sorted(crossing(cohort.cases)[0])) if cohort.partition else (),
        identical=tuple(identical),
        near=tuple(near),
        patients_with_both_labels=tuple(sorted(p for p, found in labels.items() if len(found) > 1)),
        unreadable=cohort.unreadable,
        notes=() if cohort.partition else ("the cohort is not split: nothing can be said about sides",),
    )


def _fingerprints(cohort: Cohort, show_progress: bool) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Perceptual hashes, shape (n, 4), and standardized thumbnails, shape (n, 64·64)."""
    hashes = np.zeros((len(cohort.cases), _HASH_SIDE**2 // 64), np.uint64)
    thumbnails = np.zeros((len(cohort.cases), _THUMBNAIL_SIDE**2), np.float32)
    for k, case in enumerate(tqdm(cohort.cases, desc="fingerprints", unit="file", disable=None if show_progress else True)):
        pixels = radiograph.read(cohort.file(case)).pixels
        image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
        bits = np.asarray(imagehash.phash(image, hash_size=_HASH_SIDE).hash, bool)
        hashes[k] = np.packbits(bits.ravel()).view(np.uint64)
        small = np.asarray(image.resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.BILINEAR), np.float32)
        thumbnails[k] = ((small - small.mean()) / max(float(small.std()), 1e-6)).ravel()
    return hashes, thumbnails


def _pair(a: Case, b: Case, correlation: float) -> Pair:
    return Pair(
        a.path,
        b.path,
        round(correlation, 4),
        a.patient_id == b.patient_id,
        (a.split, b.split),
        a.reference == b.reference,
    )


def _identical(cases: Sequence[Case]) -> list[Pair]:
    by_hash: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_hash[case.image].append(case)
    return [_pair(group[0], other, 1.0) for group in by_hash.values() for other in group[1:]]


def _near(
    cases: Sequence[Case],
    hashes: NDArray[np.uint64],
    thumbnails: NDArray[np.float32],
    max_bits: int,
    min_correlation: float,
) -> list[Pair]:
    pairs = []
    for k in range(len(cases) - 1):
        distance = np.bitwise_count(hashes[k + 1 :] ^ hashes[k]).sum(1)
        for j in (np.flatnonzero(distance <= max_bits) + k + 1).tolist():
            correlation = float(thumbnails[k] @ thumbnails[j]) / thumbnails.shape[1]
            if correlation >= min_correlation:
                pairs.append(_pair(cases[k], cases[j], correlation))
    return pairs


def _by_label(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """Images and patients of each label (and subtype), and images on each side."""
    table: dict[str, dict[str, int]] = {}
    for key in sorted({(c.label, c.subtype) for c in cases}):
        members = [c for c in cases if (c.label, c.subtype) == key]
        sides = Counter(c.split or "not split" for c in members)
        table[" ".join(filter(None, key))] = {
            "images": len(members),
            "patients": len({c.patient_id for c in members}),
            **dict(sorted(sides.items())),
        }
    return table


def _by_size(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Median native rows, columns, aspect ratio and file size of each label, over the images whose size is known."""
    table = {}
    for label in sorted({c.label for c in cases}):
        sized = [c for c in cases if c.label == label and c.rows and c.cols]
        if sized:
            columns = np.array([(c.rows, c.cols, c.cols / c.rows, c.file_bytes) for c in sized], float)
            medians = np.median(columns, 0)
            table[label] = dict(zip(("rows", "cols", "aspect", "file_bytes"), map(float, medians), strict=True))
    return table
