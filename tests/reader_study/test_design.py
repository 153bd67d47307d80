"""Design: what is valid, which order each reader gets, and how time is counted."""

import hashlib
import itertools
import json
import tomllib
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pneumoscope
from pneumoscope.reader_study import timing
from pneumoscope.reader_study.definition import (
    Aid,
    AnalysisPlan,
    Arm,
    CaseSelection,
    Definition,
    Questions,
    Reader,
    Scale,
    parse,
    schema,
)
from pneumoscope.reader_study.design_check import check_definition, check_protocol
from pneumoscope.reader_study.errors import ConflictError, InvalidStudyError, ReaderStudyError
from pneumoscope.reader_study.fault import errors
from pneumoscope.reader_study.folder import check, freeze
from pneumoscope.reader_study.protocol import FORM, Protocol, StudyCase
from pneumoscope.reader_study.squares import williams
from pneumoscope.reader_study.timing import Signal, reading_time
from pneumoscope.reader_study.worklist import blocks, worklist, worklists
from tests.cli.run import fresh
from tests.reader_study.study_files import case_name, frozen, make, study_toml

AIDED = Arm("aided", Aid("aid", "heat map"))
UNAIDED = Arm("unaided")


def definition(mode="crossover", readers=4, arms=(UNAIDED, AIDED), **more):
    group = {"split-plot": lambda k: "AB"[k % 2]}.get(mode, lambda k: "")
    named = tuple(Reader(f"R{k}", 5, "radiologist", group(k)) for k in range(readers))
    return Definition("t", "pneumonia", mode, more.pop("seed", 1), CaseSelection("c.csv"), named, tuple(arms), **more)


def protocol(of, n_cases=40, n_diseased=16):
    cases = tuple(StudyCase(f"c{k:03}", f"p{k}", k < n_diseased, "0" * 64, 10, 10, burned_in="no") for k in range(n_cases))
    return Protocol(FORM, "study", "0", of, "/", cases, ())


# Sequences

MODES = ("sequential", "concurrent", "independent", "crossover", "split-plot")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_reads_what_it_says(mode):
    study = protocol(definition(mode))
    for reader, tasks in worklists(study).items():
        counted = Counter((task.case, task.arm) for task in tasks)
        assert set(counted.values()) == {1}, reader
        assert [task.number for task in tasks] == list(range(1, len(tasks) + 1))
        cases = {task.case for task in tasks}
        assert len(cases) == (20 if mode == "split-plot" else 40)
        assert len(counted) == len(cases) * (1 if mode == "concurrent" else 2)
        for case in cases:
            own = [(task.session, task.arm) for task in tasks if task.case == case]
            if mode == "sequential":
                assert own == [(1, "unaided"), (1, "aided")]
            elif mode != "concurrent":
                assert sorted(session for session, _ in own) == [1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_no_order_comes_twice(mode):
    orders = [
        tuple(task.case for task in tasks if task.session == session and task.step == 0)
        for tasks in worklists(protocol(definition(mode, readers=8))).values()
        for session in {task.session for task in tasks}
    ]
    assert len(set(orders)) == len(orders)


def test_crossover_is_balanced_over_readers_cases_and_sessions_and_by_class():
    study = protocol(definition("crossover"))
    lists = worklists(study)
    for tasks in lists.values():
        for session in (1, 2):
            own = [task for task in tasks if task.session == session]
            aided = [study.by_name[task.case] for task in own if task.arm == "aided"]
            assert (len(aided), sum(case.diseased for case in aided)) == (20, 8)
    for case in study.cases:
        first = Counter(task.arm for tasks in lists.values() for task in tasks if task.case == case.name and task.session == 1)
        assert first == {"aided": 2, "unaided": 2}


def test_four_arms_follow_each_other_equally_often():
    arms = [UNAIDED, *(Arm(f"aid{k}", Aid("aid", "x")) for k in range(3))]
    lists = worklists(protocol(definition("crossover", arms=arms)))
    order = {(reader, case): [] for reader in lists for case in (f"c{k:03}" for k in range(40))}
    for reader, tasks in lists.items():
        for task in tasks:
            order[reader, task.case].append(task.arm)
    pairs = Counter(pair for arms_read in order.values() for pair in itertools.pairwise(arms_read))
    assert set(pairs.values()) == {4 * 40 * 3 // 12}
    assert len(pairs) == 12


def test_each_case_is_read_early_and_late_equally_often():
    lists = worklists(protocol(definition("independent", readers=4)))
    quarter = Counter((task.case, (task.place - 1) // 10) for tasks in lists.values() for task in tasks if task.session == 1)
    assert set(quarter.values()) == {1}


def test_groups_of_a_split_plot_study_share_no_case():
    study = protocol(definition("split-plot"))
    read = {reader: {task.case for task in worklist(study, reader)} for reader in ("R0", "R1", "R2", "R3")}
    assert read["R0"] == read["R2"]
    assert read["R1"] == read["R3"]
    assert not read["R0"] & read["R1"]
    assert sum(study.by_name[case].diseased for case in read["R0"]) == 8


def test_the_worklist_is_a_pure_function_of_study_and_seed():
    one, again, other = (worklists(protocol(definition(seed=seed))) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    text = "\n".join(f"{task.session} {task.case} {task.arm}" for task in one["R0"])
    # By SHA-256 alone: the same on every machine and with every version of Python and numpy.
    members = blocks(protocol(definition()).cases, 4, 1, "order")
    first = [task.case for task in one["R0"] if task.session == 1][:10]
    ranked = sorted(first, key=lambda name: hashlib.sha256(f"1\0order\0R0\0001\0{name}".encode()).hexdigest())
    assert first == ranked
    assert set(first) in [set(part) for part in members]
    assert len(text.splitlines()) == 80


@given(st.integers(1, 30), st.integers(0, 30), st.integers(1, 6), st.integers(0, 5))
def test_blocks_share_cases_and_classes_evenly(n_diseased, n_healthy, n, seed):
    cases = protocol(definition(), n_diseased + n_healthy, n_diseased).cases
    parts = blocks(cases, n, seed, "any")
    diseased = {case.name for case in cases if case.diseased}
    assert sorted(itertools.chain(*parts)) == [case.name for case in cases]
    for counts in ([len(part) for part in parts], [len(diseased & set(part)) for part in parts]):
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("n", range(1, 9))
def test_williams_squares_are_balanced_for_place_and_predecessor(n):
    square = williams(n)
    assert all(len(set(column)) == n for column in zip(*square, strict=True))
    follow = Counter(pair for row in square for pair in itertools.pairwise(row))
    assert set(follow.values()) <= {1 if n % 2 == 0 else 2}
    assert len(follow) == n * (n - 1)


def test_practice_comes_first_in_every_session_in_each_of_its_arms():
    cases = (*protocol(definition()).cases, StudyCase("t1", "q1", True, "0" * 64, 10, 10, training=True, burned_in="no"))
    study = Protocol(FORM, "study", "0", definition(), "/", cases, ())
    for session in (1, 2):
        own = [task for task in worklist(study, "R0") if task.session == session]
        assert [(task.case, task.arm, task.training) for task in own[:3]] == [
            ("t1", "unaided", True), ("t1", "aided", True), (own[2].case, own[2].arm, False)
        ]  # fmt: skip


# Validity


def faults_of(*arguments, **options):
    return [fault.sentence for fault in check_definition(definition(*arguments, **options))]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"readers": 0}, "there is no reader"),
        ({"arms": ()}, "there is no arm"),
        ({"arms": (UNAIDED,)}, "compares at least two arms"),
        ({"arms": (UNAIDED, UNAIDED)}, "two arms have the name 'unaided'"),
        ({"mode": "sequential", "arms": (AIDED, UNAIDED)}, "an unaided arm first"),
        ({"analysis": AnalysisPlan(first="x")}, "the arm 'x', which the study does not have"),
        ({"analysis": AnalysisPlan(first="aided", second="aided")}, "compares an arm with itself"),
        ({"analysis": AnalysisPlan(hypothesis="non-inferiority")}, "non-inferiority with a margin of 0"),
        ({"analysis": AnalysisPlan(margin=0.1)}, "difference with a margin of 0.1"),
        ({"analysis": AnalysisPlan(figure="sensitivity")}, "needs the threshold"),
        ({"analysis": AnalysisPlan(figure="wAFROC")}, "needs marks"),
        ({"readers": 1}, "one reader: how readers vary cannot be estimated"),
    ],
)
def test_what_makes_a_study_invalid(options, sentence):
    wrong = errors(check_definition(definition(**options)))
    assert any(sentence in one for one in wrong), wrong


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"readers": 3}, "a multiple of 2 readers"),
        ({"mode": "independent"}, "learning and aid are confounded"),
        ({"mode": "concurrent"}, "not paired by case within readers"),
        ({"mode": "sequential"}, "a second look"),
        ({"washout_days": 7}, "28 are usual"),
        ({"questions": Questions(Scale(1, 3))}, "a rating scale of 3 ratings"),
    ],
)
def test_what_makes_a_study_weak(options, sentence):
    found = check_definition(definition(**options))
    assert errors(found) == ()
    assert any(sentence in fault.sentence for fault in found)


def test_a_crossover_without_a_known_fault_has_none():
    assert faults_of("crossover") == []
    assert check_protocol(protocol(definition())) == ()


def test_too_few_cases_of_a_class_and_the_same_patient_in_practice_are_errors():
    assert "1 cases with and 39 without" in errors(check_protocol(protocol(definition(), n_diseased=1)))[0]
    cases = (*protocol(definition()).cases, StudyCase("t1", "p3", True, "0" * 64, 10, 10, training=True, burned_in="no"))
    wrong = errors(check_protocol(Protocol(FORM, "study", "0", definition(), "/", cases, ())))
    assert wrong == ("1 patients have cases for practice and cases of the study; choose other cases for practice",)


def test_so_few_cases_that_orders_repeat_are_an_error():
    study = protocol(definition(readers=30), n_cases=4, n_diseased=2)
    assert any("the same order of cases" in one for one in errors(check_protocol(study)))


# The study file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("mode = ", "mood = "), "mode"),
        (('"sequential"', '"random"'), r"\$.mode"),
        (("seed = 7", "seed = 7\nsead = 8"), r"unknown field \$.sead"),
        (("years = 0", "years = -1"), "at least 0"),
        (('name = "R1"', 'name = "R1/../x"'), "the name of a reader"),
        (("low = 1, high = 5", "low = 5, high = 1"), "low < high"),
        (("seed = 7", "seed ="), "no valid TOML"),
    ],
)
def test_a_study_file_that_is_wrong_is_refused_with_the_field(change, message):
    with pytest.raises(InvalidStudyError, match=message):
        parse(study_toml().replace(*change))


def test_the_schema_accepts_what_the_program_accepts():
    import_toml = tomllib.loads
    validator = jsonschema.Draft202012Validator(schema())
    for mode in MODES:
        validator.validate(import_toml(study_toml(mode)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(import_toml(study_toml("random")))


def test_a_study_is_frozen_once_and_a_pilot_as_often_as_wanted(tmp_path):
    make(tmp_path)
    for expected in ("pilot-1", "pilot-2", "study"):
        study = freeze(tmp_path, "study" if expected == "study" else "pilot")
        study.journal.close()
        assert study.folder.name == expected
        assert (study.folder / "secret.key").stat().st_mode & 0o777 == 0o600
        assert study.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConflictError, match="frozen already"):
        freeze(tmp_path)


def test_freezing_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    make(tmp_path)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "secret.key").write_bytes(b"old")
    (tmp_path / "study" / ".journal.sqlite.part").write_bytes(b"torn")
    study = freeze(tmp_path)
    assert len(study.key) == 32
    study.journal.close()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda folder: (folder / "aid" / f"{case_name(3)}.png").unlink(), "no overlay of .* in 'aid'"),
        (lambda folder: (folder / "aid" / f"{case_name(3)}.png").write_bytes(b"x"), "is no picture"),
        (lambda folder: (folder / "radiographs" / case_name(2)).unlink(), "cannot be shown"),
        (lambda folder: (folder / "radiographs" / case_name(2)).write_bytes(b"x" * 99), "cannot be shown"),
    ],
)
def test_a_study_with_a_file_that_cannot_be_shown_is_not_frozen(tmp_path, broken, message):
    make(tmp_path)
    broken(tmp_path)
    with pytest.raises(InvalidStudyError, match=message):
        freeze(tmp_path)
    assert not (tmp_path / "study").exists()


def test_one_radiograph_is_read_of_each_patient_and_the_others_are_named(tmp_path):
    make(tmp_path, n_cases=8)
    text = (tmp_path / "cohort.csv").read_text(encoding="utf-8").replace("patient003", "patient001")
    (tmp_path / "cohort.csv").write_text(text, encoding="utf-8")
    study, faults = check(tmp_path)
    assert len(study.cases) == 7
    assert [one.reason for one in study.not_chosen] == ["another radiograph of the patient is read"]
    assert errors(faults) == ()


def test_a_protocol_is_read_back_as_it_was_frozen(tmp_path):
    study = frozen(tmp_path)
    text = json.loads((study.folder / "protocol.json").read_text())
    assert text["definition"]["arms"][1]["aid"]["threshold"] == 0.5
    study.journal.close()


# Time


def signals(*parts, page="p"):
    return [Signal(page, kind, 1000.0 * at) for kind, at in parts]


@pytest.mark.parametrize(
    ("parts", "active", "first_mark"),
    [
        ([("loaded", 5), ("input", 15)], 10, None),  # loading is excluded
        ([("loaded", 0), ("mark", 8), ("mark", 9), ("input", 20)], 20, 8),
        ([("loaded", 0), ("hidden", 10), ("visible", 50), ("input", 55)], 15, None),
        ([("loaded", 0), ("blurred", 10), ("focused", 12), ("input", 20)], 18, None),
        ([("loaded", 0), ("paused", 10), ("resumed", 100), ("mark", 105)], 15, 15),
        ([("loaded", 0), ("paused", 10), ("hidden", 20), ("visible", 30), ("resumed", 40), ("input", 41)], 11, None),
        ([("loaded", 0), ("input", 200)], 60, None),  # idle after a minute
        ([("loaded", 0), ("input", 59), ("input", 118)], 118, None),
        ([("loaded", 0), ("blurred", 50), ("focused", 51), ("closed", 170)], 110, None),
        ([("input", 3), ("hidden", 5)], 0, None),  # never loaded
    ],
)
def test_active_time_by_hand(parts, active, first_mark):
    time = reading_time(signals(*parts))
    assert (time.active_seconds, time.first_mark_seconds) == (active, first_mark)


def test_time_of_a_page_that_was_killed_and_of_its_successor_are_added():
    time = reading_time([*signals(("loaded", 0), ("input", 10)), *signals(("loaded", 2), ("mark", 5), ("input", 9), page="q")])
    assert (time.active_seconds, time.first_mark_seconds) == (17, 13)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([{"page": "p", "kind": "input", "ms": 5}, {"page": "p", "kind": "input", "ms": 4}], "go back in time"),
        ([{"page": "p", "kind": "input", "ms": -1}], "go back in time"),
        ([{"page": "p", "kind": "sneezed", "ms": 1}], "no valid signals"),
        ([{"page": "p", "kind": "input", "ms": 1}] * 5001, "at most 5000"),
    ],
)
def test_signals_that_cannot_be_right_are_refused(tree, message):
    with pytest.raises(ReaderStudyError, match=message):
        timing.parsed(tree)


@given(st.lists(st.tuples(st.sampled_from(["loaded", "hidden", "visible", "blurred", "focused", "input", "mark", "paused",
                                            "resumed", "closed"]), st.integers(0, 10**6)), max_size=20))  # fmt: skip
def test_active_time_is_never_longer_than_the_page_was_open(parts):
    ordered = [Signal("p", kind, float(ms)) for kind, ms in sorted(parts, key=lambda part: part[1])]
    time = reading_time(ordered)
    open_ms = ordered[-1].ms - ordered[0].ms if ordered else 0
    assert 0 <= time.active_seconds <= open_ms / 1000 + 1e-9
    assert time.first_mark_seconds is None or time.first_mark_seconds <= time.active_seconds


# Blind to the model

LOADED = """
import importlib, pkgutil, sys
import pneumoscope.reader_study as package
for module in pkgutil.walk_packages(package.__path__, "pneumoscope.reader_study."):
    importlib.import_module(module.name)
def models():
    return [name for name in ("pneumoscope.reader", "torch") if name in sys.modules]
blind = models()
importlib.import_module("pneumoscope.reader")
print(blind, models())
"""


def test_nothing_of_the_package_loads_a_model_and_the_test_can_fail():
    assert fresh(LOADED).out == "[] ['pneumoscope.reader']\n"


def test_no_module_of_the_package_names_a_model():
    for module in (Path(pneumoscope.__file__).parent / "reader_study").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        for forbidden in ("pneumoscope.reader ", "pneumoscope.reader.", "pneumoscope.classifier", "pneumoscope.heatmap"):
            assert f"from {forbidden}" not in text, module
