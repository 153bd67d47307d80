"""From locked answers to results: blinding of the coordinator, exports, exclusions, flow, flags; by the command line."""

import csv
import json

import jsonschema
import pyarrow.parquet as parquet
import pytest

from pneumoscope.reader_study import formats, trail
from pneumoscope.reader_study.analysis.criterion import criterion_table
from pneumoscope.reader_study.analysis.verdict import Verdict
from pneumoscope.reader_study.checklists import CLAIM_2024, DECIDE_AI, STARD_AI, as_markdown, known_answers
from pneumoscope.reader_study.definition import schema_text
from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.errors import BlindedError, ReaderStudyError
from pneumoscope.reader_study.flow import flow
from pneumoscope.reader_study.progress import progress
from pneumoscope.reader_study.quality import flags
from pneumoscope.reader_study.results import lesion_of, progress_of, rating_table, readings, require_results, unanswered
from pneumoscope.readings import Reading, form
from tests.cli.run import run
from tests.reader_study.study_files import Clock, answer_session, case_name, frozen, full, key, link, make


@pytest.fixture
def clock():
    return Clock()


def signals(seconds, page="p"):
    return [{"page": page, "kind": "loaded", "ms": 0.0}, {"page": page, "kind": "mark", "ms": 500.0 * seconds},
            {"page": page, "kind": "input", "ms": 1000.0 * seconds}]  # fmt: skip


def read_all(study, clock, rating=lambda case, task: 70 if case.diseased else 30, seconds=20):
    """Every reader answers everything, with one mark in the middle of the lung for a rating of 50 or more."""
    room = study.room()
    for reader in room.protocol.definition.readers:
        who = link(study, reader.name)
        while (view := room.view(who)).state != "finished":
            if view.state == "waiting":
                clock.forward(days=29)
                continue
            answers = {(one.reader, one.task) for one in study.journal.answers() if one.locked}
            task = next(one for one in room.tasks(reader.name) if (reader.name, one.number) not in answers)
            opened = room.open(who, view.token, view.step, key())
            clock.forward(seconds=seconds)
            value = rating(study.protocol.by_name[task.case], task)
            marks = [{"row": 12.0, "col": 16.0, "rating": 4}] if value >= 50 else []
            answer = full(value, marks=marks, no_marks=not marks)
            room.lock(who, Entry(view.token, view.step, key(), opened.number, answer, {}, signals(seconds)))


@pytest.fixture
def complete(tmp_path, clock):
    make(tmp_path)
    lesions = "".join(f"{case_name(k)},10,10,20,20\n" for k in (1, 3, 5, 7))
    (tmp_path / "boxes.csv").write_text("path,x1,y1,x2,y2\n" + lesions)
    study = frozen_with_regions(tmp_path, clock)
    read_all(study, clock)
    yield study
    study.journal.close()


def frozen_with_regions(folder, clock):
    """Lesions are put into the protocol's cases by the reference regions; here one box in each diseased case."""
    return frozen(folder, clock, cases={"regions": "boxes.csv", "box_space": "file"})


def test_no_result_is_given_before_all_is_locked_or_an_unblinding_is_logged(tmp_path, clock):
    study = frozen(tmp_path, clock)
    answer_session(study.room(), link(study), 1)
    study.journal.close()
    for command in (["export", tmp_path, "-o", tmp_path / "out"], ["analyse", tmp_path]):
        ran = run("study", *command)
        assert (ran.code, "16 answers are not locked yet" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()
    assert run("study", "unblind", tmp_path, "--reason", "interim").code == 2
    assert run("study", "unblind", tmp_path, "--reason", "interim analysis agreed").code == 0
    assert run("study", "export", tmp_path, "-o", tmp_path / "out").code == 0


def test_a_reader_who_dropped_out_does_not_hold_up_the_results(tmp_path, clock):
    study = frozen(tmp_path, clock)
    answer_session(study.room(), link(study), 1)
    with pytest.raises(BlindedError, match="16 answers are not locked"):
        require_results(study)
    trail.exclude(study, reader="R2", reason="left the hospital")
    require_results(study)
    assert unanswered(study) == 0
    assert {one.reader.name for one in readings(study)} == {"R1"}
    study.journal.close()


def test_progress_is_counted_in_locked_cases_everywhere(tmp_path, clock):
    study = frozen(tmp_path, clock, training=[case_name(0)])
    room, who = study.room(), link(study)
    for _ in range(2 + 5):  # two answers of practice, two cases, and the unaided answer of a third
        view = room.view(who)
        opened = room.open(who, view.token, view.step, key())
        room.lock(who, Entry(view.token, view.step, key(), opened.number, full()))
    view = room.view(who)
    assert (view.locked, view.assigned) == (2, 7)
    done = progress_of(study)
    assert (done["R1"].locked, done["R1"].assigned, done["R2"].locked) == (2, 7, 0)
    assert progress(room.tasks("R1"), study.journal.answers("R1"), session=1) == done["R1"]
    study.journal.close()
    assert "R1: 2 of 7 cases" in run("study", "status", tmp_path).out


def test_the_exports_are_whole_and_say_the_same(complete, tmp_path):
    complete.journal.close()
    ran = run("study", "export", tmp_path, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    out = tmp_path / "out"
    with (out / "readings.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * 8 * 2
    assert parquet.read_table(out / "readings.parquet").num_rows == 32
    one = next(row for row in rows if row["truth"] == "1" and row["modality"] == "aided")
    assert (one["rating"], one["decision"], one["marks"], one["revision"]) == ("70.0", "positive", "1", "1")
    assert (one["active_seconds"], one["first_mark_seconds"], one["threshold"]) == ("20.0", "10.0", "0.5")
    tables = [formats.read(out / name) for name in ("readings.csv", "readings.imrmc")]
    for table in tables:
        assert (table.n_diseased, table.n_nondiseased, table.complete) == (4, 4, True)
        assert (table.rating[..., table.truth] == 70).all()
    marked = [formats.read(out / name).study() for name in ("marks.csv", "jafroc.xlsx")]
    for study in marked:
        assert (study.lesion_rating == 4).all()
        assert not (study.highest_elsewhere > 0).any()
    assert (out / "excluded.csv").read_text().count("\n") == 1
    events = [json.loads(line) for line in (out / "audit.jsonl").read_text().splitlines()]
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["sha256"] == run("study", "status", tmp_path).out.split()[-1]


def test_marks_without_reference_regions_are_exported_as_places_and_the_workbook_holds_ratings(tmp_path, clock):
    study = frozen(tmp_path, clock)
    read_all(study, clock)
    study.journal.close()
    ran = run("study", "export", tmp_path, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out" / "marks.csv").read_text().splitlines()[
        0
    ] == "reader,modality,case,rating,row,col,top,left,bottom,right"
    assert not (tmp_path / "out" / "lesions.csv").exists()
    assert formats.read(tmp_path / "out" / "jafroc.xlsx").n_diseased == 4


def test_readings_have_the_versioned_form(complete, tmp_path):
    complete.journal.close()
    run("study", "export", tmp_path, "-o", tmp_path / "out")
    validator = jsonschema.Draft202012Validator(form.schema("human"))
    for arm in ("unaided", "aided"):
        lines = (tmp_path / "out" / f"readings-{arm}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 16
        for line in lines:
            validator.validate(json.loads(line))
            reading = form.parse(line)
            assert isinstance(reading, Reading)
            assert (reading.condition, reading.seconds, len(reading.marks)) == (arm, 20.0, int(reading.rating >= 50))


def test_an_exclusion_takes_answers_out_of_results_and_not_out_of_the_journal(complete, tmp_path):
    before = len(complete.journal.events())
    trail.exclude(complete, case=case_name(2), reason="wrong radiograph")
    trail.exclude(complete, case=case_name(4), reader="R2", reason="fire alarm")
    assert len(complete.journal.events()) == before + 2
    counted = flow(complete)
    assert (counted.assigned, counted.excluded, counted.locked, counted.missing) == (
        32, {"wrong radiograph": 4, "fire alarm": 2}, 26, 0
    )  # fmt: skip
    complete.journal.close()
    run("study", "export", tmp_path, "-o", tmp_path / "out")
    table = formats.read(tmp_path / "out" / "readings.csv")
    assert case_name(2) not in table.cases
    assert len(table.cases) == 7
    assert (tmp_path / "out" / "excluded.csv").read_text().count("fire alarm") == 2
    text = (tmp_path / "out" / "flow.txt").read_text()
    assert "excluded: 4 answers (wrong radiograph)" in text
    assert "in the analysis: 26 answers" in text


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"reason": "two words"}, "name the case or the reader"),
        ({"reader": "R9", "reason": "two words"}, "no reader 'R9' in the study; its readers are R1, R2"),
        ({"case": "x.png", "reason": "two words"}, "no such case"),
        ({"reader": "R1", "reason": "because"}, "at least two words"),
    ],
)
def test_an_exclusion_names_what_exists_and_a_reason(complete, named, message):
    with pytest.raises(ReaderStudyError, match=message):
        trail.exclude(complete, **named)


def test_a_washout_is_overridden_for_a_session_that_exists(complete):
    with pytest.raises(ReaderStudyError, match="no session 2 that follows a washout"):
        trail.override_washout(complete, "R1", 2, "two words")


def test_flags_of_quality_show_no_rating(tmp_path, clock):
    study = frozen(tmp_path, clock, n_cases=24)
    read_all(study, clock, rating=lambda case, task: 66, seconds=1)
    found = {flag.sentence for flag in flags(readings(study)) if flag.reader == "R1"}
    assert found == {
        "24 cases in less than 3 s of active time (median of all answers 1.0 s)",
        "the same rating for 24 cases in a row",
        "none of 24 aided answers differs from the unaided one",
    }
    assert not any("66" in sentence for sentence in found)
    study.journal.close()


def test_a_page_whose_clock_runs_too_fast_is_flagged(tmp_path, clock):
    study = frozen(tmp_path, clock)
    room, who = study.room(), link(study)
    view = room.view(who)
    opened = room.open(who, view.token, view.step, key())
    room.lock(who, Entry(view.token, view.step, key(), opened.number, full(), {}, signals(50)))
    (flag,) = flags(readings(study))
    assert "1 answers with more active time than passed on the server's clock" in flag.sentence
    study.journal.close()


def test_the_fixed_analysis_is_run_on_the_folder_and_cannot_be_changed(complete, tmp_path):
    complete.journal.close()
    ran = run("study", "analyse", tmp_path, "-o", tmp_path / "report")
    assert ran.code == 0, ran.err
    result = json.loads((tmp_path / "report" / "results.json").read_text())
    assert result["plan"]["figure"] == "AUC"
    assert result["figures"]["aided"] == {"R1": 1.0, "R2": 1.0}
    assert "two-sided p ≤ 0.05 that it is not 0" in ran.out
    assert "| result | undefined |" in ran.out  # both arms have an AUC of 1 for both readers
    assert "| exclusions, each with a reason | 0 |" in ran.out
    changed = run("study", "analyse", tmp_path, "--figure", "AUC")
    assert (changed.code, "protocol has fixed the analysis" in changed.err) == (2, True)


@pytest.mark.parametrize(
    ("stage", "verdict", "result"),
    [
        ("study", Verdict("a", "b", None, 0.01, True, ""), "reached"),
        ("study", Verdict("a", "b", None, 0.2, False, ""), "not reached"),
        ("study", Verdict("a", "b", None, float("nan"), False, ""), "undefined"),
        ("pilot", Verdict("a", "b", None, 0.01, True, ""), "reached (a pilot decides nothing)"),
    ],
)
def test_the_criterion_is_that_of_the_protocol_and_a_pilot_decides_nothing(tmp_path, clock, stage, verdict, result):
    study = frozen(tmp_path, clock, stage=stage)
    trail.unblind(study, "to look early")
    study.journal.close()
    rows = dict(criterion_table(tmp_path, verdict).rows)
    assert rows["criterion of success"] == study.protocol.definition.analysis.criterion
    assert (rows["result"], rows["unblindings, each with a reason"]) == (result, "1")


def test_a_tampered_journal_gives_no_result(complete, tmp_path):
    connection = complete.journal._connection
    connection.executescript(
        "DROP TRIGGER events_are_not_changed; UPDATE events SET body = replace(body, '70', '90') WHERE number = 9;"
    )
    complete.journal.close()
    for command in (["verify", tmp_path], ["export", tmp_path, "-o", tmp_path / "o"], ["analyse", tmp_path]):
        ran = run("study", *command)
        assert ran.code == 2
        assert "is not what was written" in ran.err
        assert "Traceback" not in ran.err


def test_a_mark_is_on_the_lesion_whose_box_it_lies_in(complete):
    case = complete.protocol.by_name[case_name(1)]
    box = case.lesions[0]
    assert lesion_of(case, box.top, box.left) == "1"
    assert lesion_of(case, box.bottom, box.left) is None


def test_the_table_of_ratings_has_the_arms_as_modalities(complete):
    assert set(rating_table(readings(complete)).modalities) == {"unaided", "aided"}


def test_checklists_fill_in_what_is_known_and_leave_the_rest(complete, tmp_path):
    complete.journal.close()
    run("study", "export", tmp_path, "-o", tmp_path / "out")
    text = (tmp_path / "out" / "checklists.md").read_text(encoding="utf-8")
    assert "8 of 8 cases" in text
    assert "0 washouts overridden" in text
    assert text.count("blank: to be filled in by the authors") > 30
    # STARD 2015 has 30 items, four of them in two parts; DECIDE-AI 17 AI-specific and 10 generic ones.
    stard = [number for number, _, _ in STARD_AI if number != "AI"]
    assert [int(number.rstrip("ab")) for number in dict.fromkeys(n.rstrip("ab") for n in stard)] == list(range(1, 31))
    decide = {number.rstrip("abc") for number, _, _ in DECIDE_AI}
    assert {number for number in decide if number.isdigit()} == {str(k) for k in range(1, 18)}
    assert {number for number in decide if not number.isdigit()} == {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"}
    assert [number for number, _, _ in CLAIM_2024] == [str(k) for k in range(1, 45)]


def test_a_checklist_says_how_the_pixels_were_checked_and_every_answer_has_its_item(complete):
    asked = {answer for items in (STARD_AI, DECIDE_AI, CLAIM_2024) for _, _, answer in items}
    assert asked - {""} == known_answers(complete).keys()
    text = as_markdown(complete)
    assert "not stated in 8 radiographs; pixels not confirmed by a person" in text
    assert "eligible: 8 cases" in next(line for line in text.splitlines() if line.startswith("| 35 "))


# The commands from the idea to the frozen study


def test_init_check_freeze_worklist_links_verify(tmp_path):
    study = tmp_path / "study"
    ran = run("study", "init", study)
    assert (ran.code, "study check" in ran.out) == (0, True)
    assert (study / "study.schema.json").read_text() == schema_text()
    assert run("study", "init", study).code == 2
    missing = run("study", "check", study)
    assert missing.code == 2
    assert "Traceback" not in missing.err
    make(study, mode="crossover")
    ran = run("study", "check", study)
    assert (ran.code, "8 cases, 4 with pneumonia" in ran.out) == (0, True)
    assert "success: AUC of 'aided' − 'unaided': two-sided p ≤ 0.05" in ran.out
    for command in ("worklist", "links", "status", "verify", "export"):
        ran = run("study", command, study, *(["-o", tmp_path / "o"] if command == "export" else []))
        assert (ran.code, "no study is frozen" in ran.err) == (2, True), command
    assert run("study", "launch", study, "--pilot").code == 0
    assert run("study", "launch", study).code == 0
    assert run("study", "launch", study).code == 2
    rows = list(csv.DictReader(run("study", "worklist", study).out.splitlines()))
    assert len(rows) == 2 * 8 * 2
    assert len(run("study", "worklist", study, "--reader", "R2").out.splitlines()) == 17
    links = dict(line.split("\t") for line in run("study", "links", study).out.splitlines())
    assert links.keys() == {"R1", "R2"}
    head = run("study", "status", study).out.split()[-1]
    assert run("study", "verify", study, "--head", head).code == 0
    assert run("study", "verify", study, "--head", "0" * 64).code == 2


def test_a_study_that_is_not_valid_is_not_frozen_and_says_why(tmp_path):
    make(tmp_path, readers=1)
    for command in ("check", "launch"):
        ran = run("study", command, tmp_path)
        assert ran.code == 2
        assert "one reader: how readers vary cannot be estimated" in ran.out + ran.err
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--effect", "0.1"], "give --pilot or --components"),
        (["--effect", "0.1", "--components", "1,2"], "is not six numbers"),
        (["--effect", "0.1", "--components", "0,0.001,0,0,0,100", "--readers", "x"], "a range such as 4-10"),
        (["--effect", "0.1", "--components", "0,0.001,0,0,0,100", "--groups", "3", "--readers", "4-5"], "that they divide"),
        (["--effect", "0", "--components", "0,0.001,0,0,0,100"], "an effect of 0"),
    ],
)
def test_a_size_that_cannot_be_computed_is_refused(options, message):
    ran = run("study", "size", *options)
    assert (ran.code, message in ran.err) == (2, True), ran.err
