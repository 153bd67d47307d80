"""Assemble a study: open every file that will be shown, and keep its hash."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pneumoscope import PneumoscopeError, __version__, radiograph
from pneumoscope.cohort import Case, Cohort, CohortError, table
from pneumoscope.radiograph import Region
from pneumoscope.radiograph.files import content_of
from pneumoscope.reader_study.aid_origin import identity, origin_of
from pneumoscope.reader_study.definition import Aid, Definition
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.map_overlay import MAP_ENDING, map_of
from pneumoscope.reader_study.pixels import overlay_png
from pneumoscope.reader_study.protocol import FORM, AidFile, NotChosen, Protocol, Stage, StudyCase, sha256
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace


def assemble(definition: Definition, folder: Path, stage: Stage) -> Protocol:
    """Assemble the protocol of a study, opening every radiograph and overlay once.

    Parameters
    ----------
    definition : Definition
        The study file.
    folder : Path
        The folder of the study file, from which its paths start.
    stage : {"pilot", "study"}
        Whether the answers will count.

    Returns
    -------
    Protocol
        Ready to be frozen.

    Raises
    ------
    InvalidStudyError
        If a radiograph or an overlay is missing or cannot be read, or a case for practice is not in the cohort.
    CohortError
        If the cohort cannot be read.
    """
    cohort = table.read(folder / definition.cases.cohort)
    if cohort.target != definition.target:
        raise InvalidStudyError(
            f"the study asks for '{definition.target}', the cohort's reference standard is of '{cohort.target}'"
        )
    practice = _practice(definition, cohort)
    eligible = _eligible(definition, cohort)
    chosen, not_chosen = _chosen(definition, eligible, practice)
    lesions = _lesions(definition, folder, cohort, (*chosen, *practice))
    cases = [_opened(cohort, case, case in practice, lesions.get(case.path, ())) for case in (*chosen, *practice)]
    cases.sort(key=lambda case: case.name)
    aids = tuple(_aids(definition, folder, cases))
    return Protocol(FORM, stage, __version__, definition, str(cohort.root.resolve()), tuple(cases), aids, tuple(not_chosen))


def _eligible(definition: Definition, cohort: Cohort) -> Sequence[Case]:
    if definition.cases.split == "all":
        return cohort.cases
    try:
        return cohort.on(definition.cases.split)
    except CohortError as error:
        raise InvalidStudyError(
            f'{error}; or set split = "all" in study.toml where the model that aids has seen none of the patients'
        ) from error


def _practice(definition: Definition, cohort: Cohort) -> tuple[Case, ...]:
    by_path = {case.path: case for case in cohort.cases}
    if missing := [path for path in definition.cases.training if path not in by_path]:
        raise InvalidStudyError(
            f"{len(missing)} of the cases for practice are not in the cohort; write their paths as the cohort does"
        )
    return tuple(by_path[path] for path in definition.cases.training)


def _chosen(definition: Definition, eligible: Sequence[Case], practice: Sequence[Case]) -> tuple[list[Case], list[NotChosen]]:
    """Cases that are read and cases that are not, in the order of the SHA-256 of their images."""
    practised = {case.patient_id for case in practice}
    patients: set[str] = set()
    chosen: list[Case] = []
    left_out: list[NotChosen] = []
    for case in sorted(eligible, key=lambda one: hashlib.sha256(one.image.encode()).hexdigest()):
        if case in practice:
            continue
        if case.patient_id in practised:
            left_out.append(NotChosen(case.path, "the patient has a case for practice"))
        elif case.patient_id in patients and definition.cases.one_per_patient:
            left_out.append(NotChosen(case.path, "another radiograph of the patient is read"))
        else:
            chosen.append(case)
            patients.add(case.patient_id)
    return chosen, left_out


def _lesions(definition: Definition, folder: Path, cohort: Cohort, cases: Sequence[Case]) -> Mapping[str, tuple[Region, ...]]:
    if not definition.cases.regions:
        return {}
    space = BoxSpace.parse(definition.cases.box_space) if definition.cases.box_space else None
    reference = regions.read(folder / definition.cases.regions, cohort, cases, box_space=space)
    return {path: drawn.boxes for path, drawn in reference.items()}


def _opened(cohort: Cohort, case: Case, training: bool, lesions: tuple[Region, ...]) -> StudyCase:
    try:
        content = content_of(cohort.file(case))
        image = radiograph.read(content)
    except (PneumoscopeError, OSError) as error:
        sentence = error if isinstance(error, PneumoscopeError) else error.strerror
        raise InvalidStudyError(f"the radiograph '{case.path}' cannot be shown: {sentence}") from error
    rows, cols = image.pixels.shape
    stated = radiograph.burned_in_of(content)
    return StudyCase(case.path, case.patient_id, bool(case.reference), sha256(content), rows, cols, training, lesions, stated)


def _aids(definition: Definition, folder: Path, cases: Sequence[StudyCase]) -> Iterator[AidFile]:
    for arm in definition.arms:
        if arm.aid is None:
            continue
        origin = origin_of(folder / arm.aid.folder)
        for case in cases:
            file = _overlay(folder, arm.aid, case.name)
            content = content_of(file)
            _check_aid(file, content, arm.name, case)
            yield AidFile(arm.name, case.name, str(file.resolve()), sha256(content), *identity(arm.aid, origin, case))


def _check_aid(file: Path, content: bytes, arm: str, case: StudyCase) -> None:
    if file.suffix == MAP_ENDING:
        shape = map_of(content, case.name).shape
        if shape != (case.rows, case.cols):
            raise InvalidStudyError(
                f"the heat map of '{case.name}' has {shape[0]} × {shape[1]} values, the radiograph {case.rows} × {case.cols} "
                "pixels; make it again with pneumoscope read --maps"
            )
        return
    try:
        overlay_png(file, sha256(content))
    except OSError as error:
        raise InvalidStudyError(f"the overlay of '{case.name}' in the arm '{arm}' is no picture") from error


def _overlay(folder: Path, aid: Aid, case: str) -> Path:
    root = folder / aid.folder
    pictures = (root / f"{case}.png", *((root / case).with_suffix(ending) for ending in (".png", ".jpg", ".jpeg")))
    places = (*pictures, root / f"{case}{MAP_ENDING}")
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise InvalidStudyError(
            f"there is no overlay of '{case}' in '{aid.folder}'; an aided arm needs one for each case:  pneumoscope read -o"
        )
    return file
