"""The rate of readers that work at the same time, by hand."""

import pytest
import scale


def test_one_reader_has_the_rate_of_its_shards_and_of_the_time_between_them():
    """8 radiographs in 4 s, 1 s without a shard, 12 in 5 s."""
    assert scale.steady_rate([(0, 4, 8), (5, 10, 12)], 1) == 2


def test_what_lies_before_and_after_the_time_of_all_readers_counts_for_nothing():
    """The second reader starts at 4 s, and has no second shard at 8 s: 8 / 8 · 4 and 4 / 4 · 4 radiographs in 4 s."""
    assert scale.steady_rate([(0, 8, 8), (4, 8, 4), (8, 9, 100)], 2) == 2


def test_readers_that_never_worked_together_have_no_rate():
    with pytest.raises(RuntimeError, match="at no moment did 2 readers work; read more files"):
        scale.steady_rate([(0, 1, 8), (2, 3, 8)], 2)
