"""Drift: the reference, the judgement, and where alerts are shown."""

import json
import logging
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from pneumoscope.pacs import drift_watch
from pneumoscope.pacs.drift import Difference, compare, newest_judged, reference_weeks
from pneumoscope.pacs.drift_watch import FILE, last_seen, look, watch_once
from pneumoscope.pacs.errors import ConfigError, LedgerBusyError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.tables import instances, readings
from pneumoscope.pacs.metrics import NodeMetrics
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.reading_totals import BOUNDS, ModelKey, ReadingTotals, Week, week_of
from pneumoscope.pacs.settings import Drift
from pneumoscope.pacs.status import status
from tests.pacs.builders import READING, arrival
from tests.pacs.node_parts import node
from tests.pacs.test_metrics import MODEL, of, samples

SALT = "0123456789abcdef"
MODEL_KEY = ModelKey("default", "m" * 12)
WEEKS = [f"2026-W{number:02d}" for number in range(1, 9)]
IN_WEEK_1 = datetime(2025, 12, 31, tzinfo=UTC).timestamp()
WEEK = 7 * 86400.0
DEVICE = pseudonym(SALT, "CR1")


def week(readings=100, low_scores=50, abstentions=5, outside=1, checked=None):
    counts = [low_scores, *[0] * (len(BOUNDS) - 2), readings - low_scores]
    return Week(readings, abstentions, readings if checked is None else checked, outside, counts, 0.95 * (readings - low_scores))


def compared(of_weeks, settings=None):
    weeks = {(MODEL_KEY, DEVICE, name): numbers for name, numbers in zip(WEEKS, of_weeks, strict=False) if numbers is not None}
    return compare(weeks, settings or Drift(), WEEKS)[0].weeks


def states(of_weeks, settings=None):
    return [one.state for one in reversed(compared(of_weeks, settings))]


def test_the_first_weeks_with_readings_that_are_over_are_the_reference():
    weeks = {name: week() for name in ("2026-W02", "2026-W03", "2026-W06", "2026-W07", "2026-W08")}
    assert reference_weeks(weeks, Drift(reference_weeks=3), "2026-W08") == ["2026-W02", "2026-W03", "2026-W06"]
    assert reference_weeks(weeks, Drift(reference_weeks=9), "2026-W08") == ["2026-W02", "2026-W03", "2026-W06", "2026-W07"]
    later = Drift(reference_weeks=1, reference_from="2026-01-15")  # a Thursday of week 3
    assert reference_weeks(weeks, later, "2026-W08") == ["2026-W03"]


def test_weeks_like_the_first_ones_do_not_alert_and_others_do():
    assert states([week()] * 8) == ["reference"] * 4 + ["as before"] * 4
    assert states([week()] * 7 + [week(abstentions=30)])[-1] == "alert"
    assert states([week()] * 7 + [week(outside=30)])[-1] == "alert"
    assert states([week()] * 7 + [week(low_scores=5)])[-1] == "alert"
    assert states([week()] * 7 + [week(abstentions=0, outside=0)])[-1] == "as before", "only a rise alerts"


def test_few_readings_never_alert():
    assert states([week()] * 7 + [week(readings=49, low_scores=0, abstentions=49, outside=49)])[-1] == "too few"
    assert states([week(readings=12, low_scores=6)] * 7 + [week(abstentions=90)])[-1] == "too few", "48 in the reference"
    assert states([week()] * 3 + [None] * 4 + [week(abstentions=90)])[-1] == "collecting"


def test_a_domain_that_was_checked_for_few_readings_is_not_judged():
    newest = compared([week()] * 7 + [week(outside=30, checked=30)])[0]
    judged = {one.measure: one.is_judged for one in newest.differences}
    assert (newest.state, judged) == ("as before", {"scores": True, "abstentions": True, "outside": False})


def test_a_difference_within_chance_does_not_alert_however_low_the_threshold():
    settings = Drift(abstention_rise=0.001, outside_rise=0.001, score_distance=0.001)
    assert states([week()] * 7 + [week(abstentions=7, low_scores=52)], settings)[-1] == "as before"


def test_a_difference_below_the_threshold_does_not_alert_however_certain():
    many = [week(100_000, 50_000, 5_000, 1_000)] * 7
    newest = compared([*many, week(100_000, 45_000, 9_000, 5_000)])[0]
    assert newest.state == "as before"
    assert all(one.low > 0 for one in newest.differences)


def test_weeks_before_the_stated_first_day_are_not_judged():
    settings = Drift(reference_weeks=2, reference_from="2026-01-26")
    assert (
        states([week(abstentions=50)] * 4 + [week()] * 4, settings) == ["collecting"] * 4 + ["reference"] * 2 + ["as before"] * 2
    )


def test_the_newest_week_with_enough_readings_counts_now_and_old_ones_do_not():
    def now(of_weeks):
        weeks = {(MODEL_KEY, DEVICE, name): numbers for name, numbers in zip(WEEKS, of_weeks, strict=True)}
        return {one.measure: (at.week, one.is_alert) for at, one in newest_judged(compare(weeks, Drift(), WEEKS), WEEKS)}

    few = week(readings=10, low_scores=5, abstentions=0)
    assert now([week()] * 6 + [week(abstentions=50), few])["abstentions"] == (WEEKS[6], True)
    assert now([week()] * 6 + [week(abstentions=50), week()])["abstentions"] == (WEEKS[7], False)
    assert now([week()] * 5 + [week(abstentions=50), few, few]) == {}


def test_a_difference_is_said_with_its_interval_and_numbers():
    shown = str(Difference("abstentions", 0.2, 0.1, 0.31, 75, 310, 0.1, 50))
    assert shown == "rise of abstentions 0.20 (0.10 to 0.31), threshold 0.1; 75 readings, 310 in the reference"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("reference_weeks = 0", "'reference_weeks' and 'seconds' must be at least 1"),
        ("least_readings = 5", "'least_readings' at least 20"),
        ("score_distance = 0", "must be above 0 and at most 1"),
        ('reference_from = "1.2.2026"', r"'reference_from' must be a day such as '2026-03-02', not '1\.2\.2026'"),
    ],
)
def test_thresholds_that_cannot_be_used_are_refused(tmp_path, setting, sentence):
    with pytest.raises(ConfigError, match=sentence):
        node(tmp_path, f"[drift]\n{setting}\n")


# From readings in a ledger to the metrics, the status and the log.


def fill(ledger, clock, *, abstaining):
    """Five weeks of 60 readings each by one device; in the last one, as many abstain as stated. One transaction is fast."""
    line = {"schema": 5, "path": "x", "probability": 0.3, "domain": {"inside": True}, "model": {"name": "default"}}
    images, made = [], []
    for number in range(300):
        clock.now = IN_WEEK_1 + number // 60 * WEEK
        times = {"received_at": clock.now, "next_try_at": clock.now, "state": "read"}
        images.append(asdict(arrival(number, sender="CR1")) | times | {"id": number + 1})
        answer = json.dumps(line | {"abstains": number >= 300 - abstaining})
        made.append(
            {"instance_id": number + 1, "model_sha256": "m" * 64, "line": answer, "shadow": False, "created_at": clock.now}
        )
    with ledger.write() as connection:
        connection.execute(insert(instances), images)
        connection.execute(insert(readings), made)
    assert week_of(clock.now) == "2026-W05"


@pytest.fixture
def site(tmp_path):
    return node(tmp_path)


def test_an_alert_is_shown_in_metrics_and_status_and_logged_once(site, ledger, clock, caplog):
    fill(ledger, clock, abstaining=20)
    totals = ReadingTotals(ledger, site.salt)
    parsed = samples(NodeMetrics(ledger, totals, site.drift))
    labels = MODEL | {"device": DEVICE}
    measured = {name: of(parsed, "drift_alert", measure=name, **labels) for name in ("scores", "abstentions", "outside")}
    assert measured == {"scores": 0, "abstentions": 1, "outside": 0}
    assert of(parsed, "drift", measure="abstentions", **labels) == pytest.approx(20 / 60)
    with caplog.at_level(logging.INFO, "pneumoscope"):
        for _ in range(2):
            watch_once(totals, site.drift, site.spool_folder)
        watch_once(ReadingTotals(ledger, site.salt), site.drift, site.spool_folder)  # the node was started again
    sentence = f"drift: device {DEVICE}, model default ({'m' * 12}), week 2026-W05: rise of abstentions 0.33 (0.23 to 0.46)"
    assert [message.startswith(sentence) for message in caplog.messages] == [True]
    assert sentence in "\n".join(status(site, ledger))
    clock.now += 3 * WEEK
    with caplog.at_level(logging.INFO, "pneumoscope"):
        watch_once(totals, site.drift, site.spool_folder)
    assert caplog.messages[1:] == [f"drift: device {DEVICE}, model default: no more alert of abstentions"]
    assert "drift: no alert" in "\n".join(status(site, ledger))


def test_without_drift_the_status_says_so_and_when_it_was_looked_for(site, ledger, clock):
    assert not [line for line in status(site, ledger) if "drift" in line]
    fill(ledger, clock, abstaining=0)
    watch_once(ReadingTotals(ledger, site.salt), site.drift, site.spool_folder)
    clock.now += 120
    assert status(site, ledger)[-2:] == [
        "drift: no alert; devices (by model) that can be judged: 1",
        "drift was looked for 2.0 min ago",
    ]


def test_a_reference_that_is_not_whole_is_counted(site, ledger, clock):
    fill(ledger, clock, abstaining=60)
    seen = look(ReadingTotals(ledger, site.salt), Drift(reference_weeks=5))
    assert (seen.judged, seen.collecting, seen.alerts) == (0, 1, ())
    assert seen.lines() == ["drift: no alert; devices (by model) that can be judged: 0; without a whole reference: 1"]


def test_trouble_with_the_ledger_does_not_end_the_watch(site, ledger, caplog, monkeypatch):
    class Stop:
        looks = 0

        def wait(self, seconds):
            self.looks += 1
            return self.looks == 2

    def busy(*_):
        raise LedgerBusyError("the database is locked")

    monkeypatch.setattr(Ledger, "read", busy)
    with caplog.at_level(logging.WARNING, "pneumoscope"):
        drift_watch.keep_watching(ReadingTotals(ledger, SALT), site.drift, site.spool_folder, Stop())
    assert caplog.messages == ["drift could not be looked for: the database is locked"] * 2


def test_a_damaged_file_of_what_was_seen_is_as_none(tmp_path):
    assert last_seen(tmp_path) is None
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    assert last_seen(tmp_path) is None


def test_a_sender_that_makes_up_devices_makes_no_endless_list(ledger, monkeypatch):
    monkeypatch.setattr("pneumoscope.pacs.reading_totals.MOST_DEVICES", 3)
    line = json.dumps({"probability": 0.3, "abstains": False, "domain": None, "model": {"name": "default"}})
    for number in range(6):
        ledger.record_instance(arrival(number))
        ledger.record_readings(ledger.claim_instance("work", 60), [replace(READING, line=line)], device=f"{number:012x}")
    _, weeks = ReadingTotals(ledger, SALT).count()
    counted = {device: one.readings for (_, device, _), one in weeks.items()}
    assert counted == {"000000000000": 1, "000000000001": 1, "000000000002": 1, "other": 3}
