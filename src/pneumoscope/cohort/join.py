"""Join cohorts of several data sets into one, with the splits of each, and no patient or image in two splits."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from pneumoscope.cohort.case import SPLITS, Case, Cohort, Partition, SplitName, both_classes, split_sha256
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.split import crossing

EVERY, NONE = "all", "none"
"""Words of a join: every case of a parent, and no split of the joined cohort."""
_MOVE = re.compile(rf"({'|'.join(SPLITS)}|{EVERY})=({'|'.join(SPLITS)}|{NONE})")

Target = SplitName | Literal["none"]


@dataclass(frozen=True)
class Parent:
    """A cohort that is joined with others.

    Parameters
    ----------
    name
        Name of its file, for the rule and for errors.
    cohort
        The cohort.
    moves
        Split of the joined cohort, or ``none`` to leave the cases out, by the split of this cohort; ``all`` stands for every
        case, split or not. Splits that are not named are kept.
    """

    name: str
    cohort: Cohort
    moves: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))

    def split_of(self, case: Case) -> Target:
        """Return the split that a case of this cohort gets in the joined one.

        Parameters
        ----------
        case
            A case of this cohort.

        Returns
        -------
        {"train", "tune", "test", "none"}
            The split; ``none`` for a case that is left out.
        """
        if EVERY in self.moves:
            return self.moves[EVERY]
        assert case.split
        return self.moves.get(case.split, case.split)

    @property
    def rule(self) -> str:
        """Describe the cohort, its split and what becomes of it, in words."""
        partition = self.cohort.partition
        sources = " and ".join(sorted({case.source for case in self.cohort.cases}))
        split = f"split {partition.sha256[:12]} {partition.rule}" if partition else "not split"
        moved = "".join(f", {_moved(before, after)}" for before, after in sorted(self.moves.items()))
        return f"{self.name} ({sources}; {split}{moved})"


def _moved(before: str, after: Target) -> str:
    what = "every case" if before == EVERY else before
    return f"{what} left out" if after == NONE else f"{what} as {after}"


@dataclass(frozen=True)
class Joined:
    """A joined cohort and what was seen when it was made.

    Parameters
    ----------
    cohort
        The cohort.
    n_identical
        Number of groups of images with identical pixels that come from different parents, all of one split.
    n_contradicting
        Number of these groups whose references differ.
    """

    cohort: Cohort
    n_identical: int
    n_contradicting: int

    def lines(self) -> list[str]:
        """Write the numbers of images by source and split as text, one line a source, without an identifier."""
        sources = sorted({case.source for case in self.cohort.cases})
        return [_line(source, [case for case in self.cohort.cases if case.source == source]) for source in sources]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say what looks wrong: identical images of several parents, and splits that are empty."""
        several = f"{self.n_identical} images come from several cohorts with identical pixels, {self.n_contradicting} of them "
        empty = [name for name in SPLITS if not any(case.split == name for case in self.cohort.cases)]
        return (
            *([f"{several}under two references"] if self.n_identical else []),
            *(f"the {name} split is empty" for name in empty),
        )


def _line(source: str, cases: Sequence[Case]) -> str:
    parts = []
    for name in SPLITS:
        chosen = [case for case in cases if case.split == name]
        if chosen:
            parts.append(f"{name} {len(chosen)} images ({sum(case.reference for case in chosen)} positive)")
    return f"{source}: {', '.join(parts)}, {len({case.patient_id for case in cases})} patients"


def parse_parent(text: str) -> tuple[Path, dict[str, Target]]:
    """Parse one argument of ``cohort join``.

    Parameters
    ----------
    text
        The file of a cohort, and after a colon what becomes of its splits, separated by commas: ``adults.parquet``,
        ``adults.parquet:tune=train,test=none`` or, also for a cohort without a split, ``normal.parquet:all=train``.

    Returns
    -------
    Path
        The file.
    dict
        As `Parent.moves`.

    Raises
    ------
    CohortError
        If what follows the colon is of another form, names a split twice, or names ``all`` and a split.

    Examples
    --------
    >>> parse_parent("adults.parquet:tune=train,test=none")[1]
    {'tune': 'train', 'test': 'none'}
    """
    file, colon, moves = text.rpartition(":")
    if not colon or "=" not in moves:
        return Path(text), {}
    parts = [_MOVE.fullmatch(part) for part in moves.split(",")]
    pairs = [(match[1], cast("Target", match[2])) for match in parts if match]
    named = [before for before, _ in pairs]
    if len(pairs) < len(parts) or len(set(named)) < len(named) or (EVERY in named and len(named) > 1):
        raise CohortError(
            f"'{moves}' should say what becomes of each split once, such as tune=train,test=none, or {EVERY}=train; the "
            f"splits are {', '.join(SPLITS)}"
        )
    return Path(file), dict(pairs)


def join(parents: Sequence[Parent], root: Path | None = None) -> Joined:
    """Join cohorts into one.

    Each case keeps its split, or gets the one that `Parent.moves` says. Its path starts from the common root, and its patient is
    prefixed by `Case.source`, so that equal identifiers of two data sets stay two patients; cohorts of one source share their
    patients.

    Parameters
    ----------
    parents
        Two or more cohorts.
    root
        Folder that the paths of the joined cohort start from; by default the deepest folder that holds all files.

    Returns
    -------
    Joined
        The cohort and its warnings.

    Raises
    ------
    CohortError
        If a parent is not split or says of no case where it comes from, the targets differ, a root is not below `root`, a file,
        a patient or an image with identical pixels would be in two splits or a file twice, or a split has one class only.
    """
    if len(parents) < 2:
        raise CohortError("a join needs two cohorts or more; give their files")
    targets = {parent.cohort.target for parent in parents}
    if len(targets) > 1:
        raise CohortError(f"the cohorts are about {' and '.join(sorted(targets))}; join cohorts of one target")
    for parent in parents:
        _require_fit(parent)
    root = _common_root([parent.cohort.root.resolve() for parent in parents], root)
    groups = [_cases(parent, root) for parent in parents]
    cases = tuple(case for group in groups for case in group)
    _require_disjoint(cases)
    for name in SPLITS:
        if chosen := [case for case in cases if case.split == name]:
            both_classes(chosen, f"the {name} split of the joined cohort")
    cohort = Cohort(
        root=root,
        cases=cases,
        target=targets.pop(),
        source="join of " + " and ".join(dict.fromkeys(parent.cohort.source for parent in parents)),
        partition=Partition("join of " + ", ".join(p.rule for p in parents), None, None, split_sha256(cases)),
        unreadable=tuple(_rebased(line, p.cohort.root, root) for p in parents for line in p.cohort.unreadable),
    )
    return Joined(cohort, *_identical(groups))


def _require_fit(parent: Parent) -> None:
    if any(not case.source for case in parent.cohort.cases):
        raise CohortError(
            f"the cohort '{parent.name}' does not say which data set its cases come from; build it again with this version "
            "(--source NAME)"
        )
    if EVERY in parent.moves:
        return
    if parent.cohort.partition is None:
        raise CohortError(
            f"the cohort '{parent.name}' is not split: run  pneumoscope cohort split  on it, or say {parent.name}:{EVERY}=train"
        )
    splits = {case.split for case in parent.cohort.cases}
    if missing := [name for name in parent.moves if name not in splits]:
        raise CohortError(
            f"the cohort '{parent.name}' has no case in the {missing[0]} split, which cannot be moved; leave it out"
        )


def _common_root(roots: Sequence[Path], stated: Path | None) -> Path:
    if stated is None:
        try:
            return Path(os.path.commonpath(roots))
        except ValueError as error:  # drives of Windows
            raise CohortError("the cohorts lie on several drives; copy them to one") from error
    outside = [folder for folder in roots if not folder.is_relative_to(stated.resolve())]
    if outside:
        raise CohortError(f"the files of a cohort are in '{outside[0]}', which is not below '{stated}'; give another --root")
    return stated.resolve()


def _rebased(path: str, before: Path, after: Path) -> str:
    below = before.resolve().relative_to(after).as_posix()
    return path if below == "." else f"{below}/{path}"


def _cases(parent: Parent, root: Path) -> list[Case]:
    """The cases of a parent in the joined cohort; those that are left out are missing."""
    splits = ((case, parent.split_of(case)) for case in parent.cohort.cases)
    return [
        replace(
            case,
            path=_rebased(case.path, parent.cohort.root, root),
            patient_id=f"{case.source}:{case.patient_in_source}",
            split=split,
        )
        for case, split in splits
        if split != "none"
    ]


def _require_disjoint(cases: Iterable[Case]) -> None:
    """Refuse files that occur twice, and patients and images in two splits."""
    cases = list(cases)
    twice = sum(count > 1 for count in Counter(case.path for case in cases).values())
    if twice:
        raise CohortError(f"{twice} files are in more than one of the cohorts; leave them out of one of them")
    patients, images = crossing(cases)
    for what, groups in (("patients", patients), ("images with identical pixels", images)):
        if groups:
            between = sorted({" and ".join(sorted(splits, key=SPLITS.index)) for splits in groups.values()})
            raise CohortError(
                f"{len(groups)} {what} would be in two splits ({'; '.join(between)}); split the cohorts alike (cohort split "
                "--like), or leave a split out (such as test=none)"
            )


def _identical(groups: Sequence[Sequence[Case]]) -> tuple[int, int]:
    """Numbers of images that several parents have with identical pixels, and of those among them whose references differ."""
    parents: dict[str, set[int]] = {}
    references: dict[str, set[int]] = {}
    for number, group in enumerate(groups):
        for case in group:
            parents.setdefault(case.image, set()).add(number)
            references.setdefault(case.image, set()).add(case.reference)
    shared = [image for image, several in parents.items() if len(several) > 1]
    return len(shared), sum(len(references[image]) > 1 for image in shared)
