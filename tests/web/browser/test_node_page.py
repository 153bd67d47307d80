"""The page of the node in Chromium: without JavaScript, in both colour schemes, on a desktop and on a phone."""

import pytest

from tests.pacs.page_server import TOKEN, page_server

PASSWORD = {"http_credentials": {"username": "anybody", "password": TOKEN}}
SIZES = {"desktop": {"width": 1280, "height": 900}, "narrow": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with page_server(tmp_path_factory.mktemp("node")) as served:
        yield served


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    with page_server(tmp_path_factory.mktemp("node"), filled=False) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_rule_of_wcag_is_violated(served, empty, open_page, axe, size, scheme):
    page = open_page(viewport=SIZES[size], color_scheme=scheme, **PASSWORD)
    for one in (served, empty):
        page.goto(one.url)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], "only tables scroll sideways"


def test_the_page_works_without_javascript_and_loads_its_own_files_alone(served, open_page):
    page = open_page(viewport=SIZES["desktop"], java_script_enabled=False, **PASSWORD)
    loaded = []
    page.on("response", lambda response: loaded.append((response.url.removeprefix(served.url), response.status)))
    page.goto(served.url)
    assert page.get_by_role("heading", name="Needs attention").is_visible()
    assert page.get_by_role("row", name="pacs 2 0 30").is_visible()
    page.get_by_role("link", name="Load again").click()
    assert {name for name, _ in loaded} <= {"", "page/theme.css", "page/page.css", "page/favicon.svg"}
    assert {status for _, status in loaded} == {200}


def test_the_colours_follow_the_system_and_those_of_the_viewer(served, open_page):
    backgrounds = {}
    for scheme in ("light", "dark"):
        page = open_page(viewport=SIZES["desktop"], color_scheme=scheme, **PASSWORD)
        page.goto(served.url)
        backgrounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 20, 23)"}


def test_wide_tables_scroll_with_the_keyboard(served, open_page):
    page = open_page(viewport=SIZES["narrow"], **PASSWORD)
    page.goto(served.url)
    page.get_by_role("region", name="Table: results by destination").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
