"""Figures as text, and tables as Markdown, LaTeX and CSV."""

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope import csv_cells
from pneumoscope.statistics import formatting
from pneumoscope.statistics.estimate import Estimate, from_json, undefined
from pneumoscope.statistics.table import Table


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.98765, 0.97, 0.99, 10, "patient", ""), "0.9877 (0.9700–0.9900)"),
        (Estimate(0.1, -0.02, 0.22, 10, "patient", ""), "0.1000 (−0.0200 to 0.2200)"),
        (Estimate(1.0, math.nan, math.nan, 10, "patient", "", "no variance"), "1.0000 (no interval: no variance)"),
        (undefined(10, "one class"), "undefined (one class)"),
    ],
)
def test_an_estimate_is_written_with_its_interval_or_the_reason(estimate, text):
    assert str(estimate) == text


def test_what_is_missing_is_not_written():
    nan = math.nan
    assert formatting.figure(nan, nan, nan) == "undefined"
    assert formatting.figure(0.5, nan, nan) == "0.5000"
    assert formatting.interval(nan, 1) == formatting.interval(0, nan) == ""
    assert (formatting.number(nan), formatting.p_value(nan)) == ("–", "–")
    assert bool(Table.of(["a"], [])) is False
    assert bool(Table.of(["a"], [["b"]])) is True


def test_the_number_of_decimals_is_that_of_every_number():
    assert formatting.figure(0.5, 0.25, 0.75, decimals=1) == "0.5 (0.2–0.8)"
    assert formatting.interval(0.0, 0.5, decimals=2) == "0.00–0.50"
    assert formatting.p_value(0.001) == "0.001"
    assert formatting.p_value(0.00099) == "< 0.001"


def test_a_difference_has_its_sign_at_every_number():
    assert formatting.figure(0.0917, -0.0957, 0.279, signed=True) == "+0.0917 (−0.0957 to +0.2790)"


def test_an_estimate_comes_back_from_json():
    assert from_json({**vars(undefined(3, "x")), "value": None, "low": None, "high": None}) != undefined(3, "y")
    assert str(from_json({**vars(undefined(3, "x")), "value": None, "low": None, "high": None})) == "undefined (x)"


def test_every_character_that_latex_reads_as_a_command_is_escaped():
    text = Table.of(["", "at 95 % or more"], [["bacteria & virus", "#1_{a}$ ~^ \\x"], ["a − b", "< 0.001 ± 0.1"]]).latex()
    assert text.splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r" & at 95 \% or more \\",
        r"\midrule",
        r"bacteria \& virus & \#1\_\{a\}\$ \textasciitilde{}\textasciicircum{} \textbackslash{}x \\",
        r"a $-$ b & $<$ 0.001 $\pm$ 0.1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    )
)
def test_a_table_comes_back_from_csv_and_keeps_its_columns_in_latex(rows):
    table = Table.of(["a", "b"], rows)
    written = csv.reader(io.StringIO(table.csv(), newline=""))
    assert [[csv_cells.original(cell) for cell in row] for row in written] == [["a", "b"], *rows]
    unescaped = table.latex().replace(r"\&", "")
    assert unescaped.count("&") == len(rows) + 1


def test_a_bar_in_a_cell_does_not_end_it():
    assert Table.of(["", "x"], [["a|b", "1"]]).markdown() == "| | x |\n|---|--:|\n| a\\|b | 1 |\n"
    assert not Table.of(["", "x"], [])
