"""A node with readings of several weeks, dead letters, a report and drift, for what looks at its page."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import insert

from pneumoscope.pacs.ledger.tables import deliveries, instances, readings, results
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.reconcile import REPORTS
from tests.pacs.builders import arrival, result
from tests.pacs.node_parts import node

SENDERS = ("XRAY-ROOM-7", "MOBILE-2")
SECRETS = (*SENDERS, "0123456789abcdef", "1.2.3.", "2.25.", "Roe", "geheim")
DAY = 86400.0
NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC).timestamp()
MORE = """
[receive]
ae_title = "NODE-1"
port = 0
{receive}

[[polls]]
name = "archive"
url = "https://pacs.example/dicom-web"
{more}
"""
REPORT = {
    "source": "archive",
    "first_study_date": "2026-02-25",
    "last_study_date": "2026-03-04",
    "in_pacs": 212,
    "states": {"failed": 2, "missing": 3, "read": 201, "skipped": 6},
    "reasons": [{"state": "skipped", "reason": "lateral views are not read", "instances": 6}],
    "missing": ["a" * 12, "b" * 12, "c" * 12],
    "outside_of_the_period": {"undated": 0, "earlier": 40, "earlier_missing": 4, "unseen": ""},
}


def site(folder, receive="", more=""):
    """The configuration of the node."""
    return node(folder, MORE.format(receive=receive, more=more))


def fill(site, ledger, now=NOW, usual=None, drifted=None):
    """Seven weeks of readings by two devices; those of the first one drift in the last week.

    `usual` and `drifted` make a line of a reading from a random generator.
    """
    rng, usual, drifted = np.random.default_rng(5), usual or _usual, drifted or _drifted
    images, made = [], []
    for number in range(1, 1261):
        week, sender = (number - 1) // 180, SENDERS[number % 3 == 0]
        drifts = week == 6 and sender == SENDERS[0]
        at = now - (6 - week) * 7 * DAY - number % 180
        of_image = {"id": number, "received_at": at, "next_try_at": at, "state": "read", "device": pseudonym(site.salt, sender)}
        images.append(asdict(arrival(number, sender=sender)) | of_image)
        line = (drifted if drifts else usual)(rng)
        of_reading = {"id": number, "instance_id": number, "model_sha256": "d5" * 32, "shadow": False, "created_at": at}
        made.append(of_reading | {"line": line})
    with ledger.write() as connection:
        connection.execute(insert(instances), images)
        connection.execute(insert(readings), made)
    _add_deliveries(ledger, now)
    _add_report(site, ledger, now)
    for process in ("receive", "work", "send"):
        ledger.beat(process, 4711)


def _usual(rng):
    return _line(rng.beta(0.6, 1.4), rng.random() < 0.06, rng.random() > 0.03)


def _drifted(rng):
    return _line(rng.beta(4, 2), rng.random() < 0.3, rng.random() > 0.03)


def _line(probability, abstains, inside):
    domain, model = {"inside": bool(inside)}, {"name": "lungs"}
    return json.dumps({"probability": round(probability, 4), "abstains": bool(abstains), "domain": domain, "model": model})


def _add_deliveries(ledger, now):
    dead = "dead", "the destination answers 0xA900 (data set does not match)"
    states = [("sent", "")] * 30 + [("waiting", "")] * 2 + [dead] * 4
    made, sent = [], []
    for number, (state, reason) in enumerate(states, 1):
        row = asdict(result(number)) | {"id": number, "reading_id": number, "created_at": now - 60}
        made.append({name: value for name, value in row.items() if name != "destinations"})
        sent.append({"result_id": number, "destination": "pacs", "state": state, "reason": reason, "next_try_at": now})
    with ledger.write() as connection:
        connection.execute(insert(results), made)
        connection.execute(insert(deliveries), sent)


def _add_report(site, ledger, now):
    folder = site.spool_folder / REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "reconcile-archive-2026-03-04.json"
    file.write_text(json.dumps(REPORT), encoding="utf-8")
    os.utime(file, (now - 9 * 3600, now - 9 * 3600))
    ledger.set_watermark("archive", "2026-03-04")
    ledger.set_watermark("reconcile:archive", "2026-03-04")
