"""Tables of readers' zone scores: what is read, by hand, and what is refused with a sentence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.reference import zone_tables
from pneumoscope.reference.errors import RegionsError
from tests.radiograph.builders import property_test

NAMED = "path,reader,right_upper,right_mid,right_lower,left_upper,left_mid,left_lower"
PATHS = ("in/a.png", "in/b.png", "c.dcm")


@pytest.fixture
def read(tmp_path):
    def go(*lines, highest=3):
        (tmp_path / "zones.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return zone_tables.read(tmp_path / "zones.csv", PATHS, highest)

    return go


def test_rows_of_several_readers_are_put_together(read):
    scores = read(NAMED, "in/a.png,R1,0,1,2,3,0,1", "a,R2,1,1,2,2,,1", "c,R1,3,3,3,3,3,3", "other,R1,0,0,0,0,0,0")
    assert (scores.readers, scores.highest, scores.n_unmatched, scores.n_missing) == (("R1", "R2"), 3, 1, 1)
    assert set(scores.scores) == {"in/a.png", "c.dcm"}
    np.testing.assert_array_equal(scores.scores["in/a.png"], [[0, 1, 2, 3, 0, 1], [1, 1, 2, 2, math.nan, 1]])
    np.testing.assert_array_equal(scores.scores["c.dcm"], [[3] * 6, [math.nan] * 6])
    np.testing.assert_array_equal(scores.median("in/a.png"), [1, 1, 2, 3, 0, 1])  # halves are rounded up
    np.testing.assert_array_equal(scores.mean("in/a.png"), [0.5, 1, 2, 2.5, 0, 1])
    expected = "zone scores 0 to 3: 2 images, 2 readers (R1, R2), 1 scores missing, 1 rows of images outside the cohort"
    assert scores.summary() == expected


def test_the_letters_of_the_brixia_score_are_the_right_lung_from_above_then_the_left(read):
    letters = read("image,F,E,D,C,B,A", "b.png,5,4,3,2,1,0", highest=5)
    assert letters.readers == ("",)
    np.testing.assert_array_equal(letters.scores["in/b.png"], [[0, 1, 2, 3, 4, 5]])


def test_other_spellings_of_the_names_are_taken(read):
    header = "path,Right Upper,RIGHT_MIDDLE,right_lower,left upper,left_mid,left_lower"
    np.testing.assert_array_equal(read(header, "c,0,1,2,3,2,1").scores["c.dcm"], [[0, 1, 2, 3, 2, 1]])


def test_a_zone_without_any_score_has_no_median(read):
    scores = read(NAMED, "a,R1,NaN,1,2,3,0,1")
    assert math.isnan(scores.median("in/a.png")[0])
    assert math.isnan(scores.mean("in/a.png")[0])


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([NAMED, "a,R1,0,1,2,4,0,1"], r"line 2 .* has the score '4' in the column left_upper; .* 0 to 3: .*--zone-max"),
        ([NAMED, "a,R1,0,1,2,-1,0,1"], "the score '-1'"),
        ([NAMED, "a,R1,0,1,2,1.5,0,1"], "the score '1.5'"),
        ([NAMED, "a,R1,0,1,2,x,0,1"], "the score .not shown. in the column"),
        ([NAMED, "a,R1,0,1,2,inf,0,1"], "the score .not shown. in the column"),
        ([NAMED, "a,R1,0,1,2,1,0,1", "in/a.png,R1,0,1,2,1,0,1"], "line 3 .* second of one reader for one image"),
        ([NAMED, ",R1,0,1,2,1,0,1"], "line 2 .* names no image"),
        ([NAMED, "other,R1,0,1,2,1,0,1"], "none of the 1 rows .* belongs to one of the cohort's 3 radiographs"),
        ([NAMED], "none of the 0 rows"),
        (["path,reader,right_upper", "a,R1,0"], "no table of zone scores: .* right_upper, .* or A to F"),
        (["reader,A,B,C,D,E,F", "R1,0,0,0,0,0,0"], "needs one of the columns path, image"),
        ([NAMED + ",A", "a,R1,0,1,2,1,0,1,1"], "7 columns of zones"),
        (["path,A,B,C,D,E,F,F", "a,0,0,0,0,0,0,0"], "the column F twice"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(read, lines, sentence):
    with pytest.raises(RegionsError, match=sentence):
        read(*lines)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "zones.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(RegionsError, match="cannot be read as text"):
        zone_tables.read(tmp_path / "zones.csv", PATHS)


@property_test
@given(st.text(max_size=60))
def test_junk_is_refused_with_a_sentence(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("junk") / "zones.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(RegionsError, match=r"zones\.csv"):
        zone_tables.read(file, PATHS)
