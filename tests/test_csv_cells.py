"""CSV cells: no text is taken for a formula, numbers stay numbers, and what is read back is what was written."""

import ast
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pneumoscope
from pneumoscope import csv_cells

SOURCE = Path(pneumoscope.__file__).parent


@pytest.mark.parametrize(
    "text",
    ["=1+1", "=cmd|' /C calc'!A0", "+SUM(A1)", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "\n=1", "-A1", "-e5", "+to"],
)
def test_a_text_that_would_be_evaluated_stands_behind_an_apostrophe(text):
    assert csv_cells.escaped(text) == f"'{text}"


@pytest.mark.parametrize(
    "cell",
    [
        "-1.2",
        "+1",
        "-0.012 (-0.03 to 0.01)",
        "-1e-05",
        "-inf",
        "-nan",
        "-0.1 [-0.2, 0.3]",
        "-",
        "=",
        "–",
        "a=b",
        "",
        -1.2,
        None,
        True,
    ],
)
def test_numbers_and_other_texts_stay_as_they_are(cell):
    assert csv_cells.escaped(cell) is cell


CELLS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["=1", "'=1", "-1", "''@x", "'", "a\rb"])


@given(st.lists(st.tuples(CELLS, CELLS, CELLS)))
def test_what_is_read_back_is_what_was_written(rows):
    stream = io.StringIO(newline="")
    csv_cells.write_rows(stream, [("a", "b", "c"), *rows])
    for cell in (cell for row in csv.reader(io.StringIO(stream.getvalue(), newline="")) for cell in row):
        assert cell[:1] not in ("=", "@", "\t", "\r", "\n") or len(cell) == 1
    assert [tuple(row.values()) for row in csv_cells.read_records(io.StringIO(stream.getvalue(), newline=""))] == rows


def test_every_table_is_written_by_way_of_these_cells():
    writers = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("csv.writer", "csv.DictWriter")
    }
    assert writers == {"csv_cells.py"}
