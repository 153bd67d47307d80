"""Blinding, sequence, washout and locking: what a client may see and change, by the room and by raw HTTP."""

import http.client
import io
import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import numpy as np
import pytest
from PIL import Image

from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.errors import (
    ConflictError,
    ForbiddenError,
    NotSignedInError,
    ReaderStudyError,
    TamperedJournalError,
)
from pneumoscope.reader_study.folder import open_study, verify
from pneumoscope.reader_study.interface import Request, respond
from pneumoscope.reader_study.room import OVERRIDE
from pneumoscope.reader_study.visible import case_token
from tests.reader_study.study_files import (
    COLS,
    HOSPITAL,
    ROWS,
    SURNAME,
    Clock,
    answer_one,
    answer_session,
    case_name,
    frozen,
    full,
    key,
    link,
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def study(tmp_path, clock):
    study = frozen(tmp_path, clock)
    yield study
    study.journal.close()


def entry(view, base, answer=None, **more):
    return Entry(view.token, view.step, more.pop("key", key()), base, full() if answer is None else answer, **more)


def opened(room, who):
    view = room.view(who)
    return view, room.open(who, view.token, view.step, key()).number


# Raw HTTP


@pytest.fixture
def server(study):
    """The interface behind the standard library's HTTP server, as any framework would serve it."""
    room = study.room()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = respond(room, Request(self.command, self.path.removeprefix("/study/"), dict(self.headers), body))
            self.send_response(response.status)
            for name, value in {"Content-Type": response.content_type, **response.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = answer  # noqa: N815  # the names that http.server calls

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def ask(server, method, path, who="", body=None):
    with closing(http.client.HTTPConnection(*server)) as connection:
        connection.request(
            method, f"/study/{path}", json.dumps(body) if body is not None else None, {"Authorization": f"Bearer {who}"}
        )
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())


def view_of(server, who):
    status, body, _ = ask(server, "GET", "view", who)
    assert status == 200
    return json.loads(body)


def post(server, who, action, view, **body):
    status, answer, _ = ask(server, "POST", f"cases/{view['token']}/{action}", who, {"step": view["step"], "key": key(), **body})
    return status, json.loads(answer)


def test_the_bytes_of_the_aid_are_403_until_the_unaided_answer_is_locked(study, server):
    who = link(study)
    view = view_of(server, who)
    assert (view["step"], view["aid"]) == (0, False)
    assert ask(server, "GET", f"cases/{view['token']}/aid", who)[0] == 403
    _, receipt = post(server, who, "open", view)
    assert ask(server, "GET", f"cases/{view['token']}/aid", who)[0] == 403
    _, receipt = post(server, who, "save", view, base=receipt["number"], answer=full())
    assert ask(server, "GET", f"cases/{view['token']}/aid", who)[0] == 403
    status, _ = post(server, who, "lock", view, base=receipt["number"], answer=full())
    assert status == 200
    aided = view_of(server, who)
    assert (aided["token"], aided["step"]) == (view["token"], 1)
    assert ask(server, "GET", f"cases/{view['token']}/aid", who)[0] == 403  # locked, but the aided step is not open yet
    post(server, who, "open", aided)
    status, body, headers = ask(server, "GET", f"cases/{view['token']}/aid", who)
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "no-store")
    assert Image.open(io.BytesIO(body)).mode == "RGBA"
    assert ask(server, "GET", f"cases/{aided['next_token']}/aid", who)[0] == 403
    post(server, who, "lock", aided, base=view_of(server, who)["base"], answer=full())
    assert ask(server, "GET", f"cases/{view['token']}/aid", who)[0] == 403  # over


def test_forged_requests_are_refused(study, server):
    who, other = link(study), link(study, "R2")
    mine, theirs = view_of(server, who), view_of(server, other)
    assert mine["token"] != theirs["token"]
    for path in ("view", f"cases/{mine['token']}/pixels", f"cases/{mine['token']}/aid", "nothing"):
        assert ask(server, "GET", path, "")[0] == 401
        assert ask(server, "GET", path, "0" * 32)[0] == 401
    assert ask(server, "GET", f"cases/{theirs['token']}/pixels", who)[0] == 403
    assert ask(server, "GET", f"cases/{'0' * 32}/pixels", who)[0] == 403
    assert ask(server, "GET", "nothing", who)[0] == 404
    assert post(server, who, "lock", {**mine, "token": theirs["token"]}, base=1, answer=full())[0] == 403
    assert post(server, who, "lock", {**mine, "step": 1}, base=1, answer=full())[0] == 409  # the aided answer first
    assert post(server, who, "open", {**mine, "step": 1})[0] == 409
    assert post(server, who, "lock", mine, base=1, answer=full())[0] == 409  # never opened
    assert post(server, who, "correct", mine, base=1, answer=full())[0] == 403
    assert study.journal.head()[0] == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"step": "0", "key": "k"}', b'{"step": 0, "key": "k", "more": 1}', b"[" * 5000],
    ids=["empty", "list", "cut", "bytes", "text", "unknown", "deep"],
)
def test_a_request_that_is_not_valid_is_400(study, body):
    room = study.room()
    token = room.view(link(study)).token
    headers = {"authorization": f"bearer {link(study)}"}
    response = respond(room, Request("POST", f"cases/{token}/open", headers, body))
    assert response.status == 400
    assert "not valid" in json.loads(response.body)["error"]
    assert respond(room, Request("POST", "view", headers, b" " * 1_000_001)).status == 413


# Blinding


def test_no_view_holds_anything_of_the_case_but_its_size(tmp_path, clock):
    study = frozen(tmp_path, clock, training=[case_name(0), case_name(1)], n_cases=10)
    room, who = study.room(), link(study)
    seen, tokens = [], set()
    while (view := room.view(who)).state == "reading":
        seen.append(json.dumps(msgspec.to_builtins(view)))
        tokens.add(view.token)
        answer_one(room, who)
        seen.append(json.dumps(msgspec.to_builtins(room.view(who))))
    text = "\n".join(seen)
    hidden = [
        SURNAME,
        HOSPITAL,
        "PNEUMONIA",
        "NORMAL",
        ".png",
        "patient0",
        "R2",
        "bbbb",
        "heat map",
        "unaided",
        "diseased",
        "2026-",
    ]
    hidden += [case.sha256[:12] for case in study.protocol.cases] + [study.key.hex()[:12]]
    assert [word for word in hidden if word in text] == []
    assert len(tokens) == 10
    assert set(msgspec.to_builtins(view)) == {
        "state", "question", "questions", "locked", "assigned", "session", "practice", "token", "step", "rows", "cols", "aid",
        "opened", "base", "answer", "undo", "previous", "next_token", "may_go_back", "waiting_until", "display_checked",
    }  # fmt: skip


def test_pictures_hold_pixels_and_nothing_else(study):
    room, who = study.room(), link(study)
    view, _ = opened(room, who)
    content = room.pixels(who, view.token)
    assert SURNAME.encode() not in content
    chunks, place = [], 8
    while place < len(content):
        length, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        chunks.append(kind)
        place += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
    grey = np.asarray(Image.open(io.BytesIO(content)))
    assert (grey.dtype, grey.shape) == (np.uint16, (ROWS, COLS))
    task = room.tasks("R1")[0]
    assert np.array_equal(grey // 257, np.asarray(Image.open(study.protocol.file(study.protocol.by_name[task.case]))))


def test_the_same_case_has_another_token_in_another_session_and_for_another_reader(tmp_path, clock):
    study = frozen(tmp_path, clock, mode="crossover")
    room, tokens = study.room(), []
    for reader in ("R1", "R2"):
        who = link(study, reader)
        while (view := room.view(who)).state != "finished":
            if view.state == "waiting":
                clock.forward(days=29)
                continue
            tokens.append(view.token)
            answer_one(room, who)
    assert len(set(tokens)) == len(tokens) == 32


def test_only_pixels_of_the_current_and_the_next_radiograph_are_open(study):
    room, who = study.room(), link(study)
    first = room.view(who)
    assert room.pixels(who, first.next_token)
    answer_one(room, who)
    answer_one(room, who)
    second = room.view(who)
    assert second.token == first.next_token
    with pytest.raises(ForbiddenError, match="not open to the reader now"):
        room.pixels(who, first.token)
    with pytest.raises(ForbiddenError, match="not open to the reader now"):
        room.aid(who, second.next_token)


def test_a_link_of_nobody_is_refused(study):
    with pytest.raises(NotSignedInError, match="belongs to no reader"):
        study.room().view("é" * 32)


def test_a_radiograph_that_was_replaced_after_the_freeze_is_not_shown(study):
    room, who = study.room(), link(study)
    task = room.tasks("R1")[0]
    study.protocol.file(study.protocol.by_name[task.case]).write_bytes(b"replaced")
    with pytest.raises(TamperedJournalError, match="a radiograph is not the file that was frozen"):
        room.pixels(who, room.view(who).token)


def test_a_missing_file_is_an_error_of_the_server_without_its_name(study):
    room, who = study.room(), link(study)
    study.protocol.file(study.protocol.by_name[room.tasks("R1")[0].case]).unlink()
    response = respond(room, Request("GET", f"cases/{room.view(who).token}/pixels", {"Authorization": f"Bearer {who}"}))
    assert response.status == 500
    assert SURNAME.encode() not in response.body


# Nothing lost, nothing doubled


def test_a_reader_goes_on_at_the_exact_case_and_mark_after_the_server_was_killed(tmp_path, clock):
    study = frozen(tmp_path, clock)
    room, who = study.room(), link(study)
    answer_one(room, who)
    view, base = opened(room, who)
    draft = {"rating": 35.0, "marks": [{"row": 4.5, "col": 7.5, "rating": 2.0, "region": None}]}
    receipt = room.save(who, entry(view, base, draft))
    # The server is gone without closing anything; another one opens the folder.
    again = open_study(tmp_path, clock)
    resumed = again.room().view(who)
    assert (resumed.token, resumed.step, resumed.base) == (view.token, view.step, receipt.number)
    assert resumed.answer["rating"] == 35.0
    assert resumed.answer["marks"] == draft["marks"]
    again.journal.close()
    study.journal.close()


def test_a_change_that_is_sent_again_because_its_receipt_was_lost_is_stored_once(study):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    saved = entry(view, base, {"rating": 10})
    first = room.save(who, saved)
    assert [room.save(who, saved) for _ in range(3)] == [first] * 3
    locked = entry(view, first.number)
    receipt = room.lock(who, locked)
    assert room.lock(who, locked) == receipt
    assert room.view(who).step == 1
    assert study.journal.head()[0] == receipt.number


def test_a_lock_that_is_sent_again_with_a_new_key_does_not_lock_the_next_answer(study):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    room.lock(who, entry(view, base))
    with pytest.raises(ConflictError, match="at another case"):
        room.lock(who, entry(view, base))
    assert room.view(who).step == 1


def test_two_windows_do_not_overwrite_each_other(study):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    room.save(who, entry(view, base, {"rating": 10}))
    with pytest.raises(ConflictError, match="changed in another window"):
        room.save(who, entry(view, base, {"rating": 90}))
    assert room.view(who).answer["rating"] == 10


def test_a_locked_answer_is_not_changed(study):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    receipt = room.lock(who, entry(view, base))
    for verb in (room.save, room.lock):
        with pytest.raises(ConflictError, match="at another case"):
            verb(who, entry(view, receipt.number, full(90)))
    with pytest.raises(ForbiddenError, match="does not allow going back"):
        room.correct(who, entry(view, receipt.number, full(90)))


def test_a_correction_is_a_new_revision(tmp_path, clock):
    study = frozen(tmp_path, clock, mode="concurrent", head={"going_back": True})
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    first = room.lock(who, entry(view, base, full(20)))
    answer_one(room, who)
    assert room.pixels(who, view.token)
    room.correct(who, entry(view, first.number, full(30)))
    stored = study.journal.answers("R1")[0]
    assert (stored.revision, stored.answer["rating"], stored.locked) == (2, 30, True)
    assert [event.body["answer"]["rating"] for event in study.journal.events("locked", "corrected")][::2] == [20, 30]
    with pytest.raises(ConflictError, match="changed in another window"):
        room.correct(who, entry(view, first.number, full(40)))
    study.journal.close()


def test_an_unaided_answer_is_not_corrected_after_its_aid_was_shown(tmp_path, clock):
    study = frozen(tmp_path, clock, head={"going_back": True})
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    receipt = room.lock(who, entry(view, base, full(20)))
    receipt = room.correct(who, entry(view, receipt.number, full(25)))
    opened(room, who)
    with pytest.raises(ForbiddenError, match="aid of this case was shown"):
        room.correct(who, entry(view, receipt.number, full(90)))
    study.journal.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"rating": 101}, "not on the scale"),
        ({"rating": 1.5}, "not on the scale"),
        ({"rating": float("inf")}, "not finite"),
        ({"rating": "60"}, "no valid answer"),
        ({"opinion": 1}, "no valid answer"),
        ({"marks": [{"row": ROWS + 1, "col": 1}]}, "outside of the radiograph"),
        ({"marks": [{"row": 1, "col": 1, "rating": 9}]}, "confidence 9"),
        ({"marks": [{"row": 1, "col": 1}], "no_marks": True}, "nothing to mark"),
        ({"marks": [{"row": 1, "col": 1}] * 101}, "at most 100"),
        ({"items": {"other": "x"}}, "does not ask"),
    ],
)
def test_an_answer_that_cannot_be_right_is_not_saved(study, answer, message):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    with pytest.raises(ReaderStudyError, match=message):
        room.save(who, entry(view, base, answer))
    assert room.view(who).base == base


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ({}, "rating, decision, marks"),
        ({"rating": 60, "decision": "positive"}, "marks"),
        ({"rating": 60, "decision": "positive", "marks": [{"row": 1, "col": 1}]}, "confidence of a mark"),
        ({"decision": "positive", "no_marks": True}, "rating"),
    ],
)
def test_an_answer_is_locked_when_it_is_complete_and_zero_marks_were_confirmed(study, answer, missing):
    room, who = study.room(), link(study)
    view, base = opened(room, who)
    room_base = room.save(who, entry(view, base, answer)).number
    with pytest.raises(ReaderStudyError, match=f"not complete: {missing}$"):
        room.lock(who, entry(view, room_base, answer))


def test_what_was_on_the_screen_is_in_the_trail(study):
    room, who = study.room(), link(study)
    answer_one(room, who)
    view, base = opened(room, who)
    screen = {"window_centre": 0.5, "window_width": 0.8, "inverted": True, "zoom": 2.0, "overlay_opacity": 0.4}
    room.lock(who, entry(view, base, screen=screen))
    unaided, aided = study.journal.answers("R1")
    assert "aid_sha256" not in unaided.screen
    assert {name: aided.screen[name] for name in screen} == screen
    assert aided.screen["bundle_sha256"] == "b" * 64
    assert aided.screen["threshold"] == 0.5
    task = room.tasks("R1")[1]
    assert aided.screen["aid_sha256"] == study.protocol.aid_of["aided", task.case].sha256


def test_practice_gives_feedback_after_its_last_answer_and_does_not_count(tmp_path, clock):
    study = frozen(tmp_path, clock, training=[case_name(1)])
    room, who = study.room(), link(study)
    view = room.view(who)
    assert (view.practice, view.assigned) == (True, 7)
    assert answer_one(room, who).feedback is None
    assert answer_one(room, who).feedback.diseased is True
    assert room.view(who).locked == 0
    assert answer_one(room, who).feedback is None
    study.journal.close()


# Washout


def crossover(tmp_path, clock, **options):
    study = frozen(tmp_path, clock, mode="crossover", **options)
    room, who = study.room(), link(study)
    answer_session(room, who, 1)
    return study, room, who


def test_the_washout_is_enforced_for_each_case(tmp_path, clock):
    study, room, who = crossover(tmp_path, clock)
    view = room.view(who)
    assert (view.state, view.session, view.token) == ("waiting", 2, "")
    task = room.tasks("R1")[8]
    locked = {one.task: one for one in study.journal.answers("R1")}
    first = next(one for one in room.tasks("R1") if one.case == task.case)
    assert view.waiting_until.startswith(f"2026-04-29T{locked[first.number].last_at[11:19]}")
    clock.forward(days=27)
    assert room.view(who).state == "waiting"
    clock.forward(days=1.1)
    assert room.view(who).state == "reading"
    study.journal.close()


def test_a_forged_request_does_not_shorten_the_washout(tmp_path, clock):
    study, room, who = crossover(tmp_path, clock)
    task = room.tasks("R1")[8]
    from_inside = case_token(study.key, "R1", task)
    with pytest.raises(ForbiddenError, match="after the washout"):
        room.open(who, from_inside, 0, key())
    with pytest.raises(ForbiddenError, match="after the washout"):
        room.pixels(who, from_inside)
    study.journal.close()


def test_a_washout_is_overridden_with_a_reason_that_is_in_the_trail(tmp_path, clock):
    study, room, who = crossover(tmp_path, clock)
    study.journal.record(OVERRIDE, "coordinator", key(), {"reader": "R1", "session": 2, "reason": "scanner week"})
    assert room.view(who).state == "reading"
    answer_session(room, who, 2)
    assert room.view(who).state == "finished"
    assert study.journal.events(OVERRIDE)[0].body["reason"] == "scanner week"
    other = link(study, "R2")
    answer_session(room, other, 1)
    assert room.view(other).state == "waiting"
    study.journal.close()


def test_a_clock_that_is_set_back_does_not_end_a_washout(tmp_path, clock):
    study, room, who = crossover(tmp_path, clock)
    clock.forward(days=-400)
    assert room.view(who).state == "waiting"
    study.journal.close()


def test_everything_that_was_done_verifies(tmp_path, clock):
    study, _, _ = crossover(tmp_path, clock)
    study.journal.close()
    assert verify(tmp_path)[0] == 1 + 2 * 8
    protocol = study.folder / "protocol.json"
    protocol.write_text(protocol.read_text().replace('"seed": 7', '"seed": 8'))
    with pytest.raises(TamperedJournalError, match=r"protocol.json was changed"):
        verify(tmp_path)
    with pytest.raises(TamperedJournalError, match=r"protocol.json was changed"):
        open_study(tmp_path)
