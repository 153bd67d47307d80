"""Which marks hit which boxes, by hand."""

import numpy as np

from pneumoscope.radiograph import Region
from pneumoscope.readings.mark import Mark
from pneumoscope.reference.lesion_matching import match

NEVER = -np.inf


def test_match_by_hand():
    """The first box holds 0.3 and 0.7: it gets 0.7 and the 0.3 is nothing; 0.9 and 0.1 lie outside; nothing in the second."""
    marks = [Mark(2.5, 2.5, 0.3), Mark(3.5, 3.5, 0.7), Mark(50, 50, 0.9), Mark(20.5, 25, 0.1)]
    lesions, false = match(marks, [Region(2, 2, 5, 5), Region(20, 20, 25, 25)])
    assert lesions.tolist() == [0.7, NEVER]
    assert false.tolist() == [0.9, 0.1]  # column 25 is the box's edge and no longer in it


def test_match_without_boxes_or_marks():
    lesions, false = match([Mark(1, 1, 0.4)], [])
    assert (lesions.shape, false.tolist()) == ((0,), [0.4])
    lesions, false = match([], [Region(0, 0, 1, 1)])
    assert (lesions.tolist(), false.shape) == ([NEVER], (0,))
    assert [x.shape for x in match([], [])] == [(0,), (0,)]


def test_a_mark_in_two_boxes_hits_both():
    lesions, false = match([Mark(3, 3, 0.4)], [Region(0, 0, 5, 5), Region(2, 2, 8, 8)])
    assert (lesions.tolist(), false.tolist()) == ([0.4, 0.4], [])
