"""Blinding by raw HTTP: every address of both interfaces, with every kind of token, in every state of a case."""

import re
from contextlib import closing

import pytest

from pneumoscope.reader_study import coordinator_interface, interface
from pneumoscope.reader_study.coordinator_interface import coordinator_link
from pneumoscope.reader_study.visible import case_token
from pneumoscope.web.study.app import COORDINATOR, READERS
from tests.reader_study.study_files import HOSPITAL, SURNAME, Clock, case_name, frozen, full, key
from tests.web.study_http import Client, coordinator, reader, serving

_ADDRESS = re.compile(r"``(GET|POST) ([a-z-]+)(?:/TOKEN/([a-z]+))?``")
OF_CASES = {(method, what) for method, path, what in _ADDRESS.findall(interface.__doc__) if path == "cases"}
OF_CASES |= {("POST", "correct")}  # stands on the line of `lock`
OF_READERS = {(method, path) for method, path, what in _ADDRESS.findall(interface.__doc__) if path != "cases"}
OF_COORDINATOR = {(method, path) for method, path, _ in _ADDRESS.findall(coordinator_interface.__doc__)}


@pytest.fixture(autouse=True)
def _not_flushed(monkeypatch):
    monkeypatch.setattr("pneumoscope.reader_study.journal.SYNCHRONOUS", "OFF")


@pytest.fixture
def study(tmp_path):
    study = frozen(tmp_path, Clock(), training=[case_name(0)], n_cases=9)
    with closing(study.journal):
        yield study


@pytest.fixture
def port(study):
    with serving(study) as port:
        yield port


def test_the_tables_of_the_documentation_name_every_address():
    assert {
        ("GET", "film"), ("GET", "pixels"), ("GET", "aid"),
        ("POST", "open"), ("POST", "save"), ("POST", "lock"), ("POST", "correct"),
    } == OF_CASES  # fmt: skip
    assert {("GET", "view"), ("GET", "earlier"), ("POST", "display-check")} == OF_READERS
    assert {("GET", "overview"), ("GET", "integrity"), ("POST", "unblind"), ("GET", "trail"), ("GET", "export")} == OF_COORDINATOR


@pytest.mark.parametrize("who", ["", "0" * 32, "of the other"])
def test_without_the_own_link_no_address_answers(study, port, who):
    links = {READERS: coordinator_link(study.key), COORDINATOR: reader(port, study).who}
    own = reader(port, study).view()
    paths = {READERS: OF_READERS | {(m, f"cases/{own['token']}/{what}") for m, what in OF_CASES}, COORDINATOR: OF_COORDINATOR}
    before = study.journal.head()
    for prefix, addresses in paths.items():
        client = Client(port, links[prefix] if who == "of the other" else who, prefix)
        for method, path in sorted(addresses):
            body = {"step": 0, "key": key(), "reason": "a forged one"} if method == "POST" else None
            assert client.ask(method, path, valid(path, body)).status == 401, path
    assert study.journal.head() == before


def valid(path, body):
    """The body that the address takes."""
    if body is None:
        return None
    fields = {"open": ("step", "key"), "unblind": ("reason", "key")}.get(path.rpartition("/")[2])
    if fields:
        return {name: body[name] for name in fields}
    if path == "display-check":
        return {"key": body["key"], "check": {}}
    return {"step": body["step"], "key": body["key"], "base": 0, "answer": full()}


def tokens(study, client, name="R1"):
    """Tokens by what they are to the reader now."""
    view, room = client.view(), study.room()
    mine, of_other = ([case_token(study.key, one, task) for task in room.tasks(one)] for one in (name, "R2"))
    later = [token for token in dict.fromkeys(mine) if token not in (view["token"], view["next_token"])]
    return {
        "current": view["token"], "next": view["next_token"], "later": later[-1], "of another reader": of_other[0],
        "of nobody": "f" * 32, "no token": "../../secret.key",
    }  # fmt: skip


def statuses(client, tokens, what, method="GET", step=0, **body):
    found = {}
    for name, token in tokens.items():
        sent = {"step": step, "key": key(), **body} if method == "POST" else None
        found[name] = client.ask(method, f"cases/{token}/{what}", sent).status
    return found


REFUSED = {"later": 403, "of another reader": 403, "of nobody": 403, "no token": 404}


def test_pixels_are_open_of_this_radiograph_and_the_next_alone(study, port):
    client = reader(port, study)
    named = tokens(study, client)
    for what in ("film", "pixels"):
        assert statuses(client, named, what) == {"current": 200, "next": 200, **REFUSED}


def test_the_aid_is_403_for_every_token_until_the_unaided_answer_is_locked_and_the_case_is_opened_again(study, port):
    client = reader(port, study)
    closed = {"current": 403, "next": 403, **REFUSED}
    named, view = tokens(study, client), client.view()
    assert statuses(client, named, "aid") == closed
    base = client.opened(view)
    assert statuses(client, named, "aid") == closed
    saved = client.post(view, "save", base=base, answer={"rating": 50})
    assert statuses(client, named, "aid") == closed
    client.lock(view, saved.json["number"])
    assert statuses(client, named, "aid") == closed
    client.opened(client.view())
    assert statuses(client, named, "aid") == {**closed, "current": 200}
    assert statuses(reader(port, study, "R2"), named, "aid") == {**closed, "of another reader": 403}


def test_nothing_but_the_current_case_is_changed(study, port):
    client = reader(port, study)
    named, view = tokens(study, client), client.view()
    base, before = client.opened(view), study.journal.head()
    elsewhere = {name: token for name, token in named.items() if name != "current"}
    conflict = {**REFUSED, "next": 409, "later": 409}
    assert statuses(client, elsewhere, "open", "POST") == conflict
    for action in ("save", "lock"):
        assert statuses(client, elsewhere, action, "POST", base=base, answer=full()) == conflict
        assert statuses(client, named, action, "POST", step=1, base=base, answer=full())["current"] == 409
    assert statuses(client, named, "correct", "POST", base=base, answer=full()) == {
        "current": 403, **REFUSED, "next": 403, "later": 403
    }  # fmt: skip
    assert study.journal.head() == before


def test_no_answer_on_the_wire_holds_anything_but_pixels_and_tokens(study, port):
    """A reader reads everything, another one is half way; headers, JSON, pictures and errors are searched."""
    other = reader(port, study, "R2")
    for rating in (83, 84):
        view = other.view()
        other.lock(view, other.opened(view), rating)
    client = reader(port, study)
    while (view := client.view())["state"] == "reading":
        for what in ("film", "pixels", "aid"):
            client.case(view, what)
        base = client.opened(view)
        for what in ("film", "pixels", "aid"):
            client.case(view, what)
        client.get("earlier")
        client.get("cases/nobody/aid")
        client.post(view, "save", base=0, answer={"rating": 1000})
        client.lock(view, base, 20 if view["step"] else 40)
    client.get("view")
    assert len(client.answers) > 150
    text = "\n".join(answer.readable for answer in client.answers)
    hidden = [SURNAME, HOSPITAL, "NORMAL", "patient0", "heat map", "unaided"]
    hidden += [case.sha256[:16] for case in study.protocol.cases] + [study.key.hex()[:16], study.key[:8].decode("latin-1")]
    assert [word for word in hidden if word in text] == []
    words = "\n".join(answer.body.decode() for answer in client.answers if "json" in answer.headers["content-type"])
    short = ["R1", "R2", "bbbb", ".png", "2026"]  # which the bytes of a compressed picture may hold by chance
    assert [word for word in short if word in words] == []
    assert not re.search(r'"rating":\s*8[34]\b', words)  # the answers of the other reader
    feedback = [answer for answer in client.answers if b'"diseased"' in answer.body]
    assert len(feedback) == 1  # of the one case for practice
    assert all(answer.headers["cache-control"] == "no-store" for answer in client.answers)


def test_the_coordinators_answers_hold_no_rating_before_the_end(study, port):
    client = reader(port, study)
    view = client.view()
    client.lock(view, client.opened(view), 73)
    client.lock(view := client.view(), client.opened(view), 74)
    view = client.view()
    base = client.opened(view)
    undo = {"kept": 1, "added": [{"rating": 77}], "place": 1}
    assert client.post(view, "save", base=base, answer={"rating": 77}, undo=undo).status == 200
    other = coordinator(port, coordinator_link(study.key))
    seen = [other.get(path) for method, path in sorted(OF_COORDINATOR) if method == "GET"]
    assert [answer.status for answer in seen] == [403, 200, 200, 200]  # export, integrity, overview, trail
    text = "\n".join(re.sub(r"[0-9a-f]{64}", "", answer.body.decode()) for answer in seen)
    assert not re.search(r"\b7[347](\.0)?\b", text.partition('"frozen"')[2])
