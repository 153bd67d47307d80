"""The grid that boxes refer to: read from the table or stated, never guessed, and refused where the boxes contradict it."""

import pytest

from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph import Region
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.errors import RegionsError
from tests.reference.test_regions import cohort_of


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return tmp_path / "t.csv"

    return write


def test_the_spelling_of_a_header_does_not_choose_the_grid(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", rows=2000, cols=2500)
    for header in ("path,x,y,w,h", "path,x,y,width,height", "patientId,x,y,width,height"):
        source = table(header, "a.png,500,600,400,300")
        with pytest.raises(RegionsError, match=r"does not state which pixel grid .* give --box-space file"):
            regions.read(source, cohort, cohort.cases)
        found = regions.read(source, cohort, cohort.cases, box_space=BoxSpace.parse("file"))
        assert found["a.png"].boxes == (Region(600, 500, 900, 900),)


def test_a_stated_grid_scales_the_boxes_and_is_printed(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", rows=512, cols=512)
    source = table("patientId,x,y,width,height,Target", "a,256,512,512,256,1")
    found = regions.read(source, cohort, cohort.cases, box_space=BoxSpace.parse("1024x1024"))
    assert found["a.png"].boxes == (Region(256, 128, 384, 384),)
    assert "  coordinates refer to 1024 × 1024 (width × height): 1 images" in found.summary()


def test_a_stated_grid_of_another_aspect_ratio_is_refused(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", rows=2000, cols=2500)
    with pytest.raises(RegionsError, match=r"another aspect ratio than the file of line 2 .*, 2500 × 2000"):
        regions.read(table("path,x,y,w,h", "a.png,5,6,40,30"), cohort, cohort.cases, box_space=BoxSpace.parse("1024x1024"))


def test_a_squashed_copy_is_scaled_by_its_own_columns_and_said_so(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", rows=100, cols=100)
    source = table("path,x,y,w,h,orig_width,orig_height", "a.png,100,100,100,100,1000,500")
    found = regions.read(source, cohort, cohort.cases)
    assert found["a.png"].boxes == (Region(20, 10, 40, 20),)
    assert any("another aspect ratio than the file" in line for line in found.summary())


def test_boxes_beyond_the_stated_grid_are_refused(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", rows=320, cols=320)
    with pytest.raises(RegionsError, match=r"line 2 .* reaches outside of its grid of 320 × 320"):
        regions.read(table("path,x,y,w,h", "a.png,200,100,257,315"), cohort, cohort.cases, box_space=BoxSpace())


def test_boxes_that_leave_most_of_the_grid_empty_are_of_a_smaller_one(tmp_path, table):
    names = [f"{k}.png" for k in range(12)]
    cohort = cohort_of(tmp_path, *names, rows=1000, cols=1000)
    rows = [f"{name},{20 * k},{15 * k},100,120" for k, name in enumerate(names)]
    with pytest.raises(RegionsError, match=r"all 12 boxes .* first 32% of the width and 28% of the height .* --box-space"):
        regions.read(table("path,x,y,w,h", *rows), cohort, cohort.cases, box_space=BoxSpace())
    assert len(regions.read(table("path,x,y,w,h", *rows), cohort, cohort.cases, box_space=BoxSpace.parse("400x400"))) == 12
    assert len(regions.read(table("path,x,y,w,h", *rows[:9]), cohort, cohort.cases, box_space=BoxSpace())) == 9


def test_a_grid_that_is_stated_twice_is_refused(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png")
    source = table("path,x,y,w,h,image_width,image_height", "a.png,1,1,9,9,80,40")
    with pytest.raises(RegionsError, match="states the size of each image in image_width and image_height; leave out"):
        regions.read(source, cohort, cohort.cases, box_space=BoxSpace())


def test_an_empty_size_of_one_row_is_refused(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png")
    with pytest.raises(RegionsError, match=r"line 2 .* has a box and no size of its image"):
        regions.read(table("path,x,y,w,h,orig_width,orig_height", "a.png,1,1,9,9,,"), cohort, cohort.cases)


@pytest.mark.parametrize("text", ["1024", "0x5", "axb", "", "1024x", "-3x4"])
def test_a_space_that_is_no_size_is_refused(text):
    with pytest.raises(RegionsError, match="'file' or WIDTHxHEIGHT"):
        BoxSpace.parse(text)


def test_a_filter_means_alternatives_within_a_column(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png")
    source = table("path,label,x,y,w,h", "a.png,A,0,0,9,9", "a.png,B,20,0,9,9", "a.png,C,40,0,9,9")
    chosen = RowFilter.parse(["label=A", "label=C"])
    found = regions.read(source, cohort, cohort.cases, only=chosen, box_space=BoxSpace())
    assert [box.left for box in found["a.png"].boxes] == [0, 40]
