"""Every state of the page of `pneumoscope serve`: designed, and without violations of WCAG 2.2 AA in dark and light."""

import pytest

from tests.web.browser.viewer_server import SAMPLE, film, forgive, noise, serving, until

FILM = "document.querySelector('px-viewport')?.layers.length === 1"


@pytest.fixture(scope="module")
def served():
    """Shipped radiographs, one of them read, and a picture of noise and a broken file."""
    with serving(SAMPLE) as running:
        running.read_all()
        running.ask("/films", noise())
        running.ask("/films", b"not a radiograph")
        added = running.films()[16]
        job = running.json("/jobs", b'{"films": ["%s"]}' % added["id"].encode())
        running.ask(f"/jobs/{job['id']}/events")
        running.ask("/films", noise(120, 90))
        yield running


def dialog(page):
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")


def film_of(label, wait=FILM, *keys):
    def go(page):
        film(page, label).click()
        until(page, wait)
        for key in keys:
            page.keyboard.press(key)

    return go


def comparison(mode):
    def go(page):
        film_of("Film 9")(page)
        page.get_by_role("combobox", name="View of the map").select_option(mode)
        until(page, "document.querySelectorAll('px-viewport')[1].layers.length === 1 || !document.querySelector('.cover').hidden")

    return go


def everything_open(page):
    film_of("Film 9", FILM, "m", "n")(page)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def no_match(page):
    page.get_by_role("searchbox").fill("no such film")
    page.wait_for_selector("text=No film matches")


def uploads(page):
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no film"}]
    )
    page.wait_for_selector("text=0 of 1 file added, 1 not added")


STATES = {
    "worklist": lambda page: None,
    "worklist without a match": no_match,
    "uploads": uploads,
    "reading": everything_open,
    "unsure": film_of("Film 4"),
    "outside the domain": film_of("Film 17", FILM, "m"),
    "failed": film_of(
        "Film 18",
        "!document.querySelector('.cover').hidden && document.querySelector('.cover h2').textContent.includes('cannot')",
    ),
    "not read": film_of("Film 19", "document.querySelector('.verdict')?.innerText.includes('Not read yet')"),
    "side by side": comparison("side"),
    "curtain": comparison("curtain"),
    "difference": comparison("difference"),
    "keys": dialog,
}


END_TRANSITIONS = """() => {
    for (const one of document.getAnimations()) {
        if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();
    }
}"""
"""On a busy machine a colour may still be changing when its contrast is measured."""


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("state", STATES)
def test_every_state_meets_wcag_2_2_aa(desktop, served, axe, problems, state, theme):
    desktop.add_init_script(f"localStorage.setItem('pneumoscope.viewer', JSON.stringify({{ theme: '{theme}' }}))")
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    STATES[state](desktop)
    desktop.wait_for_timeout(150)
    desktop.evaluate(END_TRANSITIONS)
    assert desktop.evaluate("document.documentElement.dataset.theme") == theme
    assert axe(desktop) == []
    forgive(problems, 422)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(
    ("fragment", "title"), [("", "This address has no token"), ("#token=wrong", "The token of this address is not valid")]
)
def test_an_address_without_a_valid_token_says_how_to_get_one(desktop, served, axe, problems, fragment, title, theme):
    desktop.emulate_media(color_scheme=theme)
    desktop.add_init_script("localStorage.setItem('pneumoscope.viewer', JSON.stringify({ theme: 'system' }))")
    desktop.goto(served.url.split("#")[0] + fragment)
    desktop.wait_for_selector(f"h2:has-text('{title}')")
    assert "pneumoscope serve" in desktop.locator(".blocked").inner_text()
    assert desktop.locator(".panes").is_hidden()
    assert axe(desktop) == []
    forgive(problems, 403)


def test_a_film_in_the_address_that_is_gone_leaves_the_worklist(desktop, served, problems):
    desktop.goto(served.url + "&film=none")
    desktop.wait_for_selector(".notice.error")
    assert "closed" in desktop.locator(".notice.error").inner_text()
    assert desktop.locator(".worklist").is_visible()
    forgive(problems, 404)


def test_an_empty_worklist_says_what_to_do_and_a_lost_server_is_said(desktop, axe, problems):
    with serving() as running:
        desktop.goto(running.url)
        desktop.wait_for_selector("h2:has-text('No films yet')")
        assert axe(desktop) == []
        assert desktop.get_by_role("button", name="Read all").is_disabled()
        running.process.kill()
        running.process.wait()
        desktop.wait_for_selector(".connection:visible")
        assert axe(desktop) == []
        desktop.goto("about:blank")  # the page would go on trying
    problems[:] = [line for line in problems if "ERR_" not in line]


def test_the_page_comes_back_when_the_server_answers_again(desktop, served, problems):
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    desktop.context.set_offline(True)
    film(desktop, "Film 2").click()
    desktop.wait_for_selector("text=The server does not answer")
    desktop.context.set_offline(False)
    desktop.get_by_role("button", name="Try again").click()
    until(desktop, FILM)
    problems[:] = [line for line in problems if "ERR_" not in line]
