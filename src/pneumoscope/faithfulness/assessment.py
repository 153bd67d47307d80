"""Assess the heat maps of a model on one split: which cases, which threshold, which measures; then one pass over the files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.evaluation.training_overlap import require_unseen, training_overlap
from pneumoscope.faithfulness.intervention import Intervention
from pneumoscope.faithfulness.occlusion_audit import OcclusionAudit
from pneumoscope.faithfulness.stability import Stability
from pneumoscope.localization.case import LungMaskOf, read_cases
from pneumoscope.localization.localize import Localization, Measure, Provenance, Selected, best_threshold, localize
from pneumoscope.reader import Reader
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.statistics import intervals

ALL = "all"
"""Stands for every case of a cohort, whether it is split or not."""
FROM_CARD, FROM_TUNE = "the model's card", "highest mean IoU on the tune split"


@dataclass(frozen=True)
class Extent:
    """Which measures are made in addition to localization, and on how many cases.

    Parameters
    ----------
    occlusion
        Measure the ROC-AUC when the lungs and other parts of the image are hidden, on every case.
    intervene
        Number of cases with the target on which pixels are removed and inserted; 0 for none.
    stability
        Number of cases with the target whose radiograph is changed a little; 0 for none.
    """

    occlusion: bool = False
    intervene: int = 0
    stability: int = 0


def assess(
    reader: Reader,
    cohort: Cohort,
    split: str = "test",
    *,
    source: str = "",
    regions: Mapping[str, ReferenceRegions] | None = None,
    lung_mask_of: LungMaskOf | None = None,
    extent: Extent = Extent(),
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
    extent
        Further measures, by name.
    further
        Further measures, as objects.
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
    CohortError
        If the cohort is not split, the split is empty, or occlusion is asked for on one class.
    TrainingPatientsError
        If the model was trained on a patient or an image of the split and that is not allowed.

    Examples
    --------
    The boxes of a table, on the test split of a cohort (`pneumoscope.reference.regions.read` reads them)::

        cohort = table.read(Path("cohort.parquet"))
        regions = read(Path("boxes.csv"), cohort, [*cohort.on("tune"), *cohort.on("test")])
        result = assess(Reader.load(), cohort, "test", regions=regions, extent=Extent(intervene=50))
        print(result.verdict)
    """
    cases = cases_of(cohort, split)
    overlap = training_overlap(reader.trained_on, cases)
    require_unseen(overlap, reader.card.name, allow=allow_training_patients)
    measures: list[tuple[Measure, Sequence[Case]]] = []
    if extent.occlusion:
        measures.append((OcclusionAudit(reader, cohort, cases), cases))
    if chosen := positives_by_rule(cases, extent.intervene):
        measures.append((Intervention(reader, chosen), chosen))
    if chosen := positives_by_rule(cases, extent.stability):
        measures.append((Stability(reader, chosen), chosen))
    threshold, threshold_from = fixed_threshold(reader, cohort, split, regions or {}, show_progress=show_progress)
    return localize(
        reader,
        cohort,
        cases,
        Provenance(
            model=reader.card.name,
            source=source or cohort.source,
            split=split,
            split_sha256=cohort.partition.sha256 if cohort.partition else "",
            threshold=threshold,
            threshold_from=threshold_from,
            training_overlap=overlap,
        ),
        regions=regions,
        lung_mask_of=lung_mask_of,
        further=[*(Selected(one, frozenset(case.path for case in chosen)) for one, chosen in measures), *further],
        draws=draws,
        workers=reader.workers,
        show_progress=show_progress,
    )


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
        return reader.card.finding_threshold, FROM_CARD
    reads = read_cases(reader, cohort, marked, regions, workers=reader.workers, show_progress=show_progress)
    return best_threshold(read.reduced for read in reads), FROM_TUNE


def marked_by_rule(cases: Sequence[Case], regions: Mapping[str, ReferenceRegions], count: int) -> list[Case]:
    """Choose cases with reference regions by a rule, never by hand.

    Parameters
    ----------
    cases
        The cases to choose from.
    regions
        Reference regions by path of the case.
    count
        Largest number of cases.

    Returns
    -------
    list of Case
        In the order of a hash of their paths.
    """
    ordered = sorted(cases, key=lambda case: hashlib.sha256(case.path.encode()).hexdigest())
    return [case for case in ordered if case.path in regions][:count]
