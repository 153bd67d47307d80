"""The page of `pneumoscope serve` while films come and go: Back and reload, closing, two jobs at once, replaced files."""

import shutil

import pytest
from PIL import Image

from tests.web.browser.viewer_server import SAMPLE, film, forgive, noise, serving, until

FIRST, SECOND = sorted((SAMPLE / "PNEUMONIA").iterdir())[:2]


@pytest.fixture
def folder(tmp_path):
    """Three small films whose files a test may replace."""
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(noise(60, 80))
    return tmp_path


@pytest.fixture
def served(folder):
    with serving(folder) as running:
        yield running


A_STEP_MS = 300
"""Films passed within a quarter of a second are one step of the browser's history."""


@pytest.fixture
def page(served, desktop):  # the page goes before its server
    desktop.goto(served.url)
    desktop.wait_for_selector(".row")
    return desktop


def open_film(page, label):
    film(page, label).locator(".cell-label").click()
    shown(page, label)


def shown(page, label):
    until(page, "label => document.querySelector('.film-title')?.textContent === label", label)
    page.wait_for_selector(".cover", state="hidden")


def in_address(page):
    return page.evaluate("new URLSearchParams(location.hash.slice(1)).get('film')")


def layout(page):
    return page.evaluate("document.body.dataset.layout")


def test_back_returns_to_the_film_before_and_to_the_worklist_and_forward_goes_on(page, served):
    first, second = (each["id"] for each in served.films()[:2])
    open_film(page, "Film 1")
    page.wait_for_timeout(A_STEP_MS)
    open_film(page, "Film 2")
    assert in_address(page) == second
    page.go_back()
    shown(page, "Film 1")
    assert in_address(page) == first
    page.go_back()
    until(page, "document.body.dataset.layout === 'worklist'")
    assert in_address(page) is None
    page.go_forward()
    until(page, "document.body.dataset.layout === 'film'")
    shown(page, "Film 1")
    assert in_address(page) == first


def test_films_that_a_held_key_passes_are_one_step_back(page):
    open_film(page, "Film 1")
    page.evaluate(
        """import('/static/viewer/session.js').then(({ putFilmInUrl }) => {
            for (let k = 0; k < 300; k++) putFilmInUrl(`x${k}`, true);
        })"""
    )
    page.wait_for_timeout(50)
    assert page.evaluate("history.length") < 10


def test_a_reload_opens_the_film_again_and_no_address_has_the_token(page, served):
    seen = [page.url]
    open_film(page, "Film 3")
    seen.append(page.url)
    page.reload()
    shown(page, "Film 3")
    seen += [page.url, *page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")]
    token = served.url.partition("#token=")[2]
    assert token
    assert not [address for address in seen if token in address]


def test_back_to_a_film_that_was_closed_says_so(page, served, problems):
    open_film(page, "Film 1")
    page.wait_for_timeout(A_STEP_MS)
    page.keyboard.press("q")
    until(page, "document.body.dataset.layout === 'worklist'")
    served.ask(f"/films/{served.films()[0]['id']}", method="DELETE")
    until(page, "document.querySelectorAll('.row').length === 2")
    page.go_back()
    page.wait_for_selector(".notice.error")
    assert (layout(page), in_address(page)) == ("worklist", None)
    forgive(problems, 404)


def test_a_film_is_closed_by_its_button_and_its_file_stays(page, served, folder):
    row = film(page, "Film 2")
    row.get_by_role("button", name="Close Film 2").click()
    page.wait_for_selector("text=Film 2 is closed; the file that it came from is as it was.")
    row.wait_for(state="detached")
    assert [each["label"] for each in served.films()] == ["Film 1", "Film 3"]
    assert len(list(folder.glob("*.png"))) == 3
    assert layout(page) == "worklist"
    assert page.evaluate("document.activeElement.getAttribute('role')") == "grid"


def test_a_film_is_closed_by_a_key_in_the_list_and_on_the_film(page, served):
    page.locator(".grid").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Delete")
    page.wait_for_selector("text=Film 2 is closed")
    until(page, "document.querySelectorAll('.row').length === 2")
    open_film(page, "Film 3")
    page.keyboard.press("Delete")
    page.wait_for_selector("text=Film 3 is closed")
    until(page, "document.body.dataset.layout === 'worklist'")
    assert in_address(page) is None
    assert [each["label"] for each in served.films()] == ["Film 1"]


def test_selected_films_are_closed_together(page, served):
    for label in ("Film 1", "Film 3"):
        film(page, label).get_by_role("checkbox").check()
    page.get_by_role("button", name="Close 2 films").click()
    page.wait_for_selector("text=2 films are closed")
    until(page, "document.querySelectorAll('.row').length === 1")
    assert page.get_by_role("button", name="Close 2 films").is_hidden()
    assert [each["label"] for each in served.films()] == ["Film 2"]


def test_nothing_is_asked_of_a_film_that_the_page_has_closed(page):
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    open_film(page, "Film 1")
    id = in_address(page)
    page.keyboard.press("Delete")
    page.wait_for_selector("text=Film 1 is closed")
    until(page, "document.querySelectorAll('.row').length === 2")
    page.wait_for_timeout(500)  # of further events
    of_film = [method for method, url in asked if id in url]
    assert of_film[-1] == "DELETE"


@pytest.mark.parametrize("usable", [True, False])
def test_nothing_is_asked_of_an_upload_before_it_is_known_to_be_a_film(page, usable):
    seen = page.evaluate(
        """async (usable) => {
            const { Worklist } = await import('/static/viewer/worklist/worklist.js');
            const { ApiError } = await import('/static/viewer/api.js');
            const seen = [];
            const api = {
                upload: async () => ({ id: 'a' }),
                film: async () => {
                    seen.push(worklist.isGone('a'));
                    if (!usable) throw new ApiError(422, 'unusable_film', '');
                },
                remove: async () => seen.push('removed'),
            };
            const worklist = new Worklist(api, {}, () => '');
            worklist.pages.refresh = async () => undefined;
            worklist.uploads.add([new File(['x'], 'x')]);
            await new Promise((resolve) => worklist.uploads.addEventListener('idle', resolve));
            return [...seen, worklist.isGone('a')];
        }""",
        usable,
    )
    assert seen == ([True, False] if usable else [True, "removed", True])


def test_a_picture_that_no_row_shows_any_more_is_not_fetched_to_its_end(page):
    state = page.evaluate(
        """async () => {
            const { Thumbnails } = await import('/static/viewer/worklist/thumbnails.js');
            const asked = [];
            const api = { blob: (path, { signal }) => new Promise((_, reject) => {
                asked.push(path);
                signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
            }) };
            const thumbnails = new Thumbnails(api);
            const canvas = document.createElement('canvas');
            document.body.append(canvas);
            thumbnails.show(canvas, { id: 'a', replacements: 0 });
            const before = thumbnails.running.size;
            canvas.remove();
            thumbnails.prune();
            await new Promise((resolve) => setTimeout(resolve));
            document.body.append(canvas);
            thumbnails.forget('b');
            thumbnails.show(canvas, { id: 'b', replacements: 0 });
            const after = thumbnails.running.size;
            canvas.remove();
            return [before, after, asked];
        }"""
    )
    assert state == [1, 0, ["/films/a/thumbnail"]]


def test_one_film_is_read_while_a_list_is_and_each_job_can_be_stopped(page):
    """The server's part of the long job is played here, so that it takes as long as the test needs."""
    job = {"id": "list", "model": "", "population": None, "state": "running", "total": 12, "done": 3, "failed": 0}

    def start(route):
        if route.request.post_data_json["films"] != "all":
            return route.continue_()
        return route.fulfill(status=202, json=job)

    def follow(route):
        if route.request.method == "DELETE":
            job["state"] = "cancelled"
        return route.fulfill(json=job)

    page.route("**/api/v1/jobs", start)
    page.route("**/api/v1/jobs/list/events", lambda route: route.fulfill(content_type="text/event-stream", body=": none\n\n"))
    page.route("**/api/v1/jobs/list", follow)
    open_film(page, "Film 2")
    page.get_by_role("button", name="Read all").click()
    bars = page.locator(".job")
    until(page, "document.querySelectorAll('.job').length === 1")
    page.keyboard.press("d")
    page.wait_for_selector(".headline-figure")  # the film is read
    until(page, "document.querySelectorAll('.job').length === 1")
    assert bars.first.inner_text().startswith("Reading 3 of 12")
    bars.first.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=Stopped: 3 of 12 films were read.")
    until(page, "document.querySelectorAll('.job').length === 0")


def test_each_job_has_its_line_the_long_one_first(page):
    lines = page.evaluate(
        """async () => {
            const { JobBars } = await import('/static/viewer/worklist/reading_job.js');
            const never = () => new Promise(() => {});
            const stopped = [];
            const job = (id, total) => ({ id, total, done: 0, failed: 0, state: 'running' });
            const api = {
                startJob: async (films) => (films === 'all' ? job('long', 12) : job('one', 1)),
                request: never, job: never, cancelJob: async (id) => stopped.push(id),
            };
            const bars = new JobBars(api, {});
            bars.start(['a'], '', null, 'Film 7');
            bars.start('all', '', null);
            await new Promise((resolve) => setTimeout(resolve));
            const names = [...bars.element.querySelectorAll('progress')].map((each) => each.getAttribute('aria-label'));
            const texts = [...bars.element.querySelectorAll('.job-words')].map((each) => each.textContent);
            for (const stop of bars.element.querySelectorAll('button')) stop.click();
            return { names, texts, stopped, busy: bars.busy };
        }"""
    )
    assert lines == {
        "names": ["Progress of the reading", "Reading of Film 7"],
        "texts": ["Reading 0 of 12", "Reading Film 7"],
        "stopped": ["long", "one"],
        "busy": True,
    }


def test_a_replaced_file_is_marked_and_its_reading_is_that_of_the_new_file(desktop, tmp_path, problems):
    file = tmp_path / "film.jpeg"
    shutil.copy(FIRST, file)
    with serving(tmp_path) as served:
        served.read_all()
        old = served.films()[0]["probability"]
        desktop.goto(served.url)
        open_film(desktop, "Film 1")
        desktop.wait_for_selector(".headline-figure")
        normal = sorted((SAMPLE / "NORMAL").iterdir())[0]
        shutil.copy(normal, tmp_path / "new")
        (tmp_path / "new").replace(file)
        served.films()  # somebody looks at the worklist
        desktop.wait_for_selector(".cover h2:has-text('The file was replaced')")
        assert desktop.locator(".headline-figure").count() == 0
        desktop.get_by_role("button", name="Try again").click()
        desktop.wait_for_selector(".headline-figure")
        (now,) = served.films()
        assert (now["state"], now["replacements"]) == ("read", 1)
        assert now["probability"] != old
        with Image.open(normal) as picture:
            cols, rows = picture.size
        size = desktop.evaluate("(({ film }) => [film.rows, film.cols])(document.querySelector('px-viewport'))")
        assert size == [rows, cols]
        desktop.goto("about:blank")
    forgive(problems, 409)
