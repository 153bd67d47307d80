"""Fetching from a real PACS what has not arrived, and the daily report that shows what is missing."""

import json
from dataclasses import replace
from datetime import date, datetime

import pytest

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.pacs_search import PacsSearch, searching
from pneumoscope.pacs.peers import Poll
from pneumoscope.pacs.poll import Poller, _once
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.reconcile import reconcile
from pneumoscope.pacs.settings import Model
from pneumoscope.pacs.spool import Level, Spool
from pneumoscope.web.dicomweb.errors import RefusedAnswerError, UnreachableError
from tests.own_network import own_network
from tests.pacs.orthanc import needs_orthanc, running
from tests.pacs.receiving import PATIENT, instance, node

pytestmark = needs_orthanc
SALT = "0123456789abcdef"


@pytest.fixture(scope="module")
def _program(tmp_path_factory):
    with own_network(), running(tmp_path_factory.mktemp("orthanc")) as one:
        yield one


@pytest.fixture
def orthanc(_program):
    yield _program
    for name in _program.client.get("/patients").json():
        _program.client.delete(f"/patients/{name}")


@pytest.fixture
def admission(tmp_path):
    spool = Spool(tmp_path / "spool", PATIENT)
    spool.prepare()
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        yield Admission(spool, ledger, SALT)


def of_day(number, day, **attributes):
    return instance(number, StudyDate=day, **attributes)


def search(orthanc, admission, now="2024-03-02T12:00", **changes):
    poller = Poller(orthanc.poll(**changes), admission, lambda: datetime.fromisoformat(now))
    with searching(poller.poll) as pacs:
        return dict(poller.search(pacs))


def test_what_the_pacs_has_is_fetched_once(orthanc, admission):
    orthanc.keep(of_day(1, "20240302"), of_day(2, "20240301"), of_day(3, "20240201"), of_day(4, "20240302", Modality="CT"))
    assert search(orthanc, admission) == {"listed": 2, "fetched": 2}
    rows = admission.ledger.instances()
    assert {(row.sop_instance_uid, row.sender, row.route) for row in rows} == {
        ("1.2.3.1", "orthanc", "poll"),
        ("1.2.3.2", "orthanc", "poll"),
    }
    assert search(orthanc, admission) == {"listed": 2}
    assert admission.ledger.watermark("orthanc") == "2024-03-02"
    assert list(admission.spool.incoming.iterdir()) == []


def test_the_next_search_begins_some_days_before_the_watermark(orthanc, admission):
    search(orthanc, admission, "2024-03-02T12:00")
    orthanc.keep(of_day(1, "20240228"), of_day(2, "20240301"), of_day(3, "20240305"))
    assert search(orthanc, admission, "2024-03-06T01:00", overlap_days=1) == {"listed": 2, "fetched": 2}


def test_a_search_catches_up_after_the_node_was_down_for_days(orthanc, admission):
    search(orthanc, admission, "2024-03-02T12:00")
    orthanc.keep(*(of_day(number, f"202403{number:02d}") for number in range(3, 9)))
    assert search(orthanc, admission, "2024-03-09T08:00") == {"listed": 6, "fetched": 6}


def test_what_could_not_be_fetched_holds_the_watermark_back(orthanc, admission, monkeypatch):
    orthanc.keep(of_day(1, "20240302"))
    monkeypatch.setattr(Spool, "level", lambda _: Level.HIGH)
    assert search(orthanc, admission) == {"listed": 1, "failed": 1}
    monkeypatch.undo()
    orthanc.keep(of_day(2, "20240305"))
    assert search(orthanc, admission, "2024-03-05T12:00", overlap_days=0) == {"listed": 2, "fetched": 2}


def test_an_instance_of_a_class_that_is_not_read_is_fetched_once(orthanc, admission):
    orthanc.keep(of_day(1, "20240302", Modality="DX", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1.1"))
    poller = Poller(orthanc.poll(), admission, lambda: datetime(2024, 3, 2, 12))
    with searching(poller.poll) as pacs:
        assert [dict(poller.search(pacs)) for _ in range(2)] == [{"listed": 1, "refused": 1}, {"listed": 1}]


def test_orthanc_that_was_told_a700_gives_up_and_its_image_is_found_by_the_poll(orthanc, tmp_path, monkeypatch):
    (name,) = orthanc.keep(of_day(1, "20240302"))
    (tmp_path / "node").mkdir()
    with node(tmp_path / "node") as receiving:
        monkeypatch.setattr(Spool, "level", lambda _: Level.FULL)
        assert not orthanc.send(receiving, name)
        assert receiving.ledger.instances() == []
        monkeypatch.undo()
        admission = Admission(receiving.spool, receiving.ledger, SALT)
        assert search(orthanc, admission) == {"listed": 1, "fetched": 1}
        assert orthanc.send(receiving, name), "the same instance by C-STORE is acknowledged"
        assert [(row.route, row.state) for row in receiving.ledger.instances()] == [("poll", "received")]


def test_the_report_counts_states_and_reasons_and_names_what_is_missing_by_pseudonyms(orthanc, admission, tmp_path):
    orthanc.keep(*(of_day(number, "20240302") for number in range(1, 4)))
    search(orthanc, admission)
    admission.ledger.finish_instance(admission.ledger.claim_instance("work", 60), "skipped", "lateral view")
    orthanc.keep(of_day(9, "20240301"))
    config = NodeConfig(SALT, str(admission.spool.folder), (Model("shipped"),), shadow=True, polls=(orthanc.poll(),))
    head, skipped, missing = reconcile(config, admission.ledger, date(2024, 3, 2))
    assert head == ("'orthanc', studies of 2024-02-24 to 2024-03-02: 4 in the PACS, 1 skipped, 2 received, 1 missing")
    assert skipped == "  1 skipped: lateral view"
    assert missing.startswith("  missing here, to be fetched: ")
    saved = json.loads((admission.spool.folder / "reports" / "reconcile-orthanc-2024-03-02.json").read_text())
    assert (saved["in_pacs"], saved["states"]) == (4, {"missing": 1, "received": 2, "skipped": 1})
    assert saved["missing"][0] in missing
    assert "1.2.3" not in json.dumps(saved) + missing


def reconciled(orthanc, admission):
    config = NodeConfig(SALT, str(admission.spool.folder), (Model("shipped"),), shadow=True, polls=(orthanc.poll(),))
    return reconcile(config, admission.ledger, date(2024, 3, 2))


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_the_report_finds_what_no_search_by_study_date_finds(orthanc, admission):
    absent = of_day(2, "")
    del absent.StudyDate
    dates = {1: "20240302", 3: "", 4: "20249999", 5: "20990101", 6: "19991231"}
    orthanc.keep(absent, *(of_day(number, day) for number, day in dates.items()))
    assert search(orthanc, admission) == {"listed": 1, "fetched": 1}
    head, undated, earlier, missing = reconciled(orthanc, admission)
    assert head == "'orthanc', studies of 2024-02-24 to 2024-03-02: 5 in the PACS, 1 received, 4 missing"
    assert undated == "  4 of them without a valid Study Date, or with a later one"
    assert earlier == "  not counted and not fetched: 1 with an earlier Study Date, of which 1 did not arrive here"
    assert missing.count(",") == 4
    poller = Poller(orthanc.poll(reconcile_at="06:00"), admission, lambda: datetime(2024, 3, 2, 7))
    with searching(poller.poll) as pacs:
        poller.report(pacs)
    assert {row.sop_instance_uid for row in admission.ledger.instances()} == {f"1.2.3.{number}" for number in range(1, 6)}
    assert reconciled(orthanc, admission)[0].endswith("5 in the PACS, 5 received")


def test_the_report_says_what_it_cannot_see(orthanc, admission, monkeypatch):
    orthanc.keep(of_day(1, "20240302"), of_day(2, "20240302"), of_day(3, ""))
    monkeypatch.setattr("pneumoscope.pacs.pacs_search.MOST_OF_ANY_DAY", 1)
    assert reconciled(orthanc, admission)[1] == (
        "  not seen: images without a valid Study Date beyond the first 1 images that the PACS lists"
    )

    def refuses(*_):
        raise RefusedAnswerError("the DICOMweb server answers with status 400")

    monkeypatch.setattr(PacsSearch, "films_of_any_day", refuses)
    assert reconciled(orthanc, admission)[1].startswith("  not seen: images without a valid Study Date, since a search without")
    undated = [replace(film, study_date="") for film in films_of(orthanc, date(2024, 3, 2))]
    monkeypatch.setattr(PacsSearch, "films_of_any_day", lambda _: (undated, False))
    assert "the PACS does not state the dates" in reconciled(orthanc, admission)[1]


def films_of(orthanc, day):
    with searching(orthanc.poll()) as pacs:
        return pacs.films_of(day)


def test_the_daily_report_is_written_once_a_day_and_fetches_what_is_missing(orthanc, admission):
    orthanc.keep(of_day(1, "20240226"))
    now = [datetime(2024, 3, 2, 5, 59)]
    poller = Poller(orthanc.poll(reconcile_at="06:00"), admission, lambda: now[0])
    reports = admission.spool.folder / "reports"
    with searching(poller.poll) as pacs:
        poller.report(pacs)
        assert not reports.exists()
        now[0] = datetime(2024, 3, 2, 6, 1)
        poller.report(pacs)
        assert [row.sop_instance_uid for row in admission.ledger.instances()] == ["1.2.3.1"]
        (file,) = reports.iterdir()
        file.unlink()
        poller.report(pacs)
    assert list(reports.iterdir()) == []


def test_a_pacs_that_is_down_is_one_sentence_and_moves_no_watermark(admission, caplog):
    poller = Poller(Poll("down", "http://127.0.0.1:9/dicom-web"), admission)
    with searching(poller.poll) as pacs, pytest.raises(UnreachableError, match="could not be reached"):
        poller.search(pacs)
    assert not _once(poller)
    assert "'down' could not be searched" in caplog.text
    assert admission.ledger.watermark("down") is None
