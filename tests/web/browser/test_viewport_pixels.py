"""The pixels of <px-viewport>, read back from WebGL2 and from the 2-D canvas, against NumPy and against reports.overlay."""

import base64
from dataclasses import replace

import numpy as np
import pytest

from pneumoscope.radiograph import Film, Radiograph, Window, window
from pneumoscope.radiograph.orientation import Orientation
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.region import Region
from pneumoscope.reports.colours import INFERNO
from pneumoscope.reports.overlay import _contoured
from tests.web.browser.films import map_layer, write_film

TURNS = [(across, down) for across in "LR" for down in "FH"] + [(down, across) for down in "FH" for across in "LR"]
"""Row and column directions of the eight orientations of a frontal radiograph, with rows along the patient's width or height."""

RENDERERS = ["webgl2", "2d"]


@pytest.fixture(params=RENDERERS)
def renderer(request):
    return request.param


@pytest.fixture
def show(open_page, site, renderer):
    """Show a film in a small viewport, and return the page."""
    page = open_page(viewport={"width": 200, "height": 160})
    page.goto(f"{site.url}/pages/viewport.html")
    page.wait_for_selector("html[data-ready]", state="attached")

    def shown(film, **options):
        name = write_film(site.files, "film", film)
        used = page.evaluate("([name, options]) => open_viewport(name, options)", [name, options | {"renderer": renderer}])
        assert used == renderer
        return page

    return shown


def read_back(page, **options):
    """The film at its own resolution, uint8, shape (rows, cols, 3)."""
    answer = page.evaluate("options => read_pixels(options)", options)
    pixels = np.frombuffer(base64.b64decode(answer["base64"]), np.uint8)
    rgba = pixels.reshape(answer["height"], answer["width"], 4)
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3].astype(int)


def a_film(rows=37, cols=53, n_levels=4000, inverse=False, seed=0, orientation=None, **facts):
    """A film of random levels with padding, a window and values that are no multiples of the levels."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, n_levels, (rows, cols)).astype(np.uint16)
    levels[:3, :5] = 7
    values = np.arange(n_levels) * 1.5 - 300.0
    padding = np.arange(n_levels) == 7
    stated = Window(2000.0, 3500.0, "LINEAR")
    grey = window(values, stated.centre, stated.width, stated.function)
    shown = np.where(padding, 0, 1 - grey if inverse else grey).astype(np.float32)
    image = Radiograph(shown[levels], orientation=orientation or Orientation())
    return Film(image, levels, shown, values, padding, **({"inverse": inverse, "window": stated} | facts))


def greys(film, table):
    return film.radiograph.orientation.to_display(np.rint(255 * table[film.levels]).astype(int))[..., None]


@pytest.mark.parametrize("inverse", [False, True])
def test_the_initial_view_shows_the_greys_of_the_radiograph(show, inverse):
    film = a_film(inverse=inverse)
    assert np.abs(read_back(show(film)) - greys(film, film.shown)).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("inverse", [False, True])
def test_another_window_follows_the_stated_function(show, function, inverse):
    film = replace(a_film(inverse=inverse), window=Window(2000.0, 3500.0, function))
    page = show(film)
    page.evaluate("viewport.window = {centre: 1234, width: 987}")
    grey = window(film.values, 1234, 987, function)
    expected = np.where(film.padding, 0, 1 - grey if inverse else grey)
    assert np.abs(read_back(page) - greys(film, expected)).max() <= 1


def test_inverting_keeps_padding_black_and_reset_gives_the_initial_view(show):
    film = a_film(inverse=True)
    page = show(film)
    page.evaluate("viewport.preset('lungs'); viewport.invert(); viewport.flip(); viewport.rotate(); viewport.zoomAt(3)")
    page.evaluate("viewport.window = null")
    expected = greys(film, np.where(film.padding, 0, 1 - film.shown))
    assert np.abs(read_back(page) - np.rot90(expected[:, ::-1], -1)).max() <= 1
    page.evaluate("viewport.reset()")
    assert np.abs(read_back(page) - greys(film, film.shown)).max() <= 1


def test_a_film_whose_initial_view_follows_a_table_shows_the_table(show):
    base = a_film(n_levels=65536, rows=40, cols=31)
    table = np.sqrt(np.linspace(0, 1, 65536)).astype(np.float32)
    film = replace(base, shown=table, window=None, padding=np.zeros(65536, bool))
    assert np.abs(read_back(show(film)) - greys(film, table)).max() <= 1


@pytest.mark.parametrize("turn", TURNS, ids="".join)
def test_every_orientation_is_turned_into_the_displayed_order(show, turn):
    film = a_film(orientation=Orientation(*turn), rows=20, cols=31)
    assert np.abs(read_back(show(film)) - greys(film, film.shown)).max() <= 1


def expected_map(film, placement, cells, threshold, opacity, contours):
    """An independent rendering: constant opacity at and above the threshold, and the contour of reports.overlay."""
    values = placement.map_to_radiograph(cells)
    grey = np.repeat(np.rint(255 * film.shown[film.levels])[..., None], 3, -1)
    colour = INFERNO[np.rint(np.clip(values, 0, 1) * 255).astype(int)]
    blended = np.where((values >= threshold)[..., None], grey * (1 - opacity) + colour * opacity, grey)
    return _contoured(blended, values, threshold) if contours else blended, values


@pytest.mark.parametrize("turn", TURNS, ids="".join)
@pytest.mark.parametrize("contours", [False, True])
def test_a_map_lies_where_the_placement_puts_it(show, turn, contours):
    film = a_film(rows=61, cols=83, orientation=Orientation(*turn))
    cells = np.random.default_rng(3).random((5, 4)).astype(np.float32)
    placement = Placement(61, 83, Region(7.3, 11.6, 55.2, 70.9), 224, film.radiograph.orientation)
    page = show(film, layers=[map_layer(cells, placement.rectangle)])
    page.evaluate("contours => viewport.mapState = {opacity: 0.4, threshold: 0.45, contours, unseen: false}", contours)
    expected, values = expected_map(film, placement, cells, 0.45, 0.4, contours)
    sure = np.abs(values - 0.45) > 1e-4  # float32 may fall on the other side
    sure &= np.abs(np.modf(values * 255)[0] - 0.5) > 1e-2
    to_display = film.radiograph.orientation.to_display
    difference = np.abs(read_back(page) - np.stack([to_display(expected[..., k]) for k in range(3)], -1))
    assert difference[to_display(sure)].max() <= 1
    assert sure.mean() > 0.95
