"""The pixels of <px-viewport>, read back from WebGL2 and from the 2-D canvas, against NumPy and against reports.overlay."""

import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Film, Radiograph, Window, read_film, window
from pneumoscope.radiograph.orientation import Orientation
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.region import Region
from pneumoscope.reports.colours import INFERNO
from pneumoscope.reports.overlay import blend, tint
from tests.web.browser.films import map_layer, shapes_box, write_film

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


def a_film(rows=37, cols=53, n_levels=4000, inverse=False, seed=0, orientation=None, aspect=1.0, **facts):
    """A film of random levels with padding, a window and values that are no multiples of the levels."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, n_levels, (rows, cols)).astype(np.uint16)
    levels[:3, :5] = 7
    values = np.arange(n_levels) * 1.5 - 300.0
    padding = np.arange(n_levels) == 7
    stated = Window(2000.0, 3500.0, "LINEAR")
    grey = window(values, stated.centre, stated.width, stated.function)
    shown = np.where(padding, 0, 1 - grey if inverse else grey).astype(np.float32)
    image = Radiograph(shown[levels], orientation=orientation or Orientation(), stated_aspect=aspect)
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


def test_every_orientation_is_turned_into_the_displayed_order(show):
    for turn in TURNS:
        film = a_film(orientation=Orientation(*turn), rows=20, cols=31)
        assert np.abs(read_back(show(film)) - greys(film, film.shown)).max() <= 1, turn


def expected_map(film, placement, cells, threshold, opacity, contours):
    """An independent rendering: constant opacity at and above the threshold, and a white contour of two pixels within."""
    values = placement.map_to_radiograph(cells)
    grey = np.repeat(np.rint(255 * film.shown[film.levels])[..., None], 3, -1)
    colour = INFERNO[np.rint(np.clip(values, 0, 1) * 255).astype(int)]
    inside = values >= threshold
    blended = np.where(inside[..., None], grey * (1 - opacity) + colour * opacity, grey)
    if contours:
        blended[inside & ~ndimage.binary_erosion(inside, iterations=2, border_value=1)] = 255
    return blended, values


@pytest.mark.parametrize("contours", [False, True])
def test_a_map_lies_where_the_placement_puts_it(show, contours):
    cells = np.random.default_rng(3).random((5, 4)).astype(np.float32)
    for turn in TURNS:
        film = a_film(rows=61, cols=83, orientation=Orientation(*turn))
        placement = Placement(61, 83, Region(7.3, 11.6, 55.2, 70.9), 224, film.radiograph.orientation)
        page = show(film, layers=[map_layer(cells, placement.rectangle)])
        page.evaluate("contours => viewport.mapState = {opacity: 0.4, threshold: 0.45, contours, unseen: false}", contours)
        expected, values = expected_map(film, placement, cells, 0.45, 0.4, contours)
        sure = (np.abs(values - 0.45) > 1e-4) & (np.abs(np.modf(values * 255)[0] - 0.5) > 1e-2)  # but for rounding in float32
        to_display = film.radiograph.orientation.to_display
        difference = np.abs(read_back(page) - np.stack([to_display(expected[..., k]) for k in range(3)], -1))
        assert difference[to_display(sure)].max() <= 1, turn
        assert sure.mean() > 0.95


def test_cells_are_drawn_as_they_are_when_the_map_is_not_smooth(show):
    film = a_film(rows=40, cols=60)
    cells = np.random.default_rng(4).random((4, 6)).astype(np.float32)
    page = show(film, layers=[map_layer(cells, Region(0, 0, 40, 60))])
    page.evaluate("viewport.mapState = {opacity: 1, whole: true, contours: false, smooth: false}")
    colours = INFERNO[np.kron(np.rint(cells * 255), np.ones((10, 10))).astype(int)].astype(int)
    assert np.abs(read_back(page) - colours).max() <= 1


def test_what_was_not_looked_at_is_hatched_and_never_coloured(show):
    film = a_film(rows=60, cols=60)
    looked = np.array([[True, False], [True, True]])
    page = show(film, layers=[map_layer(np.ones((2, 2), np.float32), Region(10, 10, 50, 50), looked=looked)])
    page.evaluate("viewport.mapState = {opacity: 1, whole: true, contours: false, smooth: false}")
    seen = np.zeros((60, 60), bool)
    seen[10:50, 10:50] = np.kron(looked, np.ones((20, 20), bool))
    pixels = read_back(page)
    assert np.abs(pixels[seen] - INFERNO[255]).max() <= 1
    plain = np.rint(255 * film.shown[film.levels])[..., None]
    y, x = np.mgrid[:60, :60]
    lines = (x + y) % 12 < 1
    hatching = 0.45 * plain + 0.55 * np.array([150, 170, 190])
    assert np.abs(pixels - plain)[~seen & ~lines].max() <= 1
    assert np.abs(pixels - hatching)[~seen & lines].max() <= 1
    page.evaluate("viewport.mapState = {unseen: false}")
    assert np.abs(read_back(page) - plain)[~seen].max() <= 1


def test_a_difference_is_coloured_by_its_sign_and_limited_by_its_amount(show):
    film = a_film(rows=30, cols=30, seed=5)
    cells = np.array([[-0.9, -0.1, 0.9]], np.float32)
    page = show(film, layers=[map_layer(cells, Region(0, 0, 30, 30), 0.3) | {"colours": "diverging"}])
    page.evaluate("viewport.mapState = {opacity: 1, contours: false, smooth: false}")
    pixels = read_back(page)
    assert (pixels[:, :10, 2] > pixels[:, :10, 0] + 30).all()  # blue
    assert np.abs(pixels[:, 10:20] - np.rint(255 * film.shown[film.levels])[:, 10:20, None]).max() <= 1
    assert (pixels[:, 20:, 0] > pixels[:, 20:, 2] + 30).all()  # red
    page.evaluate("viewport.mapState = {visible: false}")
    assert np.abs(read_back(page) - greys(film, film.shown)).max() <= 1


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("zoom", [0.23, 0.71, 1.0, 2.6])
def test_the_screen_shows_the_mean_over_the_area_of_each_pixel(show, smooth, zoom):
    """Against a matrix product of areas in float64; enlarged and smooth, that is linear interpolation."""
    film = a_film(rows=150, cols=210, seed=9, aspect=1.3)
    page = show(film)
    page.evaluate("([zoom, smooth]) => {viewport.smooth = smooth; viewport.zoomAt(zoom / viewport.view.scale)}", [zoom, smooth])
    page.evaluate("viewport.pan(3, -2)")
    target = page.evaluate("screen_target()")
    pixels = read_back(page, screen=True)
    across, cols_inside = areas(target["width"], target["toFilm"][0], target["toFilm"][4], 210, smooth)
    down, rows_inside = areas(target["height"], target["toFilm"][3], target["toFilm"][5], 150, smooth)
    expected = np.rint(255 * (down @ film.shown[film.levels].astype(np.float64) @ across.T))[..., None]
    inside = rows_inside[:, None] & cols_inside
    assert inside.any()
    assert np.abs(pixels - expected)[inside].max() <= 1
    assert (pixels[~inside] == 0).all()


def areas(length, step, offset, count, smooth):
    """Share of each of `count` pixels of the film in each of `length` pixels of the screen, shape (length, count)."""
    at = (np.arange(length) + 0.5) * step + offset
    half = max(abs(step), 1.0 if smooth else 0.0) / 2
    edges = np.arange(count)
    shares = np.minimum((at + half)[:, None], edges + 1) - np.maximum((at - half)[:, None], edges)
    shares = np.clip(shares, 0, None)
    inside = (at >= 0) & (at < count)
    shares[~inside] = 0
    return shares / np.maximum(shares.sum(1, keepdims=True), 1e-9), inside


def test_a_fine_grid_at_a_third_of_its_size_is_grey_without_moire(show):
    film = a_film(rows=300, cols=300, n_levels=8)
    stripes = np.broadcast_to((np.arange(300) % 2).astype(np.uint16), (300, 300)).copy()
    shown = np.array([0, 1], np.float32)
    film = replace(film, levels=stripes, shown=shown, values=shown.astype(float), padding=np.zeros(2, bool), window=None)
    page = show(film)
    page.evaluate("viewport.zoomAt(0.3 / viewport.view.scale)")
    pixels = read_back(page, screen=True)[80, 60:140, 0]
    assert pixels.min() >= 90
    assert pixels.max() <= 165


@pytest.fixture(scope="module")
def shipped():
    """A shipped radiograph as a film."""
    with sample() as cohort:
        return read_film(Path(cohort.file(cohort.cases[-1])).read_bytes())


def test_a_shipped_radiograph_looks_like_the_overlay_of_a_report(show, shipped):
    image = shipped.radiograph
    cells = np.random.default_rng(1).random((6, 6)).astype(np.float32)
    box = Region(0.1 * image.rows, 0.2 * image.cols, 0.9 * image.rows, 0.8 * image.cols)
    page = show(shipped, layers=[map_layer(cells, box)])
    page.evaluate("viewport.mapState = {opacity: 0.35, threshold: 0.6, contours: false, unseen: false}")
    values = Placement.of(image, box, 224).map_to_radiograph(cells)
    sure = (np.abs(values - 0.6) > 1e-4) & (np.abs(np.modf(values * 255)[0] - 0.5) > 1e-2)
    difference = np.abs(read_back(page) - tint(image, values, 0.6, opacity=0.35).astype(int))
    assert difference[sure].max() <= 1
    greys_of_report = blend(image, np.zeros((image.rows, image.cols), np.float32)).astype(int)
    assert np.abs(read_back(page, withMap=False) - greys_of_report).max() <= 1


def test_both_renderers_draw_the_same_screen(open_page, site, shipped):
    page = open_page(viewport={"width": 500, "height": 400})
    page.goto(f"{site.url}/pages/viewport.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    looked = np.ones((6, 6), bool)
    looked[2:4, 3] = False
    cells = np.random.default_rng(2).random((6, 6)).astype(np.float32)
    layer = map_layer(cells, Region(10, 20, shipped.radiograph.rows - 30, shipped.radiograph.cols - 5), looked=looked)
    name, screens = write_film(site.files, "film", shipped), []
    for renderer in RENDERERS:
        options = {"renderer": renderer, "layers": [layer]}
        assert page.evaluate("([name, options]) => open_viewport(name, options)", [name, options]) == renderer
        page.evaluate("viewport.flip(); viewport.rotate(); viewport.zoomAt(1.7); viewport.pan(31, -17)")
        screens.append(read_back(page, screen=True))
    difference = np.abs(screens[0] - screens[1]).max(-1)
    assert (difference > 1).mean() < 1e-3  # pixels at the edge of a cell or a contour, where float32 decides
    assert screens[0].std() > 10


def test_a_saved_picture_has_the_box_and_the_contour_where_they_belong(show):
    film = a_film(rows=120, cols=160, seed=2, aspect=1.5)
    page = show(film, shapes=[shapes_box("finding", "", (20, 30, 80, 110))])
    text = page.evaluate("""async () => {
        const blob = await viewport.toBlob({withMap: false, withShapes: true});
        return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
    }""")
    picture = np.asarray(Image.open(BytesIO(base64.b64decode(text))).convert("RGB")).astype(int)
    assert picture.shape == (180, 160, 3)  # square pixels
    rows, cols = np.nonzero(np.abs(picture - [0x5A, 0xDC, 0xFF]).max(-1) < 8)
    assert [rows.min(), rows.max(), cols.min(), cols.max()] == pytest.approx([30, 120, 30, 110], abs=1.5)
