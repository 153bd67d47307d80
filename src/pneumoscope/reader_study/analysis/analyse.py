"""Analyse a table: the design that the table shows, the figure of merit of every reader, and what can be inferred."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pneumoscope.counted import counted
from pneumoscope.reader_study.analysis.figures import MeasuredFigure, Readings, measure, ratings_of
from pneumoscope.reader_study.analysis.plan import POPULATIONS, FigureName, Method, Plan
from pneumoscope.reader_study.analysis.verdict import Setting, Verdict, of_model, of_one_modality, of_two_modalities
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import ReadingTable
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader import obuchowski_rockette
from pneumoscope.statistics.multireader.design import Crossing, Design, design
from pneumoscope.statistics.multireader.inference import Inference
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Analysis, Components, Population, one_modality
from pneumoscope.statistics.multireader.one_shot import OneShotStudy, one_shot
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.standalone_model import ModelAgainstReaders, against_readers, against_readers_as_modality
from pneumoscope.statistics.table import Table


@dataclass(frozen=True, eq=False)
class StudyAnalysis:
    """All that is computed from a table.

    Parameters
    ----------
    plan : Plan
        What was asked, with figure, method and modalities filled in.
    figure : str
        Figure of merit, with its parameter.
    method : str
        Method of the verdict.
    design : Design
        From the table.
    ratings : ReaderRatings
        Ratings of cases; of a free-response study the highest mark of each case.
    table : ReaderRatings, LocatedRatings or FreeResponseTable
        The table as it was given.
    readings : ReaderRatings, LocatedRatings or MarkedCases
        What was read: the ratings, with locations in an LROC study, or the marks of a free-response study.
    values : ndarray of float64, shape (modalities, readers)
        Figure of merit; NaN where it is undefined.
    components : Components
        Mean squares and variance components of the readers, without the model.
    analyses : tuple of Analysis
        Obuchowski–Rockette for each population, without the model.
    u_statistics : OneShotStudy, optional
        For AUC, without the model.
    model : mapping of str to ModelAgainstReaders
        By method, the one of the verdict first; empty if no model was named.
    verdict : Verdict
        The answer.
    notes : tuple of str
        What a reader of the result must know.
    further : mapping of str to Table
        Tables of what is known of a study besides its ratings (`conduct.conduct_tables`), by heading.
    """

    plan: Plan
    figure: str
    method: Method
    design: Design
    ratings: ReaderRatings
    table: ReadingTable
    readings: Readings
    values: Array
    components: Components
    analyses: tuple[Analysis, ...]
    u_statistics: OneShotStudy | None
    model: Mapping[str, ModelAgainstReaders]
    verdict: Verdict
    notes: tuple[str, ...] = field(default=())
    further: Mapping[str, Table] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(map(str, self.ratings.modalities))

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the readers."""
        return tuple(map(str, self.ratings.readers))


def analyse(table: ReadingTable, plan: Plan) -> StudyAnalysis:
    """Analyse a table.

    Parameters
    ----------
    table : ReaderRatings, LocatedRatings or FreeResponseTable
        The readings.
    plan : Plan
        What is asked.

    Returns
    -------
    StudyAnalysis
        Undefined results are NaN with a reason.

    Raises
    ------
    ReaderStudyError
        If the table does not have what is asked for.
    """
    readings = table.study() if isinstance(table, FreeResponseTable) else table
    ratings = ratings_of(readings)
    found = design(ratings)
    measured = measure(readings, plan)
    model = _model(measured.figure, ratings, plan)
    human = [position for position, name in enumerate(ratings.readers) if not plan.model or str(name) != plan.model]
    of_readers, crossing = measured.of(human), found.crossing
    figure, covariance = of_readers.figure.value, of_readers.covariance
    method = _method(plan, measured.name, found)
    analyses = tuple(
        obuchowski_rockette.analyse(figure, covariance, population, crossing, plan.level) for population in Population
    )
    u_statistics = one_shot(ratings.select(readers=human)) if measured.name == "AUC" else None
    verdict = _verdict(plan, of_readers, found, method, ratings, analyses, u_statistics, model)
    parts = obuchowski_rockette.components(figure, covariance, crossing)
    return StudyAnalysis(
        plan=plan, figure=measured.words, method=method, design=found, ratings=ratings, table=table, readings=readings,
        values=measured.figure.value, components=parts, analyses=analyses, u_statistics=u_statistics, model=model,
        verdict=verdict, notes=_notes(measured, found, method, ratings, parts),
    )  # fmt: skip


def _method(plan: Plan, name: FigureName, found: Design) -> Method:
    if plan.method == "U-statistics" and name != "AUC":
        raise ReaderStudyError(f"U-statistics are for AUC; take Obuchowski-Rockette for {name}")
    if plan.method == "U-statistics" and plan.population != "readers and cases":
        raise ReaderStudyError("U-statistics take readers and cases as random; take Obuchowski-Rockette for another population")
    crossed = found.crossing is Crossing.FULLY_CROSSED
    one_shot_fits = name == "AUC" and not crossed and plan.population == "readers and cases"
    return plan.method or ("U-statistics" if one_shot_fits and plan.covariance == "jackknife" else "Obuchowski-Rockette")


def _model(figure: Jackknife, ratings: ReaderRatings, plan: Plan) -> dict[str, ModelAgainstReaders]:
    if not plan.model:
        return {}
    if plan.model not in map(str, ratings.readers):
        raise ReaderStudyError(
            f"no reader of the table is named '{plan.model}'; the readers are {', '.join(map(str, ratings.readers))}"
        )
    position = [str(reader) for reader in ratings.readers].index(plan.model)
    populations = sorted(Population, key=lambda one: one is not POPULATIONS[plan.population])
    by_differences = {
        f"differences of the same cases, {one}": against_readers(figure, position, one, plan.level) for one in populations
    }
    as_modality = against_readers_as_modality(figure, position, plan.level)
    return by_differences | {f"model as a second modality, {Population.READERS_AND_CASES}": as_modality}


def pair(modalities: tuple[Hashable, ...], plan: Plan) -> tuple[int, int]:
    """Choose the two modalities to compare.

    Parameters
    ----------
    modalities : tuple
        Names, in the order of the table.
    plan : Plan
        With the names that were asked for, if any.

    Returns
    -------
    tuple of int
        Positions of first and second.

    Raises
    ------
    ReaderStudyError
        If the table does not have a modality that was asked for, or first and second are the same.
    """
    names = [str(name) for name in modalities]
    default = ["aided", "unaided"] if set(names) == {"aided", "unaided"} else names[:2]
    first = plan.first or next(name for name in default if name != plan.second)
    second = plan.second or next((name for name in default if name != first), "")
    if wrong := [name for name in (first, second) if name not in names]:
        raise ReaderStudyError(f"the table has no modality '{wrong[0]}'; its modalities are {', '.join(names)}")
    if first == second:
        raise ReaderStudyError(f"the modality '{first}' is compared with itself; name two")
    return names.index(first), names.index(second)


def _difference(
    method: Method, first: int, second: int, plan: Plan, analyses: tuple[Analysis, ...], u_statistics: OneShotStudy | None
) -> Inference:
    if method == "U-statistics":
        assert u_statistics is not None
        return u_statistics.difference(first, second, plan.level).result
    analysis = next(one for one in analyses if one.population is POPULATIONS[plan.population])
    low, high = sorted((first, second))
    found = next(one.difference for one in analysis.contrasts if (one.first, one.second) == (low, high))
    if low == first:
        return found
    return Inference(-found.estimate, found.standard_error, found.df, -found.null, found.level, found.reason)


def _verdict(
    plan: Plan, measured: MeasuredFigure, found: Design, method: Method, ratings: ReaderRatings, analyses: tuple[Analysis, ...],
    u_statistics: OneShotStudy | None, model: Mapping[str, ModelAgainstReaders],
) -> Verdict:  # fmt: skip
    sides = (len(ratings.readers) - bool(plan.model), len(ratings.cases), ratings.n_diseased)
    study = Setting(plan, measured.words, found, "Obuchowski-Rockette" if model else method, *sides)
    if model:
        return of_model(study, next(iter(model.values())).difference)
    if len(ratings.modalities) == 1:
        return of_one_modality(study, str(ratings.modalities[0]), _mean(measured, method, found, plan, u_statistics))
    a, b = pair(ratings.modalities, plan)
    names = str(ratings.modalities[a]), str(ratings.modalities[b])
    return of_two_modalities(study, *names, _difference(method, a, b, plan, analyses, u_statistics))


def _mean(measured: MeasuredFigure, method: Method, found: Design, plan: Plan, u_statistics: OneShotStudy | None) -> Inference:
    """Mean figure of the only modality."""
    if method == "U-statistics" and u_statistics is not None:
        return u_statistics.modality(0, 0.0, plan.level).result
    nested = found.crossing is Crossing.CASES_NESTED_IN_READER
    population = POPULATIONS[plan.population]
    return one_modality(measured.figure.value[0], measured.covariance, population, 0.0, plan.level, not nested)


def _notes(measured: MeasuredFigure, found: Design, method: Method, ratings: ReaderRatings, parts: Components) -> tuple[str, ...]:
    notes = []
    if method == "U-statistics":
        notes.append("The AUC of a modality is the mean of all comparisons that exist: a reader with more cases counts more.")
    elif not ratings.complete and found.crossing is not Crossing.READERS_NESTED:
        notes.append("Readers have equal weight, however many cases each has read.")
    undefined = int((np.isnan(measured.figure.value) & ratings.read.any(-1)).sum())
    if undefined:
        notes.append(f"{measured.name} is undefined for {counted(undefined, 'reader')} in a modality: a class has no case.")
    if parts.modality_reader < 0:
        notes.append(
            f"The variance of modality × reader is estimated as {parts.modality_reader:.6f}, below 0; it counts as 0 in sizing."
        )
    if parts.n_modalities > 1 and parts.cov2 < parts.cov3:
        notes.append("Cov2 is below Cov3; their difference counts as 0 in the error term.")
    return tuple(note.replace(" -0.", " −0.") for note in notes)
