"""Where the lungs lie: by hand on drawn rectangles, and what the shipped model finds on shipped radiographs."""

import dataclasses
import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from scipy import ndimage

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields import LungFields, LungFieldsError, LungFinder, card, model_copy
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.finder import GRAPH_NAME, SHIPPED, fields
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.radiograph import Orientation, Placement, Radiograph, Region
from tests.lung_fields.builders import LEFT, RIGHT, SIDE, drawn, lungs


@pytest.fixture(scope="module")
def finder():
    return LungFinder.load(threads=1)


@pytest.fixture
def model(tmp_path):
    """A copy of the shipped model."""
    return shutil.copytree(SHIPPED, tmp_path / "model")


def rename(folder, graph: bytes):
    """Put another graph into a model, under its right name in the card."""
    (folder / GRAPH_NAME).write_bytes(graph)
    card.write(replace(card.read(folder), files={GRAPH_NAME: hashlib.sha256(graph).hexdigest()}), folder)


# What `LungFields` tells of itself. The square of 40 × 40 lies over 80 × 160: a cell is 2 × 4 pixels.


def test_masks_on_the_radiograph_are_the_cells_where_they_lie_with_round_corners():
    """A corner pixel's centre is 1/4 of a cell from one edge and 1/8 from the other: 3/4 · 5/8 of it is lung, less than half."""
    f = lungs()
    for mask, (top, left, bottom, right) in ((f.right, RIGHT), (f.left, LEFT)):
        assert mask.shape == (80, 160)
        expected = np.zeros((80, 160), bool)
        expected[2 * top : 2 * bottom, 4 * left : 4 * right] = True
        expected[np.ix_([2 * top, 2 * bottom - 1], [4 * left, 4 * right - 1])] = False
        assert np.array_equal(mask, expected)
    assert np.array_equal(f.mask, f.right | f.left)


def test_the_share_of_lung_and_the_quality_by_hand():
    """Two rectangles of 24 × 12 cells on 40 × 40; the left lung is the less certain one."""
    assert lungs().area_share == pytest.approx(2 * 24 * 12 / 1600)
    assert lungs().quality == 0.96


def test_the_box_leaves_seven_percent_of_itself_around_the_lungs():
    """The lungs reach from (20, 16) to (68, 144): 48 high, 128 wide."""
    box = lungs().box
    assert dataclasses.astuple(box) == pytest.approx((20 - 3.36, 16 - 8.96, 68 + 3.36, 144 + 8.96))


@pytest.mark.parametrize("state", ["partly found", "not found"])
def test_without_both_lungs_the_central_eighty_percent_is_looked_at_and_all_of_it_counts(state):
    f = lungs(state=state, left=None)
    assert dataclasses.astuple(f.box) == pytest.approx((8, 16, 72, 144))
    assert f.looked_at.dtype == np.float32
    assert (f.looked_at == 1).all()
    assert f.where(40, 40) is None
    assert np.array_equal(lungs().looked_at, lungs().cells)


@pytest.mark.parametrize(
    ("point", "expected"),
    [((21, 20), ("right", "upper")), ((44, 20), ("right", "mid")), ((67, 20), ("right", "lower")),
     ((21, 140), ("left", "upper")), ((44, 140), ("left", "mid")), ((67, 140), ("left", "lower")),
     ((0, 0), ("right", "upper")), ((79, 159), ("left", "lower")), ((44, 78), ("right", "mid")), ((44, 82), ("left", "mid"))],
)  # fmt: skip
def test_a_point_has_the_side_of_the_nearest_lung_and_the_third_of_its_height(point, expected):
    """Both lungs reach from row 20 to row 68, so thirds end at 36 and 52; the middle between them is column 80."""
    assert lungs().where(*point) == expected


def test_zones_are_of_the_lung_that_the_point_lies_in():
    """Row 44 is the end of a right lung of rows 20 to 48, the middle of a left one of 20 to 68."""
    f = lungs(right=(10, 4, 24, 16))
    assert (f.where(44, 20), f.where(44, 140)) == (("right", "lower"), ("left", "mid"))


@st.composite
def boxes(draw):
    """A rectangle of cells, and another one to its right."""
    edges = draw(st.lists(st.integers(0, SIDE), min_size=4, max_size=4, unique=True).map(sorted))
    tops = [sorted(draw(st.lists(st.integers(0, SIDE), min_size=2, max_size=2, unique=True))) for _ in range(2)]
    return (tops[0][0], edges[0], tops[0][1], edges[1]), (tops[1][0], edges[2], tops[1][1], edges[3])


@settings(max_examples=100, deadline=None)
@given(boxes(), st.integers(1, 500), st.integers(1, 500))
def test_the_box_lies_on_the_radiograph_and_holds_both_lungs(pair, rows, cols):
    box = lungs(rows, cols, right=pair[0], left=pair[1]).box
    Placement(rows, cols, box, 7)  # raises where the box leaves the radiograph
    tops, lefts, bottoms, rights = zip(*pair, strict=True)
    assert box.top <= min(tops) / SIDE * rows + 1e-9
    assert box.bottom >= max(bottoms) / SIDE * rows - 1e-9
    assert box.left <= min(lefts) / SIDE * cols + 1e-9
    assert box.right >= max(rights) / SIDE * cols - 1e-9


@settings(max_examples=100, deadline=None)
@given(boxes(), st.data())
def test_every_cell_of_a_lung_is_on_its_own_side_and_in_the_third_that_its_row_says(pair, data):
    f = lungs(right=pair[0], left=pair[1])
    which = data.draw(st.integers(0, 1))
    top, left, bottom, right = pair[which]
    row, col = data.draw(st.integers(top, bottom - 1)), data.draw(st.integers(left, right - 1))

    side, zone = f.where((row + 0.5) * 2, (col + 0.5) * 4)

    assert side == ("right", "left")[which]
    assert zone == ("upper", "mid", "lower")[(2 * (row - top) + 1) * 3 // (2 * (bottom - top))]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 80), st.floats(0, 160))
def test_any_point_has_a_side_and_a_zone_and_the_mirrored_point_the_other_side(row, col):
    """The drawn lungs are mirror images of each other about column 80."""
    side, zone = lungs().where(row, col)
    other = lungs().where(row, 160 - col)
    assert zone == other[1]
    if abs(col - 80) > 1e-6:
        assert {side, other[0]} == {"right", "left"}
        assert side == ("right" if col < 80 else "left")


# What a graph makes of probabilities is tested in test_cells.py.


def test_what_a_graph_gives_becomes_lung_fields_of_the_radiograph():
    outputs = [
        np.stack([drawn(RIGHT), drawn(None)]).astype(np.float32),
        np.float32([0.9, 0.1]),
        np.float32(1),
        np.zeros(4, np.float32),
    ]
    f = fields(outputs, 80, 160)
    assert (f.state, f.right_quality, f.left_quality) == ("partly found", pytest.approx(0.9), pytest.approx(0.1))
    assert np.array_equal(f.right_cells, drawn(RIGHT))
    assert not f.left_cells.any()
    assert (f.placement.rows, f.placement.cols, f.placement.size_px) == (80, 160, SIDE)


# The shipped model.


def test_both_lungs_are_found_on_every_shipped_sample_where_they_should_be(finder):
    with sample() as cohort:
        images = [radiograph.read(cohort.file(case)) for case in (cohort.cases[0], cohort.cases[-1])]
    for image in images:
        f = finder.find(image)
        assert f.state == "found"
        right, left = (np.argwhere(cells)[:, 1].mean() for cells in (f.right_cells, f.left_cells))
        assert right < 80 < left
        assert not (f.right_cells & f.left_cells).any()
        assert 0.1 < f.area_share < 0.6
        assert finder.card.quality_threshold <= f.quality <= 1
        box = f.box
        assert 0 <= box.top < box.bottom <= image.rows
        assert 0 <= box.left < box.right <= image.cols
        assert f.mask.shape == image.pixels.shape
        assert f.mask.mean() == pytest.approx(f.area_share, abs=0.01)
        assert f.where(*np.argwhere(f.left).mean(0))[0] == "left"


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((300, 200)),
        np.ones((200, 300)),
        np.clip(ndimage.gaussian_filter(np.random.default_rng(0).random((300, 300)), 10) * 2, 0, 1),
        np.random.default_rng(0).random((300, 200)),
    ],
    ids=["black", "white", "clouds", "noise"],
)
def test_where_there_is_no_chest_no_two_lungs_are_found_and_the_centre_is_looked_at(finder, pixels):
    f = finder.find(Radiograph(pixels.astype(np.float32)))
    rows, cols = pixels.shape
    assert f.state != "found"  # white noise may look like one lung; that it is no chest is for the domain check to say
    assert dataclasses.astuple(f.box) == pytest.approx((rows * 0.1, cols * 0.1, rows * 0.9, cols * 0.9))
    assert f.looked_at.all()


def test_a_radiograph_at_another_size_and_shape_has_its_lungs_in_the_same_place(finder):
    """Half of the rows and a third of the columns of a radiograph: the square sees the same."""
    with sample() as cohort:
        pixels = radiograph.read(cohort.file(cohort.cases[0])).pixels[:1410, :1770]
    small = pixels.reshape(705, 2, 590, 3).mean((1, 3), dtype=np.float32)
    a, b = finder.find(Radiograph(pixels)), finder.find(Radiograph(small))
    assert 2 * (a.cells & b.cells).sum() / (a.cells.sum() + b.cells.sum()) > 0.98
    assert np.array(dataclasses.astuple(a.box)) / (2, 3, 2, 3) == pytest.approx(dataclasses.astuple(b.box), abs=6)


# What is wrong with a model is said.


def test_a_model_that_is_not_there_or_not_whole_is_refused(model, tmp_path):
    with pytest.raises(LungFieldsError, match="there is no lung-field model in"):
        LungFinder.load(tmp_path / "nowhere")
    (model / GRAPH_NAME).unlink()
    with pytest.raises(LungFieldsError, match=r"there is no lungs\.onnx"):
        LungFinder.load(model)


def test_a_changed_graph_is_refused_by_its_hash(model):
    graph = bytearray((model / GRAPH_NAME).read_bytes())
    graph[len(graph) // 2] ^= 1
    (model / GRAPH_NAME).write_bytes(graph)
    with pytest.raises(LungFieldsError, match="not the one that its card names"):
        LungFinder.load(model)


def test_a_graph_that_is_none_is_refused_even_when_the_card_names_it(model):
    rename(model, b"no graph")
    with pytest.raises(LungFieldsError, match="cannot be run by ONNX Runtime"):
        LungFinder.load(model)


def test_a_graph_of_something_else_is_refused(model):
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "other")]
    graph = helper.make_graph([helper.make_node("Neg", ["image"], ["other"])], "g", value[:1], value[1:])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(other)
    rename(model, other.SerializeToString())
    with pytest.raises(LungFieldsError, match="is not a lung-field network of Pneumoscope"):
        LungFinder.load(model)


def test_a_card_comes_back_as_it_was_written(tmp_path):
    whole = LungCard(
        "n", 160, 0.9, recipe={"epochs": 2}, data=("a", "b"), data_licences=("c",), limits="l", results={"x": {"n": 1}},
        files={GRAPH_NAME: "0" * 64},
    )  # fmt: skip
    card.write(whole, tmp_path)
    assert card.read(tmp_path) == whole


@pytest.mark.parametrize(
    ("change", "says"),
    [({"format": 3}, "has format 3, but this version reads 1 and 2"), ({"size_px": 0}, "is damaged"),
     ({"size_px": 160.0}, "is damaged"),
     ({"quality_threshold": 1.5}, "is damaged"), ({"quality_threshold": float("nan")}, "is damaged"),
     ({"quality_threshold": "high"}, "is damaged"), ({"files": []}, "is damaged"), ({"surplus": 1}, r"unknown field \$\.surplus"),
     ({"data": 3}, "is damaged")],
)  # fmt: skip
def test_a_card_with_a_wrong_field_is_refused(model, change, says):
    value = json.loads((model / card.CARD_NAME).read_text())
    (model / card.CARD_NAME).write_text(json.dumps({**value, **change}))
    with pytest.raises(LungFieldsError, match=says):
        LungFinder.load(model)


@pytest.mark.parametrize("field", ["name", "size_px", "quality_threshold", "format", "data", "data_licences"])
def test_a_card_without_a_field_that_it_must_have_is_refused(model, field):
    value = json.loads((model / card.CARD_NAME).read_text())
    del value[field]
    (model / card.CARD_NAME).write_text(json.dumps(value))
    with pytest.raises(LungFieldsError, match="not an intact card" if field == "format" else f"is damaged .*{field}"):
        card.read(model)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe"])
def test_a_file_that_is_no_card_is_refused(tmp_path, text):
    (tmp_path / card.CARD_NAME).write_bytes(text)
    with pytest.raises(LungFieldsError, match=r"not an intact card|no valid JSON"):
        card.read(tmp_path)


# Which model belongs to a classifier.


@pytest.fixture
def other(model):
    """A lung-field model that is not the shipped one: the same graph with a remark."""
    graph = onnx.load(model / GRAPH_NAME)
    graph.doc_string = "another"
    rename(model, graph.SerializeToString())
    return LungFinder.load(model, threads=1)


def test_the_shipped_model_is_not_copied_and_is_found_again(finder, tmp_path):
    model_copy.keep(finder, finder.sha256, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert model_copy.load(tmp_path, finder.sha256, threads=1).folder == SHIPPED
    assert model_copy.load(tmp_path, "", threads=1).sha256 == finder.sha256


def test_another_model_is_copied_beside_the_weights_and_loaded_from_there(other, finder, tmp_path):
    folder = tmp_path / "classifier"
    model_copy.keep(other, other.sha256, folder)
    assert sorted(p.name for p in (folder / "lungs").iterdir()) == ["card.json", "lungs.onnx"]
    loaded = model_copy.load(folder, other.sha256, threads=1)
    assert (loaded.sha256, loaded.folder) == (other.sha256, folder / "lungs")
    assert loaded.sha256 != finder.sha256


@pytest.mark.parametrize("named", [True, False])
def test_nothing_is_copied_where_the_classifier_names_no_model_or_has_none(other, tmp_path, named):
    model_copy.keep(None if named else other, other.sha256 if named else "", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_model_of_another_hash_is_refused_and_both_are_named(other, finder, tmp_path):
    with pytest.raises(LungFieldsError, match=f"{other.sha256[:12]}, but {finder.sha256[:12]} is shipped with this version"):
        model_copy.load(tmp_path, other.sha256, threads=1)
    model_copy.keep(other, other.sha256, tmp_path)
    with pytest.raises(LungFieldsError, match=f"{finder.sha256[:12]}, but {other.sha256[:12]} is in it"):
        model_copy.load(tmp_path, finder.sha256, threads=1)


# Zones


@settings(max_examples=50, deadline=None)
@given(boxes(), st.sampled_from([(60, 90), (97, 41)]), st.sampled_from(["", "R F", "L H", "F L", "H R"]))
def test_the_zones_divide_each_lung_by_the_rule_of_a_point(pair, shape, directions):
    orientation = Orientation(*directions.split())
    placement = Placement(*shape, Region(0, 0, *shape), SIDE, orientation)
    f = LungFields(drawn(pair[0]), drawn(pair[1]), placement, 0.98, 0.96, "found")
    for masks, right, left in ((f.zone_cells, f.right_cells, f.left_cells), (f.zones, f.right, f.left)):
        assert tuple(masks) == ZONES
        assert np.array_equal(sum(masks[name].astype(int) for name in ZONES[:3]), right)
        assert np.array_equal(sum(masks[name].astype(int) for name in ZONES[3:]), left)
    values = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    assert {name: part.tolist() for name, part in f.in_zones(values).items()} == {
        name: values[mask].tolist() for name, mask in f.zone_cells.items()
    }
    points = np.argwhere(f.right & ~f.left)[::37] + 0.5
    assert all(f.zones[f.where(row, col)][int(row), int(col)] for row, col in points)


def test_zones_are_thirds_of_the_height_of_their_own_lung():
    """The right lung has the rows 10 to 33, the left one 20 to 31: thirds of 8 and of 4 cells."""
    masks = lungs(left=(20, 24, 32, 36)).zone_cells
    tops = {name: (np.flatnonzero(mask.any(1)).min(), np.flatnonzero(mask.any(1)).max()) for name, mask in masks.items()}
    assert tops == dict(zip(ZONES, [(10, 17), (18, 25), (26, 33), (20, 23), (24, 27), (28, 31)], strict=True))


@pytest.mark.parametrize("state", ["partly found", "not found"])
def test_without_both_lungs_there_are_no_zones(state):
    assert lungs(state=state).zones is None
    assert lungs(state=state).zone_cells is None
    assert lungs(state=state).in_zones(np.zeros((SIDE, SIDE))) is None
