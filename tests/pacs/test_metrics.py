"""Metrics for Prometheus: read back by its own parser, counted by hand, and without an identifier."""

import json
import re
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pneumoscope.pacs.errors import LedgerBusyError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger import search as ledger_search
from pneumoscope.pacs.metrics import CONTENT_TYPE, NodeMetrics, exposition
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.receive import process
from pneumoscope.pacs.receive.metrics_page import MetricsPage
from tests.free_port import free_port
from tests.pacs.builders import READING, arrival, read_with, result
from tests.pacs.node_parts import image, node, receive, worker
from tests.radiograph.builders import PATIENT

SALT = "0123456789abcdef"
TOKEN = "t" * 20
IN_WEEK_5 = datetime(2026, 1, 28, tzinfo=UTC).timestamp()
DAY = 86400.0
MODEL = {"model": "default", "bundle": "m" * 12}


@pytest.fixture
def metrics(ledger, clock):
    clock.now = IN_WEEK_5
    return NodeMetrics(ledger, ReadingTotals(ledger, SALT))


def samples(metrics):
    """The value of each sample by its name and labels, as the parser of Prometheus reads them."""
    families = text_string_to_metric_families(exposition(metrics).decode())
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def of(parsed, name, **labels):
    return parsed[(f"pneumoscope_node_{name}", *sorted(labels.items()))]


def read(ledger, number, probability, *, sender="CR1", abstains=False, inside=True, to=()):
    """An image that was read."""
    ledger.record_instance(arrival(number, sender=sender))
    domain = None if inside is None else {"inside": inside, "distance": 1.0, "limit": 2.0, "reason": None}
    line = {"schema": 5, "path": "x", "probability": probability, "abstains": abstains, "domain": domain}
    made = replace(READING, line=json.dumps(line | {"model": {"name": "default", "sha256": "m" * 64}}))
    ledger.record_readings(ledger.claim_instance("work", 60), [read_with(result(number), to=to, reading=made)])


def test_an_empty_node_has_all_states_and_no_age(metrics):
    parsed = samples(metrics)
    assert {of(parsed, "images", state=state) for state in ("received", "working", "read", "failed", "conflict")} == {0}
    assert {of(parsed, "deliveries", state=state) for state in ("waiting", "sending", "sent", "dead")} == {0}
    assert of(parsed, "oldest_image_age_seconds") == of(parsed, "oldest_delivery_age_seconds") == 0


def test_queues_ages_and_failures_are_those_of_the_ledger(metrics, ledger, clock):
    for number in (1, 2):
        read(ledger, number, 0.5, to=("pacs",))
    ledger.finish_delivery(ledger.claim_delivery("send", 60), "dead", "refused")
    ledger.record_instance(arrival(3))
    ledger.finish_instance(ledger.claim_instance("work", 60), "failed", "no frontal view")
    clock.now += 10
    ledger.record_instance(arrival(4))
    ledger.beat("work", 77)
    clock.now += 5
    parsed = samples(metrics)
    assert [of(parsed, "images", state=state) for state in ("received", "read", "failed")] == [1, 2, 1]
    assert [of(parsed, "deliveries", state=state) for state in ("waiting", "dead")] == [1, 1]
    assert (of(parsed, "oldest_image_age_seconds"), of(parsed, "oldest_delivery_age_seconds")) == (5, 15)
    assert of(parsed, "heartbeat_age_seconds", process="work") == 5


def test_scores_and_abstentions_are_counted_by_model(metrics, ledger):
    for number, probability in enumerate((0.0, 0.1, 0.11, 0.95, 1.0), 1):
        read(ledger, number, probability, abstains=probability == 0.11)
    parsed = samples(metrics)
    buckets = [of(parsed, "score_bucket", le=bound, **MODEL) for bound in ("0.1", "0.2", "0.9", "1.0", "+Inf")]
    assert buckets == [2, 3, 3, 5, 5]
    assert (of(parsed, "score_count", **MODEL), of(parsed, "score_sum", **MODEL)) == (5, pytest.approx(2.16))
    assert of(parsed, "abstentions_total", **MODEL) == 1


def test_the_domain_is_counted_by_device_and_week(metrics, ledger, clock):
    read(ledger, 1, 0.5, inside=False)
    read(ledger, 2, 0.5)
    read(ledger, 3, 0.5, inside=None)
    read(ledger, 4, 0.5, sender="CR2", inside=False, abstains=True)
    clock.now += 7 * DAY
    read(ledger, 5, 0.5, inside=False)
    parsed = samples(metrics)

    def row(device, week):
        labels = MODEL | {"device": pseudonym(SALT, device), "week": week}
        return [of(parsed, f"week_{name}", **labels) for name in ("readings", "checked", "outside", "abstentions")]

    assert row("CR1", "2026-W05") == [3, 2, 1, 0]
    assert row("CR2", "2026-W05") == [1, 1, 1, 1]
    assert row("CR1", "2026-W06") == [1, 1, 1, 0]


def test_a_reading_is_counted_once_and_weeks_that_are_over_go(metrics, ledger, clock, monkeypatch):
    read(ledger, 1, 0.5)
    assert samples(metrics) == samples(metrics)
    read(ledger, 2, 0.5)
    assert of(samples(metrics), "score_count", **MODEL) == 2
    clock.now += 7 * 7 * DAY
    assert any("2026-W05" in str(key) for key in samples(metrics))
    clock.now += 7 * DAY
    assert not any("2026-W05" in str(key) for key in samples(metrics))
    assert of(samples(metrics), "score_count", **MODEL) == 2


def test_many_pages_and_a_row_that_appears_late_are_counted(metrics, ledger, monkeypatch):
    """PostgreSQL may show a row after one with a higher number."""
    monkeypatch.setattr("pneumoscope.pacs.reading_totals._PAGE", 2)
    for number in range(1, 6):
        read(ledger, number, 0.5)
    whole = ledger_search.readings_after

    def without_the_third(*arguments):
        return [one for one in whole(*arguments) if one.id != 3]

    with monkeypatch.context() as patched:
        patched.setattr("pneumoscope.pacs.reading_totals.readings_after", without_the_third)
        assert of(samples(metrics), "score_count", **MODEL) == 4
    assert of(samples(metrics), "score_count", **MODEL) == 5


def test_a_real_reading_is_counted_and_nobody_is_named(tmp_path, ledger, clock):
    site = node(tmp_path)
    receive(site, ledger, image(), 1, sender="CR-ROOM-7")
    assert worker(site, ledger).step("work")
    shown = exposition(NodeMetrics(ledger, ReadingTotals(ledger, site.salt))).decode()
    assert 'pneumoscope_node_score_bucket{bundle="abababababab",le="0.9",model="lungs"} 1.0' in shown
    instance, delivery = ledger.instances()[0], ledger.deliveries()[0]
    uids = instance.sop_instance_uid, instance.study_uid, instance.sha256, delivery.sop_instance_uid
    named = (*PATIENT.values(), "Jane", "CR-ROOM-7", site.salt, "pacs", *uids, "1.2.3.", "2.25.")
    assert not [name for name in named if name in shown]


@pytest.fixture
def client(metrics):
    return TestClient(Starlette(routes=MetricsPage(metrics, TOKEN).routes()))


def test_the_page_asks_for_the_token(client):
    assert client.get("/metrics").status_code == 401
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    assert "pneumoscope_node_images" in answer.text


def test_a_ledger_that_cannot_be_read_is_answered_503(client, monkeypatch):
    def busy(_):
        raise LedgerBusyError("the database is locked")

    monkeypatch.setattr(Ledger, "counts", busy)
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.text) == (503, "the database is locked\n")


def test_the_receiving_process_serves_the_page_beside_stow(tmp_path):
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    port, stop = free_port(), threading.Event()
    site = node(tmp_path, f'[receive]\nport = 0\nstow_port = {port}\nstow_token_file = "token"\n')
    receiving = threading.Thread(target=process.serve, args=(site, stop))
    receiving.start()
    try:
        answer = until_answered(f"http://127.0.0.1:{port}/metrics", receiving)
        refused = httpx2.get(f"http://127.0.0.1:{port}/metrics")
        stow = httpx2.post(f"http://127.0.0.1:{port}/studies")
    finally:
        stop.set()
        receiving.join()
    assert (answer.status_code, refused.status_code, stow.status_code) == (200, 401, 401)
    assert 'pneumoscope_node_images{state="received"} 0.0' in answer.text


def until_answered(url, receiving):
    while receiving.is_alive():
        try:
            return httpx2.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        except httpx2.ConnectError:
            time.sleep(0.05)
    return pytest.fail("the process has ended")


def test_the_documentation_and_its_alerts_name_metrics_that_exist(metrics, ledger):
    read(ledger, 1, 0.5)
    ledger.beat("work", 77)
    there = {key[0] for key in samples(metrics)}
    there |= {family.name for family in text_string_to_metric_families(exposition(metrics).decode())}
    page = (Path(__file__).resolve().parents[2] / "docs" / "pacs.md").read_text(encoding="utf-8")
    named = set(re.findall(r"pneumoscope_node_[a-z_]+", page))
    assert len(named) > 8
    assert named <= there
