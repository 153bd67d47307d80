"""Draw patient-disjoint, label-stratified sides that are the same on every platform."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope.cohort.case import SPLITS, Case, Cohort, Partition, SplitName, split_sha256
from pneumoscope.cohort.errors import CohortError

PUBLISHED_RATIOS = (0.70, 0.15, 0.15)
PUBLISHED_SEED = 42


@dataclass(frozen=True)
class _Group:
    """Patients who must stay together, because one image is filed under several of them."""

    cases: tuple[Case, ...]

    @property
    def patients(self) -> frozenset[str]:
        return frozenset(case.patient_id for case in self.cases)

    @property
    def stratum(self) -> tuple[str, ...]:
        return tuple(sorted({case.label for case in self.cases}))


def by_ratio(
    cohort: Cohort,
    *,
    ratios: tuple[float, float, float] = PUBLISHED_RATIOS,
    seed: int = PUBLISHED_SEED,
    fixed: Mapping[str, SplitName] | None = None,
) -> Cohort:
    """Split by ratios of images within each label.

    Patients go to their side whole; patients that share a pixel-identical image count as one. Groups are taken in the
    order of SHA-256(seed, patients) and each joins the side that is furthest below its share, so the draw depends on no
    random generator. `fixed` names patients whose side is given.
    """
    if min(ratios) < 0 or not 0.999 < sum(ratios) < 1.001:
        raise CohortError(f"ratios of train, tune and test must add up to 1, got {ratios}")
    fixed = fixed or {}
    side_of = _drawn_by_label(_groups(cohort.cases), ratios, seed, fixed)
    present = len(fixed.keys() & side_of.keys())
    rule = "by ratio, stratified by label" + (f", {present} patients fixed of {len(fixed)} named" if fixed else "")
    return _with_split(cohort, [replace(c, split=side_of[c.patient_id]) for c in cohort.cases], rule, ratios, seed)


def official(cohort: Cohort, *, tune: float = 0.0, seed: int = PUBLISHED_SEED) -> Cohort:
    """The source's own split as it is; CohortError where a case has none.

    Nothing is moved: the rule that cards and reports carry says how many patients are on two sides. With a share of `tune` the
    official test side alone is kept, and tune is drawn by patient from all the rest, as `by_ratio` draws.
    """
    missing = sum(not case.official_split for case in cohort.cases)
    if missing:
        raise CohortError(f"{missing} of {len(cohort.cases)} cases have no official side; split by ratios instead")
    if not 0 <= tune < 1:
        raise CohortError(f"tune is a share of the official train and tune sides, at least 0 and below 1, got {tune:g}")
    cases = [replace(case, split=case.official_split) for case in cohort.cases]
    what = "official"
    if tune:
        rest = [case for case in cases if case.split != "test"]
        side_of = _drawn_by_label(_groups(rest), (1 - tune, tune, 0.0), seed, {})
        cases = [case if case.split == "test" else replace(case, split=side_of[case.patient_id]) for case in cases]
        what = "official test side, the rest by ratio, stratified by label"
    return _with_split(cohort, cases, f"{what}, {len(crossing(cases)[0])} patients on two sides", None, seed if tune else None)


def read_fixed(text: str) -> dict[str, SplitName]:
    """Parse ``FILE:SIDE``, FILE a CSV with a column patient_id, as `by_ratio` takes it."""
    name, _, side = text.rpartition(":")
    if side not in SPLITS or not name:
        raise CohortError(f"'{text}' should be FILE:SIDE with a side of {', '.join(SPLITS)}")
    try:
        with Path(name).open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise CohortError(f"the file of fixed patients could not be read: {error}") from error
    if not rows or "patient_id" not in rows[0]:
        raise CohortError(f"{name} has no column patient_id")
    return dict.fromkeys((row["patient_id"] for row in rows), side)


def agreed(parts: Iterable[Mapping[str, SplitName]]) -> dict[str, SplitName]:
    """{patient: side} of several at once; CohortError where they put a patient on two sides."""
    found: dict[str, SplitName] = {}
    for part in parts:
        apart = sum(found.get(patient, side) != side for patient, side in part.items())
        if apart:
            raise CohortError(f"{apart} of the patients whose side is given are put on two sides; give each patient one")
        found |= part
    return found


def sides_of(cohort: Cohort) -> dict[str, SplitName]:
    """{patient: side} of a split cohort; CohortError where it has no split or has a patient on two sides."""
    if cohort.partition is None:
        raise CohortError("the cohort to split like has no split yet: run  pneumoscope cohort split  on it first")
    several = crossing(cohort.cases)[0]
    if several:
        raise CohortError(f"the cohort to split like has {len(several)} patients on two sides; choose another one")
    return {case.patient_id: case.split for case in cohort.cases if case.split}


def crossing(cases: Iterable[Case]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Patients, and images, that lie on more than one side: {patient: sides}, {`Case.image`: sides}."""
    patients: defaultdict[str, set[str]] = defaultdict(set)
    images: defaultdict[str, set[str]] = defaultdict(set)
    for case in cases:
        patients[case.patient_id].add(case.split)
        images[case.image].add(case.split)
    return (
        {key: sides for key, sides in patients.items() if len(sides) > 1},
        {key: sides for key, sides in images.items() if len(sides) > 1},
    )


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


def _drawn_by_label(
    groups: Iterable[_Group], ratios: tuple[float, float, float], seed: int, fixed: Mapping[str, SplitName]
) -> dict[str, SplitName]:
    """The side of each patient, every label spread by the ratios."""
    strata: defaultdict[tuple[str, ...], list[_Group]] = defaultdict(list)
    for group in groups:
        strata[group.stratum].append(group)
    side_of: dict[str, SplitName] = {}
    for stratum in sorted(strata):
        side_of |= _assign(strata[stratum], ratios, seed, fixed)
    return side_of


def _assign(
    groups: Iterable[_Group], ratios: tuple[float, float, float], seed: int, fixed: Mapping[str, SplitName]
) -> dict[str, SplitName]:
    groups = _drawn(groups, seed)
    total = sum(len(group.cases) for group in groups)
    share: dict[SplitName, float] = dict(zip(SPLITS, ratios, strict=True))
    filled = dict.fromkeys(SPLITS, 0)
    side_of: dict[str, SplitName] = {}

    def put(group: _Group, side: SplitName) -> None:
        filled[side] += len(group.cases)
        side_of.update(dict.fromkeys(group.patients, side))

    free = []
    for group in groups:
        wanted = {fixed[patient] for patient in group.patients if patient in fixed}
        if len(wanted) > 1:
            raise CohortError(f"patients fixed to {' and '.join(sorted(wanted))} share a pixel-identical image")
        if wanted:
            put(group, wanted.pop())
        else:
            free.append(group)
    for group in free:
        put(group, max(SPLITS, key=lambda side: share[side] * total - filled[side]))
    return side_of


def _drawn(groups: Iterable[_Group], seed: int) -> list[_Group]:
    """In an order that depends on the seed and on the patients' names alone."""

    def draw(group: _Group) -> str:
        return hashlib.sha256(f"{seed}:{','.join(sorted(group.patients))}".encode()).hexdigest()

    return sorted(groups, key=draw)


def folds(cohort: Cohort, count: int, *, seed: int = PUBLISHED_SEED) -> tuple[Cohort, ...]:
    """The cohort split `count` times, so that every case is on the test side once (cross-validation by patients).

    Patients, and patients that share a pixel-identical image, keep together; each label is spread evenly. The tune side of a
    fold is the test side of the next one. CohortError for fewer than three folds, or more than a class has patients.
    """
    if count < 3:
        raise CohortError(f"a fold has a train, a tune and a test side, so that at least 3 folds are needed, not {count}")
    groups = _groups(cohort.cases)
    for value, what in ((0, "without"), (1, "with")):
        there = sum(any(case.reference == value for case in group.cases) for group in groups)
        if there < count:
            raise CohortError(f"{there} patients have an image {what} the target: too few for {count} folds")
    strata: defaultdict[tuple[str, ...], list[_Group]] = defaultdict(list)
    for group in groups:
        strata[group.stratum].append(group)
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


def _fold(cohort: Cohort, part: Mapping[str, int], k: int, count: int, seed: int) -> Cohort:
    side_of: dict[int, SplitName] = {k: "test", (k + 1) % count: "tune"}
    cases = [replace(c, split=side_of.get(part[c.patient_id], "train")) for c in cohort.cases]
    return _with_split(cohort, cases, f"fold {k + 1} of {count}, stratified by label", None, seed)


def _with_split(
    cohort: Cohort, cases: Iterable[Case], rule: str, ratios: tuple[float, float, float] | None, seed: int | None
) -> Cohort:
    cases = tuple(cases)
    return replace(cohort, cases=cases, partition=Partition(rule, ratios, seed, split_sha256(cases)))
