"""Reading times and agreement in the report of a study."""

import re
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from pneumoscope.reader_study.analysis.conduct import agreement_table, of_study, reading_time_table
from pneumoscope.reader_study.answer import Answer
from pneumoscope.reader_study.errors import BlindedError
from pneumoscope.reader_study.results import readings
from pneumoscope.reader_study.timing import ReadingTime
from tests.cli.run import run
from tests.reader_study.study_files import Clock, answer_session, frozen, link


@pytest.fixture
def study(tmp_path):
    study = frozen(tmp_path, Clock(), readers=2)
    yield study
    study.journal.close()


@pytest.fixture
def found(study):
    for reader in ("R1", "R2"):
        answer_session(study.room(), link(study, reader), 1)
    return readings(study)


def cells(table):
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


def test_reading_times_have_quartiles_and_the_ratio_that_was_put_in(tmp_path):
    """Aided answers take 1.5 times as long, up to noise of 5 %; readers and cases differ by more."""
    study, names = frozen(tmp_path, Clock(), readers=4), ("R1", "R2", "R3", "R4")
    with closing(study.journal):
        for name in names:
            answer_session(study.room(), link(study, name), 1)
        found = readings(study)
    random = np.random.default_rng(3)
    pace = {name: random.normal(0, 0.3) for name in (*names, *sorted({one.case.name for one in found}))}

    def seconds_of(one):
        log = pace[one.reader.name] + pace[one.case.name] + random.normal(0, 0.05)
        return float((30 if one.task.arm == "aided" else 20) * np.exp(log))

    timed = [replace(one, time=ReadingTime(seconds_of(one), None)) for one in found]
    unaided, aided, ratio = cells(reading_time_table(timed, "aided", "unaided"))
    assert (unaided["active seconds"], unaided["answers"], unaided["without time"]) == ("unaided", "32", "0")
    seconds = [one.time.active_seconds for one in timed if one.task.arm == "aided"]
    assert aided["median or ratio"] == f"{np.median(seconds):.1f}"
    estimate, low, high = map(float, re.findall(r"[0-9.]+", ratio["median or ratio"]))
    assert low < 1.5 < high
    assert estimate == pytest.approx(1.5, abs=0.05)
    assert "<" in ratio["p"]


def test_answers_without_time_are_counted_and_an_undefined_ratio_says_why(found):
    unaided, _, ratio = cells(reading_time_table(found, "aided", "unaided"))
    assert (unaided["answers"], unaided["without time"], unaided["median or ratio"]) == ("0", "16", "–")
    assert ratio["median or ratio"].startswith("undefined")


def test_agreement_of_two_readers_counted_by_hand(found):
    """Of eight cases both say positive in five, negative in one, and differ in two: .75 of the pairs agree.

    Gwet's AC1: π = (2·5 + 2)/16 = .75, chance 2·.75·.25 = .375, (.75 − .375)/(1 − .375) = .6.
    Fleiss: chance .75² + .25² = .625, (.75 − .625)/(1 − .625) = 1/3.
    """
    first = ["positive"] * 5 + ["negative"] + ["positive"] * 2
    second = ["positive"] * 5 + ["negative"] * 3
    said = {"R1": first, "R2": second}
    names = sorted({one.case.name for one in found})
    answered = [
        replace(one, answer=Answer(rating=50.0, decision=said[one.reader.name][names.index(one.case.name)])) for one in found
    ]
    row = cells(agreement_table(answered))[0]
    assert row["pairs of decisions that agree"] == "0.7500"
    assert row["Gwet's AC1"].startswith("0.6000")
    assert row["Fleiss' kappa"].startswith("0.3333")
    assert row["Krippendorff's alpha of ratings"] == "–"  # all ratings are equal


def test_the_tables_are_in_the_report_of_a_study_and_not_before_its_end(study, tmp_path):
    with pytest.raises(BlindedError, match="32 answers are not locked"):
        of_study(tmp_path)
    for reader in ("R1", "R2"):
        answer_session(study.room(), link(study, reader), 1, lambda view: 40 + int(view.token[:2], 16) % 50)
    ran = run("study", "analyse", tmp_path)
    assert ran.code == 0, ran.err
    assert "## Reading time" in ran.out
    assert "## Agreement of the readers" in ran.out
