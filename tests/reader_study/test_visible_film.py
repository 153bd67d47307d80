"""The radiograph with its grey tables, the display check, earlier answers and the coordinator's interface."""

import gzip
import io
import json
import struct
import zipfile
from contextlib import closing

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope import radiograph
from pneumoscope.reader_study import pixels
from pneumoscope.reader_study.coordinator_interface import coordinator_link, respond_to_coordinator
from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.errors import ForbiddenError
from pneumoscope.reader_study.interface import Request, respond
from pneumoscope.reader_study.protocol import sha256
from pneumoscope.reader_study.visible import earlier_answers
from tests.reader_study.study_files import (
    COLS,
    HOSPITAL,
    ROWS,
    SURNAME,
    Clock,
    answer_one,
    answer_session,
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


def parsed(content):
    """The parts of `film_bytes`, by the description in its docstring."""
    raw = gzip.decompress(content)
    (length,) = struct.unpack_from("<I", raw)
    head, place = json.loads(raw[4 : 4 + length]), 4 + length
    assert place % 4 == 0
    n, size = head["n_levels"], head["rows"] * head["cols"]
    shown = np.frombuffer(raw, "<f4", n, place)
    values = np.frombuffer(raw, "<f4", n, place + 4 * n)
    levels = np.frombuffer(raw, "<u2", size, place + 8 * n).reshape(head["rows"], head["cols"])
    padding = np.frombuffer(raw, "u1", n, place + 8 * n + 2 * size)
    assert place + 9 * n + 2 * size == len(raw)
    return head, shown, values, levels, padding


def dicom(folder):
    """A mirrored 12 bit DX image with a narrow window and the name of a patient."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "1.2.3.4"
    image.PatientName, image.PatientID, image.InstitutionName = SURNAME, "77", HOSPITAL
    image.Modality, image.Rows, image.Columns = "DX", ROWS, COLS
    image.PatientOrientation = ["R", "F"]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.WindowCenter, image.WindowWidth, image.ImagerPixelSpacing = 2000, 500, [0.2, 0.2]
    image.PixelData = np.linspace(0, 4095, ROWS * COLS).astype("<u2").tobytes()
    file = folder / "film.dcm"
    image.save_as(file, enforce_file_format=True)
    return file


def test_a_film_of_12_bit_keeps_the_greys_outside_of_its_window_and_no_word_of_its_header(tmp_path):
    file = dicom(tmp_path)
    content = pixels.film_bytes(file, sha256(file.read_bytes()))
    head, shown, values, levels, padding = parsed(content)
    expected = np.linspace(0, 4095, ROWS * COLS).astype(int).reshape(ROWS, COLS)
    assert np.array_equal(values[levels], expected)  # the window shows 500 of 4096 values; all are there
    assert np.array_equal(shown[levels], radiograph.read(file).pixels)
    assert (np.unique(values[levels]).size, np.unique(shown[levels]).size) == (ROWS * COLS, 96)
    assert not padding.any()
    assert head["window"] == {"centre": 2000.0, "width": 500.0, "function": "LINEAR"}
    turn = {"transposed": False, "flip_rows": False, "flip_cols": True}
    assert head["orientation"] == {**turn, "left": "R", "right": "L", "top": "H", "bottom": "F"}
    assert set(head) == {"rows", "cols", "n_levels", "inverse", "window", "aspect", "orientation"}
    raw = gzip.decompress(content)
    assert not any(word.encode() in raw for word in (SURNAME, HOSPITAL, "1.2.3.4", "DX"))


def test_the_film_is_open_where_the_pixels_are(study):
    room, who = study.room(), link(study)
    view = room.view(who)
    headers = {"Authorization": f"Bearer {who}"}
    response = respond(room, Request("GET", f"cases/{view.token}/film", headers))
    assert (response.status, response.headers["Content-Encoding"]) == (200, "gzip")
    head, shown, _, levels, _ = parsed(response.body)
    assert (head["rows"], head["cols"], head["window"]) == (ROWS, COLS, None)
    case = study.protocol.by_name[room.tasks("R1")[0].case]
    assert np.array_equal(np.round(shown[levels] * 255), np.asarray(Image.open(study.protocol.file(case))))
    assert room.film(who, view.next_token)
    other = room.view(link(study, "R2")).token
    assert respond(room, Request("GET", f"cases/{other}/film", headers)).status == 403
    assert respond(room, Request("GET", f"cases/{view.token}/film", {})).status == 401


SEEN = {"dark_square": True, "bright_square": True, "steps": True, "bars": False, "width": 1280, "height": 800,
        "pixel_ratio": 1.5, "depth": 24, "note": "diagnostic display"}  # fmt: skip


def checked(room, who, **changed):
    body = json.dumps({"key": changed.pop("key", key()), "check": {**SEEN, **changed}}).encode()
    return respond(room, Request("POST", "display-check", {"Authorization": f"Bearer {who}"}, body))


def test_the_display_check_is_asked_for_once_in_each_session(tmp_path, clock):
    study = frozen(tmp_path, clock, mode="crossover")
    with closing(study.journal):
        room, who = study.room(), link(study)
        assert not room.view(who).display_checked
        assert checked(room, who, key="one").status == 200
        assert checked(room, who, key="one").status == 200
        assert room.view(who).display_checked
        assert not room.view(link(study, "R2")).display_checked
        event = study.journal.events("display checked")
        assert [(one.actor, one.body["session"], one.body["bars"], one.body["note"]) for one in event] == [
            ("R1", 1, False, "diagnostic display")
        ]
        answer_session(room, who, 1)
        clock.forward(days=29)
        assert not room.view(who).display_checked


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bars": 1}, "no valid display check"),
        ({"note": "x" * 1001}, "1001 characters"),
        ({"name": "x"}, "no valid display check"),
    ],
)
def test_a_display_check_that_is_not_valid_is_refused(study, changed, message):
    response = checked(study.room(), link(study), **changed)
    assert (response.status, message in json.loads(response.body)["error"]) == (400, True)


def test_a_view_on_the_wire_has_every_question_also_where_the_study_file_leaves_it_to_its_default(study):
    view = json.loads(respond(study.room(), Request("GET", "view", {"Authorization": f"Bearer {link(study)}"})).body)
    assert view["questions"] == {
        "rating": {"low": 0, "high": 100, "step": 1, "labels": []}, "decision": True,
        "marks": {"low": 1, "high": 5, "step": 1, "labels": []}, "items": [],
    }  # fmt: skip


def test_the_second_step_shows_the_readers_own_first_answer(study):
    room, who = study.room(), link(study)
    assert room.view(who).previous == {}
    answer_one(room, who, 35)
    assert (room.view(who).step, room.view(who).previous["rating"]) == (1, 35)
    answer_one(room, who, 45)
    assert (room.view(who).step, room.view(who).previous) == (0, {})


def correct(room, who, earlier, rating):
    return room.correct(who, Entry(earlier.token, earlier.step, key(), earlier.base, full(rating)))


def test_only_what_may_be_corrected_is_listed_and_can_be_seen_again(tmp_path, clock):
    study = frozen(tmp_path, clock, head={"going_back": True})
    with closing(study.journal):
        room, who = study.room(), link(study)
        assert room.earlier(who) == ()
        answer_one(room, who, 35)  # unaided
        (unaided,) = room.earlier(who)
        assert (unaided.step, unaided.aid, unaided.answer["rating"]) == (0, False, 35)
        view = room.view(who)
        assert (view.token, view.step) == (unaided.token, 1)
        with pytest.raises(ForbiddenError, match="the aid of this radiograph is not open"):
            room.aid(who, view.token)  # not even to correct the unaided answer
        answer_one(room, who, 45)  # aided: the unaided answer is beyond correction
        answer_one(room, who, 55)
        aided, second = room.earlier(who)
        assert [(one.step, one.aid, one.answer["rating"]) for one in (aided, second)] == [(1, True, 45), (0, False, 55)]
        for one in (aided, second):
            assert room.film(who, one.token)
            assert (one.rows, one.cols) == (ROWS, COLS)
            correct(room, who, one, 77)
        assert room.aid(who, aided.token).startswith(b"\x89PNG")
        assert [one.answer["rating"] for one in room.earlier(who)] == [77, 77]


def test_every_listed_answer_can_be_corrected_until_the_next_session_begins(tmp_path, clock):
    study = frozen(tmp_path, clock, mode="crossover", head={"going_back": True})
    with closing(study.journal):
        room, who = study.room(), link(study)
        answer_session(room, who, 1)
        assert room.view(who).state == "waiting"
        listed = room.earlier(who)
        assert len(listed) == 8
        for one in listed:
            assert room.film(who, one.token)
            correct(room, who, one, 12)
        clock.forward(days=29)
        view = room.view(who)
        room.open(who, view.token, view.step, key())
        assert room.earlier(who) == ()
        with pytest.raises(ForbiddenError, match="not open to the reader now"):
            room.film(who, listed[0].token)


def test_without_going_back_nothing_is_listed(study):
    room, who = study.room(), link(study)
    answer_one(room, who)
    assert room.earlier(who) == ()
    assert earlier_answers(study.protocol, study.key, "R1", room.tasks("R1"), study.journal.answers("R1")) == ()


# The coordinator


def ask(study, method, path, body=b"", who=None):
    who = coordinator_link(study.key) if who is None else who
    return respond_to_coordinator(study, study.room(), Request(method, path, {"Authorization": f"Bearer {who}"}, body))


def test_the_coordinators_link_is_no_readers_and_the_other_way_round(study):
    for path in ("overview", "trail", "export", "integrity"):
        assert ask(study, "GET", path, who=link(study)).status == 401
        assert ask(study, "GET", path, who="").status == 401
    assert ask(study, "POST", "unblind", b'{"reason": "a good reason", "key": "k"}', who=link(study)).status == 401
    own = {"Authorization": f"Bearer {coordinator_link(study.key)}"}
    assert respond(study.room(), Request("GET", "view", own)).status == 401
    assert ask(study, "GET", "nothing").status == 404
    assert not study.journal.events("unblinded")


def test_the_overview_counts_locked_cases_and_holds_no_answer(study, clock):
    room = study.room()
    checked(room, link(study))
    answer_one(room, link(study), 63)  # unaided only: the case is not done
    answer_one(room, link(study), 64)
    answer_one(room, link(study), 65)
    response = ask(study, "GET", "overview")
    found = json.loads(response.body)
    first, second = found["readers"]
    assert (first["name"], first["locked"], first["assigned"], first["state"]) == ("R1", 1, 8, "reading")
    assert (room.view(link(study)).locked, room.view(link(study)).assigned) == (1, 8)
    assert first["sessions"] == [
        {"session": 1, "locked": 1, "assigned": 8, "display_checked": True, "display_faults": ["bars one pixel wide"]}
    ]
    assert (second["locked"], second["last_at"], second["sessions"][0]["display_checked"]) == (0, "", False)
    assert (found["unanswered"], found["results_open"], found["unblinded"]) == (29, False, "")
    assert found["events"] == study.journal.head()[0]
    assert not {"rating", "answer", "63", "decision"} & set(response.body.decode().replace('"', " ").split())


def test_the_trail_is_given_without_answers_until_an_unblinding_is_logged(study):
    answer_one(study.room(), link(study), 63)
    assert ask(study, "GET", "export").status == 403
    lines = [json.loads(line) for line in ask(study, "GET", "trail").body.splitlines()]
    assert [line["kind"] for line in lines] == ["frozen", "shown", "locked"]
    assert lines[2]["body"]["answer"] == "blinded"
    assert lines[2]["sha256"] == study.journal.head()[1]
    assert ask(study, "POST", "unblind", b'{"reason": "interim", "key": "k"}').status == 400
    for _ in range(2):
        assert ask(study, "POST", "unblind", b'{"reason": "interim analysis agreed", "key": "k"}').status == 200
    assert len(study.journal.events("unblinded")) == 1
    lines = [json.loads(line) for line in ask(study, "GET", "trail").body.splitlines()]
    assert lines[2]["body"]["answer"]["rating"] == 63
    exported = ask(study, "GET", "export")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="study.zip"'
    names = zipfile.ZipFile(io.BytesIO(exported.body)).namelist()
    assert {"readings.csv", "readings.parquet", "readings.imrmc", "audit.jsonl", "flow.txt"} <= set(names)
    assert json.loads(ask(study, "GET", "overview").body)["unblinded"] == "interim analysis agreed"


def test_a_journal_that_was_changed_is_said_to_be_so(study):
    answer_one(study.room(), link(study))
    assert json.loads(ask(study, "GET", "integrity").body)["events"] == 3
    connection = study.journal._connection
    connection.execute("DROP TRIGGER events_are_not_changed")
    connection.execute("UPDATE events SET body = replace(body, '60', '90') WHERE number = 3")
    response = ask(study, "GET", "integrity")
    assert (response.status, "event 3 of the journal is not what was written" in response.body.decode()) == (500, True)
    assert ask(study, "GET", "export").status == 500
