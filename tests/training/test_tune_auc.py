"""The figure by which epochs are compared."""

import numpy as np
import pytest

from pneumoscope.training.fit import _tune_auc
from pneumoscope.training.prepared_split import PreparedSplit


def side(reference: list[int], sources: tuple[str, ...] = ()) -> PreparedSplit:
    squares = np.zeros((len(reference), 1, 2, 2), np.uint8)
    return PreparedSplit(squares, np.array(reference), tuple(map(str, range(len(reference)))), sources=sources)


LOG_ODDS = np.array([5, 6, 7, -3, -1, -2], np.float32)


def test_it_is_the_roc_auc_of_one_source() -> None:
    # Positives 5, 6, -1 against negatives 7, -3, -2: each is higher than -3 and -2, none than 7, so 6 of 9 pairs.
    assert _tune_auc(side([1, 1, 0, 0, 1, 0]), LOG_ODDS) == pytest.approx(6 / 9)


def test_it_is_the_mean_over_sources_and_does_not_reward_the_order_of_sources() -> None:
    # Source a: 5 and 6 against 7: 0 of 2 pairs. Source b: -1 against -3 and -2: 2 of 2 pairs.
    assert _tune_auc(side([1, 1, 0, 0, 1, 0], ("a", "a", "a", "b", "b", "b")), LOG_ODDS) == pytest.approx(0.5)


def test_a_source_of_one_class_is_left_out() -> None:
    assert _tune_auc(side([1, 1, 0, 0, 0, 0], ("a", "a", "a", "b", "b", "b")), LOG_ODDS) == 0


def test_sources_of_one_class_each_are_measured_together() -> None:
    assert _tune_auc(side([1, 1, 1, 0, 0, 0], ("a", "a", "a", "b", "b", "b")), LOG_ODDS) == 1
