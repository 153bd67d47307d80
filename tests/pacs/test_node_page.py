"""The page of the node: who sees it, what it says, and that it names nobody."""

import base64
import json
import re
import threading
from dataclasses import replace
from html.parser import HTMLParser

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pneumoscope import DISCLAIMER
from pneumoscope.pacs.errors import LedgerBusyError, SpoolError
from pneumoscope.pacs.ledger import Counts, Ledger
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.page.disk import Disk
from pneumoscope.pacs.page.node_page import NodePage, page
from pneumoscope.pacs.page.reports import last_reports
from pneumoscope.pacs.page.view import view
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.receive import process
from pneumoscope.pacs.reconcile import REPORTS
from pneumoscope.pacs.spool import Level
from tests.free_port import free_port
from tests.pacs.builders import arrival
from tests.pacs.node_parts import BASE, image, node, receive, worker
from tests.pacs.node_site import DAY, NOW, SECRETS, SENDERS, fill, site
from tests.pacs.test_metrics import until_answered
from tests.radiograph.builders import PATIENT

TOKEN = "t" * 20


class Texts(HTMLParser):
    """The texts and the elements of a page."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.tags, self.attributes = [], set(), set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.texts.append(data)

    def __str__(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite", clock=lambda: NOW) as ledger:
        yield ledger


@pytest.fixture
def made(tmp_path, ledger):
    """A node with readings, dead letters, a report and drift."""
    config = site(tmp_path)
    config.spool_folder.mkdir()
    fill(config, ledger)
    return config


def shown(config, ledger):
    return view(config, ledger, ReadingTotals(ledger, config.salt))


def text_of(config, ledger):
    return str(Texts(page(shown(config, ledger))))


def test_the_page_says_what_the_node_did_and_what_waits(made, ledger):
    text = text_of(made, ledger)
    for said in (
        "Live: results are sent.",
        "receive runs, process 4711",
        "read 1,260",
        "The oldest result that is not sent has waited 1.0 min.",
        "pacs 2 0 30 0 4 0 4 × the destination answers 0xA900 (data set does not match)",
        "Searched up to 2026-03-04.",
        "212 images in the PACS, 2 failed, 3 missing, 201 read, 6 skipped. 3 had not arrived and were to be fetched.",
        "40 with an earlier Study Date, of which 4 had not arrived.",
        "6 skipped: lateral views are not read",
        "lungs default sent",
        DISCLAIMER,
    ):
        assert said in text
    assert re.search(r"quota 50\.0 GiB", text)


def test_readings_are_shown_by_device_and_week_with_the_drift(made, ledger):
    text = text_of(made, ledger)
    device = pseudonym(made.salt, SENDERS[0])
    assert f"Device {device} , model lungs d5d5d5d5d5d5" in text
    assert "Reference 480" in text
    assert "2026-W04 to 2026-W07" in text
    assert re.search(r"2026-W10 120 0\.\d{3} \d+\.\d % \d+\.\d % alert 0\.\d\d \(0\.\d\d to 0\.\d\d\)", text)
    assert f"Drift of device {device} (lungs) in week 2026-W10: distance of the scores" in text
    assert text.count("alert") == 2, "in the legend and in one row"
    assert page(shown(made, ledger)).count('aria-label="share of scores by tenths') == 16


def test_the_page_names_nobody(made, ledger, tmp_path):
    html = page(shown(made, ledger))
    assert not [secret for secret in (*SECRETS, str(tmp_path)) if secret in html]


def test_the_page_of_real_readings_names_nobody(tmp_path, ledger):
    config = node(tmp_path)
    receive(config, ledger, image(DeviceSerialNumber="SN-4711", Manufacturer="Maker"), 1, sender="CR-ROOM-7")
    assert worker(config, ledger).step("work")
    html = page(shown(config, ledger))
    stored = ledger.instances()[0]
    named = (*PATIENT.values(), "Jane", "CR-ROOM-7", "4711", "Maker", config.salt, stored.sop_instance_uid, stored.study_uid)
    assert not [name for name in named if name in html]
    assert stored.device in html


def test_texts_are_escaped_and_nothing_runs(made, ledger):
    ledger.record_instance(arrival(9000))
    ledger.set_watermark("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    parsed = Texts(page(shown(made, ledger)))
    assert "<script>alert(1)</script>" in str(parsed)
    assert not parsed.tags & {"script", "img", "iframe", "style", "form", "object"}
    assert not [name for name in parsed.attributes if name.startswith("on") or name == "style"]


def test_an_empty_node_has_a_page(tmp_path, ledger):
    config = node(tmp_path)
    config.spool_folder.mkdir()
    text = text_of(config, ledger)
    for said in ("No image has arrived yet.", "Nothing has been read yet.", "No service is polled", "receive never ran"):
        assert said in text
    assert "The process receive does not run: never ran." in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("shadow = true", "Shadow mode: everything is read and kept, and nothing is sent. "),
        (
            '[[models]]\nname = "new"\nshadow = true',
            "Live, except for the models in shadow: their readings are kept and not sent. ",
        ),
    ],
)
def test_the_mode_is_said(tmp_path, ledger, more, said):
    config = node(tmp_path, base=more + "\n" + BASE) if more.startswith("shadow") else node(tmp_path, more)
    config.spool_folder.mkdir()
    assert said in text_of(config, ledger)
    assert "kept (shadow)" in text_of(config, ledger)


# What needs attention.


@pytest.fixture
def well(tmp_path, ledger):
    """A node of which nothing needs attention."""
    config = site(tmp_path)
    config.spool_folder.mkdir()
    for name in ("receive", "work", "send"):
        ledger.beat(name, 1)
    return shown(config, ledger)


def test_a_node_that_is_well_needs_no_attention(well):
    assert well.attention() == []
    assert "Nothing." in str(Texts(page(well)))


def test_what_needs_attention_is_said(well):
    disk = Disk(1, 2, 3, 4, Level.FULL)
    counts = Counts({"failed": 2, "conflict": 1}, {}, NOW - 1000, NOW - 4000)
    said = replace(well, disk=disk, counts=counts).attention()
    assert said == [
        "The spool is full: images are refused until there is room.",
        "An image waits to be read for 16.7 min.",
        "A result waits to be sent for 1.1 h.",
        "2 images could not be read: pneumoscope node list images --state failed",
        "1 images have the SOP Instance UID of another content: pneumoscope node list images --state conflict",
    ]
    assert replace(well, disk=replace(disk, level=Level.HIGH)).attention()[0].startswith("The spool is nearly full")
    short = replace(well, counts=Counts({}, {}, NOW - 800, NOW - 3000))
    assert short.attention() == []


def test_results_for_a_destination_that_is_gone_and_an_old_report_need_attention(made, ledger):
    later = replace(shown(made, ledger), now=NOW + 3 * DAY)
    assert "The last report about 'archive' is 3.4 d old." in later.attention()
    gone = replace(made, destinations=(), shadow=True)
    assert "2 results wait for 'pacs', which the configuration does not name." in shown(gone, ledger).attention()


def test_a_notification_is_a_destination_of_the_configuration(made, ledger):
    told = Notification("ris", "hl7", host="127.0.0.1", port=2575)
    rows = {row.name: row.is_configured for row in shown(replace(made, notifications=(told,)), ledger).destinations}
    assert rows == {"pacs": True, "ris": True}


def test_a_silent_process_is_said(made, ledger):
    with Ledger.open(made.ledger_url, clock=lambda: NOW + 120) as later:
        assert "The process work does not run: silent for 2.0 min." in shown(made, later).attention()


def test_a_stopped_process_is_said_at_once(made, ledger):
    ledger.end_beat("work", next(beat.pid for beat in ledger.heartbeats() if beat.process == "work"))
    assert "The process work does not run: stopped 0 s ago." in shown(made, ledger).attention()


def test_the_newest_report_counts_and_one_that_cannot_be_read_does_not(made):
    folder = made.spool_folder / REPORTS
    (folder / "reconcile-archive-2026-03-05.json").write_text("{", encoding="utf-8")
    old = {"source": "old", "first_study_date": "a", "last_study_date": "b", "in_pacs": 1, "states": {}}
    (folder / "reconcile-old-2025-01-01.json").write_text(json.dumps(old), encoding="utf-8")
    reports = last_reports(made.spool_folder)
    assert {name: (one.in_pacs, one.missing) for name, one in reports.items()} == {"archive": (212, 3), "old": (1, 0)}


# Over HTTP.


@pytest.fixture
def client(made, ledger):
    routes = NodePage(made, ledger, ReadingTotals(ledger, made.salt), TOKEN).routes()
    return TestClient(Starlette(routes=routes))


def basic(password, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_browser_is_asked_for_the_token_as_the_password(client):
    refused = client.get("/")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert "1,260" not in refused.text
    for header in (basic(TOKEN), basic(TOKEN, ""), {"Authorization": f"Bearer {TOKEN}"}):
        answer = client.get("/", headers=header)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "1,260" in answer.text


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic dGVzdA==", "Bearer", "Digest x"])
def test_what_is_no_password_is_refused(client, header):
    assert client.get("/", headers={"Authorization": header}).status_code == 401
    assert client.get("/", headers=basic("wrong")).status_code == 401
    assert client.get("/", headers=basic("")).status_code == 401


def test_where_certificates_identify_clients_no_token_is_asked_for(made, ledger):
    routes = NodePage(made, ledger, ReadingTotals(ledger, made.salt)).routes()
    assert TestClient(Starlette(routes=routes)).get("/").status_code == 200


def test_the_page_may_load_its_own_files_alone_and_is_not_kept(client):
    answer = client.get("/", headers=basic(TOKEN))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; script-src 'none';")
    assert answer.headers["cache-control"] == "no-store"
    named = re.findall(r'(?:href|src)="([^"]+)"', answer.text)
    assert sorted(set(named)) == ["/", "/page/favicon.svg", "/page/page.css", "/page/theme.css"]
    for name in named[:3]:
        assert client.get(name).status_code == 200
    assert client.get("/page/theme.css").headers["content-type"].startswith("text/css")
    assert client.get("/page/node.html").status_code == client.get("/page/..%2fview.py").status_code == 404


def test_a_ledger_or_a_spool_that_cannot_be_read_is_one_sentence(client, monkeypatch):
    for error in (LedgerBusyError("the database is locked"), SpoolError("the spool is gone")):

        def fail(*_, raised=error):
            raise raised

        monkeypatch.setattr("pneumoscope.pacs.page.node_page.view", fail)
        answer = client.get("/", headers=basic(TOKEN))
        assert (answer.status_code, answer.text) == (503, f"{error}\n")


def test_the_receiving_process_serves_the_page_beside_stow(tmp_path):
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    port, stop = free_port(), threading.Event()
    config = node(tmp_path, f'[receive]\nport = 0\nstow_port = {port}\nstow_token_file = "token"\n')
    receiving = threading.Thread(target=process.serve, args=(config, stop))
    receiving.start()
    try:
        until_answered(f"http://127.0.0.1:{port}/metrics", receiving)
        answer = httpx2.get(f"http://127.0.0.1:{port}/", auth=("x", TOKEN), timeout=60)
        stow = httpx2.post(f"http://127.0.0.1:{port}/studies", auth=("x", TOKEN), timeout=60)
    finally:
        stop.set()
        receiving.join()
    assert (answer.status_code, stow.status_code) == (200, 401), "a password opens the page, and not the door for images"
    assert "Needs attention" in answer.text
