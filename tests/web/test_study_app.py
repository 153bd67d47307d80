"""The server of a study: guard, pages, both interfaces, refused starts; without a browser."""

import gzip
import http.client
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pneumoscope.reader_study.coordinator_interface import coordinator_link
from pneumoscope.reader_study.folder import open_study
from pneumoscope.web.study import links, study_app
from pneumoscope.web.study.app import COORDINATOR, READERS
from tests.cli.run import run
from tests.reader_study.study_files import SURNAME, Clock, frozen, key, link
from tests.web.study_server import StudyServer

STATIC = Path(study_app.__code__.co_filename).parents[1] / "static" / "study"


@pytest.fixture
def study(tmp_path):
    study = frozen(tmp_path, Clock())
    yield study
    study.journal.close()


@pytest.fixture
def client(study):
    with TestClient(study_app(study, ("study.example",)), base_url="http://127.0.0.1") as client:
        yield client


def own(who):
    return {"Authorization": f"Bearer {who}"}


def view(client, who):
    return client.get(f"{READERS}/view", headers=own(who)).json()


def test_the_pages_are_served_with_the_headers_of_the_viewer(client):
    for path, page in (("/", "index.html"), ("/coordinator", "coordinator.html")):
        answer = client.get(path)
        assert (answer.status_code, answer.url.path) == (200, f"/static/study/{page}")
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_pages_hold_no_inline_script_or_style_and_no_other_host():
    for page in STATIC.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)|https?://", text), page.name


def test_scripts_write_text_only_as_text():
    for script in STATIC.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), script.name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),  # a name that was made to lead to this machine (DNS rebinding)
        ({"Host": "study.example"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://127.0.0.1"}, 200),
    ],
)
def test_another_name_or_another_origin_is_refused_even_with_a_link(client, study, headers, status):
    answer = client.get(f"{READERS}/view", headers={**own(link(study)), **headers})
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_link_no_answer(client):
    for path in (f"{READERS}/view", f"{READERS}/nothing", f"{COORDINATOR}/overview"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=own("0" * 32)).status_code == 401


def test_a_forged_request_for_the_aid_is_403_until_the_unaided_answer_is_locked(client, study):
    who = link(study)
    now = view(client, who)
    case = f"{READERS}/cases/{now['token']}"
    assert client.get(f"{case}/aid", headers=own(who)).status_code == 403
    opened = client.post(f"{case}/open", headers=own(who), json={"step": 0, "key": key()}).json()
    assert client.get(f"{case}/aid", headers=own(who)).status_code == 403
    answer = {"rating": 60, "decision": "positive", "no_marks": True}
    body = {"step": 0, "key": key(), "base": opened["number"], "answer": answer}
    assert client.post(f"{case}/open", headers=own(who), json={"step": 1, "key": key()}).status_code == 409
    assert client.get(f"{case}/aid", headers=own(who)).status_code == 403
    assert client.post(f"{case}/lock", headers=own(who), json=body).status_code == 200
    assert client.get(f"{case}/aid", headers=own(who)).status_code == 403
    assert client.post(f"{case}/open", headers=own(who), json={"step": 1, "key": key()}).status_code == 200
    assert client.get(f"{case}/aid", headers=own(who)).content.startswith(b"\x89PNG")
    assert client.get(f"{case}/aid", headers=own(link(study, "R2"))).status_code == 403


def test_the_film_comes_compressed_and_without_the_name_in_its_file(client, study):
    who = link(study)
    with client.stream("GET", f"{READERS}/cases/{view(client, who)['token']}/film", headers=own(who)) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        content = b"".join(answer.iter_raw())
    assert SURNAME.encode() not in gzip.decompress(content)


def test_a_body_that_is_too_long_is_refused(client, study):
    content = b" " * 1_000_001
    assert client.post(f"{READERS}/cases/x/save", headers=own(link(study)), content=content).status_code == 413
    assert client.post(f"{COORDINATOR}/unblind", headers=own(coordinator_link(study.key)), content=content).status_code == 413


def test_the_coordinator_sees_progress_as_the_reader_does(client, study):
    found = client.get(f"{COORDINATOR}/overview", headers=own(coordinator_link(study.key))).json()
    for reader in found["readers"]:
        seen = view(client, link(study, reader["name"]))
        assert (reader["locked"], reader["assigned"]) == (seen["locked"], seen["assigned"])
    assert client.get(f"{COORDINATOR}/overview", headers=own(link(study))).status_code == 401


def test_every_reader_gets_an_own_link(study):
    found = links(study, "https://study.example")
    assert found.readers == {name: f"https://study.example/#link={link(study, name)}" for name in ("R1", "R2")}
    assert found.coordinator == f"https://study.example/coordinator#link={coordinator_link(study.key)}"
    assert len({*found.readers.values(), found.coordinator}) == 3


def test_a_study_whose_journal_was_tampered_with_is_not_served(study, tmp_path):
    study.journal.close()
    with closing(sqlite3.connect(tmp_path / "study" / "journal.sqlite")) as connection:
        connection.execute("DROP TRIGGER events_are_not_changed")
        connection.execute("UPDATE events SET at = '2020-01-01T00:00:00.000000+00:00'")
        connection.commit()
    ran = run("study", "serve", tmp_path, "--port", 0)
    assert (ran.code, "event 1 of the journal is not what was written" in ran.err) == (2, True)


def test_a_study_that_is_not_frozen_is_not_served(tmp_path):
    ran = run("study", "serve", tmp_path)
    assert (ran.code, "launch it" in ran.err) == (2, True)


def test_other_machines_are_warned_of_and_a_port_in_use_is_an_error_in_one_sentence(study, tmp_path):
    with StudyServer(tmp_path, "--host", "0.0.0.0", "--name", "study.example") as server:
        assert server.links["R1"].startswith("https://study.example/#link=")
        assert server.process.stdout.readline().startswith("warning: other machines can connect, and the connection is not encr")
        ran = run("study", "serve", tmp_path, "--port", server.port)
        assert (ran.code, f"cannot listen on 127.0.0.1, port {server.port}" in ran.err) == (2, True)


def test_the_process_serves_on_this_machine_alone_and_a_kill_loses_nothing(study, tmp_path):
    study.journal.close()
    with StudyServer(tmp_path) as server:
        assert set(server.links) == {"R1", "R2", "coordinator"}
        assert server.links["R1"].startswith("http://127.0.0.1:")
        who = server.links["R1"].partition("#link=")[2]
        now = asked(server, "GET", "view", who)
        opened = asked(server, "POST", f"cases/{now['token']}/open", who, {"step": 0, "key": "a"})
        body = {"step": 0, "key": "b", "base": opened["number"], "answer": {"rating": 35}}
        saved = asked(server, "POST", f"cases/{now['token']}/save", who, body)
        server.kill()
        server.start()
        assert asked(server, "POST", f"cases/{now['token']}/save", who, body) == saved  # the receipt was lost: the same one again
        again = asked(server, "GET", "view", who)
        assert (again["token"], again["base"], again["answer"]["rating"]) == (now["token"], saved["number"], 35)
        assert len(server.events("saved")) == 1
    with closing(open_study(tmp_path).journal) as journal:
        assert journal.head() == (saved["number"], saved["sha256"])


def asked(server, method, path, who, body=None):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request(method, f"{READERS}/{path}", json.dumps(body) if body else None, own(who))
        response = connection.getresponse()
        assert response.status == 200
        return json.loads(response.read())
