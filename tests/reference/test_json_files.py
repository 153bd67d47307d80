"""COCO categories and run lengths, and the two layouts of CheXlocalize."""

import contextlib
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph import Region
from pneumoscope.reference import regions
from pneumoscope.reference.annotation import RunLengths
from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.mask_files import decoded
from tests.reference.test_regions import COLS, ROWS, cohort_of, filled


def runs(mask):
    """Uncompressed run lengths in column-major order, from zeros on: the definition of COCO's mask API."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return lengths if not flat[0] else [0, *lengths]


@pytest.fixture
def one(tmp_path):
    return cohort_of(tmp_path, "patient1_study1_view1_frontal.jpg")


@pytest.fixture
def document(tmp_path):
    def write(value):
        (tmp_path / "x.json").write_text(json.dumps(value))
        return tmp_path / "x.json"

    return write


def test_categories_of_coco_are_chosen_like_columns(tmp_path, document):
    cohort = cohort_of(tmp_path, "a.png")
    source = document(
        {
            "images": [{"id": 1, "file_name": "a.png", "width": COLS, "height": ROWS}],
            "categories": [{"id": 1, "name": "Pneumonia"}, {"id": 2, "name": "Cardiomegaly"}],
            "annotations": [
                {"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]},
                {"image_id": 1, "category_id": 2, "bbox": [40, 0, 30, 10]},
            ],
        }
    )
    with pytest.raises(RegionsError, match=r"regions of 2 classes \(Pneumonia 1, Cardiomegaly 1\)"):
        regions.read(source, cohort, cohort.cases)
    chosen = RowFilter.parse(["category=Pneumonia"])
    assert regions.read(source, cohort, cohort.cases, only=chosen)["a.png"].boxes == (Region(0, 0, 10, 10),)
    with pytest.raises(RegionsError, match=r"no annotation of .* has category = pneumonia"):
        regions.read(source, cohort, cohort.cases, only=RowFilter.parse(["category=pneumonia"]))


def test_run_lengths_of_chexlocalize_are_read(one, document):
    mask = filled((4, 10, 12, 30))
    label = {"size": [ROWS, COLS], "counts": runs(mask)}
    source = document({"patient1_study1_view1_frontal": {"Lung Opacity": label, "Edema": {**label, "counts": [ROWS * COLS]}}})
    found = regions.read(source, one, one.cases, only=RowFilter.parse(["category=Lung Opacity"]))
    assert np.array_equal(found[one.cases[0].path].mask, mask)


def test_contours_of_chexlocalize_are_read(one, document):
    source = document(
        {
            "patient1_study1_view1_frontal": {
                "img_size": [2 * ROWS, 2 * COLS],
                "Lung Opacity": [[[20, 8], [60, 8], [60, 24], [20, 24]]],
            }
        }
    )
    found = regions.read(source, one, one.cases)[one.cases[0].path]
    assert np.array_equal(found.mask, filled((4, 10, 12, 30)))
    assert found.boxes == (Region(4, 10, 12, 30),)


def test_compressed_run_lengths_are_those_of_the_coco_api():
    # From the example of pycocotools' documentation of compressed counts: [6, 1, 40, 4, 5, 4, 5, 4, 21] over 9 rows × 10 columns.
    counts = (6, 1, 40, 4, 5, 4, 5, 4, 21)
    assert np.array_equal(decoded(RunLengths(9, 10, "61X13mN000`0"), "x"), decoded(RunLengths(9, 10, counts), "x"))


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_run_lengths_give_back_their_mask(rows, cols, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=rows * cols, max_size=rows * cols))).reshape(rows, cols)
    assert np.array_equal(decoded(RunLengths(rows, cols, tuple(runs(mask))), "x"), mask)


@pytest.mark.parametrize("counts", [(1, 2), (ROWS * COLS + 1,), (-1, ROWS * COLS + 1)])
def test_damaged_run_lengths_are_refused(counts):
    with pytest.raises(RegionsError, match="run lengths of x are damaged"):
        decoded(RunLengths(ROWS, COLS, counts), "x")


SHAPES = {
    "a box": {"bbox": [0, 0, 10, 10]},
    "a polygon": {"segmentation": [[0, 0, 10, 0, 10, 10]]},
    "run lengths": {"segmentation": {"size": [ROWS, COLS], "counts": [ROWS * COLS - 1, 1]}},
}
DOCUMENTS = {
    **{
        name: {
            "images": [{"id": 1, "file_name": "a.png", "width": COLS, "height": ROWS}],
            "categories": [{"id": 1, "name": "Pneumonia"}],
            "annotations": [{"image_id": 1, "category_id": 1, **shape}],
        }
        for name, shape in SHAPES.items()
    },
    "contours of CheXlocalize": {"a": {"img_size": [ROWS, COLS], "Lung Opacity": [[[20, 8], [60, 8], [60, 24]]]}},
    "run lengths of CheXlocalize": {"a": {"Lung Opacity": SHAPES["run lengths"]["segmentation"]}},
}


@pytest.mark.parametrize("odd", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", "-1e999", "NaN", "-1", "0.5", "1e300"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_number_that_is_odd_is_read_or_refused_in_a_sentence(tmp_path, name, odd):
    cohort, source, text = cohort_of(tmp_path, "a.png"), tmp_path / "x.json", json.dumps(DOCUMENTS[name])
    for number in re.finditer(r"(?<![\w.\"])\d+", text):
        source.write_text(text[: number.start()] + odd + text[number.end() :])
        with contextlib.suppress(RegionsError):
            drawn(regions.read(source, cohort, cohort.cases))


def drawn(references):
    """The masks: they are decoded when they are asked for."""
    return [references[path].mask for path in references]


def test_run_lengths_of_endless_characters_are_refused_at_once(tmp_path, document):
    cohort = cohort_of(tmp_path, "a.png")
    source = document({"a": {"Lung Opacity": {"size": [ROWS, COLS], "counts": "o" * 3_000_000}}})
    with pytest.raises(RegionsError, match="damaged: one is longer than any radiograph"):
        drawn(regions.read(source, cohort, cohort.cases))


@pytest.mark.parametrize("size", [[19570313, COLS], [ROWS, 19570313], [19570313, 1]])
def test_an_odd_size_of_a_mask_is_refused_without_being_quoted(tmp_path, document, size):
    """The tests of many changed inputs found it: a birth date had come into its place."""
    cohort = cohort_of(tmp_path, "a.png")
    source = document({"a": {"Lung Opacity": {"size": size, "counts": [ROWS * COLS]}}})
    with pytest.raises(RegionsError, match="larger than any radiograph") as caught:
        drawn(regions.read(source, cohort, cohort.cases))
    assert "19570313" not in str(caught.value)
