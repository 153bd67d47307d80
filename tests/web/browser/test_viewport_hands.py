"""<px-viewport> by mouse, touch and keyboard, for a screen reader, and when the graphics processor is lost."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscope.radiograph import Film, Radiograph, Region, Spacing, Window
from pneumoscope.radiograph.orientation import Orientation
from tests.web.browser.films import map_layer, shapes_box, write_film
from tests.web.browser.viewer_server import until

ROWS, COLS = 400, 600


@pytest.fixture(scope="module")
def film():
    """A ramp from left to right of 12 bits, with millimetres at the detector and pixels twice as high as wide."""
    levels = np.broadcast_to(np.linspace(0, 4095, COLS).astype(np.uint16), (ROWS, COLS)).copy()
    values = np.arange(4096.0)
    shown = np.clip((values - 1023.5) / 2047 + 0.0, 0, 1).astype(np.float32)
    image = Radiograph(shown[levels], spacing=Spacing(0.2, 0.1, "detector"), orientation=Orientation("L", "F"))
    return Film(image, levels, shown, values, np.zeros(4096, bool), window=Window(2048.0, 2048.0, "LINEAR"))


LAYERS = [map_layer(np.full((4, 4), 0.8, np.float32), Region(100, 100, 300, 500), 0.5)]
SHAPES = [shapes_box("finding", "1", (50, 60, 150, 200)), shapes_box("finding", "2", (80, 90, 110, 130))]


def shown_on(page, site, film, **options):
    page.goto(f"{site.url}/pages/viewport.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("([name, options]) => open_viewport(name, options)", [write_film(site.files, "film", film), options])
    page.evaluate("viewport.focus()")
    return page


@pytest.fixture
def page(open_page, site, film):
    """A page of 600 × 800 pixels with a viewport in which the film fits exactly, a heat map and two boxes."""
    opened = open_page(viewport={"width": 600, "height": 800})
    return shown_on(opened, site, film, layers=LAYERS, shapes=SHAPES)


def events(page, kind):
    return [detail for name, detail in page.evaluate("events") if name == kind]


def drag(page, start, end, button="left", steps=4):
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move(*end, steps=steps)
    page.mouse.up(button=button)


def test_the_film_fits_and_keeps_fitting(page):
    assert page.evaluate("viewport.view.scale") == 1
    assert page.evaluate("viewport.screenAt(0, 0)") == [0, 0]
    assert page.evaluate("viewport.pointAt(600, 800)") == [400, 600]
    page.set_viewport_size({"width": 300, "height": 700})
    page.evaluate("new Promise(requestAnimationFrame).then(() => viewport.drawn())")
    assert page.evaluate("viewport.view.scale") == 0.5


def test_dragging_changes_the_window_by_the_range_of_the_values(page):
    drag(page, (300, 400), (340, 380))
    window = page.evaluate("viewport.window")
    step = 0.99 * 4095 / 400  # 99 % of the pixels of a ramp
    assert window["width"] == pytest.approx(2048 + 40 * step, rel=0.01)
    assert window["centre"] == pytest.approx(2048 - 20 * step, rel=0.01)
    assert events(page, "windowchange")[-1] == window
    page.keyboard.press("0")
    assert page.evaluate("viewport.window") is None


def test_dragging_down_makes_an_inverse_film_darker_too(open_page, site, film):
    inverse = replace(film, inverse=True, shown=1 - film.shown)
    page = shown_on(open_page(viewport={"width": 300, "height": 400}), site, inverse)
    before = page.evaluate("viewport.readPixels().pixels.reduce((a, b) => a + b)")
    drag(page, (100, 100), (100, 150))
    assert page.evaluate("viewport.readPixels().pixels.reduce((a, b) => a + b)") < before


def test_the_wheel_zooms_at_the_pointer(page):
    before = page.evaluate("viewport.pointAt(150, 200)")
    page.mouse.move(150, 200)
    page.mouse.wheel(0, -400)
    assert page.evaluate("viewport.view.scale") == pytest.approx(np.exp(0.6), rel=1e-6)
    assert page.evaluate("viewport.pointAt(150, 200)") == pytest.approx(before, abs=0.51)


def test_the_middle_button_moves_the_film_and_the_right_button_changes_the_window(page):
    page.evaluate("viewport.zoomAt(3)")
    before = page.evaluate("viewport.view")
    drag(page, (300, 300), (330, 360), button="middle")
    after = page.evaluate("viewport.view")
    moved = (before["centre_col"] - after["centre_col"], before["centre_row"] - after["centre_row"])
    assert moved == pytest.approx((30 / 3, 60 / 6), abs=2)  # less what counts as a click
    page.evaluate("viewport.tool = 'pan'")
    drag(page, (300, 300), (330, 300), button="right")
    assert page.evaluate("viewport.window.width") > 2048


def test_a_ruler_counts_pixels_that_are_not_square_and_says_where_the_millimetres_hold(page):
    page.keyboard.press("l")
    drag(page, (100, 200), (400, 600))
    (measured,) = events(page, "measure")
    assert measured["value"] == pytest.approx(np.hypot(300 * 0.1, 200 * 0.2))
    assert measured["text"] == "50.0 mm at the detector"
    page.mouse.click(100, 100)
    page.mouse.click(100, 300)
    assert events(page, "measure")[1]["value"] == pytest.approx(20)
    page.keyboard.press("Backspace")
    assert page.evaluate("viewport.measurements.length") == 1


def test_an_angle_is_that_on_the_patient(page):
    page.keyboard.press("a")
    for x, y in [(200, 100), (200, 300), (400, 300)]:  # down, then right: a right angle
        page.mouse.click(x, y)
    drag(page, (300, 100), (100, 300))  # one arm by dragging
    page.mouse.click(300, 500)
    first, second = events(page, "measure")
    assert first["value"] == pytest.approx(90)
    assert second["value"] == pytest.approx(90)  # both arms run at 45° on the screen, whose pixels are square


def test_a_click_selects_the_smallest_box_and_the_keyboard_goes_through_them(page):
    page.mouse.click(100, 200)
    page.mouse.click(150, 280)
    page.mouse.click(500, 700)
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.keyboard.press("Shift+N")
    assert events(page, "select") == ["2", "1", None, "1", "2", "1"]


def test_a_double_click_goes_between_all_and_one_to_one(page):
    page.set_viewport_size({"width": 300, "height": 400})
    page.evaluate("new Promise(requestAnimationFrame).then(() => viewport.drawn())")
    page.mouse.dblclick(100, 100)
    assert page.evaluate("viewport.view.scale") == 1
    page.mouse.dblclick(100, 100)
    assert page.evaluate("viewport.view.scale") == 0.5


def test_the_threshold_is_dragged_on_the_colour_bar(page):
    bar = page.evaluate("import('/static/viewport/legend.js').then(module => module.barBox(viewport.size))")
    x, top = bar["left"] + 5, bar["top"]
    drag(page, (x, top + 0.5 * bar["height"]), (x, top + 0.25 * bar["height"]))
    assert page.evaluate("viewport.mapState.threshold") == pytest.approx(0.75, abs=0.01)
    assert page.evaluate("viewport.window") is None


def test_the_space_bar_hides_the_map_as_long_as_it_is_held(page):
    coloured = "viewport.readPixels().pixels.some((v, k, all) => k % 4 === 0 && v !== all[k + 2])"
    assert page.evaluate(coloured)
    page.keyboard.down(" ")
    assert not page.evaluate(coloured)
    page.keyboard.up(" ")
    assert page.evaluate(coloured)


def test_every_key_has_an_action_with_a_label_and_no_action_is_out_of_reach(page):
    labels = page.evaluate("import('/static/strings/en.js').then(m => m.strings.viewport.actions)")
    keys = page.evaluate("keys")
    assert set(keys.values()) | {"map_show"} == set(labels)  # letting go of the key shows the map again
    assert all(labels.values())
    for action in labels:
        page.evaluate("action => viewport.handleKey(action)", action)


def test_the_documentation_names_every_key(page):
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "viewport.md").read_text(encoding="utf-8")
    table = text[text.index("| key | action |") : text.index("## Events")]
    letters = {key for key in page.evaluate("keys") if len(key) == 1 and key not in "= "}
    assert letters == set(re.findall(r"`(.)`", table))


def test_keys_can_be_changed(page):
    page.evaluate("viewport.keys = {q: 'flip', 'Control+k': 'invert'}")
    for key in ("q", "Control+k", "r"):
        page.keyboard.press(key)
    view = page.evaluate("viewport.view")
    assert (view["flip_h"], view["invert"], view["rotation"]) == (True, True, 0)


def test_everything_is_done_by_the_keyboard(page):
    for key in ("Shift+ArrowUp", "i", "h", "r", "+", "ArrowLeft", "]", ".", "c", "b", "s", "x"):
        page.keyboard.press(key)
    view, state = page.evaluate("viewport.view"), page.evaluate("viewport.mapState")
    assert (view["invert"], view["flip_h"], view["rotation"]) == (True, True, 270)
    assert state == {
        "visible": True, "opacity": 0.6, "smooth": False, "threshold": 0.52, "whole": True, "contours": False, "unseen": True,
    }  # fmt: skip
    assert page.evaluate("viewport.window.centre") != 2048
    page.keyboard.press("0")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert events(page, "measure")[0]["value"] == pytest.approx(10, abs=0.01)  # 100 CSS pixels, 100 columns, 0.1 mm each
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    assert events(page, "point") == [{"row": 200, "col": 300}]


def test_reset_gives_the_initial_view_exactly(page):
    before = page.evaluate("[viewport.view, viewport.window]")
    for key in ("i", "h", "r", "+", "ArrowLeft", "v", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("[viewport.view, viewport.window]") != before
    page.keyboard.press("0")
    assert page.evaluate("[viewport.view, viewport.window]") == before


def touch(client, kind, *points):
    client.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]},
    )


@pytest.fixture
def fingers(phone, site, film):
    """A phone's page with the film, and touches on it."""
    shown_on(phone, site, film)
    return phone, phone.context.new_cdp_session(phone)


def test_one_finger_uses_the_tool(fingers):
    page, client = fingers
    touch(client, "touchStart", (100, 400))
    for k in range(1, 6):
        touch(client, "touchMove", (100 + 10 * k, 400))
    touch(client, "touchEnd")
    assert page.evaluate("viewport.window.width") > 2048
    assert page.evaluate("viewport.view.scale") == pytest.approx(390 / 600)


def test_two_fingers_apart_zoom_between_them(fingers):
    page, client = fingers
    before = page.evaluate("viewport.pointAt(200, 400)")
    touch(client, "touchStart", (150, 400), (250, 400))
    for k in range(1, 6):
        touch(client, "touchMove", (150 - 10 * k, 400), (250 + 10 * k, 400))
    touch(client, "touchEnd")
    assert page.evaluate("viewport.view.scale") == pytest.approx(390 / 600 * 2, rel=0.2)
    assert page.evaluate("viewport.pointAt(200, 400)") == pytest.approx(before, abs=12)
    assert page.evaluate("viewport.window") is None


def test_two_fingers_side_by_side_change_the_window_while_one_moves_the_film(fingers):
    page, client = fingers
    page.evaluate("viewport.tool = 'pan'; viewport.zoomAt(2)")
    touch(client, "touchStart", (150, 400), (250, 400))
    for k in range(1, 6):
        touch(client, "touchMove", (150, 400 + 12 * k), (250, 400 + 12 * k))
    touch(client, "touchEnd")
    assert page.evaluate("viewport.window.centre") > 2048
    before = page.evaluate("viewport.view")
    touch(client, "touchStart", (150, 400))
    for k in range(1, 4):
        touch(client, "touchMove", (150, 400 + 20 * k))
    touch(client, "touchEnd")
    after = page.evaluate("viewport.view")
    assert (after["centre_row"] < before["centre_row"], after["scale"]) == (True, before["scale"])


def test_a_tap_gives_a_point_on_the_stored_grid(fingers):
    page, client = fingers
    page.evaluate("viewport.tool = 'point'; viewport.flip()")
    touch(client, "touchStart", (39, 422))
    touch(client, "touchEnd")
    (point,) = events(page, "point")
    assert point == pytest.approx({"row": 200, "col": 540}, abs=1)


def test_a_finger_that_places_a_point_sees_the_place_above_itself(fingers):
    page, client = fingers
    page.evaluate("viewport.tool = 'ruler'")
    brightness = """async ([x, y]) => {
        await viewport.drawn();
        const lines = viewport.shadowRoot.querySelector("canvas.overlay").getContext("2d");
        return lines.getImageData(2 * x, 2 * y, 1, 1).data[3];
    }"""
    assert page.evaluate(brightness, [200, 350]) == 0
    touch(client, "touchStart", (200, 500))
    touch(client, "touchMove", (200, 470))
    assert page.evaluate(brightness, [230, 350]) == 255
    touch(client, "touchEnd")
    assert page.evaluate(brightness, [230, 350]) == 0
    assert len(events(page, "measure")) == 1


def test_a_second_finger_gives_up_the_ruler_that_the_first_one_began(fingers):
    page, client = fingers
    page.evaluate("viewport.tool = 'ruler'")
    touch(client, "touchStart", (150, 400))
    touch(client, "touchStart", (150, 400), (250, 400))
    touch(client, "touchMove", (100, 400), (300, 400))
    touch(client, "touchEnd")
    assert page.evaluate("[viewport.pending(), viewport.measurements.length]") == [False, 0]


def test_a_lost_graphics_processor_is_replaced_and_taken_up_again(page):
    assert page.evaluate("viewport.renderer") == "webgl2"
    before = page.evaluate("read_pixels()")
    page.evaluate("""() => {
        const canvas = viewport.shadowRoot.querySelector("canvas.film");
        window.lose = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
        window.lose.loseContext();
    }""")
    until(page, "viewport.renderer === '2d'")
    page.evaluate("viewport.drawn()")
    assert len(events(page, "message")) == 1
    assert close(page.evaluate("read_pixels()"), before)
    page.evaluate("window.lose.restoreContext()")
    until(page, "viewport.renderer === 'webgl2'")
    page.evaluate("viewport.drawn()")
    assert page.evaluate("read_pixels()") == before


def close(one, other):
    a, b = (np.frombuffer(base64.b64decode(pixels["base64"]), np.uint8).astype(int) for pixels in (one, other))
    return np.abs(a - b).max() <= 1


def test_a_viewport_that_is_taken_out_and_put_back_draws_again(page):
    page.evaluate("{const main = viewport.parentElement; viewport.remove(); main.append(viewport)}")
    page.evaluate("viewport.drawn()")
    assert page.evaluate("viewport.renderer") == "webgl2"


def test_a_screen_reader_hears_the_reading_and_what_changes(page, axe):
    page.evaluate("viewport.setAttribute('aria-label', 'Film 1'); viewport.description = 'Pneumonia 0.83, one finding.'")
    assert axe(page) == []
    stage = page.get_by_role("application", name="Film 1")
    assert stage.count() == 1
    assert page.evaluate("viewport.description") == "Pneumonia 0.83, one finding."
    page.keyboard.press("i")
    page.get_by_text("Inverted", exact=True).wait_for(state="attached")


def test_a_saved_picture_has_square_pixels_and_a_caption(page):
    width, height, kind = page.evaluate("""async () => {
        const blob = await viewport.toBlob({caption: ["Film 1", "Research software"]});
        const image = await createImageBitmap(blob);
        return [image.width, image.height, blob.type];
    }""")
    assert (width, kind) == (600, "image/png")
    assert 800 + 2 * 20 <= height <= 800 + 80


def test_the_letters_at_the_edges_turn_with_the_picture(page):
    module = "import('/static/film/orientation.js').then(m => m.turnedLetters({left: 'R', right: 'L', top: 'H', bottom: 'F'}, "
    for rotation in (0, 90, 180, 270):
        for flip in (False, True):
            grid = np.array([["", "H", ""], ["R", "", "L"], ["", "F", ""]])
            turned = np.rot90(grid, -rotation // 90)
            turned = turned[:, ::-1] if flip else turned
            letters = page.evaluate(f"{module} m.byUser({rotation}, {str(flip).lower()})))")
            expected = {"left": turned[1, 0], "right": turned[1, 2], "top": turned[0, 1], "bottom": turned[2, 1]}
            assert letters == expected, (rotation, flip)


def test_what_was_changed_about_the_picture_is_said_on_it(page):
    said = "import('/static/viewport/legend.js').then(m => m.remarks(viewport.film, viewport.view))"
    assert page.evaluate(said) == []
    page.evaluate("viewport.flip(); viewport.rotate(); viewport.invert(); viewport.film.lossy = true")
    assert page.evaluate(said) == ["Flipped left and right", "Rotated 270°", "Inverted", "Lossy compression"]


def test_the_size_of_a_cell_is_that_on_the_displayed_picture(page):
    size = "film => import('/static/film/placement.js').then(m => m.cellSize({...viewport.film, ...film}, viewport.layers[0]))"
    assert page.evaluate(size, {}) == pytest.approx({"height": 10.0, "width": 10.0, "unit": "mm"})  # 50 rows, 100 columns
    assert page.evaluate(size, {"spacing": None}) == {"height": 50, "width": 100, "unit": "px"}
    turned = {"spacing": None, "orientation": {"transposed": True, "flip_rows": False, "flip_cols": False}}
    assert page.evaluate(size, turned) == {"height": 100, "width": 50, "unit": "px"}


def test_the_scale_has_a_round_length(page):
    rounded = "lengths => import('/static/viewport/legend.js').then(m => lengths.map(m.roundLength))"
    assert page.evaluate(rounded, [1, 1.9, 2, 4.9, 5, 37, 99, 0.3]) == pytest.approx([1, 1, 2, 2, 5, 20, 50, 0.2])


def test_the_loupe_enlarges_what_is_under_the_pointer(page):
    """The ramp of the film, three times as flat as on the screen."""
    page.evaluate("viewport.mapState = {visible: false}; viewport.shapes = []; viewport.tool = 'loupe'")
    page.mouse.move(300, 300)
    row = page.evaluate("""async () => {
        await viewport.drawn();
        const canvas = viewport.shadowRoot.querySelector("canvas.overlay");
        return [...canvas.getContext("2d").getImageData(220, 300, 160, 1).data].filter((_, k) => k % 4 === 0);
    }""")
    film_row = page.evaluate("Array.from({length: 600}, (_, k) => Math.round(255 * viewport.greys[viewport.film.levels[k]]))")
    slope = (film_row[350] - film_row[250]) / 100
    assert (row[-1] - row[0]) / 159 == pytest.approx(slope / 3, rel=0.05)
    assert row[80] == pytest.approx(film_row[300], abs=2)
    page.mouse.move(650, 850)


def test_a_film_that_is_too_long_for_the_graphics_processor_is_drawn_without_it(open_page, site, film):
    levels = np.zeros((2, 9000), np.uint16)
    long = replace(film, levels=levels, radiograph=Radiograph(film.shown[levels]))
    page = shown_on(open_page(viewport={"width": 300, "height": 100}), site, long)
    assert page.evaluate("viewport.renderer") == "2d"


def test_another_film_replaces_all_of_the_one_before(page):
    page.keyboard.press("l")
    drag(page, (100, 200), (400, 600))
    page.evaluate("viewport.preset('auto'); viewport.invert(); viewport.film = {...viewport.film}")
    state = (
        "[viewport.layers.length, viewport.shapes.length, viewport.measurements.length, viewport.window, viewport.view.invert]"
    )
    assert page.evaluate(state) == [0, 0, 0, None, False]
    page.evaluate("viewport.film = null; viewport.drawn()")
    assert page.evaluate("[viewport.shadowRoot.querySelectorAll('canvas.film').length, viewport.description]") == [
        0,
        "No radiograph",
    ]
    for action in page.evaluate("[...new Set(Object.values(keys))]"):
        page.evaluate("action => viewport.handleKey(action)", action)
