"""Look for what would make a figure on a cohort untrue: leaks, duplicates, contradictions, unreadable files."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.image_summary import ImageSummary, summarize
from pneumoscope.cohort.split import crossing

_MOST_LABELS = 20


@dataclass(frozen=True)
class Pair:
    """Two files that look alike.

    Parameters
    ----------
    first, second
        Their paths.
    correlation
        Pearson correlation of their 64 × 64 px thumbnails.
    same_patient
        Whether both are filed under one patient.
    splits
        The split of each, empty before the cohort is split.
    same_label
        Whether both have one reference.
    """

    first: str
    second: str
    correlation: float
    same_patient: bool
    splits: tuple[str, str]
    same_label: bool


@dataclass(frozen=True)
class Audit:
    """Results of an audit; an empty tuple is good news.

    Parameters
    ----------
    n_images, n_patients
        Numbers of the cohort.
    by_label
        Images and patients of each label, and images of each split.
    by_size
        Median native rows, columns, aspect ratio and file size of each label.
    patients_in_two_splits
        Patients that lie in more than one split.
    identical, near
        Pairs of files with the same grey levels, and pairs that look alike.
    patients_with_both_labels
        Patients with a positive and a negative image.
    unreadable
        Path and reason of each file that could not be read.
    notes
        What could not be looked for.
    """

    n_images: int
    n_patients: int
    by_label: dict[str, dict[str, int]]
    by_size: dict[str, dict[str, float]]
    patients_in_two_splits: tuple[str, ...]
    identical: tuple[Pair, ...]
    near: tuple[Pair, ...]
    patients_with_both_labels: tuple[str, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def leaks(self) -> bool:
        """Whether a patient or an image (identical or near) is in two splits."""
        return bool(self.patients_in_two_splits) or any(len(set(p.splits)) > 1 for p in (*self.identical, *self.near))

    def lines(self) -> list[str]:
        """Write the audit as text.

        Returns
        -------
        list of str
            Counts, without an identifier.
        """
        lines = [f"{self.n_images} images of {self.n_patients} patients"]
        shown = sorted(self.by_label.items(), key=lambda item: -item[1]["images"])[:_MOST_LABELS]
        lines += [f"  {label:<24}{', '.join(f'{k} {v}' for k, v in row.items())}" for label, row in sorted(shown)]
        if len(self.by_label) > _MOST_LABELS:
            lines.append(f"  and {len(self.by_label) - _MOST_LABELS} rarer labels")
        sizes = [(label, row) for label, row in self.by_size.items() if len(self.by_size) <= _MOST_LABELS]
        lines += [f"  {label:<24}median {', '.join(f'{k} {v:.4g}' for k, v in row.items())}" for label, row in sizes]
        return [
            *lines,
            f"patients in two splits: {len(self.patients_in_two_splits)}",
            _pairs("identical images", self.identical),
            _pairs("near-duplicates", self.near),
            f"patients with both labels: {len(self.patients_with_both_labels)}",
            f"unreadable files: {len(self.unreadable)}",
            *self.notes,
        ]


def audit(
    cohort: Cohort,
    summaries: Sequence[ImageSummary] | None = None,
    *,
    max_bits: int = 20,
    min_correlation: float = 0.995,
    show_progress: bool = False,
) -> Audit:
    """Audit a cohort.

    Near-duplicates are pairs whose 256-bit perceptual hashes (DCT, `imagehash.phash`) differ in at most `max_bits` bits **and**
    whose thumbnails correlate with at least `min_correlation`: all chest radiographs resemble one another, so that neither
    alone would do.

    Parameters
    ----------
    cohort
        The cohort, split or not.
    summaries
        Summaries of its images; None to open the files.
    max_bits
        Largest number of differing bits of near-duplicates.
    min_correlation
        Smallest correlation of near-duplicates.
    show_progress
        Whether a progress bar is shown while files are opened.

    Returns
    -------
    Audit
        The results.
    """
    if summaries is None:
        summaries = summarize(cohort, show_progress=show_progress)
    hashes = np.array([summary.perceptual_hash for summary in summaries])
    thumbnails = np.array([summary.thumbnail for summary in summaries])
    identical = _identical(cohort.cases)
    known = {frozenset((p.first, p.second)) for p in identical}
    near = [p for p in _near(cohort.cases, hashes, thumbnails, max_bits, min_correlation)
            if frozenset((p.first, p.second)) not in known]  # fmt: skip
    references: defaultdict[str, set[int]] = defaultdict(set)
    for case in cohort.cases:
        references[case.patient_id].add(case.reference)
    return Audit(
        n_images=len(cohort.cases),
        n_patients=len(references),
        by_label=_by_label(cohort.cases),
        by_size=_by_size(cohort.cases),
        patients_in_two_splits=tuple(sorted(crossing(cohort.cases)[0])) if cohort.partition else (),
        identical=tuple(identical),
        near=tuple(near),
        patients_with_both_labels=tuple(sorted(p for p, several in references.items() if len(several) > 1)),
        unreadable=cohort.unreadable,
        notes=() if cohort.partition else ("the cohort is not split: nothing can be said about splits",),
    )


def _pairs(name: str, pairs: Sequence[Pair]) -> str:
    across, patients = sum(len(set(p.splits)) > 1 for p in pairs), sum(not p.same_patient for p in pairs)
    labels = sum(not p.same_label for p in pairs)
    return f"{name}: {len(pairs)} pairs, {patients} under two patient ids, {labels} under two labels, {across} in two splits"


def _pair(a: Case, b: Case, correlation: float) -> Pair:
    return Pair(
        first=a.path,
        second=b.path,
        correlation=round(correlation, 4),
        same_patient=a.patient_id == b.patient_id,
        splits=(a.split, b.split),
        same_label=a.reference == b.reference,
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
    groups: defaultdict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.label, case.subtype].append(case)
    table: dict[str, dict[str, int]] = {}
    for key, members in sorted(groups.items()):
        splits = Counter(c.split or "not split" for c in members)
        table[" ".join(filter(None, key))] = {
            "images": len(members),
            "patients": len({c.patient_id for c in members}),
            **dict(sorted(splits.items())),
        }
    return table


def _by_size(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Medians over the images whose size is known."""
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.rows and case.cols:
            groups[case.label].append(case)
    table = {}
    for label, sized in sorted(groups.items()):
        columns = np.array([(c.rows, c.cols, c.cols / c.rows, c.file_bytes) for c in sized], float)
        table[label] = dict(zip(("rows", "cols", "aspect", "file_bytes"), map(float, np.median(columns, 0)), strict=True))
    return table
