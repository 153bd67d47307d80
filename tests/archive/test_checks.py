"""Records of lines: looked up in the order of the lines, in bounded memory."""

import itertools

from pneumoscope.archive.checks import Check, Recorded
from pneumoscope.archive.outputs import Sums


def check(k):
    return Check(f"{k}.png", f"{k:064x}", Sums())


def test_a_line_without_a_record_costs_no_other_line_its_record():
    n = 1000
    records = Recorded((check(k) for k in range(n) if k != 3), most_ahead=10)
    assert [k for k in range(n) if records.take(f"{k}.png") != check(k)] == [3]


def test_a_line_without_a_record_does_not_load_the_records_of_all_others():
    endless = map(check, itertools.count())
    assert Recorded(endless, most_ahead=10).take("gone.png") is None
    assert next(endless) == check(10)


def test_records_in_another_order_than_their_lines_are_looked_up():
    records = Recorded(map(check, (7, 8, 9, 0, 1, 2)), most_ahead=10)
    assert [records.take(f"{k}.png") for k in (0, 1, 2, 7, 8, 9)] == [check(k) for k in (0, 1, 2, 7, 8, 9)]
