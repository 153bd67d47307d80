"""The page of `pneumoscope serve` by keyboard alone and by touch."""

import pytest

from tests.web.browser.viewer_server import SAMPLE, serving, until

TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True}


@pytest.fixture(scope="module")
def served():
    """Eight shipped radiographs with pneumonia, read."""
    with serving(SAMPLE / "PNEUMONIA") as running:
        running.read_all()
        yield running


@pytest.fixture
def page(desktop, served):
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    return desktop


def state(page):
    return page.evaluate(
        "(({ mapState, view, tool, selected }) => ({ mapState, view, tool, selected }))(document.querySelector('px-viewport'))"
    )


def title_is(page, title):
    until(page, "title => document.querySelector('.film-title')?.textContent === title", title)


def with_map(page):
    until(page, "document.querySelector('px-viewport')?.layers.length === 1")


def open_second_film(page):
    while page.evaluate("document.activeElement.getAttribute('role')") != "grid":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    title_is(page, "Film 2")
    with_map(page)


def test_a_whole_reading_by_keyboard_alone(page):
    open_second_film(page)
    assert page.evaluate("document.activeElement.localName") == "px-viewport"
    page.keyboard.press("m")
    page.keyboard.press("]")
    page.keyboard.press("s")
    shown = state(page)["mapState"]
    assert (shown["visible"], shown["opacity"], shown["smooth"]) == (True, 0.6, True)
    threshold = page.evaluate("document.querySelector('px-viewport').layers[0].threshold")
    page.keyboard.press(".")
    assert state(page)["mapState"]["threshold"] > threshold
    assert float(page.get_by_role("slider", name="Threshold").input_value()) > threshold
    for key, tool in zip("plagw", ["pan", "ruler", "angle", "loupe", "window"], strict=True):
        page.keyboard.press(key)
        assert state(page)["tool"] == tool
    page.keyboard.press("i")
    page.keyboard.press("r")
    page.keyboard.press("h")
    page.keyboard.press("+")
    view = state(page)["view"]
    assert (view["invert"], view["flip_h"], view["rotation"]) == (True, True, 90)
    page.keyboard.press("0")
    assert state(page)["view"]["rotation"] == 0
    page.keyboard.press("n")
    assert state(page)["selected"] == "finding-1"
    page.keyboard.press("N")
    assert state(page)["selected"] == "finding-2"
    page.keyboard.press("Escape")
    assert state(page)["selected"] is None
    page.keyboard.press("j")
    title_is(page, "Film 3")
    page.keyboard.press("k")
    title_is(page, "Film 2")
    with_map(page)
    page.keyboard.press("q")
    page.wait_for_selector("body[data-layout='worklist']")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "grid"


def test_the_grid_moves_and_selects_by_keyboard(page):
    page.locator(".grid").focus()
    active = "document.querySelector('.row.active').dataset.index"
    page.keyboard.press("End")
    assert page.evaluate(active) == "7"
    page.keyboard.press("Space")
    page.wait_for_selector("text=Read 1 selected")
    page.keyboard.press("Home")
    assert page.evaluate(active) == "0"
    row = page.locator(".grid").get_attribute("aria-activedescendant")
    assert page.locator(f"#{row}").get_attribute("aria-rowindex") == "2"


def test_keys_can_be_changed_conflicts_are_refused_and_changes_are_kept(page):
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    change = page.locator("[data-action='invert']")
    change.press("Enter")
    page.keyboard.press("m")
    message = page.locator(".key-message")
    assert message.inner_text() == "M is not changed: it already means “Heat map on or off”."
    change.press("Enter")
    page.keyboard.press("F2")
    assert message.inner_text() == "“Invert” is now F2."
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector(".row canvas")
    open_second_film(page)
    page.keyboard.press("i")
    assert state(page)["view"]["invert"] is False
    page.keyboard.press("F2")
    assert state(page)["view"]["invert"] is True
    page.keyboard.press("?")
    page.get_by_role("button", name="Restore all keys").press("Enter")
    assert page.locator("[data-action='invert'] kbd").inner_text() == "I"


def test_single_keys_can_be_turned_off_and_stay_with_text_fields(page):
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("film 8")
    until(page, "document.querySelectorAll('.row').length === 1")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    until(page, "document.querySelectorAll('.row').length === 8")
    open_second_film(page)
    page.keyboard.press("?")
    page.get_by_label("Shortcuts of a single character").press("Space")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    assert state(page)["mapState"]["visible"] is False


def test_the_toolbar_is_one_stop_of_the_tab_key(page):
    open_second_film(page)
    toolbar = page.get_by_role("toolbar")
    assert toolbar.locator("[tabindex='0']").count() == 1
    toolbar.locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move the film"
    page.keyboard.press("Enter")
    assert state(page)["tool"] == "pan"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Reset the view"


def test_a_change_is_said_to_a_screen_reader(page):
    open_second_film(page)
    page.keyboard.press("n")
    until(page, "[...document.querySelectorAll('[role=status]')].some(one => one.textContent.startsWith('Finding 1: '))")
    words = page.evaluate("document.querySelector('px-viewport').description")
    assert "Research software, not a medical device" in words


def test_a_reading_by_touch_on_a_tablet(open_page, served):
    page = open_page(**TABLET)
    page.goto(served.url)
    page.locator(".row").nth(3).tap()
    title_is(page, "Film 4")
    with_map(page)
    assert page.locator(".worklist").is_hidden()
    page.get_by_role("button", name="Heat map").tap()
    assert state(page)["mapState"]["visible"]
    page.locator(".finding").first.tap()
    assert state(page)["selected"] == "finding-1"
    page.get_by_role("button", name="Ruler").tap()
    assert state(page)["tool"] == "ruler"
    page.get_by_role("button", name="Next film").tap()
    title_is(page, "Film 5")
    page.get_by_role("button", name="Back to the worklist").tap()
    assert page.locator(".worklist").is_visible()


def test_the_page_fits_a_phone_and_nothing_to_touch_is_smaller_than_24_pixels(phone, served):
    phone.goto(served.url)
    phone.locator(".row").nth(0).tap()
    title_is(phone, "Film 1")
    with_map(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    small = phone.evaluate(
        """() => [...document.querySelectorAll("button, select, summary, input:not(.visually-hidden), a[href]:not(.skip)")]
             .filter((one) => one.checkVisibility())
             .map((one) => [one.className, (one.closest("label") ?? one).getBoundingClientRect()])
             .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"""
    )
    assert small == []
