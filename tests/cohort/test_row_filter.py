"""``--only``: several values of a column are alternatives, several columns must all agree."""

import doctest

import pytest

from pneumoscope.cohort import CohortError, row_filter
from pneumoscope.cohort.row_filter import RowFilter

ROWS = [{"a": "1", "b": "x"}, {"a": "2", "b": "x"}, {"a": "3", "b": "y"}]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ([], "123"),
        (["a=1"], "1"),
        (["a=1", "a=3"], "13"),
        (["a=1", "a=3", "b=x"], "1"),
        (["b=z"], ""),
        (["c=1"], ""),
    ],
)
def test_values_of_a_column_are_alternatives_and_columns_all_count(texts, kept):
    chosen = RowFilter.parse(texts)
    assert "".join(row["a"] for row in ROWS if chosen.keeps(row)) == kept
    assert bool(chosen) is bool(texts)


def test_value_may_hold_an_equals_sign():
    assert RowFilter.parse(["a=b=c"]).accepted == {"a": {"b=c"}}


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_text_without_column_or_equals_sign_is_refused(text):
    with pytest.raises(CohortError, match="should be COLUMN=VALUE"):
        RowFilter.parse([text])


def test_examples_run():
    assert doctest.testmod(row_filter).failed == 0
