"""Killed browsers and servers, lost receipts, tampered journals, forged requests: the pages of a study in Chromium."""

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest

from pneumoscope.reader_study.folder import open_study, verify
from tests.web.browser.study_reader import ReaderPage
from tests.web.conftest import CHROMIUM_OPTIONS
from tests.web.study_cases import on_the_sample
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


# Nothing lost, nothing doubled


def kill_browser(browser):
    """Kill the process of a browser, as a power cut does."""
    with closing_session(browser.new_browser_cdp_session()) as session:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    os.kill(next(one["id"] for one in processes if one["type"] == "browser"), signal.SIGKILL)


class closing_session:  # noqa: N801  # a context, named as `closing` is
    def __init__(self, session):
        self.session = session

    def __enter__(self):
        return self.session

    def __exit__(self, *error):
        pass  # the browser is gone


def test_a_killed_browser_goes_on_at_the_exact_case_and_mark(server, chromium, open_page):
    path = shutil.which("chromium") or shutil.which("google-chrome")
    browser = chromium.browser_type.launch(executable_path=path, args=CHROMIUM_OPTIONS)
    reader = ReaderPage(browser.new_page(**LAPTOP), server).begin()
    reader.answer(40)
    reader.ready()
    reader.press("6", "1")
    reader.drag((0.4, 0.4), (0.5, 0.5))
    reader.press("3")
    reader.saved()
    reader.page.mouse.move(*reader.at(0.6, 0.6))
    reader.page.mouse.down()
    reader.page.mouse.move(*reader.at(0.7, 0.7), steps=3)
    kill_browser(browser)  # in the middle of the second mark
    again = ReaderPage(open_page(**LAPTOP), server).sign_in()
    again.ready()
    assert again.page.get_by_text("The aid is shown").is_visible()
    assert (again.rating(), again.marks(), again.progress()) == ("61", 1, "0 of 16 cases")
    stored = server.last("saved").body["answer"]
    assert len(stored["marks"]) == 1
    assert stored["marks"][0]["rating"] == 3
    again.press("u", "u")  # what was done in the killed browser is undone in the new one
    assert (again.rating(), again.marks()) == ("61", 0)
    again.press("u")
    assert again.rating() == "not rated"
    again.press("Shift+U", "Shift+U", "Shift+U")
    again.press("n")
    again.lock()
    assert server.last("locked").body["answer"]["marks"] == stored["marks"]


def test_a_killed_server_is_said_and_after_its_restart_all_is_saved_once(reader, server, problems):
    reader.press("5", "0")
    reader.saved()
    before = len(server.events())
    server.kill()
    reader.press("y", "m", "2")
    reader.page.locator("#save-state[data-state=retrying]").wait_for()
    assert "Not saved" in reader.state()
    server.start()
    reader.saved()
    answers = [event.body["answer"] for event in server.events("saved")]
    assert (answers[-1]["rating"], answers[-1]["decision"], answers[-1]["marks"][0]["rating"]) == (50, "positive", 2)
    assert len(server.events()) - before <= 3  # one event for each change at most
    server.kill()
    reader.press("Escape", "Enter")
    reader.page.locator("#save-state[data-state=retrying]").wait_for()
    server.start()
    reader.page.get_by_text("The aid is shown").wait_for(timeout=30_000)
    assert len(server.events("locked")) == 1
    forgive(problems, "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")


def test_what_was_stored_is_never_called_not_stored(reader, server, problems):
    """The request arrives and is stored, its receipt is lost; the same request again gets the first receipt."""
    lost = []

    def lose_receipt(route):
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort("connectionreset")
        else:
            route.continue_()

    reader.page.route("**/save", lose_receipt)
    reader.press("8")
    reader.saved()
    assert lost == [200, 200]
    assert [event.body["answer"]["rating"] for event in server.events("saved")] == [8]
    forgive(problems, "ERR_CONNECTION_RESET")


def test_a_change_that_did_not_reach_the_server_before_a_reload_reaches_it_after(reader, server, problems):
    reader.page.route("**/save", lambda route: route.abort("internetdisconnected"))
    reader.press("9")
    reader.page.locator("#save-state[data-state=retrying]").wait_for()
    reader.page.unroute("**/save")
    reader.page.route("**/save", lambda route: route.abort("internetdisconnected"), times=1)
    reader.page.reload()
    reader.ready()
    assert reader.rating() == "9"
    assert server.last("saved").body["answer"]["rating"] == 9
    forgive(problems, "ERR_INTERNET_DISCONNECTED")


def test_answers_are_there_after_a_reload(reader):
    reader.press("4", "2", "n", "m", "5", "Escape")
    reader.saved()
    reader.page.reload()
    reader.ready()
    assert (reader.rating(), reader.marks()) == ("42", 1)
    assert reader.page.get_by_role("button", name="No", exact=False).first.get_attribute("aria-pressed") == "true"


def test_undo_and_redo_survive_a_reload(reader, server):
    reader.press("6", "0", "y", "m", "3", "Escape", "u")  # the confidence of the mark is undone
    reader.saved()
    reader.page.reload()
    reader.ready()
    reader.press("Shift+U")
    reader.saved()
    assert server.last("saved").body["answer"]["marks"][0]["rating"] == 3
    reader.press("u", "u")
    assert (reader.marks(), reader.rating()) == (0, "60")
    reader.saved()
    reader.page.reload()
    reader.ready()
    undo, redo = (reader.page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    assert (undo.is_enabled(), redo.is_enabled()) == (True, True)
    reader.press("u", "u", "u")
    assert (reader.rating(), undo.is_enabled()) == ("not rated", False)
    reader.press(*["Shift+U"] * 4)
    reader.saved()
    answer = server.last("saved").body["answer"]
    assert (answer["rating"], answer["decision"], answer["marks"][0]["rating"]) == (60, "positive", 3)
    assert redo.is_disabled()


def test_two_windows_do_not_overwrite_each_other(reader, server, open_page, problems):
    reader.press("4", "2")
    reader.saved()
    other = ReaderPage(open_page(**LAPTOP), server).sign_in()
    other.ready()
    other.press("9", "9")
    other.saved()
    reader.press("1")
    reader.page.locator("#save-state[data-state=refused]").wait_for()
    assert "another window" in reader.state()
    reader.page.get_by_role("button", name="Reload the page").click()
    reader.ready()
    assert reader.rating() == "99"
    forgive(problems, "409")


def test_a_tampered_journal_is_shown_to_the_coordinator_and_not_served_again(reader, server, open_page, problems):
    reader.press("4", "2")
    reader.saved()
    page = open_page(**LAPTOP)
    page.goto(server.links["coordinator"])
    page.get_by_text("every hash verified").wait_for()
    with closing(sqlite3.connect(server.folder / "study" / "journal.sqlite")) as connection:
        connection.execute("DROP TRIGGER events_are_not_changed")
        connection.execute("UPDATE events SET body = replace(body, '42', '24') WHERE kind = 'saved'")
        connection.commit()
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("Not intact: event").wait_for()
    server.kill()
    with pytest.raises(AssertionError, match="is not what was written"):
        server.start()
    server.process.wait(10)
    forgive(problems, "500", "ERR_CONNECTION_REFUSED")


# Blinding


def test_a_forged_request_for_the_aid_is_403_and_only_pixels_are_fetched_in_advance(reader, server, problems):
    page, asked = reader.page, []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.root)))
    link = server.links["R1"].partition("#link=")[2]
    forged = """async link => {
      const headers = {Authorization: `Bearer ${link}`};
      const view = await (await fetch('/api/study/view', {headers})).json();
      const get = async path => (await fetch(`/api/study/cases/${path}`, {headers})).status;
      return [await get(`${view.token}/aid`), await get(`${view.next_token}/aid`), await get(`${view.next_token}/film`)];
    }"""
    assert page.evaluate(forged, link) == [403, 403, 200]
    asked.clear()
    reader.answer(30)
    reader.ready()
    assert len([path for path in asked if path.endswith("/aid")]) == 1
    assert not [path for path in asked if path.endswith("/film")]  # the same radiograph stays; the next one was fetched before
    reader.answer(30)
    reader.ready()
    films = [path for path in asked if path.endswith("/film")]
    page.wait_for_function("true")
    assert len(films) <= 1  # the one after next, in advance
    assert verify(server.folder)
    forgive(problems, "403")


def test_the_page_knows_no_name_of_a_file_a_patient_or_an_arm(reader, server):
    study = open_study(server.folder)
    study.journal.close()
    protocol = study.protocol
    content = reader.page.content() + json.dumps(reader.page.evaluate("[location.href, {...localStorage}]"))
    hidden = [case.name for case in protocol.cases] + [case.patient for case in protocol.cases] + ["heat map", "R2", "PNEUMONIA"]
    assert not [word for word in hidden if word in content]
    assert "link=" not in reader.page.url  # the personal link is not left in the address
