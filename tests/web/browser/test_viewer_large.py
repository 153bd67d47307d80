"""A worklist of 10,000 films holds only the rows on screen, and fetches only their pages."""

import os

import numpy as np
import pytest

from tests.web.browser.viewer_server import png, serving, until

N_FILMS = 10_000


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One picture under 10,000 names."""
    folder = tmp_path_factory.mktemp("films")
    first = folder / "00000.png"
    first.write_bytes(png(np.random.default_rng(1).integers(0, 256, (48, 40), np.uint8)))
    for number in range(1, N_FILMS):
        os.link(first, folder / f"{number:05}.png")
    with serving(folder) as running:
        yield running


def rows(page):
    return page.evaluate("document.querySelectorAll('.row').length")


def test_only_rows_on_screen_are_held_and_only_their_pages_are_fetched(desktop, served):
    asked = []
    desktop.on("request", lambda request: asked.append(request.url) if "/films?" in request.url else None)
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    assert desktop.locator(".film-count").inner_text() == "10,000 films"
    assert desktop.locator(".grid").get_attribute("aria-rowcount") == str(N_FILMS + 1)
    assert rows(desktop) < 60
    desktop.locator(".grid").focus()
    desktop.keyboard.press("End")
    desktop.wait_for_selector(f".row[data-index='{N_FILMS - 1}'] canvas")
    assert desktop.locator(f".row[data-index='{N_FILMS - 1}'] .film-label").inner_text() == "Film 10000"
    assert desktop.locator(f".row[data-index='{N_FILMS - 1}']").get_attribute("aria-rowindex") == str(N_FILMS + 1)
    assert rows(desktop) < 60
    for share in np.linspace(0, 1, 40):
        desktop.evaluate(
            "share => { const grid = document.querySelector('.grid'); grid.scrollTop = share * grid.scrollHeight; }", share
        )
        desktop.evaluate("new Promise(requestAnimationFrame)")
        assert rows(desktop) < 60
    desktop.wait_for_selector(f".row[data-index='{N_FILMS - 2}'] canvas")
    assert len(asked) < 100


def test_the_last_film_opens_and_the_one_before_follows(desktop, served):
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    desktop.get_by_role("columnheader", name="No.").get_by_role("button").click()
    desktop.wait_for_selector(".row[data-index='0']:has-text('10000')")
    desktop.locator(".row[data-index='0']").click()
    until(desktop, "document.querySelector('.film-title').textContent === 'Film 10000'")
    desktop.keyboard.press("j")
    until(desktop, "document.querySelector('.film-title').textContent === 'Film 9999'")
