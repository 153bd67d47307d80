"""Cells in messages: numbers are shown, what may identify a patient is not."""

import pytest

from pneumoscope.quoted_cell import listed, quoted


@pytest.mark.parametrize("cell", ["", "4", "-1", "3,5", "2.50", "101%", "+0.5"])
def test_a_short_number_is_shown(cell):
    assert quoted(cell) == f"'{cell}'"


@pytest.mark.parametrize("cell", ["Doe^Jane", "19640102", "QX4711", "4711-A", "doe", " ", "１２", "1964-01-02"])
def test_what_may_identify_a_patient_is_not_shown(cell):
    assert quoted(cell) == "(not shown)"


def test_a_first_row_with_a_number_is_no_header():
    assert listed(["reader", "fall", "x1"]) == "its columns are reader, fall, x1"
    assert listed(["R1", "Doe^Jane", "1", "3.5"]) == "its first row holds no names of columns"
