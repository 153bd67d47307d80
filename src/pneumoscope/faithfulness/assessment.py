"""Assess the heat maps of a model on one split, in one pass: where they lie, and whether the score follows them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.faithfulness.intervention import Intervention
from pneumoscope.faithfulness.occlusion_audit import OcclusionAudit
from pneumoscope.faithfulness.stability import Stability
from pneumoscope.localization.case import LungMaskOf
from pneumoscope.localization.localize import Measure, Selected, cases_of, for_cases, localize
from pneumoscope.localization.localizer import Localization
from pneumoscope.reader import Reader
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.statistics import intervals


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
    """Measure the heat maps of a model on one split, with the measures of faithfulness that are asked for.

    `pneumoscope.localization.localize` with further measures that are fed from the same pass over the files.

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
    reader = for_cases(reader, cases)
    measures: list[tuple[Measure, Sequence[Case]]] = []
    if extent.occlusion:
        measures.append((OcclusionAudit(reader, cohort, cases), cases))
    if chosen := positives_by_rule(cases, extent.intervene):
        measures.append((Intervention(reader, chosen), chosen))
    if chosen := positives_by_rule(cases, extent.stability):
        measures.append((Stability(reader, chosen), chosen))
    selected = [Selected(measure, frozenset(case.path for case in chosen)) for measure, chosen in measures]
    return localize(
        reader,
        cohort,
        split,
        source=source,
        regions=regions,
        lung_mask_of=lung_mask_of,
        further=[*selected, *further],
        allow_training_patients=allow_training_patients,
        draws=draws,
        show_progress=show_progress,
    )


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
