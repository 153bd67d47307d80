"""The exports of a study: one tidy table, marks, ``.imrmc``, JAFROC workbook, readings in the versioned form, audit trail."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pneumoscope import MissingExtraError, atomic_files, csv_cells
from pneumoscope.reader_study.checklists import as_markdown
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.flow import flow
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.formats import imrmc, jafroc
from pneumoscope.reader_study.results import (
    StudyReading,
    counting,
    lesion_of,
    mark_table,
    rating_table,
    readings,
    require_results,
)
from pneumoscope.reader_study.trail import audit_lines
from pneumoscope.readings import CaseKey, Mark, Reading, form

try:
    import pyarrow
    import pyarrow.parquet as parquet
except ImportError:  # the extra is named when an export is asked for
    pyarrow = parquet = None

_SCREEN = (
    "window_centre", "window_width", "inverted", "zoom", "overlay_opacity", "aid_sha256", "bundle_sha256", "threshold",
    "map_threshold",
)  # fmt: skip


_MARK_COLUMNS = ("reader", "modality", "case", "lesion", "rating", "row", "col", "top", "left", "bottom", "right")


def tidy_rows(study: OpenStudy, found: Sequence[StudyReading]) -> list[dict[str, Any]]:
    """Make the rows of the tidy table: one a locked answer.

    Parameters
    ----------
    study : OpenStudy
        The study.
    found : sequence of StudyReading
        Answers.

    Returns
    -------
    list of dict
        The same columns in every row.
    """
    protocol = study.protocol
    return [
        {
            "study": protocol.definition.title, "stage": protocol.stage, "reader": one.reader.name, "years": one.reader.years,
            "role": one.reader.role, "group": one.reader.group, "session": one.task.session, "place": one.task.place,
            "case": one.case.name, "patient": one.case.patient, "file_sha256": one.case.sha256, "truth": int(one.case.diseased),
            "modality": one.task.arm, "step": one.task.step, "rating": one.answer.rating, "decision": one.answer.decision,
            "marks": len(one.answer.marks), "active_seconds": round(one.time.active_seconds, 3),
            "first_mark_seconds": one.time.first_mark_seconds, "shown_at": one.stored.shown_at, "locked_at": one.stored.locked_at,
            "revision": one.stored.revision, "excluded": one.excluded,
            **{item.name: one.answer.items.get(item.name, "") for item in protocol.definition.questions.items},
            **{name: one.stored.screen.get(name) for name in _SCREEN},
        }
        for one in found
    ]  # fmt: skip


def mark_rows(found: Sequence[StudyReading]) -> list[dict[str, Any]]:
    """Make the rows of the table of marks.

    Parameters
    ----------
    found : sequence of StudyReading
        Answers that count.

    Returns
    -------
    list of dict
        One a mark; ``lesion`` is 0 for a mark on no lesion.
    """
    return [
        {
            "reader": one.reader.name, "modality": one.task.arm, "case": one.case.name,
            "lesion": lesion_of(one.case, mark.row, mark.col) or "0", "rating": mark.rating, "row": mark.row, "col": mark.col,
            "top": mark.region and mark.region.top, "left": mark.region and mark.region.left,
            "bottom": mark.region and mark.region.bottom, "right": mark.region and mark.region.right,
        }
        for one in found
        for mark in one.answer.marks
    ]  # fmt: skip


def export(study: OpenStudy, out: Path) -> tuple[str, ...]:
    """Export a study that is complete or unblinded.

    Parameters
    ----------
    study : OpenStudy
        The study.
    out : Path
        Folder for the files.

    Returns
    -------
    tuple of str
        Names of the files that were written.

    Raises
    ------
    BlindedError
        If answers are missing and the study is not unblinded.
    """
    require_results(study)
    found = readings(study)
    kept, title = counting(found), study.protocol.definition.title
    rows, left_out = tidy_rows(study, kept), tidy_rows(study, [one for one in found if one.excluded])
    _write_table(out / "readings.csv", tuple(rows[0]), [row.values() for row in rows])
    _write_table(out / "excluded.csv", tuple(rows[0]), [row.values() for row in left_out])
    _write_parquet(out / "readings.parquet", rows)
    imrmc.write(out / "readings.imrmc", rating_table(kept), title)
    names = [
        "readings.csv",
        "excluded.csv",
        "readings.parquet",
        "readings.imrmc",
        *_marks(out, study, kept),
        *_forms(out, study, kept),
    ]
    for name, text in (
        ("audit.jsonl", "".join(audit_lines(study, with_answers=True))),
        ("flow.txt", "\n".join(flow(study).lines()) + "\n"),
        ("checklists.md", as_markdown(study)),
    ):
        with atomic_files.text(out / name) as stream:
            stream.write(text)
        names.append(name)
    return tuple(names)


def _marks(out: Path, study: OpenStudy, kept: Sequence[StudyReading]) -> list[str]:
    """Marks with cases and lesions, and the workbook; without reference regions the workbook holds the ratings."""
    rows, names = mark_rows(kept), []
    if not study.protocol.definition.cases.regions:
        jafroc.write(out / "jafroc.xlsx", jafroc.from_ratings(rating_table(kept)))
        if study.protocol.definition.questions.marks:
            head = tuple(name for name in _MARK_COLUMNS if name != "lesion")  # no region says what a mark is on
            _write_table(out / "marks.csv", head, [[row[name] for name in head] for row in rows])
            names = ["marks.csv"]
        return [*names, "jafroc.xlsx"]
    cases = {one.case.name: one.case for one in kept}
    lesions = [(case.name, k + 1, 1 / len(case.lesions)) for case in cases.values() for k in range(len(case.lesions))]
    _write_table(out / "cases.csv", ("case", "truth"), [(case.name, int(bool(case.lesions))) for case in cases.values()])
    _write_table(out / "lesions.csv", ("case", "lesion", "weight"), lesions)
    _write_table(out / "marks.csv", _MARK_COLUMNS, [row.values() for row in rows])
    names = ["marks.csv", "cases.csv", "lesions.csv"]
    try:
        jafroc.write(out / "jafroc.xlsx", mark_table(kept))
    except ReaderStudyError:  # the workbook cannot say that an answer is missing
        return names
    return [*names, "jafroc.xlsx"]


def _forms(out: Path, study: OpenStudy, kept: Sequence[StudyReading]) -> list[str]:
    """One file of readings an arm, since the form knows an aided and an unaided condition only."""
    names = []
    for arm in study.protocol.definition.arms:
        name = f"readings-{arm.name}.jsonl".replace(" ", "_")
        with atomic_files.text(out / name) as stream:
            for one in kept:
                if one.task.arm == arm.name:
                    stream.write(form.to_json(_reading(study, one)) + "\n")
        names.append(name)
    return names


def _reading(study: OpenStudy, one: StudyReading) -> Reading:
    definition = study.protocol.definition
    marks = tuple(Mark(mark.row, mark.col, float(mark.rating or 0), mark.region) for mark in one.answer.marks)
    assert one.answer.rating is not None
    return Reading(
        one.reader.name,
        CaseKey(one.case.name, one.case.sha256),
        definition.target,
        float(one.answer.rating),
        one.answer.decision,
        marks,
        "unaided" if definition.arm(one.task.arm).aid is None else "aided",
        one.time.active_seconds,
    )


def _write_table(path: Path, head: Sequence[str], rows: Any) -> None:
    with atomic_files.text(path) as stream:
        csv_cells.write_rows(stream, itertools.chain([head], rows))


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    if pyarrow is None:
        raise MissingExtraError("an export as Parquet", "study")
    with atomic_files.binary(path) as stream:
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), stream)
