"""The page of `pneumoscope serve` on the shipped radiographs: worklist, film, maps, comparison, export, by mouse."""

import io
import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pneumoscope
from pneumoscope.readings.figures import probability_text
from tests.web.browser.viewer_server import PROGRAM, SAMPLE, film, forgive, noise, serving, until

N_SHIPPED = 16
BUNDLES = Path(pneumoscope.__file__).parent / "reader" / "bundles"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The shipped radiographs, read by the default model; the third model is the first one with another threshold of findings."""
    other = tmp_path_factory.mktemp("bundles") / "other"
    shutil.copytree(BUNDLES / "default", other)
    card = json.loads((other / "card.json").read_text())
    card["name"] = "other-threshold"
    card["populations"]["child"]["finding_threshold"] = 0.6
    (other / "card.json").write_text(json.dumps(card))
    with serving(SAMPLE, "--model", "default", "--model", "whole", "--model", other) as running:
        running.read_all()
        yield running


@pytest.fixture
def page(desktop, served):
    desktop.goto(served.url)
    desktop.wait_for_selector(".row canvas")
    yield desktop
    for added in served.films()[N_SHIPPED:]:  # by a test that has failed, which may be tried again
        served.ask(f"/films/{added['id']}", method="DELETE")


def figure(probability):
    """Three decimals, but never a rounded 0 or 1."""
    if probability >= 0.9995:
        return ">0.999"
    return "<0.001" if probability < 0.0005 else f"{probability:.3f}"


def opened(page, label="Film 9"):
    film(page, label).click()
    page.wait_for_selector(".headline-figure")
    until(page, "document.querySelector('px-viewport').layers.length === 1")
    return page


def viewport(page, expression, number=0):
    return page.evaluate(f"document.querySelectorAll('px-viewport')[{number}].{expression}")


def reading_of(served, label):
    found = next(item for item in served.films() if item["label"] == label)
    return served.json(f"/films/{found['id']}/readings/{served.model}")


def unread_by(served, name):
    """A film that the model has not read yet: other tests, and earlier tries of the same test, share the server."""
    model = next(item["id"] for item in served.json("/models")["items"] if item["name"] == name)
    films = served.json(f"/films?limit=100&model={model}")["items"]
    return next(item["label"] for item in films if item["state"] == "waiting")


def read_cautiously(served):
    """A film of which no test has stated the population yet; the last ones are used by no other test."""
    labels = [item["label"] for item in served.films()]
    return next(label for label in reversed(labels) if reading_of(served, label)["population"]["source"] != "user")


def test_the_token_leaves_the_address_and_stays_for_a_reload(page):
    assert "token" not in page.url
    page.reload()
    page.wait_for_selector(".row")
    assert page.locator(".grid").get_attribute("aria-rowcount") == "17"


def test_probabilities_are_written_as_in_python(page):
    values = [0, 1e-9, 0.000499, 0.0005, 0.0015, 0.1, 0.5, 0.9994, 0.9994999, 0.9995, 1 - 1e-9, 1]
    script = "values => import('/static/strings/figures.js').then((each) => values.map(each.probabilityText))"
    assert page.evaluate(script, values) == [probability_text(value) for value in values]


@pytest.mark.parametrize("column", range(9))
def test_every_column_sorts_both_ways(page, column):
    header = page.get_by_role("columnheader").nth(2 + column)
    first = header.get_attribute("aria-sort")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == ("descending" if first == "ascending" else "ascending")
    page.wait_for_selector(".row[data-index='0'] canvas")
    header.get_by_role("button").click()
    page.wait_for_selector(".row[data-index='0'] canvas")
    assert page.locator(".empty").is_hidden()


def test_sorting_by_probability_gives_the_order_of_the_readings(page, served):
    header = page.get_by_role("columnheader", name="Probability").get_by_role("button")
    header.click()
    header.click()
    until(page, "document.querySelector('.row[data-index=\"0\"] .figure')?.textContent === '>0.999'")
    shown = [page.locator(f".row[data-index='{k}'] .cell-probability .figure").inner_text() for k in range(8)]
    expected = sorted((item["probability"] for item in served.films()), reverse=True)
    assert shown == [figure(value) for value in expected[:8]]


def test_filters_by_text_state_and_decision(page, served):
    films = served.films()
    count = page.locator(".film-count")
    page.get_by_role("combobox", name="Decision").select_option("abstains")
    unsure = sum(item["abstains"] for item in films)
    until(page, "n => document.querySelector('.film-count').textContent.startsWith(n + ' ')", unsure)
    assert page.locator(".row").count() == unsure
    page.get_by_role("combobox", name="Decision").select_option("")
    page.get_by_role("combobox", name="State").select_option("failed")
    page.wait_for_selector("text=No film matches")
    assert count.inner_text() == "0 films match"
    page.get_by_role("button", name="Clear the filters").click()
    page.get_by_role("searchbox").fill("film 16")
    until(page, "document.querySelectorAll('.row').length === 1")
    assert page.locator(".film-label").inner_text() == "Film 16"


def test_the_reading_is_on_screen_and_in_words(page, served):
    opened(page)
    line = reading_of(served, "Film 9")
    assert page.locator(".headline-figure").inner_text() == figure(line["probability"])
    assert page.locator(".headline-decision").inner_text() == "Positive"
    panel = page.locator(".side-panel").inner_text()
    severity = line["severity"]
    for text in (
        f"At or above threshold {line['operating_point']['threshold']:.3f}",
        "Population unknown: cautious settings (child)",
        f"{severity['score']:.1f} of 18 (90 % interval {severity['low']:.1f} to {severity['high']:.1f})",
        severity["name"],
        "Both lungs found",
        line["model"]["name"],
        line["model"]["sha256"][:8],
        pneumoscope.DISCLAIMER.rstrip("."),
    ):
        assert text in panel
    words = viewport(page, "description")
    assert f"Probability of pneumonia {figure(line['probability'])}, positive" in words
    assert words.count("Finding ") == len(line["findings"])


def test_a_film_in_the_grey_zone_says_that_the_model_abstains(page):
    opened(page, "Film 4")
    assert "Unsure: the model abstains" in page.locator(".banner.unsure").inner_text()
    assert "limited" in page.locator(".headline").get_attribute("class")
    assert "no side stated: patient's right assumed on the left" in page.locator(".banner.caution").inner_text()
    assert "findings are marked only where the decision is positive" in page.locator(".findings").inner_text()


def test_reading_as_a_child_replaces_the_cautious_settings(page, served):
    label = read_cautiously(served)
    opened(page, label)
    page.get_by_role("button", name="Read as child").click()
    until(page, "document.querySelector('.verdict').innerText.includes('Child (as you said)')")
    assert reading_of(served, label)["population"] == {
        "value": "child",
        "source": "user",
        "settings": "child",
        "cautious": False,
    }


def test_one_film_is_read_as_the_population_that_was_chosen_for_the_worklist(desktop):
    with serving(SAMPLE / "NORMAL") as running:
        desktop.goto(running.url)
        desktop.get_by_role("combobox", name="Population of the films to read").select_option("adult")
        film(desktop, "Film 1").click()
        desktop.get_by_role("button", name="Read this film").click()
        desktop.wait_for_selector(".headline-figure")
        assert "Adult (as you said)" in desktop.locator(".verdict").inner_text()
        assert reading_of(running, "Film 1")["population"]["value"] == "adult"
        desktop.goto("about:blank")


def test_the_compared_model_reads_the_film_as_the_same_population(page, served):
    opened(page, read_cautiously(served))
    page.get_by_role("button", name="Read as adult").click()
    until(page, "document.querySelector('.verdict').innerText.includes('Adult (as you said)')")
    page.get_by_role("combobox", name="View of the map").select_option("side")
    page.get_by_role("combobox", name="Compare with").select_option(label="other-threshold · evidence")
    until(page, "document.querySelector('.captions').innerText.includes('other-threshold')")
    left, right = page.locator(".captions p").all_inner_texts()
    assert "read as adult" in left
    assert "read as adult" in right


def test_a_picture_with_map_is_not_saved_where_no_map_is_on_the_film(page):
    opened(page)
    page.get_by_text("Export", exact=True).click()
    page.get_by_role("combobox", name="View of the map").select_option("difference")
    page.wait_for_selector("text=This comparison cannot be shown")
    page.get_by_role("button", name="PNG with map", exact=True).click()
    assert "No heat map is on the film" in page.locator(".notice").last.inner_text()


def test_a_late_answer_does_not_replace_the_newer_reading(page):
    late = """async () => {
      const { FilmSession } = await import("/static/viewer/film/film_session.js");
      const answers = [];
      const session = Object.create(FilmSession.prototype);
      const [nothing, summary] = [() => undefined, { id: "f", label: "Film 1" }];
      const model = { id: "m", name: "model" };
      const api = { film: () => new Promise((resolve) => answers.push(resolve)) };
      const area = { showBadge: nothing, viewport: {} };
      Object.assign(session, { turn: 1, readingRequest: 0, summary, film: {}, showUnread: nothing });
      session.parts = { api, area, side: {}, models: { model, card: async () => null } };
      const both = [session.loadReading(), session.loadReading()];
      answers[1]({ label: "Film 1", state: "waiting", revision: 2 });
      answers[0]({ label: "Film 1", state: "waiting", revision: 1 });
      await Promise.allSettled(both);
      return session.summary.revision;
    }"""
    assert page.evaluate(late) == 2


def test_the_size_of_a_cell_is_that_on_the_screen(page):
    cell = """async (transposed) => {
      const { FilmSession } = await import("/static/viewer/film/film_session.js");
      const get = Object.getOwnPropertyDescriptor(FilmSession.prototype, "cellAsDisplayed").get;
      return get.call({ map: { cell_mm: { row_mm: 4, col_mm: 7, kind: "detector" } }, film: { orientation: { transposed } } });
    }"""
    assert page.evaluate(cell, False) == {"row_mm": 4, "col_mm": 7, "kind": "detector"}
    assert page.evaluate(cell, True) == {"row_mm": 7, "col_mm": 4, "kind": "detector"}


def test_findings_boxes_and_zones_are_linked_both_ways(page, served):
    opened(page)
    findings = page.locator(".finding")
    findings.nth(0).hover()
    assert viewport(page, "selected") == "finding-1"
    findings.nth(1).click()
    line = reading_of(served, "Film 9")["findings"][1]
    assert viewport(page, "selected") == "finding-2"
    assert page.locator(".zone.selected").get_attribute("data-zone") == f"{line['laterality']} {line['zone']}"
    box = line["box"]
    x, y = viewport(page, f"screenAt({box['top']}, {(box['left'] + box['right']) / 2})")
    frame = page.locator("px-viewport").first.bounding_box()
    page.keyboard.press("Escape")
    assert viewport(page, "selected") is None
    page.mouse.click(frame["x"] + x, frame["y"] + y + 2)  # within the box, whatever the fraction of a pixel
    assert findings.nth(1).get_attribute("aria-pressed") == "true"
    page.locator(f".zone[data-zone='{line['laterality']} {line['zone']}']").click()
    assert any(shape["kind"] == "zone" for shape in viewport(page, "shapes"))


def test_the_map_is_off_at_first_and_is_drawn_as_it_is_set(page, served):
    opened(page)
    bare = viewport(page, "mapState")
    assert bare["visible"] is False
    page.get_by_role("button", name="Heat map").click()
    assert viewport(page, "mapState.visible")
    line = reading_of(served, "Film 9")
    assert viewport(page, "layers[0].threshold") == pytest.approx(line["map"]["threshold"])
    page.get_by_role("slider", name="Opacity").fill("0.8")
    page.get_by_role("slider", name="Threshold").fill("0.7")
    page.get_by_label("Smooth").check()
    state = viewport(page, "mapState")
    assert (state["opacity"], state["smooth"]) == (0.8, True)
    assert state["threshold"] == pytest.approx(0.7)
    page.get_by_role("button", name=f"Model’s value {line['map']['threshold']:.3f}").click()
    assert viewport(page, "mapState.threshold") == pytest.approx(line["map"]["threshold"])
    page.keyboard.press("Escape")
    assert page.locator(".colour-bar").get_attribute("aria-label").startswith("Colour scale from 0 to 1 ")


def test_holding_the_key_hides_the_map(page):
    opened(page)
    page.keyboard.press("m")
    page.locator("px-viewport").first.focus()
    page.keyboard.down("Space")
    assert viewport(page, "mapState.visible") is False
    page.keyboard.up("Space")
    assert viewport(page, "mapState.visible") is True


def test_the_choice_of_the_map_is_kept_for_the_next_visit(page):
    opened(page)
    page.get_by_label("Map visible when a film is opened").check()
    page.get_by_role("slider", name="Opacity").fill("0.3")
    page.reload()
    until(page, "document.querySelector('px-viewport')?.layers.length === 1")  # the film is in the address
    assert viewport(page, "mapState.visible") is True
    assert viewport(page, "mapState.opacity") == 0.3


def test_two_models_side_by_side_have_one_view(page):
    opened(page)
    page.get_by_role("combobox", name="View of the map").select_option("side")
    until(page, "document.querySelectorAll('px-viewport')[1].layers.length === 1")
    until(page, "document.querySelector('.captions').innerText.includes('grad-cam')")
    page.locator("px-viewport").first.focus()
    page.keyboard.press("+")
    page.keyboard.press("i")
    assert viewport(page, "view", 1) == viewport(page, "view", 0)
    assert viewport(page, "view.invert", 1) is True
    frame = page.locator("px-viewport").nth(1).bounding_box()
    page.mouse.move(frame["x"] + 100, frame["y"] + 200)
    page.mouse.wheel(0, -200)
    assert viewport(page, "view", 0) == viewport(page, "view", 1)
    assert viewport(page, "layers[0].unit", 1) == "share of full scale"
    assert viewport(page, "mapState.threshold", 1) is None


def test_the_curtain_moves_by_mouse_and_keyboard(page):
    opened(page)
    page.get_by_role("combobox", name="View of the map").select_option("curtain")
    until(page, "document.querySelectorAll('px-viewport')[1].layers.length === 1")
    slider = page.get_by_role("slider", name="Position of the curtain")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuenow") == "48"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 214, box["y"] + 50, steps=3)
    page.mouse.up()
    assert int(slider.get_attribute("aria-valuenow")) > 60
    clip = page.locator(".pane.second").evaluate("pane => pane.style.clipPath")
    assert clip.startswith("inset(")


def test_the_difference_of_two_maps_is_drawn_on_a_diverging_scale(page):
    opened(page)
    page.get_by_role("combobox", name="View of the map").select_option("difference")
    page.wait_for_selector("text=This comparison cannot be shown")  # a probability and a share of full scale
    assert "not of one unit" in page.locator(".cover").inner_text()
    page.get_by_role("combobox", name="Compare with").select_option(label="other-threshold · evidence")
    until(page, "document.querySelector('px-viewport').layers[0]?.colours === 'diverging'")
    assert "Red: the other model has more evidence" in page.locator(".compare-bar").inner_text()
    assert page.locator(".cover").is_hidden()
    cells, looked = viewport(page, "layers.map(one => [[...one.cells], [...one.looked]])[0]")
    seen = np.array(looked) == 1
    assert 0 < seen.mean() < 1  # outside of the lungs neither has looked
    assert np.all(np.array(cells) == 0)  # the two models differ in a threshold alone


def test_a_difference_over_the_stored_grid_is_turned_as_the_film_is(page):
    stored = np.arange(6.0).reshape(2, 3)
    turn = """async ([values, orientation]) => {
      const { inDisplayedOrder } = await import("/static/viewer/compare/difference.js");
      const turned = inDisplayedOrder(new Float32Array(values), 2, 3, orientation);
      return [[...turned.cells], turned.rows, turned.cols];
    }"""
    for transposed, flip_rows, flip_cols in itertools.product([False, True], repeat=3):
        expected = stored.T if transposed else stored
        expected = expected[::-1] if flip_rows else expected
        expected = expected[:, ::-1] if flip_cols else expected
        orientation = {"transposed": transposed, "flip_rows": flip_rows, "flip_cols": flip_cols}
        cells, rows, cols = page.evaluate(turn, [stored.ravel().tolist(), orientation])
        assert np.array_equal(np.reshape(cells, (rows, cols)), expected)


def test_exports_are_what_the_server_and_the_screen_have(page, served):
    opened(page)
    page.get_by_text("Export", exact=True).click()

    def saved(name):
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    name, content = saved("Reading (JSON)")
    assert name == "Film_9.json"
    assert json.loads(content) == reading_of(served, "Film 9")
    bare, with_map = (
        np.asarray(Image.open(io.BytesIO(saved(name)[1])).convert("RGB"), int) for name in ("PNG without map", "PNG with map")
    )
    assert min(bare.shape[:2]) >= 592
    coloured = np.ptp(with_map, axis=2) > 40
    assert coloured.mean() > 0.05
    assert (np.ptp(bare, axis=2) > 40).mean() < 0.01
    name, content = saved("CSV")
    assert name == "readings.csv"
    assert len(content.decode().splitlines()) == 17
    name, content = saved("JSON lines")
    assert len(content.decode().splitlines()) == 16
    dicom = page.get_by_role("button", name="DICOM")
    assert dicom.get_attribute("aria-disabled") == "true"
    assert "not available" in page.locator(f"#{dicom.get_attribute('aria-describedby')}").inner_text()


def test_the_other_models_reading_is_asked_for_and_shown(page, served):
    opened(page, unread_by(served, "mobilenet_v2-default"))
    page.get_by_role("combobox", name="Model").select_option(label="mobilenet_v2-default")
    page.get_by_role("button", name="Read this film").click()
    until(page, "document.querySelector('.model-line').innerText.includes('mobilenet_v2-default')")
    page.wait_for_selector(".headline-figure")
    assert "Undefined" in page.locator(".verdict").inner_text()  # this model has no severity scale


def test_a_file_named_as_html_is_text_and_a_bad_file_says_why(page, served, problems):
    name = "<img src=x onerror=document.title='hit'>.png"
    files = [
        {"name": name, "mimeType": "image/png", "buffer": noise()},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a radiograph"},
    ]
    page.locator("input[type=file]").first.set_input_files(files)
    page.wait_for_selector("text=1 of 2 files added, 1 not added")
    forgive(problems, 422)
    assert page.get_by_text(name, exact=True).count() == 1
    assert page.locator(".upload-error").inner_text().startswith("The file is neither DICOM nor PNG nor JPEG")
    assert page.title() == "Pneumoscope"
    assert page.locator("img").count() == 0
    page.wait_for_selector("text=17 films")
    assert len(served.films()) == 17
    page.locator(".row").last.click()
    page.get_by_role("button", name="Read this film").click()
    page.wait_for_selector("text=Outside the model’s domain")
    assert "No lungs found" in page.locator(".banner.outside").inner_text()
    assert "Lungs not found" in page.locator(".banner.lungs").inner_text()
    served.ask(f"/films/{served.films()[-1]['id']}", method="DELETE")
    page.wait_for_selector("text=This film was closed")
    forgive(problems, 404)


def test_files_are_added_by_dropping_them(page, served, problems):
    drop = """bytes => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
      for (const type of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.querySelector(".worklist").dispatchEvent(event);
        if (type === "dragover") globalThis.hinted = getComputedStyle(document.querySelector(".drop-hint")).display;
      }
    }"""
    page.evaluate(drop, list(noise(60, 60)))
    assert page.evaluate("hinted") == "grid"
    page.wait_for_selector("text=1 of 1 file added")
    added = served.films()[-1]
    served.ask(f"/films/{added['id']}", method="DELETE")
    page.wait_for_selector("text=16 films")  # without a reload
    page.wait_for_timeout(300)
    problems[:] = [text for text in problems if "404" not in text]  # its thumbnail may be asked for just then


def test_uploads_can_be_cancelled(page, served):
    page.route("**/api/v1/films", lambda route: None if route.request.method == "POST" else route.continue_())
    page.locator("input[type=file]").first.set_input_files(
        [{"name": f"{k}.png", "mimeType": "image/png", "buffer": noise(60, 60)} for k in range(5)]
    )
    page.wait_for_selector(".upload.sending")
    page.get_by_role("button", name="Cancel all").click()
    until(page, "document.querySelectorAll('.upload.cancelled').length === 5")
    assert len(served.films()) == 16


def test_films_are_read_as_jobs_with_progress_that_can_be_stopped(desktop):
    with serving(SAMPLE) as running:
        desktop.goto(running.url)
        desktop.wait_for_selector(".row canvas")
        boxes = desktop.locator(".row input[type=checkbox]")
        for k in range(8):
            boxes.nth(k).check()
        desktop.get_by_role("button", name="Read 8 selected").click()
        desktop.get_by_role("button", name="Stop", exact=True).click()
        until(desktop, "document.querySelector('.notice')?.textContent.startsWith('Stopped: ')")
        assert sum(item["state"] == "read" for item in running.films()) < 8
        desktop.get_by_role("button", name="Clear the selection").click()
        desktop.get_by_role("combobox", name="Population of the films to read").select_option("child")
        desktop.get_by_role("button", name="Read all").click()
        until(desktop, "document.querySelector('.job progress')?.value > 0")
        until(desktop, "[...document.querySelectorAll('.notice')].some((one) => one.textContent.includes('16 films read'))")
        until(desktop, "document.querySelectorAll('.row.is-read').length === document.querySelectorAll('.row').length")
        assert reading_of(running, "Film 16")["population"]["value"] == "child"
        desktop.goto("about:blank")


def test_server_sent_events_are_parsed_wherever_the_network_cuts_them(page):
    cut = """async (text) => {
      const { eventParser } = await import("/static/viewer/event_stream.js");
      return [...text].map((_, at) => {
        const parse = eventParser();
        return [...parse(text.slice(0, at)), ...parse(text.slice(at))];
      });
    }"""
    stream = 'event: film\r\ndata: {"a":1}\r\n\r\n: ping\n\ndata: {"b":\ndata: 2}\n\n'
    expected = [{"type": "film", "data": {"a": 1}}, {"type": "message", "data": {"b": 2}}]
    assert all(events == expected for events in page.evaluate(cut, stream))


def test_reference_regions_are_drawn_on_demand(desktop, tmp_path):
    cohort, boxes = tmp_path / "cohort.parquet", tmp_path / "boxes.csv"
    subprocess.run([*PROGRAM, "cohort", "build", str(SAMPLE), "-o", str(cohort)], check=True, capture_output=True)
    boxes.write_text("path,x,y,w,h\nPNEUMONIA/person1946_bacteria_4875.jpeg,100,200,300,250\n")
    with serving("--cohort", cohort, "--regions", boxes, "--box-space", "file") as running:
        label = next(item["label"] for item in running.films() if item["has_reference"])
        desktop.goto(running.url)
        film(desktop, label).click()
        desktop.get_by_label("Reference regions").check()
        (shape,) = viewport(desktop, "shapes")
        rows, cols = np.array(shape["outline"][0]).T
        assert shape["kind"] == "reference"
        assert (rows.min(), rows.max(), cols.min(), cols.max()) == (200, 450, 100, 400)
        desktop.keyboard.press("z")
        assert viewport(desktop, "shapes") == []
        desktop.goto("about:blank")


def test_the_theme_is_dark_at_first_and_follows_the_switch_and_the_system(page):
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Theme: dark").click()
    light = page.evaluate(background)
    assert light != dark
    page.get_by_role("button", name="Theme: light").click()
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == dark
