"""Divide a cohort into train, tune and test: by patient, stratified by label, the same on every platform."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope import csv_cells
from pneumoscope.cohort.case import SPLITS, Case, Cohort, Partition, SplitName, split_sha256
from pneumoscope.cohort.errors import CohortError

PUBLISHED_RATIOS = (0.70, 0.15, 0.15)
PUBLISHED_SEED = 42

_SMALL_STRATUM = 20


@dataclass(frozen=True)
class _Group:
    """Patients who must stay together, because one image is filed under several of them."""

    cases: tuple[Case, ...]

    @property
    def patients(self) -> frozenset[str]:
        return frozenset(case.patient_id for case in self.cases)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({case.label for case in self.cases}))

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(sorted({str(case.reference) for case in self.cases}))


def by_ratio(
    cohort: Cohort,
    *,
    ratios: tuple[float, float, float] = PUBLISHED_RATIOS,
    seed: int = PUBLISHED_SEED,
    fixed: Mapping[str, SplitName] | None = None,
) -> Cohort:
    """Split by ratios of images within each label.

    A patient goes to one split whole; patients that share a pixel-identical image count as one. Groups are taken in the order of
    SHA-256(seed, patients) and each joins the split that is furthest below its share, so the draw depends on no random
    generator. Labels of fewer than 20 patients are drawn together with the other small ones of the same reference.

    Parameters
    ----------
    cohort
        The cohort; an earlier split of it is replaced.
    ratios
        Shares of train, tune and test, which add up to 1.
    seed
        Other seeds give other draws.
    fixed
        Patients whose split is given.

    Returns
    -------
    Cohort
        The same cases with their split.

    Raises
    ------
    CohortError
        If the ratios do not add up to 1, or patients of different fixed splits share an image.

    Examples
    --------
    >>> from pneumoscope.cohort import Case
    >>> cases = tuple(Case(f"{k}.png", "NORMAL", 0, f"p{k}") for k in range(10))
    >>> divided = by_ratio(Cohort(Path("."), cases), ratios=(0.6, 0.2, 0.2))
    >>> [len(divided.on(name)) for name in SPLITS]
    [6, 2, 2]
    """
    if min(ratios) < 0 or not 0.999 < sum(ratios) < 1.001:
        raise CohortError(f"ratios of train, tune and test must add up to 1, got {ratios}")
    fixed = fixed or {}
    split_of = _drawn_by_label(_groups(cohort.cases), ratios, seed, fixed)
    present = len(fixed.keys() & split_of.keys())
    rule = "by ratio, stratified by label" + (f", {present} patients fixed of {len(fixed)} named" if fixed else "")
    return _with_split(cohort, [replace(c, split=split_of[c.patient_id]) for c in cohort.cases], rule, ratios, seed)


def official(cohort: Cohort, *, tune: float = 0.0, seed: int = PUBLISHED_SEED) -> Cohort:
    """Take the source's own split as it is.

    No case is moved: the rule that cards and reports carry says how many patients are in two splits.

    Parameters
    ----------
    cohort
        A cohort whose every case has an official split.
    tune
        If above 0, only the official test split is kept, and tune is this share of all other images, drawn by patient as
        `by_ratio` draws.
    seed
        Seed of that draw.

    Returns
    -------
    Cohort
        The same cases with their split.

    Raises
    ------
    CohortError
        If a case has no official split, or `tune` is not in [0, 1).
    """
    missing = sum(not case.official_split for case in cohort.cases)
    if missing:
        raise CohortError(f"{missing} of {len(cohort.cases)} cases have no official split; split by ratios instead")
    if not 0 <= tune < 1:
        raise CohortError(f"tune is a share of the official train and tune splits, at least 0 and below 1, got {tune:g}")
    cases = [replace(case, split=case.official_split) for case in cohort.cases]
    what = "official"
    if tune:
        rest = [case for case in cases if case.split != "test"]
        split_of = _drawn_by_label(_groups(rest), (1 - tune, tune, 0.0), seed, {})
        cases = [case if case.split == "test" else replace(case, split=split_of[case.patient_id]) for case in cases]
        what = "official test side, the rest by ratio, stratified by label"
    return _with_split(cohort, cases, f"{what}, {len(crossing(cases)[0])} patients on two sides", None, seed if tune else None)


def folds(cohort: Cohort, count: int, *, seed: int = PUBLISHED_SEED) -> tuple[Cohort, ...]:
    """Split a cohort several times, so that every case is in the test split once (cross-validation by patient).

    Patients, and patients that share a pixel-identical image, keep together; each label is spread evenly. The tune split of a
    fold is the test split of the next one.

    Parameters
    ----------
    cohort
        The cohort.
    count
        Number of folds, at least 3.
    seed
        Other seeds give other draws.

    Returns
    -------
    tuple of Cohort
        The same cases, split `count` times.

    Raises
    ------
    CohortError
        If there are fewer than three folds, or more than a class has patients.
    """
    if count < 3:
        raise CohortError(f"a fold has a train, a tune and a test split, so that at least 3 folds are needed, not {count}")
    groups = _groups(cohort.cases)
    for value, what in ((0, "without"), (1, "with")):
        patients = sum(any(case.reference == value for case in group.cases) for group in groups)
        if patients < count:
            raise CohortError(f"{patients} patients have an image {what} the target: too few for {count} folds")
    strata = _strata(groups)
    part: dict[str, int] = {}
    whole = [0] * count
    for stratum in sorted(strata, key=lambda labels: -len(strata[labels])):
        filled = [0] * count
        for group in _drawn(strata[stratum], seed):
            least = min(range(count), key=lambda k: (filled[k], whole[k]))
            filled[least] += len(group.cases)
            whole[least] += len(group.cases)
            part |= dict.fromkeys(group.patients, least)
    return tuple(_fold(cohort, part, k, count, seed) for k in range(count))


def parse_ratios(text: str) -> tuple[float, float, float]:
    """Read percentages of train, tune and test.

    Parameters
    ----------
    text
        Three numbers with slashes between them, such as ``70/15/15``.

    Returns
    -------
    tuple of float
        The shares, which add up to 1.

    Raises
    ------
    CohortError
        If the text is of another form or the percentages do not add up to 100.
    """
    try:
        train, tune, test = (float(part) / 100 for part in text.split("/"))
    except ValueError as error:
        raise CohortError(f"--ratios '{text}' should be three percentages such as 70/15/15") from error
    if round(train + tune + test, 9) != 1:
        raise CohortError(f"--ratios '{text}' should add up to 100 percent")
    return train, tune, test


def read_fixed(text: str) -> dict[str, SplitName]:
    """Read which patients are fixed to a split.

    Parameters
    ----------
    text
        ``FILE:SPLIT``, where FILE is a CSV with a column ``patient_id``.

    Returns
    -------
    dict
        The split of each patient, as `by_ratio` takes it.

    Raises
    ------
    CohortError
        If the text is of another form, or the file cannot be read or has no such column.
    """
    name, _, split = text.rpartition(":")
    if split not in SPLITS or not name:
        raise CohortError(f"'{text}' should be FILE:SPLIT with a split of {', '.join(SPLITS)}")
    try:
        with Path(name).open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv_cells.read_records(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"the file of fixed patients could not be read: {error}") from error
    if not rows or "patient_id" not in rows[0]:
        raise CohortError(f"{name} has no column patient_id")
    return dict.fromkeys((row["patient_id"] for row in rows), split)


def agreed(parts: Iterable[Mapping[str, SplitName]]) -> dict[str, SplitName]:
    """Join several assignments of patients to splits.

    Parameters
    ----------
    parts
        Each the split of some patients.

    Returns
    -------
    dict
        The split of every patient.

    Raises
    ------
    CohortError
        If two of them put one patient into different splits.
    """
    joined: dict[str, SplitName] = {}
    for part in parts:
        apart = sum(joined.get(patient, split) != split for patient, split in part.items())
        if apart:
            raise CohortError(f"{apart} of the patients whose split is given are put into two splits; give each patient one")
        joined |= part
    return joined


def splits_of(cohort: Cohort) -> dict[str, SplitName]:
    """List the split of each patient of a split cohort.

    Parameters
    ----------
    cohort
        The cohort.

    Returns
    -------
    dict
        The split of each patient.

    Raises
    ------
    CohortError
        If the cohort has no split, or a patient in two.
    """
    if cohort.partition is None:
        raise CohortError("the cohort to split like has no split yet: run  pneumoscope cohort split  on it first")
    several = crossing(cohort.cases)[0]
    if several:
        raise CohortError(f"the cohort to split like has {len(several)} patients in two splits; choose another one")
    return {case.patient_id: case.split for case in cohort.cases if case.split}


def crossing(cases: Iterable[Case]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Find the patients, and the images, that lie in more than one split.

    Parameters
    ----------
    cases
        The cases.

    Returns
    -------
    dict, dict
        The splits of each such patient, and of each such `Case.image`.
    """
    patients: defaultdict[str, set[str]] = defaultdict(set)
    images: defaultdict[str, set[str]] = defaultdict(set)
    for case in cases:
        patients[case.patient_id].add(case.split)
        images[case.image].add(case.split)
    return (
        {key: splits for key, splits in patients.items() if len(splits) > 1},
        {key: splits for key, splits in images.items() if len(splits) > 1},
    )


def warnings_about(cohort: Cohort) -> tuple[str, ...]:
    """Say what looks wrong about the split of a cohort.

    Parameters
    ----------
    cohort
        A split cohort.

    Returns
    -------
    tuple of str
        A sentence for each empty split, and for each split with one class only.
    """
    warnings: list[str] = []
    for name in SPLITS:
        references = {case.reference for case in cohort.cases if case.split == name}
        share = cohort.partition.ratios[SPLITS.index(name)] if cohort.partition and cohort.partition.ratios else 1
        if not references and share:
            warnings.append(f"the {name} split is empty")
        elif len(references) == 1:
            warnings.append(f"the {name} split has {'positive' if references == {1} else 'negative'} images only")
    return tuple(warnings)


def _groups(cases: Iterable[Case]) -> list[_Group]:
    """Join the cases of a patient, and of patients that share a pixel-identical image (union-find)."""
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    cases = list(cases)
    for case in cases:
        parent[find(f"image {case.image}")] = find(f"patient {case.patient_id}")
    members: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        members[find(f"patient {case.patient_id}")].append(case)
    return [_Group(tuple(group)) for group in members.values()]


def _strata(groups: Iterable[_Group]) -> dict[tuple[str, ...], list[_Group]]:
    """Groups by their labels; several small strata of one reference are joined.

    A set with several labels an image has thousands of combinations, most of them of one patient, and one patient alone always
    goes to the split with the largest share.
    """
    by_labels: defaultdict[tuple[str, ...], list[_Group]] = defaultdict(list)
    for group in groups:
        by_labels[group.labels].append(group)
    small: defaultdict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for labels, members in by_labels.items():
        if len(members) < _SMALL_STRATUM:
            small[members[0].references if len({m.references for m in members}) == 1 else ("0", "1")].append(labels)
    for several in small.values():
        if len(several) > 1:
            by_labels[min(several)] = [group for labels in sorted(several) for group in by_labels.pop(labels)]
    return dict(by_labels)


def _drawn_by_label(
    groups: Iterable[_Group], ratios: tuple[float, float, float], seed: int, fixed: Mapping[str, SplitName]
) -> dict[str, SplitName]:
    """The split of each patient, every label spread by the ratios."""
    strata = _strata(groups)
    split_of: dict[str, SplitName] = {}
    for stratum in sorted(strata):
        split_of |= _assign(strata[stratum], ratios, seed, fixed)
    return split_of


def _assign(
    groups: Iterable[_Group], ratios: tuple[float, float, float], seed: int, fixed: Mapping[str, SplitName]
) -> dict[str, SplitName]:
    groups = _drawn(groups, seed)
    total = sum(len(group.cases) for group in groups)
    share: dict[SplitName, float] = dict(zip(SPLITS, ratios, strict=True))
    filled = dict.fromkeys(SPLITS, 0)
    split_of: dict[str, SplitName] = {}

    def put(group: _Group, split: SplitName) -> None:
        filled[split] += len(group.cases)
        split_of.update(dict.fromkeys(group.patients, split))

    free = []
    for group in groups:
        given = {fixed[patient] for patient in group.patients if patient in fixed}
        if len(given) > 1:
            raise CohortError(f"patients fixed to {' and '.join(sorted(given))} share a pixel-identical image")
        if given:
            put(group, given.pop())
        else:
            free.append(group)
    for group in free:
        put(group, max(SPLITS, key=lambda name: share[name] * total - filled[name]))
    return split_of


def _drawn(groups: Iterable[_Group], seed: int) -> list[_Group]:
    """In an order that depends on the seed and on the patients' names alone."""

    def draw(group: _Group) -> str:
        return hashlib.sha256(f"{seed}:{','.join(sorted(group.patients))}".encode()).hexdigest()

    return sorted(groups, key=draw)


def _fold(cohort: Cohort, part: Mapping[str, int], k: int, count: int, seed: int) -> Cohort:
    split_of: dict[int, SplitName] = {k: "test", (k + 1) % count: "tune"}
    cases = [replace(c, split=split_of.get(part[c.patient_id], "train")) for c in cohort.cases]
    return _with_split(cohort, cases, f"fold {k + 1} of {count}, stratified by label", None, seed)


def _with_split(
    cohort: Cohort, cases: Iterable[Case], rule: str, ratios: tuple[float, float, float] | None, seed: int | None
) -> Cohort:
    cases = tuple(cases)
    return replace(cohort, cases=cases, partition=Partition(rule, ratios, seed, split_sha256(cases)))
