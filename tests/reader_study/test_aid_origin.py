"""The bundle and the operating point of an aid come from the files of `pneumoscope read`, not from what somebody typed."""

import json
from contextlib import closing

import pytest

from pneumoscope.reader_study.checklists import known_answers
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.folder import check, freeze
from pneumoscope.reader_study.protocol import sha256
from tests.reader_study.study_files import Clock, answer_one, case_name, link, make, study_toml

BUNDLE = "e" * 64
STATED = f'bundle_sha256 = "{"b" * 64}", threshold = 0.5'
ARMS = '[[arms]]\nname = "unaided"\n[[arms]]\nname = "aided"\naid = { folder = "aid", source = "heat map"STATED }\n'


def arms(stated=""):
    return ARMS.replace("STATED", f", {stated}" if stated else "")


def study(folder, stated="", *, thresholds=(0.25, 0.75), **changed):
    """A study whose overlays lie in the folder of a run; children and adults have operating points of their own."""
    make(folder, arms=arms(stated))
    lines = []
    for k in range(8):
        content = (folder / "radiographs" / case_name(k)).read_bytes()
        line = {"path": case_name(k), "file_sha256": sha256(content), "operating_point": {"threshold": thresholds[k % 2]}}
        lines.append(json.dumps({**line, **changed}) + "\n")
    (folder / "aid" / "run.json").write_text(json.dumps({"model": {"name": "default", "sha256": BUNDLE}, "form": 5}))
    (folder / "aid" / "readings.jsonl").write_text("".join(lines))
    return folder


def test_bundle_and_threshold_of_each_case_are_taken_from_the_run(tmp_path):
    protocol, _ = check(study(tmp_path))
    found = {one.case: (one.bundle_sha256, one.threshold) for one in protocol.aids}
    assert found == {case_name(k): (BUNDLE, (0.25, 0.75)[k % 2]) for k in range(8)}


def test_what_was_on_the_screen_has_the_bundle_and_the_threshold_of_the_case(tmp_path):
    with closing((launched := freeze(study(tmp_path), "study", Clock())).journal):
        room, who = launched.room(), link(launched)
        answer_one(room, who)
        answer_one(room, who)
        event = launched.journal.events("locked")[1]
        number = next(k for k in range(8) if case_name(k) == event.body["case"])
        assert (event.body["screen"]["bundle_sha256"], event.body["screen"]["threshold"]) == (BUNDLE, (0.25, 0.75)[number % 2])
        assert known_answers(launched)["test"] == f"heat map, bundle {BUNDLE[:12]}, threshold 0.25, 0.75"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            f'bundle_sha256 = "{"b" * 64}"',
            r"the bundle_sha256 b+ of an aid whose overlays were made with e+; leave it out",
        ),
        ("threshold = 0.5", r"states the threshold 0\.5 of an aid whose overlays were made with 0\.[27]5"),
    ],
)
def test_a_study_file_that_contradicts_the_run_is_refused(tmp_path, stated, message):
    with pytest.raises(InvalidStudyError, match=message):
        check(study(tmp_path, stated))


def test_an_overlay_of_another_file_is_refused(tmp_path):
    with pytest.raises(InvalidStudyError, match="was made of another file"):
        check(study(tmp_path, file_sha256="0" * 64))


@pytest.mark.parametrize("text", ['{"path": ', "3", "[]", '{"path": []', "[" * 100_000])
def test_files_of_a_run_that_are_damaged_are_refused(tmp_path, text):
    folder = study(tmp_path)
    (folder / "aid" / "readings.jsonl").write_text(text)
    with pytest.raises(InvalidStudyError, match="is not what pneumoscope read writes"):
        check(folder)


def test_overlays_that_were_made_otherwise_keep_what_the_study_file_states(tmp_path):
    make(tmp_path, arms=arms(STATED))
    protocol, _ = check(tmp_path)
    assert {(one.bundle_sha256, one.threshold) for one in protocol.aids} == {("b" * 64, 0.5)}
    (tmp_path / "study.toml").write_text(study_toml(arms=arms()), encoding="utf-8")
    protocol, _ = check(tmp_path)
    assert {(one.bundle_sha256, one.threshold) for one in protocol.aids} == {("", None)}


def test_a_cohort_without_a_split_says_both_ways_out(tmp_path):
    make(tmp_path, cases={"split": "test"})
    with pytest.raises(InvalidStudyError, match=r'cohort split.*or set split = "all"'):
        check(tmp_path)
