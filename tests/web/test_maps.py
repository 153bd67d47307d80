"""Heat maps for clients: which cells the score rests on, sizes in millimetres, and differences of two maps."""

import dataclasses

import numpy as np
import pytest

from pneumoscope import radiograph as radiographs
from pneumoscope.cohort.sample import sample
from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph import Orientation, Placement, Radiograph, Region, Spacing
from pneumoscope.reader import Reader
from pneumoscope.web import maps
from tests.reader.builders import quadrant


@pytest.fixture(scope="module")
def shipped():
    """The default model, a shipped radiograph, and its reading."""
    reader = Reader.load(threads=1)
    with sample() as cohort:
        radiograph = radiographs.read(cohort.file(cohort.cases[-1]))
    return reader, radiograph, reader.read(radiograph)


def cell_means(channel, rows, cols):
    """Mean of a channel over each cell, for a size that the cells divide."""
    return channel.reshape(rows, channel.shape[0] // rows, cols, channel.shape[1] // cols).mean((1, 3))


def test_the_score_rests_on_the_looked_at_cells_alone(shipped):
    """The pooling of Pinheiro & Collobert (eq. 6, r = 4) over these cells alone gives the graph's log-odds."""
    reader, radiograph, reading = shipped
    looked = maps.looked_at(reader.card, reading)
    square = reader.square(radiograph)
    evidence = reader.raw_maps(square[None], "evidence")[0, -1].astype(np.float64)
    share = cell_means(square[1].astype(np.float64), *evidence.shape)
    assert 0.1 < looked.mean() < 0.9
    inside = np.log((share * np.exp(4 * evidence))[looked].sum() / share[looked].sum()) / 4
    assert inside == pytest.approx(reading.score.log_odds, abs=1e-4)
    # The cells that do not take part hold no lung by the graph's own square either, apart from the rounding of its resampling.
    assert share[~looked].max() < 1e-4
    assert share[looked].min() > 0


def test_without_lungs_and_for_other_methods_every_cell_takes_part(shipped, glass):
    reader, _, reading = shipped
    lost = dataclasses.replace(reading, lung_fields=dataclasses.replace(reading.lung_fields, state="partly found"))
    assert maps.looked_at(reader.card, lost) is None
    everywhere = dataclasses.replace(reader.card, head=maps.EVERYWHERE_HEAD)
    assert maps.looked_at(everywhere, reading) is None
    glassy = Reader.load(glass, threads=1)
    assert maps.looked_at(glassy.card, glassy.read(Radiograph(quadrant() / np.float32(255)))) is None


def test_the_body_says_what_the_map_is(shipped):
    reader, _, reading = shipped
    body = maps.map_body("id", reader.card, reading, Spacing(0.2, 0.1, "detector"))
    box = reading.lung_fields.box
    assert (body.unit, body.full_scale, body.threshold) == ("probability", 1, reading.heatmap.threshold)
    assert (body.rectangle.top, body.rectangle.right) == (box.top, box.right)
    assert body.cell_mm.row_mm == pytest.approx(box.height / body.rows * 0.2)
    assert body.cell_mm.col_mm == pytest.approx(box.width / body.cols * 0.1)
    assert len(body.looked) == body.rows * body.cols
    assert sum(body.looked) == maps.looked_at(reader.card, reading).sum()


def test_cells_of_a_turned_film_are_measured_along_its_stored_axes(shipped):
    _, _, reading = shipped
    placement = Placement(100, 60, Region(0, 0, 100, 60), 8, Orientation("F", "L"))  # stored rows are displayed columns
    heatmap = dataclasses.replace(reading.heatmap, cells=np.zeros((2, 5), np.float32), placement=placement)
    size = maps._cell_size(heatmap, Spacing(1.0, 1.0, "patient"))
    assert (size.row_mm, size.col_mm) == (20, 30)


@pytest.fixture
def glassy(glass):
    reader = Reader.load(glass, threads=1)
    return reader.card, reader.read(Radiograph(quadrant() / np.float32(255)))


def with_map(reading, cells, rectangle, rows=4, cols=4, method="grad-cam"):
    cells = np.asarray(cells, np.float32)
    placement = Placement(rows, cols, rectangle, 8)
    heatmap = Heatmap(cells, placement, "pneumonia", method, "layer", 1.0)
    return dataclasses.replace(reading, heatmap=heatmap)


def test_the_difference_is_the_second_minus_the_first_where_both_looked(glassy):
    card, reading = glassy
    whole = with_map(reading, np.full((2, 2), 0.25), Region(0, 0, 4, 4))
    right = with_map(reading, np.full((2, 2), 0.75), Region(0, 2, 4, 4))
    result = maps.difference((card, whole), (card, right))
    expected = np.full((4, 4), np.nan)
    expected[:, 2:] = 0.5
    assert np.array_equal(result.values, expected, equal_nan=True)
    assert (result.body.rows, result.body.cols, result.body.largest, result.body.comparable) == (4, 4, 0.5, True)
    back = maps.difference((card, right), (card, whole)).values
    assert np.array_equal(back, -expected, equal_nan=True)


def test_the_difference_of_large_films_is_computed_on_a_small_grid(glassy):
    card, reading = glassy
    one = with_map(reading, np.ones((2, 2)), Region(0, 0, 3000, 2000), 3000, 2000)
    assert maps.difference((card, one), (card, one)).values.shape == (256, 171)


def test_maps_of_different_units_are_not_comparable(glassy):
    card, reading = glassy
    one = with_map(reading, np.ones((2, 2)), Region(0, 0, 4, 4))
    other = with_map(reading, np.ones((2, 2)), Region(0, 0, 4, 4), method="evidence")
    body = maps.difference((card, one), (card, other)).body
    assert (body.comparable, body.unit) == (False, "none")
    assert "the first map is a share of full scale, the second a probability" in body.reason


def test_maps_that_meet_nowhere_have_no_largest_difference(glassy):
    card, reading = glassy
    left, right = (with_map(reading, np.ones((1, 1)), Region(0, at, 4, at + 2)) for at in (0, 2))
    assert maps.difference((card, left), (card, right)).body.largest is None


def test_cells_that_overlap_a_pixel_hold_it():
    """Five pixels in two cells: the middle one belongs to both, as by torch.nn.AdaptiveAvgPool2d."""
    mask = np.zeros((5, 5), bool)
    mask[2, 0] = True
    assert maps._pooled(mask, 2, 2).tolist() == [[True, False], [True, False]]
