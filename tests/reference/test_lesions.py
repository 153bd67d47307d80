"""One lesion is one lesion, however many readers boxed it: counts by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.radiograph import Region
from pneumoscope.readings.mark import Mark
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.lesion_matching import match
from pneumoscope.reference.lesions import intersection_over_union, merge
from pneumoscope.statistics import free_response
from tests.reference.test_regions import cohort_of

VINDR = """image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max
a,Lung Opacity,7,R8,10,10,30,30
a,Lung Opacity,7,R9,12,10,32,30
a,Lung Opacity,7,R10,10,11,30,31
a,Lung Opacity,7,R10,60,10,78,30
b,No finding,14,R8,,,,
b,Lung Opacity,7,R9,10,10,30,30
b,No finding,14,R10,,,,
"""


@pytest.fixture
def vindr(tmp_path):
    (tmp_path / "train.csv").write_text(VINDR)
    return tmp_path / "train.csv", cohort_of(tmp_path, "a.png", "b.png")


def test_three_readers_of_one_opacity_and_one_of_another_are_two_lesions(vindr):
    source, cohort = vindr
    found = regions.read(source, cohort, cohort.cases, box_space=BoxSpace())
    assert found["a.png"].boxes == (Region(10, 10, 31, 32), Region(10, 60, 30, 78))
    assert found["a.png"].readers == ("R10", "R8", "R9")
    assert "  lesions: 3 from 5 boxes (merged)" in found.summary()
    # Sensitivity of a reader who marks the first opacity alone: one lesion of two, where counting boxes gave three of four.
    lesions, false = match([Mark(20, 20, 0.9)], found["a.png"].boxes)
    assert free_response.sensitivity_at([lesions], [false], np.ones(1), 1.0) == 0.5


def test_each_readers_boxes_are_lesions_of_their_own_on_request(vindr):
    source, cohort = vindr
    found = regions.read(source, cohort, cohort.cases, box_space=BoxSpace(), lesions="per-reader")
    assert len(found["a.png"].boxes) == 4


def test_readers_who_saw_nothing_vote(vindr):
    source, cohort = vindr
    assert list(regions.read(source, cohort, cohort.cases, box_space=BoxSpace(), consensus="majority")) == ["a.png"]
    assert list(regions.read(source, cohort, cohort.cases, box_space=BoxSpace())) == ["a.png", "b.png"]


def test_boxes_of_one_reader_are_different_lesions():
    assert len(merge([("A", Region(0, 0, 10, 10)), ("A", Region(0, 0, 10, 9))])) == 2


def test_overlap_below_the_level_is_two_lesions():
    first, second = Region(0, 0, 10, 10), Region(0, 5, 10, 15)
    assert intersection_over_union(first, second) == pytest.approx(1 / 3)
    assert merge([("A", first), ("B", second)]) == (first, second)
    third = Region(0, 4, 10, 14)  # 60 of 140 pixels with the first: 0.43
    assert merge([("A", first), ("B", third)]) == (Region(0, 0, 10, 14),)


BOX = st.builds(
    lambda top, left, height, width: Region(top, left, top + height, left + width),
    *[st.integers(0, 20)] * 2,
    *[st.integers(1, 20)] * 2,
)


def holds(outer, inner):
    return outer.top <= inner.top and outer.left <= inner.left and outer.bottom >= inner.bottom and outer.right >= inner.right


@given(st.lists(st.tuples(st.sampled_from("ABC"), BOX), max_size=8))
def test_lesions_hold_every_box_and_do_not_depend_on_the_order(boxes):
    lesions = merge(boxes)
    assert len(lesions) <= len(boxes)
    assert all(any(holds(lesion, box) for lesion in lesions) for _, box in boxes)
    assert set(merge(boxes[::-1])) == set(lesions)
