"""A cohort table of odd types: read right, or refused by a sentence that quotes no cell, since a cell may name a patient."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow
import pytest
from pyarrow import parquet

from pneumoscope.cohort import CohortError
from pneumoscope.cohort.table import read, write
from tests.cohort.conftest import case, cohort

GIVEN = cohort(
    case("a.png", "p1", "PNEUMONIA", rows=8, cols=9, age_years=4.0, sex="F"),
    case("b.png", "p2", rows=8, cols=9, age_years=40.0, sex="M", split="train"),
)
NAME = "XDOEX^JANEX"


def rewritten(tmp_path, column, array):
    """The cohort as Parquet with another column, under the metadata that makes it a cohort."""
    path = tmp_path / "c.parquet"
    write(replace(GIVEN, root=tmp_path), path)
    table = parquet.read_table(path)
    at = table.schema.names.index(column) if column in table.schema.names else table.num_columns
    table = table.remove_column(at) if at < table.num_columns else table
    parquet.write_table(table.add_column(at, column, array), path)
    return path


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ("label", pyarrow.array(["PNEUMONIA", "NORMAL"]).dictionary_encode()),
        ("patient_id", pyarrow.array(["p1", "p2"], pyarrow.large_string())),
        ("patient_id", pyarrow.array(["p1", "p2"], pyarrow.string_view())),
        ("subtype", pyarrow.nulls(2)),
        ("subtype", pyarrow.array([None, None], pyarrow.string())),
        ("reference", pyarrow.array([True, False])),
        ("reference", pyarrow.array([1.0, 0.0])),
        ("reference", pyarrow.array([1, 0], pyarrow.uint8())),
        ("reference", pyarrow.array([Decimal("1.00"), Decimal("0.00")])),
        ("rows", pyarrow.array([8, 8], pyarrow.int16()).dictionary_encode()),
        ("age_years", pyarrow.array([Decimal("4.0"), Decimal("40.0")])),
        ("age_years", pyarrow.array([4, 40], pyarrow.int8())),
        ("age_years", pyarrow.array([4, 40], pyarrow.float16())),
    ],
    ids=lambda part: str(getattr(part, "type", part)),
)
def test_a_column_of_another_type_with_the_same_values_is_read_right(tmp_path, column, array):
    assert read(rewritten(tmp_path, column, array)).cases == GIVEN.cases


@pytest.mark.parametrize(
    ("column", "array", "says"),
    [
        ("reference", pyarrow.array([0.7, 0.0]), "row 1 of .* has no 0 or 1 as reference"),
        ("reference", pyarrow.array([1, 2]), "row 2 of .* has no 0 or 1 as reference"),
        ("reference", pyarrow.array([None, 1]), "row 1 of .* has no 0 or 1 as reference"),
        ("reference", pyarrow.array(["1", NAME]), "row 2 of .* has no 0 or 1 as reference"),
        ("rows", pyarrow.array([-8, 8]), "row 1 of .* has no whole number of at least 0 as rows"),
        ("rows", pyarrow.array([float("nan"), 8.0]), "row 1 of .* has no whole number of at least 0 as rows"),
        ("rows", pyarrow.array([float("inf"), 8.0]), "row 1 of .* has no whole number of at least 0 as rows"),
        ("patient_id", pyarrow.array([7, 8]), "row 1 of .* has no text as patient_id"),
        ("patient_id", pyarrow.array(["p1", None]), "row 2 of .* has no text as patient_id"),
        ("patient_id", pyarrow.array([b"p1", b"p2"]), "row 1 of .* has no text as patient_id"),
        ("path", pyarrow.array([["a.png"], ["b.png"]]), "row 1 of .* has no text as path"),
        ("label", pyarrow.array([{"a": NAME}, {"a": NAME}]), "row 1 of .* has no text as label"),
        ("source", pyarrow.array([datetime.now(UTC)] * 2), "row 1 of .* has no text as source"),
        ("split", pyarrow.array([NAME, "test"]), "row 1 of .* has none of train, tune, test as split"),
        ("sex", pyarrow.array(["F", NAME]), "row 2 of .* has none of F, M, O as sex"),
        ("age_years", pyarrow.array([4.0, float("nan")]), "row 2 of .* has no finite number of at least 0 as age_years"),
        ("age_years", pyarrow.array([4.0, -1.0]), "row 2 of .* has no finite number of at least 0 as age_years"),
        ("age_years", pyarrow.array([[4.0], [4.0]]), "row 1 of .* has no finite number of at least 0 as age_years"),
        (NAME, pyarrow.array([1, 2]), "has a column that no cohort has"),
    ],
)  # fmt: skip
def test_a_column_that_does_not_fit_is_refused_without_its_cells(tmp_path, column, array, says):
    with pytest.raises(CohortError, match=says) as refused:
        read(rewritten(tmp_path, column, array))
    assert NAME not in str(refused.value)


def test_a_table_without_a_needed_column_is_refused(tmp_path):
    path = rewritten(tmp_path, "label", pyarrow.array(["x", "y"]))
    parquet.write_table(parquet.read_table(path).drop_columns(["label"]), path)
    with pytest.raises(CohortError, match="has no column label"):
        read(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[1:],  # the first patient stands where the names of the columns did
        lambda rows: [rows[0], rows[1][:-1], rows[2]],
        lambda rows: [rows[0], [*rows[1], NAME], rows[2]],
        lambda rows: [rows[0], [rows[1][0], *rows[1][2:], ""], rows[2]],
        lambda rows: [[*rows[0], NAME], *([*row, "x"] for row in rows[1:])],
    ],
    ids=["no header", "a cell too few", "a cell too many", "moved by a column", "a strange column"],
)
def test_a_csv_of_another_form_is_refused_without_its_cells(tmp_path, change):
    path = tmp_path / "c.csv"
    write(replace(GIVEN, cases=tuple(replace(one, patient_id=NAME) for one in GIVEN.cases)), path)
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(change(rows))
    with pytest.raises(CohortError, match="is no cohort table of format 1: ") as refused:
        read(path)
    assert NAME not in str(refused.value)


def test_a_head_nested_without_end_is_refused(tmp_path):
    write(GIVEN, tmp_path / "c.csv")
    (tmp_path / "c.csv.json").write_text("[" * 100_000)
    with pytest.raises(CohortError, match="is no cohort table of format 1"):
        read(tmp_path / "c.csv")
