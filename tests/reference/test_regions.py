"""Reference regions: every layout by hand-made files, onto the grid of the file itself; every refusal by its sentence."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SegmentationStorage

from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph import Region, UnreadableFileError
from pneumoscope.reference import regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.errors import RegionsError
from tests.radiograph.builders import cr, written

ROWS, COLS = 40, 80
"""The grid of every radiograph here, unlike the size that its case states."""


def picture(rows=ROWS, cols=COLS):
    return np.arange(rows * cols, dtype=np.uint8).reshape(rows, cols)


def cohort_of(folder, *paths, rows=ROWS, cols=COLS):
    """A cohort of the paths with a picture at each; `.dcm` gets the SOP Instance UID 1.2.<place>."""
    for place, path in enumerate(paths):
        file = folder / "cohort" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".dcm":
            file.write_bytes(written(cr(picture(rows, cols), bits=8, SOPInstanceUID=f"1.2.{place}")))
        else:
            Image.fromarray(picture(rows, cols)).save(file, "PNG")
    cases = tuple(Case(path, "PNEUMONIA", 1, "SECRET", rows=999, cols=999) for path in paths)
    return Cohort(folder / "cohort", cases)


@pytest.fixture
def one(tmp_path):
    return cohort_of(tmp_path, "a.png")


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return tmp_path / "boxes.csv"

    return write


@pytest.fixture
def coco(tmp_path):
    def write(*annotations, width=COLS, height=ROWS, name="a.png"):
        image = {"id": 7, "file_name": name, "width": width, "height": height}
        given = [{"image_id": 7, **annotation} for annotation in annotations]
        (tmp_path / "coco.json").write_text(json.dumps({"images": [image], "annotations": given}), encoding="utf-8")
        return tmp_path / "coco.json"

    return write


def all_of(source, cohort, **options):
    if source.name == "boxes.csv" and "_width" not in source.read_text().partition("\n")[0]:
        options.setdefault("box_space", BoxSpace())
    return dict(regions.read(source, cohort, cohort.cases, **options))


def only(**values):
    return RowFilter({column: frozenset([value]) for column, value in values.items()})


def only_one(source, cohort, **options):
    found = all_of(source, cohort, **options)
    assert len(found) == 1
    return next(iter(found.values()))


def filled(*boxes, shape=(ROWS, COLS)):
    """A mask by whole-numbered (top, left, bottom, right)."""
    mask = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def save_mask(file, mask, mode="L", value=255):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(mask, value, 0).astype(np.uint8)).convert(mode).save(file, "PNG")


# Tables


@pytest.mark.parametrize(
    ("header", "row", "box"),
    [
        ("path,x,y,w,h", "a.png,10,4,20,8", (4, 10, 12, 30)),
        ("image,x,y,w,h,orig_width,orig_height", "a.png,10,4,20,8,160,160", (1, 5, 3, 15)),
        ("dicom_id,category_name,x,y,w,h,image_width,image_height", "a,Pneumonia,10,4,20,8,160,80", (2, 5, 6, 15)),
        ("image_id,class_name,rad_id,x_min,y_min,x_max,y_max", "a,Consolidation,,10,4,30,12", (4, 10, 12, 30)),
        (
            "id,boxes,label,StudyInstanceUID",
            "a_image,\"[{'x': 10, 'y': 4, 'width': 20, 'height': 8}]\",opacity 1,1.2",
            (4, 10, 12, 30),
        ),
        ("patientId,x,y,width,height,Target", "a,10,4,20,8,1", (4, 10, 12, 30)),
        ("patientId,x,y,width,height,orig_width,orig_height", "a,10,4,20,8,80,40", (4, 10, 12, 30)),
        ("Image Index,Finding Label,Bbox [x,y,w,h],,,", "a.png,Pneumonia,10,4,20,8,,,", (4, 10, 12, 30)),
        ('Image Index,Finding Label,"Bbox [x,y,w,h]"', "a.png,Pneumonia,10,4,20,8", (4, 10, 12, 30)),
        ("nih_image,top,left,bottom,right", "a.png,4,10,12,30", (4, 10, 12, 30)),
        ("nih_image,right,left,top,bottom,orig_width,orig_height", "a.png,60,20,8,24,160,80", (4, 10, 12, 30)),
        ("path,y,x,h,w", "a.png,4,10,8,20", (4, 10, 12, 30)),
        ("\ufeffpath, x, y, w, h", "a.png, 10, 4, 20, 8", (4, 10, 12, 30)),
    ],
)
def test_every_layout_of_boxes_comes_to_the_files_own_grid(one, table, header, row, box):
    found = only_one(table(header, row), one)
    assert found.boxes == (Region(*box),)
    assert found.mask.dtype == bool
    assert np.array_equal(found.mask, filled(box))
    assert found.readers == ("",)


def test_a_box_is_cut_at_the_edge_of_the_radiograph(one, table):
    found = only_one(table("path,x,y,w,h", "a.png,-1.6,-0.8,11.6,4.8", "a.png,70,30,11,10.5"), one)
    assert found.boxes == (Region(0, 0, 4, 10), Region(30, 70, 40, 80))
    assert np.array_equal(found.mask, filled((0, 0, 4, 10), (30, 70, 40, 80)))


def test_a_pixel_belongs_to_a_box_that_has_its_centre(one, table):
    found = only_one(table("path,top,left,bottom,right", "a.png,3.5,10.51,7.5,19.51"), one)
    assert found.boxes == (Region(3.5, 10.51, 7.5, 19.51),)
    assert np.array_equal(found.mask, filled((3, 11, 7, 20)))


def test_boxes_stay_one_an_opacity_where_they_touch(one, table):
    found = only_one(table("path,x,y,w,h", "a.png,0,0,10,10", "a.png,5,5,10,10"), one)
    assert found.boxes == (Region(0, 0, 10, 10), Region(5, 5, 15, 15))
    assert found.mask.sum() == 175


@pytest.mark.parametrize("empty", [",,,", "NaN,nan,NaN,NaN", " , ,,"])
def test_a_row_without_a_box_is_no_mark_and_its_file_stays_closed(tmp_path, table, empty):
    cohort = cohort_of(tmp_path, "a.png", "b.png")
    (cohort.root / "a.png").write_bytes(b"no image")
    found = all_of(table("path,x,y,width,height", f"a.png,{empty}", "b.png,0,0,40,20"), cohort)
    assert list(found) == ["b.png"]


def test_a_table_of_nothing_but_unmarked_images_gives_nothing(one, table):
    assert all_of(table("path,x,y,w,h", "elsewhere.png,,,,"), one) == {}


def test_a_marked_file_that_cannot_be_read_says_so(one, table):
    (one.root / "a.png").write_bytes(b"no image")
    with pytest.raises(UnreadableFileError, match="neither DICOM nor PNG"):
        all_of(table("path,x,y,w,h", "a.png,0,0,5,5"), one)


def test_only_the_cases_asked_for_come_back_in_their_order(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", "b.png", "c.png")
    (cohort.root / "b.png").write_bytes(b"no image")
    source = table("path,x,y,w,h", "a.png,0,0,5,5", "b.png,0,0,5,5", "c.png,9,0,5,5")
    assert list(regions.read(source, cohort, (cohort.cases[2], cohort.cases[0]), box_space=BoxSpace())) == ["c.png", "a.png"]


def test_rows_are_chosen_by_the_values_of_columns(one, table):
    source = table(
        "nih_image,source,label,x,y,w,h",
        "a.png,NIH,Pneumonia,0,0,4,4",
        "a.png,RSNA,Lung Opacity,8,8,4,4",
        "a.png,RSNA,Nodule,20,20,4,4",
    )
    assert only_one(source, one, only=only(source="NIH")).boxes == (Region(0, 0, 4, 4),)
    assert only_one(source, one, only=only(source="RSNA", label="Nodule")).boxes == (Region(20, 20, 24, 24),)
    with pytest.raises(RegionsError, match=r"regions of 3 classes \(Pneumonia 1, Lung Opacity 1, Nodule 1\); choose"):
        all_of(source, one)
    both = RowFilter.parse(["label=Nodule", "label=Lung Opacity"])
    assert len(only_one(source, one, only=both).boxes) == 2


def test_a_choice_that_the_table_cannot_make_is_refused(one, table):
    source = table("path,source,x,y,w,h", "a.png,NIH,0,0,4,4")
    with pytest.raises(RegionsError, match=r"chosen by sauce, but .* has the columns path, source, x, y, w, h"):
        all_of(source, one, only=only(sauce="NIH"))
    with pytest.raises(RegionsError, match=r"no row of .* has source = nih"):
        all_of(source, one, only=only(source="nih"))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,0,0,0,5", "box of line 3 .* has no area on its radiograph of 40 × 80"),
        ("a.png,9,9,-5,5", "box of line 3 .* has no area"),
        ("a.png,80,0,5,5", "box of line 3 .* has no area"),
        ("a.png,60,0,25,5", "box of line 3 .* reaches outside of its grid of 40 × 80"),
        ("a.png,0,-5,5,5", "box of line 3 .* has no area"),
        ("a.png,0.6,0.6,0.5,0.5", "annotation of line 3 .* covers no pixel"),
        ("a.png,0,0,5,", "line 3 .* lacks others"),
        ("a.png,0,0,five,5", "line 3 .* no finite number"),
        ("a.png,0,0,inf,5", "line 3 .* no finite number"),
        (",0,0,5,5", "line 3 .* names no image"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(one, table, row, says):
    with pytest.raises(RegionsError, match=says) as caught:
        all_of(table("path,x,y,w,h", "a.png,0,0,5,5", row), one)
    assert "a.png" not in str(caught.value)


@pytest.mark.parametrize(("size", "says"), [("0,40", "must be above 0"), ("80,", "lacks others"), ("80,-4", "must be above 0")])
def test_a_wrong_size_of_the_original_is_refused(one, table, size, says):
    with pytest.raises(RegionsError, match=f"line 2 .*{says}"):
        all_of(table("path,x,y,w,h,orig_width,orig_height", f"a.png,0,0,5,5,{size}"), one)


def test_half_a_size_is_refused(one, table):
    with pytest.raises(RegionsError, match="give both or neither"):
        all_of(table("path,x,y,w,h,orig_width", "a.png,0,0,5,5,80"), one)


@pytest.mark.parametrize("header", ["path,x,y,w", "file,x,y,w,h", "Image Index,Finding Label,Box", "", "path"])
def test_a_table_of_no_known_layout_is_refused(one, table, header):
    with pytest.raises(RegionsError, match="neither JSON nor a table of boxes"):
        all_of(table(header, "a.png,0,0,5,5"), one)


# Which case is meant


@pytest.mark.parametrize(
    ("named", "case"),
    [
        ("x/a.png", "x/a.png"),
        ("x\\a.png", "x/a.png"),
        ("elsewhere/c.jpg", "y/c.jpg"),
        ("c.jpg", "y/c.jpg"),
        ("c", "y/c.jpg"),
        ("c.dcm", "y/c.jpg"),
        ("y/a.dcm", "y/a.png"),
        ("1.2.34", "y/1.2.34.png"),
        ("d.jpg", "y/d.jpg"),
    ],
)
def test_an_image_is_found_by_path_then_name_then_stem(tmp_path, table, named, case):
    cohort = cohort_of(tmp_path, "x/a.png", "y/a.png", "y/c.jpg", "y/1.2.34.png", "x/d.png", "y/d.jpg")
    assert list(all_of(table("image,x,y,w,h", f"{named},0,0,5,5"), cohort)) == [case]


@pytest.mark.parametrize("named", ["a.png", "a", "SECRET", "SECRET.jpg"])
def test_an_image_that_may_be_one_of_two_is_refused_without_its_name(tmp_path, table, named):
    cohort = cohort_of(tmp_path, "x/a.png", "y/a.png", "SECRET.png", "y/SECRET.dcm")
    with pytest.raises(RegionsError, match=r"line 2 .* any of 2 radiographs") as caught:
        all_of(table("image,x,y,w,h", f"{named},0,0,5,5"), cohort)
    assert "SECRET" not in str(caught.value)


def test_marks_of_another_cohort_are_refused_and_those_of_other_cases_are_none(tmp_path, table):
    cohort = cohort_of(tmp_path, "a.png", "b.png")
    assert (
        regions.read(table("path,x,y,w,h", "b.png,0,0,5,5", "z.png,0,0,5,5"), cohort, cohort.cases[:1], box_space=BoxSpace())
        == {}
    )
    with pytest.raises(RegionsError, match=r"none of the 1 annotations .* belongs to one of the cohort's 2 radiographs"):
        all_of(table("path,x,y,w,h", "z.png,0,0,5,5"), cohort)


# Several readers

THREE = (
    "path,reader,x,y,w,h",
    "a.png,Cy,0,0,10,10",
    "a.png,Al,5,0,10,10",
    "a.png,Bo,5,0,5,10",
    "a.png,Bo,40,20,10,10",
)


@pytest.mark.parametrize(
    ("consensus", "mask", "boxes"),
    [
        ("union", [(0, 0, 10, 15), (20, 40, 30, 50)], [(0, 0, 10, 15), (20, 40, 30, 50)]),
        ("majority", [(0, 5, 10, 10)], [(0, 5, 10, 10)]),
        ("intersection", [(0, 5, 10, 10)], [(0, 5, 10, 10)]),
    ],
)
def test_readers_agree_by_the_rule_that_is_asked_for(one, table, consensus, mask, boxes):
    found = only_one(table(*THREE), one, consensus=consensus)
    assert found.readers == ("Al", "Bo", "Cy")
    assert np.array_equal(found.mask, filled(*mask))
    assert found.boxes == tuple(Region(*box) for box in boxes)


def test_two_of_three_are_a_majority_and_two_of_four_are_none(one, table):
    lines = ["path,reader,x,y,w,h", "a.png,1,0,0,10,10", "a.png,2,0,0,10,10", "a.png,3,30,0,10,10"]
    assert np.array_equal(only_one(table(*lines), one, consensus="majority").mask, filled((0, 0, 10, 10)))
    assert all_of(table(*lines), one, consensus="intersection") == {}
    assert all_of(table(*lines, "a.png,4,50,0,10,10"), one, consensus="majority") == {}


def test_a_reader_who_marked_nothing_has_a_vote(one, table):
    source = table("path,reader,x,y,w,h", "a.png,Al,0,0,10,10", "a.png,Bo,,,,")
    assert only_one(source, one).readers == ("Al", "Bo")
    assert all_of(source, one, consensus="majority") == {}


def test_a_consensus_of_no_known_name_is_refused(one, table):
    with pytest.raises(RegionsError, match="one of union, majority, intersection; 'most' is none"):
        all_of(table(*THREE), one, consensus="most")


# COCO


def test_coco_boxes_are_scaled_from_the_size_of_their_image(one, coco):
    found = only_one(coco({"bbox": [20, 8, 40, 16], "segmentation": []}, width=160, height=80), one)
    assert found.boxes == (Region(4, 10, 12, 30),)
    assert np.array_equal(found.mask, filled((4, 10, 12, 30)))
    assert found.readers == ("",)


def test_coco_polygons_fill_the_mask_and_the_box_stays_as_drawn(one, coco):
    triangle = [0, 0, 20, 0, 0, 20]
    square = [40, 10, 40, 20, 50, 20, 50, 10]
    found = only_one(coco({"bbox": [0, 0, 60, 30], "segmentation": [triangle, square]}), one)
    rows, cols = np.indices((ROWS, COLS)) + 0.5
    assert np.array_equal(found.mask, (rows + cols < 20) | filled((10, 40, 20, 50)))
    assert found.boxes == (Region(0, 0, 30, 60),)


def test_a_polygon_is_scaled_and_gives_the_box_where_none_is_drawn(one, coco):
    found = only_one(coco({"segmentation": [[20, 8, 60, 8, 60, 24, 20, 24]]}, width=160, height=80), one)
    assert found.boxes == (Region(4, 10, 12, 30),)
    assert np.array_equal(found.mask, filled((4, 10, 12, 30)))


def test_a_hollow_polygon_that_leaves_the_image_is_even_odd_and_cut(one, coco):
    # A bow whose outline crosses itself at (10, 10), from beyond the left edge to beyond the lower one.
    found = only_one(coco({"segmentation": [[-10, 0, 30, 0, -10, 60, 30, 60]]}), one)
    rows, cols = np.indices((ROWS, COLS)) + 0.5
    first, second = -10 + 40 * rows / 60, 30 - 40 * rows / 60
    assert np.array_equal(found.mask, (cols >= np.minimum(first, second)) & (cols < np.maximum(first, second)))
    assert found.boxes == (Region(0, 0, 40, 30),)


def test_coco_readers_vote(one, coco):
    source = coco({"bbox": [0, 0, 10, 10], "reader": "Bo"}, {"bbox": [5, 0, 10, 10], "reader": "Al"})
    found = only_one(source, one, consensus="intersection")
    assert found.readers == ("Al", "Bo")
    assert found.boxes == (Region(0, 5, 10, 10),)


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ({"bbox": [90, 0, 5, 5]}, "box of annotation 2 .* has no area"),
        ({"bbox": [0, 0, 5]}, "annotation 2 .*ValueError"),
        ({"bbox": [0, 0, 5, float("nan")]}, "annotation 2 .*ValueError"),
        ({}, "annotation 2 .*KeyError"),
        ({"image_id": 8, "bbox": [0, 0, 5, 5]}, "annotation 2 .*KeyError"),
        ({"segmentation": {"counts": [1, 2], "size": [40, 80]}}, "run lengths of annotation 2 .* damaged"),
        ({"segmentation": {"counts": [1, 2]}}, "annotation 2 .*KeyError"),
        ({"bbox": [0, 0, 5, 5], "segmentation": [[0, 0, 5, 5]]}, "annotation 2 .*ValueError"),
        ({"bbox": [0, 0, 5, 5], "segmentation": [[0, 0, 5, 5, 7, 7, 7]]}, "annotation 2 .*ValueError"),
        ({"bbox": [0, 0, 5, 5], "segmentation": [[90, 0, 99, 0, 99, 9]]}, "annotation of annotation 2 .* covers no pixel"),
    ],
)
def test_a_wrong_annotation_is_refused_by_its_place(one, coco, annotation, says):
    with pytest.raises(RegionsError, match=says):
        all_of(coco({"bbox": [0, 0, 5, 5]}, annotation), one)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": [1], "annotations": []}'])
def test_json_of_no_known_layout_is_refused(one, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RegionsError, match=r"no intact JSON|neither COCO JSON|no COCO JSON"):
        all_of(tmp_path / "x.json", one)


def test_coco_images_need_a_size_and_are_chosen_by_category_or_reader(one, coco):
    with pytest.raises(RegionsError, match=r"annotation 1 .* both must be above 0"):
        all_of(coco({"bbox": [0, 0, 5, 5]}, width=0), one)
    with pytest.raises(RegionsError, match=r"chosen by source, but .* choose by category or reader"):
        all_of(coco({"bbox": [0, 0, 5, 5]}), one, only=only(source="RSNA"))


# Mask pictures


@pytest.mark.parametrize(
    ("mode", "value"), [("L", 1), ("1", 255), ("RGB", 255), ("LA", 255), ("RGBA", 255), ("I;16", 255), ("P", 255)]
)
def test_any_value_above_zero_is_marked_whatever_the_kind_of_picture(one, tmp_path, mode, value):
    mask = filled((4, 10, 12, 30))
    save_mask(tmp_path / "masks" / "a.png", mask, mode, value)
    found = only_one(tmp_path / "masks", one)
    assert np.array_equal(found.mask, mask)
    assert found.boxes == (Region(4, 10, 12, 30),)
    assert found.readers == ("",)


def test_what_is_transparent_in_a_mask_is_not_marked(one, tmp_path):
    mask = filled((4, 10, 12, 30))
    (tmp_path / "masks").mkdir()
    rgba = np.dstack([np.full((ROWS, COLS), 200)] * 3 + [np.where(mask, 90, 0)]).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "masks" / "a.png")
    assert np.array_equal(only_one(tmp_path / "masks", one).mask, mask)


def test_connected_parts_get_a_box_by_eight_neighbours_and_specks_none(tmp_path):
    cohort = cohort_of(tmp_path, "a.png", rows=100, cols=100)
    mask = filled((0, 0, 10, 10), (10, 10, 20, 20), (40, 40, 41, 45), (60, 60, 61, 64), shape=(100, 100))
    save_mask(tmp_path / "masks" / "a.png", mask)
    found = only_one(tmp_path / "masks", cohort)
    assert found.boxes == (Region(0, 0, 20, 20), Region(40, 40, 41, 45))
    assert np.array_equal(found.mask, mask)


def test_masks_are_found_by_relative_path_else_by_stem(tmp_path):
    cohort = cohort_of(tmp_path, "x/a.dcm", "y/a.jpg", "y/b.png", "c.png")
    for place, name in enumerate(["x/a.png", "y/a.png", "b.png", "deep/c.png"]):
        save_mask(tmp_path / "masks" / name, filled((0, 0, 5 + place, 5)))
    found = all_of(tmp_path / "masks", cohort)
    assert {path: one.mask.sum() for path, one in found.items()} == {"x/a.dcm": 25, "y/a.jpg": 30, "y/b.png": 35, "c.png": 40}


def test_a_mask_at_the_root_is_of_the_radiograph_at_the_root(tmp_path):
    cohort = cohort_of(tmp_path, "y/a.png", "a.dcm")
    save_mask(tmp_path / "masks" / "a.png", filled((0, 0, 5, 5)))
    assert list(all_of(tmp_path / "masks", cohort)) == ["a.dcm"]


def test_a_mask_of_a_longer_stem_or_of_two_radiographs_is_not_guessed_at(tmp_path):
    cohort = cohort_of(tmp_path, "x/a.png", "y/a.png", "b.png")
    save_mask(tmp_path / "masks" / "b.1.png", filled((0, 0, 5, 5)))
    with pytest.raises(RegionsError, match="none of the 1 annotations"):
        all_of(tmp_path / "masks", cohort)
    save_mask(tmp_path / "masks" / "a.png", filled((0, 0, 5, 5)))
    with pytest.raises(RegionsError, match=r"mask 1 of 2 in .* any of 2 radiographs"):
        all_of(tmp_path / "masks", cohort)


def test_an_empty_mask_marks_nothing(one, tmp_path):
    save_mask(tmp_path / "masks" / "a.png", filled())
    assert all_of(tmp_path / "masks", one) == {}


def test_a_mask_of_the_same_aspect_ratio_is_resized_to_the_nearest_pixel(one, tmp_path):
    save_mask(tmp_path / "masks" / "a.png", filled((2, 5, 6, 15), shape=(20, 40)))
    assert np.array_equal(only_one(tmp_path / "masks", one).mask, filled((4, 10, 12, 30)))
    save_mask(tmp_path / "masks" / "a.png", filled((8, 20, 24, 60), shape=(80, 160)))
    assert np.array_equal(only_one(tmp_path / "masks", one).mask, filled((4, 10, 12, 30)))


@pytest.mark.parametrize(("cols", "fits"), [(798, True), (815, True), (783, False), (818, False)])
def test_two_percent_of_another_aspect_ratio_is_borne(one, tmp_path, cols, fits):
    save_mask(tmp_path / "masks" / "a.png", filled((0, 0, 200, 200), shape=(400, cols)))
    if fits:
        assert only_one(tmp_path / "masks", one).mask.shape == (ROWS, COLS)
    else:
        with pytest.raises(RegionsError, match=f"mask 1 of 1 .* has 400 × {cols} pixels and its radiograph 40 × 80"):
            all_of(tmp_path / "masks", one)


def test_a_mark_that_is_lost_by_resizing_is_refused(one, tmp_path):
    save_mask(tmp_path / "masks" / "a.png", filled((0, 0, 1, 1), shape=(400, 800)))
    with pytest.raises(RegionsError, match="marks too little"):
        all_of(tmp_path / "masks", one)


def test_folders_of_readers_vote(tmp_path):
    cohort = cohort_of(tmp_path, "x/a.png", "y/a.png")
    save_mask(tmp_path / "masks/reader-Bo/x/a.png", filled((0, 0, 10, 10)))
    save_mask(tmp_path / "masks/reader-Al/x/a.png", filled((0, 5, 10, 15)))
    save_mask(tmp_path / "masks/reader-Cy/x/a.png", filled())
    sizes = {c: only_one(tmp_path / "masks", cohort, consensus=c).mask.sum() for c in ("union", "majority")}
    assert sizes == {"union": 150, "majority": 50}
    assert only_one(tmp_path / "masks", cohort).readers == ("Al", "Bo", "Cy")
    assert only_one(tmp_path / "masks", cohort).boxes == (Region(0, 0, 10, 15),)
    assert all_of(tmp_path / "masks", cohort, consensus="intersection") == {}


def test_two_masks_of_one_reader_for_one_radiograph_are_refused(one, tmp_path):
    save_mask(tmp_path / "masks" / "a.png", filled((0, 0, 5, 5)))
    save_mask(tmp_path / "masks" / "more" / "a.png", filled((0, 0, 5, 5)))
    with pytest.raises(RegionsError, match=r"mask 2 of 2 .* second of one reader"):
        all_of(tmp_path / "masks", one)


def test_a_damaged_mask_is_refused_without_its_name(tmp_path):
    cohort = cohort_of(tmp_path, "SECRET.png")
    save_mask(tmp_path / "masks" / "SECRET.png", filled((0, 0, 5, 5)))
    content = (tmp_path / "masks" / "SECRET.png").read_bytes()
    (tmp_path / "masks" / "SECRET.png").write_bytes(content[:-40])
    with pytest.raises(RegionsError, match=r"mask 1 of 1 .* is damaged") as caught:
        all_of(tmp_path / "masks", cohort)
    assert "SECRET" not in str(caught.value)


# DICOM SEG


def referring(keyword, *uids):
    """A sequence item that refers to SOP instances."""
    item = Dataset()
    references = []
    for uid in uids:
        reference = Dataset()
        reference.ReferencedSOPInstanceUID = uid
        references.append(reference)
    setattr(item, keyword, references)
    return item


def derived_from(*uids):
    group = Dataset()
    group.DerivationImageSequence = [referring("SourceImageSequence", *uids)]
    return group


def seg(frames, description="", **elements):
    """The smallest binary SEG of the frames, bool (n, rows, cols)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.9"
    dataset.Modality, dataset.SegmentationType = "SEG", "BINARY"
    dataset.ContentCreatorName, dataset.PatientName = "SECRET", "SECRET"
    dataset.SeriesDescription = description
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = np.shape(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.add_new("PixelData", "OB", pack_bits(np.asarray(frames, np.uint8)))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def save_seg(file, *args, **elements):
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(written(seg(*args, **elements)))
    return file


def test_frames_go_to_the_instances_that_they_are_drawn_on(tmp_path):
    cohort = cohort_of(tmp_path, "a.dcm", "b.dcm", "c.png", "d.dcm", rows=7, cols=9)
    frames = np.zeros((3, 7, 9), bool)
    frames[0, 1:3, 2:4] = frames[1, 5, 5] = frames[2, 2:4, 3:5] = True
    groups = [derived_from("1.2.0"), derived_from("1.2.1"), derived_from("1.2.0")]
    save_seg(tmp_path / "segs" / "s.dcm", frames, PerFrameFunctionalGroupsSequence=groups)
    (tmp_path / "segs" / "README").write_text("what lies here")
    (tmp_path / "segs" / "b.dcm").write_bytes((cohort.root / "b.dcm").read_bytes())
    found = all_of(tmp_path / "segs", cohort)
    assert list(found) == ["a.dcm", "b.dcm"]
    assert np.array_equal(found["a.dcm"].mask, frames[0] | frames[2])
    assert np.array_equal(found["b.dcm"].mask, frames[1])
    assert found["a.dcm"].boxes == (Region(1, 2, 4, 5),)
    assert found["a.dcm"].readers == ("",)


@pytest.mark.parametrize(
    "elements",
    [
        {"SharedFunctionalGroupsSequence": [derived_from("1.2.1")]},
        {"ReferencedSeriesSequence": [referring("ReferencedInstanceSequence", "1.2.1")]},
    ],
)
def test_frames_that_name_no_source_are_of_the_one_that_the_file_names(tmp_path, elements):
    cohort = cohort_of(tmp_path, "a.dcm", "b.dcm")
    frames = np.stack([filled((0, 0, 5, 5)), filled((20, 20, 30, 30))])
    source = save_seg(tmp_path / "s.dcm", frames, **elements)
    found = all_of(source, cohort)
    assert list(found) == ["b.dcm"]
    assert np.array_equal(found["b.dcm"].mask, frames.any(0))


def test_descriptions_of_series_tell_readers_apart_and_files_of_one_reader_add_up(tmp_path):
    cohort = cohort_of(tmp_path, "a.dcm")
    boxes = {"1": ("Al", (0, 0, 10, 10)), "2": ("Al", (0, 10, 10, 20)), "3": ("Bo", (0, 5, 10, 15))}
    for name, (reader, box) in boxes.items():
        groups = [derived_from("1.2.0")]
        save_seg(tmp_path / "segs" / name, filled(box)[None], reader, PerFrameFunctionalGroupsSequence=groups)
    found = only_one(tmp_path / "segs", cohort, consensus="intersection")
    assert found.readers == ("Al", "Bo")
    assert np.array_equal(found.mask, filled((0, 5, 10, 15)))
    assert np.array_equal(only_one(tmp_path / "segs", cohort).mask, filled((0, 0, 10, 20)))


def test_a_seg_on_a_smaller_grid_is_resized_and_a_compressed_one_is_read(tmp_path):
    cohort = cohort_of(tmp_path, "a.dcm")
    groups = [derived_from("1.2.0")]
    dataset = seg(filled((2, 5, 6, 15), shape=(20, 40))[None], PerFrameFunctionalGroupsSequence=groups)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = filled((2, 5, 6, 15), shape=(20, 40)).astype(np.uint8).tobytes()
    dataset.compress(RLELossless, generate_instance_uid=False)
    (tmp_path / "s.dcm").write_bytes(written(dataset))
    assert np.array_equal(only_one(tmp_path / "s.dcm", cohort).mask, filled((4, 10, 12, 30)))


def test_an_empty_seg_is_no_mark(tmp_path):
    cohort = cohort_of(tmp_path, "a.dcm")
    groups = [derived_from("1.2.0")]
    assert all_of(save_seg(tmp_path / "s.dcm", filled()[None], PerFrameFunctionalGroupsSequence=groups), cohort) == {}


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"SegmentationType": "FRACTIONAL"}, "DICOM file 1 of 1 .* is not binary"),
        ({"PerFrameFunctionalGroupsSequence": []}, "does not state which radiograph"),
        (
            {
                "PerFrameFunctionalGroupsSequence": [],
                "ReferencedSeriesSequence": [referring("ReferencedInstanceSequence", "1.2.0", "1.2.1")],
            },
            "does not state which radiograph",
        ),
        ({"NumberOfFrames": 2}, "does not state which radiograph"),
        ({"Modality": "CR"}, "none of the 1 DICOM files .* is a SEG"),
        ({"PixelData": b"\0\1"}, "pixels of DICOM file 1 of 1 .* cannot be decoded"),
        ({"PerFrameFunctionalGroupsSequence": [derived_from("1.7")]}, "none of the 1 annotations"),
        (
            {
                "NumberOfFrames": 2**31 - 1,
                "PerFrameFunctionalGroupsSequence": [],
                "ReferencedSeriesSequence": [referring("ReferencedInstanceSequence", "1.2.0")],
            },
            "DICOM file 1 of 1 .* states 2,147,483,647 frames; at most 10,000",
        ),
    ],
)
def test_a_seg_that_cannot_be_used_is_refused(tmp_path, elements, says):
    cohort = cohort_of(tmp_path, "a.dcm", "b.dcm")
    groups = {"PerFrameFunctionalGroupsSequence": [derived_from("1.2.0")]}
    source = save_seg(tmp_path / "s.dcm", filled((0, 0, 5, 5))[None], **(groups | elements))
    with pytest.raises(RegionsError, match=says) as caught:
        all_of(source, cohort)
    assert "SECRET" not in str(caught.value)


def test_a_truncated_seg_is_refused(tmp_path):
    cohort = cohort_of(tmp_path, "a.dcm")
    source = save_seg(tmp_path / "s.dcm", filled((0, 0, 5, 5))[None], PerFrameFunctionalGroupsSequence=[derived_from("1.2.0")])
    source.write_bytes(source.read_bytes()[:-300])
    with pytest.raises(RegionsError, match="cannot be decoded"):
        all_of(source, cohort)


# What is no source at all


def test_what_is_of_no_layout_is_refused(one, tmp_path):
    with pytest.raises(RegionsError, match=r"cannot be opened \(FileNotFoundError\)"):
        all_of(tmp_path / "nowhere", one)
    with pytest.raises(RegionsError, match=r"is neither JSON|is no text"):
        all_of(one.root / "a.png", one)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "boxes.csv").write_text("path,x,y,w,h\na.png,0,0,5,5\n")
    with pytest.raises(RegionsError, match="neither mask PNGs nor DICOM SEG"):
        all_of(tmp_path / "folder", one)


def test_a_folder_of_two_kinds_is_refused(one, tmp_path):
    save_mask(tmp_path / "folder" / "a.png", filled((0, 0, 5, 5)))
    save_seg(tmp_path / "folder" / "s", filled((0, 0, 5, 5))[None])
    with pytest.raises(RegionsError, match="both PNG and DICOM"):
        all_of(tmp_path / "folder", one)


# Properties


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regions")
    return folder, cohort_of(folder, "a.png")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(x=st.floats(-1, 50), y=st.floats(-0.5, 20), w=st.floats(3, 30), h=st.floats(3, 20))
def test_a_box_in_pixels_has_its_area_to_within_a_row_and_a_column(shared, x, y, w, h):
    folder, cohort = shared
    (folder / "boxes.csv").write_text(f"path,x,y,w,h\na.png,{x!r},{y!r},{w!r},{h!r}\n")
    found = only_one(folder / "boxes.csv", cohort)
    (box,) = found.boxes
    assert (box.top, box.left, box.bottom, box.right) == pytest.approx((max(y, 0), max(x, 0), min(y + h, ROWS), min(x + w, COLS)))
    rows, cols = np.flatnonzero(found.mask.any(1)), np.flatnonzero(found.mask.any(0))
    assert found.mask.sum() == len(rows) * len(cols)
    assert abs(len(rows) - box.height) < 1 + 1e-9
    assert abs(len(cols) - box.width) < 1 + 1e-9
    assert np.abs(rows.mean() + 0.5 - (box.top + box.bottom) / 2) <= 0.5 + 1e-9


@settings(max_examples=40, deadline=None, derandomize=True)
@given(x=st.integers(-3, 90), y=st.integers(-1, 60), w=st.integers(3, 35), h=st.integers(3, 10), clockwise=st.booleans())
def test_a_box_and_the_polygon_of_its_corners_cover_the_same_pixels(shared, x, y, w, h, clockwise):
    folder, cohort = shared
    x, y = x / 2, y / 2
    corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)][:: 1 if clockwise else -1]
    image = {"id": 1, "file_name": "a", "width": COLS, "height": ROWS}
    masks = []
    for shape in ({"bbox": [x, y, w, h]}, {"segmentation": [[v for corner in corners for v in corner]]}):
        document = {"images": [image], "annotations": [{"image_id": 1, **shape}]}
        (folder / "coco.json").write_text(json.dumps(document))
        masks.append(only_one(folder / "coco.json", cohort).mask)
    assert np.array_equal(*masks)
