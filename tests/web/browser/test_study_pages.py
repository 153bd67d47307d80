"""The pages of a reader study in Chromium, end to end, against ``pneumoscope study serve`` with the shipped radiographs."""

import csv
import io
import json
import zipfile
from contextlib import closing

import pytest

from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.results import progress_of
from tests.cli.run import run
from tests.web.browser.study_reader import ReaderPage
from tests.web.study_cases import of_many, on_the_sample
from tests.web.study_server import StudyServer

LAPTOP = {"viewport": {"width": 1280, "height": 800}}
TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True, "device_scale_factor": 2}


@pytest.fixture
def server(tmp_path):
    with StudyServer(on_the_sample(tmp_path)) as server:
        yield server


@pytest.fixture
def reader(server, open_page):
    return ReaderPage(open_page(**LAPTOP), server).begin()


def forgive(problems, *words):
    """Remove the errors that the test provokes: the browser reports every request that fails."""
    left = [one for one in problems if not any(word in one for word in words)]
    problems[:] = left


# A whole study


@pytest.mark.slow
def test_two_readers_read_both_arms_and_the_coordinator_gets_one_table(tmp_path, open_page):
    """One reader by keyboard on a laptop, one by touch on a tablet; progress counts cases, the same everywhere."""
    folder = on_the_sample(tmp_path / "study", practice=1)
    with StudyServer(folder) as server:
        first = ReaderPage(open_page(**LAPTOP), server).begin()
        read_by_keyboard(first)
        second = ReaderPage(open_page(**TABLET), server, "R2").begin()
        assert_half_way(server, open_page, second)
        read_by_touch(second)
        page = open_page(**LAPTOP, accept_downloads=True)
        page.goto(server.links["coordinator"])
        page.get_by_text("All answers are locked").wait_for()
        assert page.locator("#readers").get_by_text("14 of 14 cases").count() == 2
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            rows = list(csv.DictReader(io.StringIO(archive.read("readings.csv").decode())))
    assert len(rows) == 2 * 2 * 14  # one table has them all, with names: nothing is to be glued
    assert {row["modality"] for row in rows} == {"unaided", "aided"}
    orders = [[row["case"] for row in rows if (row["reader"], row["step"]) == (reader, "0")] for reader in ("R1", "R2")]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]  # never the same order for two readers
    by_keyboard = [row for row in rows if row["reader"] == "R1"]
    assert all(float(row["active_seconds"]) > 0 for row in rows)
    assert {row["marks"] for row in by_keyboard} == {"0", "1"}
    assert all(row["overlay_opacity"] == ("1.0" if row["modality"] == "aided" else "") for row in by_keyboard)
    assert run("study", "analyse", folder).code == 0


def read_by_keyboard(reader):
    page = reader.page
    for k in range(15):
        for step in range(2):
            reader.ready()
            assert page.locator("#aid-panel").is_visible() == bool(step)
            reader.answer(10 + 5 * k + step, mark=k % 2 == 1)
        if k == 0:
            reader.show_feedback_and_go_on()
            page.get_by_role("button", name="Begin").press("Enter")
        else:
            page.get_by_text(f"{k} of 14 cases").wait_for()
    page.get_by_role("heading", name="Finished").wait_for()


def read_by_touch(reader):
    page = reader.page
    for k in range(15):
        for _ in range(2):
            reader.ready()
            page.touchscreen.tap(*reader.at(0.4, 0.5))
            page.get_by_role("group", name="Confidence of mark 1").get_by_role("button", name="4").tap()
            slider = page.locator("#questions input[type=range]").bounding_box()
            page.touchscreen.tap(slider["x"] + slider["width"] * (0.3 + 0.03 * k), slider["y"] + slider["height"] / 2)
            page.get_by_role("button", name="Yes").tap()
            reader.saved()
            with page.expect_response(lambda response: response.url.endswith("/lock")):
                page.get_by_role("button", name="Lock and go on").tap()
        if k == 0:
            page.get_by_role("button", name="Next case").tap()
            page.get_by_role("button", name="Begin").tap()
        else:
            page.get_by_text(f"{k} of 14 cases").wait_for()
    page.get_by_role("heading", name="Finished").wait_for()


def assert_half_way(server, open_page, second):
    """One definition of progress: locked cases, on the reader's page, on the coordinator's page and by the command line."""
    page = open_page(**LAPTOP)
    page.goto(server.links["coordinator"])
    page.get_by_role("heading", name="Does the heat map help?").wait_for()
    assert page.locator("#readers tr").nth(0).get_by_text("14 of 14 cases").count() == 1
    assert page.locator("#readers tr").nth(1).get_by_text("0 of 14 cases").count() == 1
    assert second.progress() == "0 of 14 cases"
    assert "R1: 14 of 14 cases\nR2: 0 of 14 cases" in run("study", "status", server.folder).out
    assert page.get_by_role("button", name="Export").count() == 0
    study = open_study(server.folder)
    with closing(study.journal):
        assert str(progress_of(study)["R2"]) == "0 of 14 cases"


# By keyboard


def test_everything_is_done_by_keyboard_alone(reader, server):
    page = reader.page
    reader.press("Enter")
    assert "Still to answer: the rating, yes or no, marks" in page.locator("#message").inner_text()
    reader.press("7", "5")
    assert reader.rating() == "75 ▏"
    reader.press("y", "m", "4", "Escape", "m", "ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight", "2")
    assert (reader.rating(), reader.marks()) == ("75", 2)
    reader.saved()
    marks = server.last("saved").body["answer"]["marks"]
    assert [mark["rating"] for mark in marks] == [4, 2]
    assert marks[0]["region"] is None
    assert marks[1]["region"]["right"] > marks[1]["region"]["left"]
    assert (marks[1]["row"], marks[1]["col"]) > (marks[0]["row"], marks[0]["col"])
    reader.press("k", "Delete", "j", "Delete")
    assert reader.marks() == 0
    reader.press("Enter")
    assert "marks, or" in page.locator("#message").inner_text()  # zero marks is an answer that is to be confirmed
    reader.press("x")
    reader.lock()
    body = server.last("locked").body
    assert body["answer"] == {"rating": 75, "decision": "positive", "marks": [], "no_marks": True, "items": {}}
    reader.ready()
    assert page.get_by_text("The aid is shown").is_visible()


def test_undo_and_redo_are_saved_like_every_change(reader, server):
    reader.press("6", "0", "y", "m", "3", "Escape")
    reader.press("u", "u")
    assert (reader.marks(), reader.rating()) == (0, "60")
    reader.press("Shift+U")
    assert reader.marks() == 1
    reader.press("Control+z", "Control+z", "Control+z")
    reader.saved()
    answer = server.last("saved").body["answer"]
    assert (answer["rating"], answer["decision"], answer["marks"]) == (None, None, [])
    reader.press(*["Control+y"] * 4)
    reader.saved()
    answer = server.last("saved").body["answer"]
    assert (answer["rating"], answer["decision"], answer["marks"][0]["rating"]) == (60, "positive", 3)


def test_the_view_is_changed_by_keyboard_and_is_in_the_trail(reader, server):
    first = reader.view()
    reader.press("+", "+")
    assert reader.view()["scale"] > first["scale"]
    reader.press("ArrowRight", "ArrowDown")
    moved = reader.view()
    assert (moved["centre_row"], moved["centre_col"]) != (first["centre_row"], first["centre_col"])
    reader.press("o")
    assert reader.view()["scale"] == pytest.approx(1 / reader.page.evaluate("devicePixelRatio"))
    reader.press("i", "c", "b")
    reader.press("5")
    reader.saved()
    screen = server.last("saved").body["screen"]
    assert screen["inverted"] is True
    assert screen["zoom"] == pytest.approx(1)
    assert 0 < screen["window_width"] < 1
    reader.press("r")
    assert reader.view() == first
    reader.press("f", "?")
    assert reader.page.get_by_role("dialog", name="Keys").is_visible()
    reader.press("Escape")
    assert not reader.page.get_by_role("dialog", name="Keys").is_visible()


def test_pause_hides_the_radiograph_and_stops_the_time(reader, server):
    reader.press("p")
    assert reader.page.get_by_role("heading", name="Paused").is_visible()
    assert not reader.page.locator("px-viewport").is_visible()
    reader.press("5", "y")  # nothing is answered in a pause
    assert reader.page.get_by_role("button", name="Resume").is_visible()
    reader.press("p")
    assert reader.page.locator("px-viewport").is_visible()
    reader.press("4")
    reader.saved()
    kinds = [signal["kind"] for event in server.events("saved") for signal in event.body["signals"]]
    assert kinds.count("loaded") == 1
    assert kinds.index("paused") < kinds.index("resumed")
    assert server.last("saved").body["answer"]["rating"] == 4


ITEMS = """[questions]
marks = { low = 1, high = 5 }
items = [
  { name = "quality", text = "Is the quality sufficient?", choices = ["yes", "no"] },
  { name = "note", text = "Note", required = false },
]
"""


def test_further_questions_are_answered_by_keyboard_and_enter_goes_on(tmp_path, open_page):
    with StudyServer(on_the_sample(tmp_path, questions=ITEMS)) as server:
        reader = ReaderPage(open_page(**LAPTOP), server).begin()
        reader.press("8", "0", "y", "x", "Enter")
        assert "“Is the quality sufficient?”" in reader.page.locator("#message").inner_text()
        group = reader.page.get_by_role("group", name="Is the quality sufficient? (required)")
        group.get_by_role("button", name="yes").focus()
        reader.press("Tab", "Space")
        assert group.get_by_role("button", name="no").get_attribute("aria-pressed") == "true"
        reader.press("Tab")
        reader.page.keyboard.type("motion, y n 5")
        reader.press("Enter")  # ends the text; it does not lock the case
        reader.saved()
        saved = server.last("saved").body["answer"]
        assert (saved["rating"], saved["items"]) == (80, {"quality": "no", "note": "motion, y n 5"})
        assert server.events("locked") == []
        reader.press("u")
        assert reader.page.get_by_label("Note").input_value() == ""
        reader.lock()
        assert server.last("locked").body["answer"]["items"]["quality"] == "no"
        reader.ready()


def test_enter_locks_after_a_click_on_an_answer(reader, server):
    reader.press("8", "0", "x")
    reader.page.get_by_role("button", name="Yes", exact=False).first.click()
    reader.lock()
    assert server.last("locked").body["answer"]["decision"] == "positive"


# By mouse and touch


def test_a_click_marks_a_drag_sizes_and_a_corner_changes_the_size(reader, server):
    page = reader.page
    page.mouse.click(*reader.at(0.3, 0.4))
    reader.press("1")
    reader.drag((0.5, 0.5), (0.6, 0.65))
    reader.press("5")
    reader.drag((0.6, 0.65), (0.7, 0.7))  # the lower right corner
    reader.saved()
    point, box = server.last("saved").body["answer"]["marks"]
    assert (point["region"], point["rating"], box["rating"]) == (None, 1, 5)
    scale, frame = reader.view()["scale"], page.locator("#frame").bounding_box()
    region = box["region"]
    assert region["right"] - region["left"] == pytest.approx(0.2 * frame["width"] / scale, abs=3)
    assert region["bottom"] - region["top"] == pytest.approx(0.2 * frame["height"] / scale, abs=3)
    assert box["row"] == pytest.approx((region["top"] + region["bottom"]) / 2)
    reader.drag((0.3, 0.4), (0.35, 0.4))  # moves the first mark
    reader.saved()
    moved = server.last("saved").body["answer"]["marks"][0]
    assert moved["col"] - point["col"] == pytest.approx(0.05 * frame["width"] / scale, abs=2)
    assert moved["row"] == pytest.approx(point["row"], abs=1)


def test_a_pinch_zooms_and_makes_no_mark(server, open_page):
    reader = ReaderPage(open_page(**TABLET), server).begin()
    before, touch = reader.view()["scale"], reader.page.context.new_cdp_session(reader.page)
    (x0, y0), (x1, y1) = reader.at(0.4, 0.5), reader.at(0.6, 0.5)

    def points(apart):
        return [{"x": x0 - apart, "y": y0, "id": 0}, {"x": x1 + apart, "y": y1, "id": 1}]

    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points(0)[:1]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points(0)})
    for apart in range(10, 110, 10):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points(apart)})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert reader.view()["scale"] > 1.2 * before
    assert reader.marks() == 0


def test_the_slider_shows_no_value_before_one_is_given(reader):
    slider = reader.page.locator("#questions input[type=range]")
    assert slider.get_attribute("aria-valuetext") == "not rated"
    assert "unset" in slider.get_attribute("class")
    assert reader.rating() == "not rated"
    box = slider.bounding_box()
    reader.page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    assert reader.rating() == "0"


# Practice, going back, the end


def test_practice_shows_the_reference_and_the_study_begins_after_it(tmp_path, open_page):
    with StudyServer(on_the_sample(tmp_path, practice=1)) as server:
        reader = ReaderPage(open_page(**LAPTOP), server).begin()
        assert reader.page.get_by_text("Practice · does not count").is_visible()
        reader.answer(80)
        reader.ready()
        reader.press("a")  # take the unaided answer
        assert reader.rating() == "80"
        reader.lock()
        reader.page.get_by_text("Reference: pneumonia is present").wait_for()
        assert reader.page.evaluate("document.getElementById('viewport').shapes.length") == 1
        reader.press("Enter")
        reader.page.get_by_role("heading", name="The study begins").wait_for()
        assert reader.progress() == "0 of 14 cases"


def test_a_locked_answer_is_corrected_where_the_study_allows_it(tmp_path, open_page):
    with StudyServer(on_the_sample(tmp_path, head={"going_back": True})) as server:
        reader = ReaderPage(open_page(**LAPTOP), server).begin()
        for rating in (20, 30):
            reader.answer(rating)
            reader.ready()
        reader.press("4", "4")
        reader.press("PageUp")
        reader.page.get_by_role("button", name="Answer 1 · rating 30").click()
        reader.page.get_by_text("Correction of an earlier answer").wait_for()
        reader.ready()
        assert (reader.rating(), reader.page.locator("#aid-panel").is_visible()) == ("30", True)
        reader.press("3", "5")
        with reader.page.expect_response(lambda response: response.url.endswith("/correct")):
            reader.press("Enter")
        reader.ready()
        assert reader.rating() == "44"  # back at the current case, with what was saved
        corrected = server.last("corrected").body["answer"]
        assert corrected["rating"] == 35


def test_without_going_back_there_is_no_way_to_a_locked_answer(reader):
    reader.answer(20)
    reader.ready()
    assert not reader.page.get_by_role("button", name="Earlier answers").is_visible()
    reader.press("PageUp")
    assert not reader.page.locator("#earlier").is_visible()


def test_a_washout_is_said_with_its_end_and_the_coordinator_sees_it(tmp_path, open_page):
    folder = on_the_sample(
        tmp_path, mode="crossover", questions="[questions]\nrating = { low = 1, high = 5 }\ndecision = false\n"
    )
    with StudyServer(folder) as server:
        reader = ReaderPage(open_page(**LAPTOP), server).begin()
        for k in range(16):
            reader.ready()
            reader.press(str(1 + k % 5))
            reader.lock()
        reader.page.get_by_role("heading", name="Washout").wait_for()
        assert "The next session opens on" in reader.page.locator("#waiting-explain").inner_text()
        page = open_page(**LAPTOP)
        page.goto(server.links["coordinator"])
        page.get_by_text("in the washout until").wait_for()
        assert page.get_by_text("16 cases in less than 3 s").is_visible()  # a flag of data quality


def test_unblinding_needs_a_reason_and_is_logged(server, open_page, problems):
    page = open_page(**LAPTOP)
    page.goto(server.links["coordinator"])
    page.get_by_text("Blinded: 64 answers are not locked").wait_for()
    page.get_by_label("Reason").fill("interim")
    page.get_by_role("button", name="Unblind").click()
    page.get_by_text("at least two words is needed").wait_for()
    page.get_by_label("Reason").fill("interim analysis agreed")
    page.get_by_role("button", name="Unblind").click()
    page.get_by_text("Unblinded before the end: interim analysis agreed").wait_for()
    assert [event.body["reason"] for event in server.events("unblinded")] == ["interim analysis agreed"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Audit trail").click()
    lines = download.value.path().read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["frozen", "unblinded"]
    forgive(problems, "400")


def test_a_link_of_nobody_asks_to_sign_in_again(server, open_page, problems):
    page = open_page(**LAPTOP)
    page.goto(f"{server.root}/")
    page.get_by_label("Personal link").fill("no link")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This is no personal link").wait_for()
    page.get_by_label("Personal link").fill("0" * 32)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("belongs to no reader").wait_for()
    page.get_by_label("Personal link").fill(server.links["R1"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Check your display").wait_for()
    forgive(problems, "401")


# Memory and accessibility


@pytest.mark.slow
def test_two_hundred_cases_in_a_row_do_not_grow(tmp_path, open_page):
    """Of 400 cases of a concurrent study each reader reads all in one session; 200 are enough."""
    with StudyServer(of_many(tmp_path, 220)) as server:
        reader = ReaderPage(open_page(**LAPTOP), server).begin()
        session = reader.page.context.new_cdp_session(reader.page)
        session.send("Performance.enable")

        def used():
            for _ in range(3):
                session.send("HeapProfiler.collectGarbage")
            metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            return metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"]

        for k in range(20):
            read_small(reader, k)
        heap, nodes, listeners = used()
        for k in range(20, 220):
            read_small(reader, k)
            if k == 218:
                later = used()
        assert later[0] < heap + 2_000_000
        assert later[1] <= nodes + 50
        assert later[2] <= listeners + 20
        assert reader.page.get_by_role("heading", name="Finished").is_visible()


def read_small(reader, k):
    reader.ready()
    reader.press(*str(k % 101), "y" if k % 2 else "n")
    reader.lock()
    reader.page.get_by_text(f"{k + 1} of 220 cases").wait_for()


@pytest.mark.parametrize("size", [LAPTOP, TABLET], ids=["laptop", "tablet"])
def test_no_screen_violates_wcag(tmp_path, open_page, axe, size, problems):
    with StudyServer(on_the_sample(tmp_path, practice=1, head={"going_back": True})) as server:
        page = open_page(**size)
        reader, found = ReaderPage(page, server), {}

        def look(name):
            found[name] = axe(page)
            width, height = size["viewport"]["width"], size["viewport"]["height"]
            overflow = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            assert overflow[0] <= width, name
            assert overflow[1] <= height, name

        page.goto(f"{server.root}/")
        page.get_by_label("Personal link").wait_for()
        look("sign in")
        reader.sign_in()
        look("display check")
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Begin").wait_for()
        look("introduction")
        page.get_by_role("button", name="Begin").click()
        reader.ready()
        look("case")
        reader.press("5", "y", "m", "3")
        look("case with a mark")
        assert page.get_by_role("button", name="Lock and go on").is_visible()
        reader.press("?")
        look("keys")
        reader.press("Escape", "p")
        look("paused")
        reader.press("p")
        reader.lock()
        reader.ready()
        look("aided")
        reader.press("PageUp")
        page.get_by_role("dialog", name="Earlier answers").wait_for()
        look("earlier answers")
        reader.press("Escape", "a")
        reader.lock()
        page.get_by_text("Reference: pneumonia is present").wait_for()
        look("feedback")
        for name in ("waiting", "finished", "stopped"):
            page.evaluate("name => import('./screens.js').then(screens => screens.showScreen(name))", name)
            look(name)
        page.goto(server.links["coordinator"])
        page.get_by_text("every hash verified").wait_for()
        found["coordinator"] = axe(page)
    assert {name: one for name, one in found.items() if one} == {}
