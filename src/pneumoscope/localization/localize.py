"""Measure the heat maps of a model on one split: which cases, which threshold, then one pass over the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pneumoscope.cohort import Case, Cohort
from pneumoscope.evaluation.population import common_population
from pneumoscope.evaluation.training_overlap import require_unseen, training_overlap
from pneumoscope.localization.case import WORKERS, LungMaskOf, ReadCase, Reads, read_cases
from pneumoscope.localization.localizer import Localization, Localizer, Provenance, best_threshold
from pneumoscope.reader import Reader
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.statistics import intervals
from pneumoscope.statistics.estimate import Estimate

ALL = "all"
"""Stands for every case of a cohort, whether it is split or not."""
FROM_CARD, FROM_TUNE = "the model's card", "highest mean IoU on the tune split"


class Measure(Protocol):
    """A measure that takes one case after the other, keeps a row of numbers of each, and summarizes them at the end."""

    def add(self, read: ReadCase) -> None:
        """Measure one case."""
        ...

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the cases: estimates by name, by title of the table."""
        ...


@dataclass(frozen=True)
class Selected:
    """A measure with the cases that it is for.

    Parameters
    ----------
    measure
        The measure.
    paths
        Paths of the cases that it takes; None for every case.
    """

    measure: Measure
    paths: frozenset[str] | None = None

    def add(self, read: ReadCase) -> None:
        """Measure one case, if the measure is for it.

        Parameters
        ----------
        read
            The case as it was read.
        """
        if self.paths is None or read.case.path in self.paths:
            self.measure.add(read)


def localize(
    reader: Reader,
    cohort: Cohort,
    split: str = "test",
    *,
    source: str = "",
    regions: Mapping[str, ReferenceRegions] | None = None,
    lung_mask_of: LungMaskOf | None = None,
    further: Sequence[Selected] = (),
    allow_training_patients: bool = False,
    draws: int = intervals.DRAWS,
    show_progress: bool = False,
) -> Localization:
    """Measure the heat maps of a model on one split, decoding and reading every file once.

    The threshold of the map is the one of the highest mean IoU on the cohort's tune split, if another split is measured and the
    tune split has reference regions; else it is that of the model's card.

    Parameters
    ----------
    reader
        The model.
    cohort
        The cohort.
    split
        ``train``, ``tune`` or ``test`` of a split cohort, or ``all``.
    source
        Name of the cohort in the result; the cohort's own if empty.
    regions
        Reference regions by path of the case, of the split that is measured and of the tune split.
    lung_mask_of
        Returns the reference lung mask of a case; without it the lungs that the reader finds are used.
    further
        Measures to feed from the same pass.
    allow_training_patients
        Measure on patients that the model was trained on too; the result states how many.
    draws
        Number of bootstrap draws of patients, ≥ 1.
    show_progress
        Show progress bars on a terminal.

    Returns
    -------
    Localization
        Every figure with its 95 % interval; the patient is the unit.

    Raises
    ------
    LocalizationError
        If no case has the target or a reference region.
    EvaluationError
        If the model has settings by population and the cases are of several.
    CohortError
        If the cohort is not split, or the split is empty.
    TrainingPatientsError
        If the model was trained on a patient or an image of the split and that is not allowed.

    Examples
    --------
    >>> from pneumoscope.cohort.sample import sample
    >>> with sample() as cohort:
    ...     result = localize(Reader.load(), cohort, "all", allow_training_patients=True, draws=100)
    >>> result.n_images, result.verdict
    (16, 'No reference regions: nothing is said about whether the map shows the opacity.')
    """
    cases = cases_of(cohort, split)
    reader = for_cases(reader, cases)
    overlap = training_overlap(reader.trained_on, cases)
    require_unseen(overlap, reader.card.name, allow=allow_training_patients)
    threshold, threshold_from = fixed_threshold(reader, cohort, split, regions or {}, show_progress=show_progress)
    provenance = Provenance(
        model=reader.card.name,
        source=source or cohort.source,
        split=split,
        split_sha256=cohort.partition.sha256 if cohort.partition else "",
        threshold=threshold,
        threshold_from=threshold_from,
        training_overlap=overlap,
    )
    return measure_cases(
        reader,
        cohort,
        cases,
        provenance,
        regions=regions,
        lung_mask_of=lung_mask_of,
        further=further,
        draws=draws,
        workers=reader.workers,
        show_progress=show_progress,
    )


def measure_cases(
    reader: Reads,
    cohort: Cohort,
    cases: Sequence[Case],
    provenance: Provenance,
    *,
    regions: Mapping[str, ReferenceRegions] | None = None,
    lung_mask_of: LungMaskOf | None = None,
    further: Sequence[Selected] = (),
    draws: int = intervals.DRAWS,
    workers: int = WORKERS,
    show_progress: bool = False,
) -> Localization:
    """Measure the heat maps of given cases with a given threshold, in one pass over the files.

    Parameters
    ----------
    reader
        The model.
    cohort
        The cohort that the cases belong to.
    cases
        The cases to measure.
    provenance
        What is measured, and the threshold of the map.
    regions
        Reference regions by path of the case.
    lung_mask_of
        Returns the reference lung mask of a case; without it the lungs that the reader finds are used.
    further
        Measures to feed from the same pass.
    draws
        Number of bootstrap draws of patients, ≥ 1.
    workers
        Number of threads that decode and read, ≥ 1.
    show_progress
        Show a progress bar on a terminal.

    Returns
    -------
    Localization
        Every figure with its 95 % interval; the patient is the unit.

    Raises
    ------
    LocalizationError
        If no case has the target or a reference region.
    """
    localizer = Localizer(provenance.threshold)
    for read in read_cases(reader, cohort, cases, regions, lung_mask_of, workers=workers, show_progress=show_progress):
        localizer.add(read.reduced)
        for one in further:
            one.add(read)
    tables = {title: rows for one in further for title, rows in one.measure.tables(draws).items()}
    return localizer.result(provenance, draws, tables)


def cases_of(cohort: Cohort, split: str) -> tuple[Case, ...]:
    """Return the cases of a split.

    Parameters
    ----------
    cohort
        The cohort.
    split
        ``train``, ``tune``, ``test``, or ``all`` for every case of a cohort that may have no split.

    Returns
    -------
    tuple of Case
        In the order of the cohort.

    Raises
    ------
    CohortError
        If the cohort is not split, or the split has no case.
    """
    return cohort.cases if split == ALL else cohort.on(split)


def for_cases(reader: Reader, cases: Sequence[Case]) -> Reader:
    """Make the reader that reads cases as their cohort tells the population.

    Parameters
    ----------
    reader
        The model; its own population stands for cases of which the cohort does not tell it.
    cases
        The cases.

    Returns
    -------
    Reader
        The same reader, or one that assumes their population.

    Raises
    ------
    EvaluationError
        If the model has settings by population and the cases are of several.
    CardError
        If the model has settings by population, but none for that of the cases.
    """
    population = common_population(reader.card, cases, reader.population)
    return reader if population == reader.population else reader.assuming(population)


def tune_cases(cohort: Cohort, split: str) -> tuple[Case, ...]:
    """Return the cases on which the threshold of the map may be fixed before a split is measured.

    Parameters
    ----------
    cohort
        The cohort.
    split
        The split that is measured.

    Returns
    -------
    tuple of Case
        The tune split; nothing if that is what is measured.
    """
    return () if split in ("tune", ALL) else tuple(case for case in cohort.cases if case.split == "tune")


def fixed_threshold(
    reader: Reader, cohort: Cohort, split: str, regions: Mapping[str, ReferenceRegions], *, show_progress: bool = False
) -> tuple[float, str]:
    """Fix the threshold of the map before a split is measured.

    Parameters
    ----------
    reader
        The model.
    cohort
        The cohort.
    split
        The split that is going to be measured.
    regions
        Reference regions by path of the case.
    show_progress
        Show a progress bar on a terminal.

    Returns
    -------
    tuple of float and str
        The threshold, in units of the map's full scale, and where it was fixed.
    """
    marked = [case for case in tune_cases(cohort, split) if case.path in regions]
    if not marked:
        return reader.card.settings(reader.population).finding_threshold, FROM_CARD
    reads = read_cases(reader, cohort, marked, regions, workers=reader.workers, show_progress=show_progress)
    return best_threshold(read.reduced for read in reads), FROM_TUNE
