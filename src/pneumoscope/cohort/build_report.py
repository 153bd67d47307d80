"""What was seen when a cohort was built, as a noun with a text form."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.cohort.case import SPLITS, Case
from pneumoscope.cohort.label_table import WordCount

_MOST_WORDS = 30


@dataclass(frozen=True)
class BuildReport:
    """What was seen when a cohort was built.

    Parameters
    ----------
    source
        Name of the data set or layout.
    n_rows
        Number of rows of the label table, or of files of a folder.
    n_images, n_patients, n_positive
        Number of images in the cohort, of their patients, and of the images with the target.
    words
        Every word of the labels with its count and meaning.
    official_splits
        Number of images by the split that the source assigns.
    n_joined
        Number of rows that were merged into another row of the same image.
    n_disagreeing
        Number of images whose rows disagree and were decided by a consensus rule.
    left_out
        Number of images (or rows) left out, by reason.
    remarks
        Number of images by the remark that their row of the cohort keeps.
    known
        What is known of age, sex, view position and population, in words by their name; without those that no image has.
    notes
        What a user must know about the source.
    warnings
        What looks wrong.
    """

    source: str
    n_rows: int
    n_images: int
    n_patients: int
    n_positive: int
    words: tuple[WordCount, ...]
    official_splits: Mapping[str, int]
    n_joined: int
    n_disagreeing: int
    left_out: Mapping[str, int]
    remarks: Mapping[str, int]
    known: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Images, patients and positive images in one line."""
        return f"{self.n_images} images of {self.n_patients} patients, {self.n_positive} positive"

    def lines(self) -> list[str]:
        """Write the report as text.

        Returns
        -------
        list of str
            One line a count, then notes and warnings; no identifier.
        """
        lines = [f"{self.source}: {self.n_rows} rows; {self.summary}"]
        lines += [f"  {count.word:<32}{count.n_rows:>8} rows  {count.meaning}" for count in self.words[:_MOST_WORDS]]
        if len(self.words) > _MOST_WORDS:
            lines.append(f"  and {len(self.words) - _MOST_WORDS} rarer words")
        if self.official_splits:
            lines.append("  official split: " + ", ".join(f"{name} {self.official_splits.get(name, 0)}" for name in SPLITS))
        if self.n_joined:
            lines.append(f"  joined: {self.n_joined} rows into another row of the same image")
        if self.n_disagreeing:
            lines.append(f"  decided by consensus: {self.n_disagreeing} images whose rows disagree")
        lines += [f"  left out: {count} ({reason})" for reason, count in self.left_out.items()]
        lines += [f"  remark: {count} images: {remark}" for remark, count in self.remarks.items()]
        lines += [f"  {name}: {what}" for name, what in self.known.items()]
        return [*lines, *(f"  note: {note}" for note in self.notes), *(f"  warning: {warning}" for warning in self.warnings)]


def known_of(cases: Sequence[Case]) -> dict[str, str]:
    """Say for how many cases age, sex, view position and population are known, and what they are.

    Parameters
    ----------
    cases
        The cases.

    Returns
    -------
    dict of str to str
        A phrase for each of the four that at least one case has.
    """
    ages = [case.age_years for case in cases if case.age_years is not None]
    known = {"age": f"{len(ages)} images, {min(ages):.3g} to {max(ages):.3g} years"} if ages else {}
    columns: dict[str, list[str]] = {
        "sex": [str(case.sex) for case in cases],
        "view position": [case.view_position for case in cases],
        "population": [str(case.population) for case in cases],
    }
    for name, values in columns.items():
        counts = Counter(value for value in values if value)
        if counts:
            known[name] = f"{counts.total()} images, " + ", ".join(f"{value} {count}" for value, count in sorted(counts.items()))
    return known


def warnings_about(cases: Sequence[Case]) -> tuple[str, ...]:
    """Say what looks wrong about the cases of a cohort.

    Parameters
    ----------
    cases
        The cases.

    Returns
    -------
    tuple of str
        A sentence for: one patient for every image, one class only, identical pixels, a patient in two official splits.
    """
    warnings: list[str] = []
    if len(cases) > 1 and len({case.patient_id for case in cases}) == 1:
        warnings.append("every image is of one patient, so that no split can be drawn: is this the patient column?")
    references = {case.reference for case in cases}
    if len(references) == 1:
        warnings.append(f"there is no {'negative' if references == {1} else 'positive'} image: no ROC curve can be drawn")
    return (*warnings, *_identical(cases), *_in_two_splits(cases))


def _identical(cases: Iterable[Case]) -> list[str]:
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.image].append(case)
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return []
    patients = sum(len({case.patient_id for case in group}) > 1 for group in several)
    labels = sum(len({case.reference for case in group}) > 1 for group in several)
    return [
        f"{len(several)} images occur more than once with identical pixels ({sum(map(len, several))} files), "
        f"{patients} of them under two patients, {labels} under two references"
    ]


def _in_two_splits(cases: Iterable[Case]) -> list[str]:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.official_split:
            splits[case.patient_id].add(case.official_split)
    crossing = sum(len(names) > 1 for names in splits.values())
    return [f"{crossing} patients are in more than one official split"] if crossing else []
