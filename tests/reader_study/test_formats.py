"""Tables of reader studies: CSV, .imrmc and JAFROC workbooks, written, read back, and refused where they are not whole."""

import math
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from pneumoscope.reader_study import formats
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import imrmc, jafroc
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from tests.statistics.multireader.reference import DATA


def same_ratings(one: ReaderRatings, other: ReaderRatings):
    """The same readings, in any order of readers, modalities and cases."""

    def cells(table):
        return {
            (str(m), str(r), str(c)): (bool(table.truth[k]), table.rating[i, j, k])
            for i, m in enumerate(table.modalities)
            for j, r in enumerate(table.readers)
            for k, c in enumerate(table.cases)
            if table.read[i, j, k]
        }

    return cells(one) == cells(other)


@pytest.mark.parametrize("name", ["crossed", "ordinal", "missing", "split_plot", "cases_nested", "readers_nested"])
def test_imrmc_holds_every_design(name, tmp_path):
    table = formats.read(DATA / f"{name}.csv")
    imrmc.write(tmp_path / "table.imrmc", table, "a\nstudy")
    assert same_ratings(formats.read(tmp_path / "table.imrmc"), table)


def test_imrmc_as_the_manual_shows_it(tmp_path):
    text = "any text\nN0: 1\nN1: 1\nNR: 1\nNM: 1\n\nBEGIN DATA:\n-1, a, 0, 0\n-1, b, 0, 1\nr1, a, CR, 2.5\nr1, b, CR, 3\n"
    (tmp_path / "t.imrmc").write_text(text)
    table = formats.read(tmp_path / "t.imrmc")
    assert (table.truth.tolist(), table.rating.tolist()) == ([False, True], [[[2.5, 3.0]]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("N0: 1\n", "no line 'BEGIN DATA:'"),
        ("BEGIN DATA:\n", "no row below"),
        ("BEGIN DATA:\n-1,a,0\n", "line 2 .* has 3 cells"),
        ("BEGIN DATA:\n-1,a,0,1\nr1,b,CR,2\n", "1 readings .* without a row of truth"),
        ("BEGIN DATA:\nr1,b,CR,2\n", "no column for the truth"),
        ("BEGIN DATA:\n-1,a,0,2\nr1,a,CR,2\n", "neither 0 nor 1"),
    ],
)
def test_imrmc_that_is_not_whole_is_refused(text, message, tmp_path):
    (tmp_path / "t.imrmc").write_text(text)
    with pytest.raises(ReaderStudyError, match=message):
        formats.read(tmp_path / "t.imrmc")


def test_a_workbook_holds_marks_lesions_and_names(tmp_path):
    table = formats.read(DATA / "froc_marks.csv")
    assert isinstance(table, FreeResponseTable)
    jafroc.write(tmp_path / "book.xlsx", table)
    again = formats.read(tmp_path / "book.xlsx")
    one, other = table.study(), again.study()
    order = [other.cases.index(case) for case in one.cases]
    i, j = ([getattr(other, axis).index(name) for name in getattr(one, axis)] for axis in ("modalities", "readers"))
    assert np.array_equal(one.highest_elsewhere, other.highest_elsewhere[np.ix_(i, j, order)])
    assert np.array_equal(one.truth, other.truth[order])
    assert sorted(one.lesion_weight) == sorted(other.lesion_weight)
    assert np.array_equal(np.sort(one.lesion_rating, axis=None), np.sort(other.lesion_rating, axis=None))


def test_a_workbook_of_ratings_is_recognised(tmp_path):
    table = formats.read(DATA / "crossed.csv")
    jafroc.write(tmp_path / "book.xlsx", jafroc.from_ratings(table))
    assert same_ratings(formats.read(tmp_path / "book.xlsx"), table)


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)
    return path


TRUTH = [["CaseID", "LesionID", "Weight"], [1, 0, 0], [2, 1, 0], [2, 2, 0]]
TP = [["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"], [1, 0, 2, 1, 5]]
FP = [["ReaderID", "ModalityID", "CaseID", "FP_Rating"], [1, 0, 1, 2], [1, 0, 1, 3]]


def test_a_workbook_with_the_names_of_rjafroc_and_weights_of_0_is_read(tmp_path):
    """Sheets LL and NL, ratings LL_Rating and NL_Rating, further columns in TRUTH; weights of 0 mean equal weights."""
    truth = [[*row, more] for row, more in zip(TRUTH, ["Paradigm", "FROC", "FCTRL", ""], strict=True)]
    ll, nl = [[*TP[0][:4], "LL_Rating"], TP[1]], [[*FP[0][:3], "NL_Rating"], *FP[1:]]
    study = formats.read(workbook(tmp_path / "b.xlsx", TRUTH=truth, LL=ll, NL=nl)).study()
    assert study.lesion_weight.tolist() == [0.5, 0.5]
    assert study.lesion_rating.tolist() == [[[5.0, -math.inf]]]
    assert study.highest_elsewhere.tolist() == [[[3.0, -math.inf]]]


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"TRUTH": TRUTH, "TP": TP}, "no sheet FP or NL"),
        ({"TRUTH": TRUTH, "TP": [row[1:] for row in TP], "FP": FP}, "no column readerid"),
        ({"TRUTH": TRUTH, "TP": TP, "FP": [FP[0], [1, 0, 1, "high"]]}, "no finite number"),
    ],
)
def test_a_workbook_that_is_not_whole_is_refused(sheets, message, tmp_path):
    with pytest.raises(ReaderStudyError, match=message):
        formats.read(workbook(tmp_path / "b.xlsx", **sheets))


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"no zip")
    with pytest.raises(ReaderStudyError, match="no workbook of Excel"):
        formats.read(tmp_path / "b.xlsx")


HEAD = "Reader;Arm;Image;Reference;Score\n"


def table(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8-sig")
    return formats.read(tmp_path / "t.csv")


def test_other_separators_headings_and_words_are_recognised(tmp_path):
    found = table(tmp_path, HEAD + "A;CR;x;positive;3\nA;CR;y;negative;1.5\n")
    assert (found.readers, found.modalities, found.truth.tolist()) == (("A",), ("CR",), [True, False])
    assert found.rating.tolist() == [[[3.0, 1.5]]]


def test_a_table_without_a_modality_has_one(tmp_path):
    assert table(tmp_path, "reader,case,truth,rating\na,1,0,2\na,2,1,3\n").modalities == ("all",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no row below its heading"),
        (HEAD, "no row below its heading"),
        ("case,truth,rating\n1,0,1\n", "no column for the reader"),
        ("reader,Reader,case,truth,rating\na,a,1,0,1\n", "has two columns 'reader'; name each column once"),
        ("reader,observer,case,truth,rating\na,a,1,0,1\n", "columns reader and observer that both mean"),
        ("reader,case,truth,rating\na,1,0\n", "row 2 .* has 3 cells where the heading has 4"),
        ("reader,case,truth,rating\na,1,maybe,1\n", "row 2 .* neither 0 nor 1"),
        ("reader,case,truth,rating\na,1,0,high\n", "row 2 .* the rating .not shown., which is no finite number"),
        ("reader,case,truth,rating\na,1,0,inf\n", "no finite number"),
        ("reader,case,truth,rating\na,1,0,\n", "no finite number; leave out the rows of readings that do not exist"),
        ("reader,case,truth,rating\na,1,0,NA\n", "no finite number; leave out the rows of readings that do not exist"),
        (
            "Leser;Fall;Diagnose;Wert\na;1;0;2\n",
            "no column for the reader .its columns are leser, fall, diagnose, wert.; name one",
        ),
        (
            "reader;case;truth;rating\na;1;0;3,5\n",
            "the rating '3,5', which is no finite number; write decimals with a point: 3.5",
        ),
        ("reader,case,truth,rating\na,1,0,probably\n", "write a number, larger for more suspicious, or leave the row out"),
        ("reader,case,truth,rating\na,1,0,1\n,2,1,3\n", "row 3 .* has no reader; fill the cell"),
        ("reader,case,truth,rating\na,,0,1\n", "row 2 .* has no case; fill the cell"),
        ("reader,case,truth,rating,located\na,1,1,3,\n", "row 2 .* does not say whether the location is right"),
        ("reader,case,truth,rating,located\na,1,0,3,1\n", "row 2 .* has a right location on a case without the target"),
        (
            "reader,case,truth,rating,located\na,1,1,3,left\n",
            "row 2 .* has a located that is neither 0 nor 1; write 1 for a right",
        ),
        ("reader,case,truth,rating_if_located,rating_if_not\na,1,1,3,4\n", "row 2 .* a right and one for a wrong location"),
        ("reader,case,truth,rating_if_located,rating_if_not\na,1,1,,\n", "row 2 .* has neither of the two ratings"),
        ("reader,case,truth,rating_if_located\na,1,1,3\n", "no column for the rating if not located"),
    ],
)
def test_a_table_that_is_not_whole_is_refused_with_its_row(text, message, tmp_path):
    with pytest.raises(ReaderStudyError, match=message):
        table(tmp_path, text)


def test_a_reading_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(StatisticsError, match=r"occur in two rows .reading 1 and reading 3; 1 to leave out in all.:"):
        table(tmp_path, "reader,case,truth,rating\na,1,0,1\na,2,1,1\na,1,0,2\n")


LOCATED = [(False, 2.0, False), (True, 3.0, True), (True, 1.0, False), (True, 0.0, False)]


@pytest.mark.parametrize(
    "text",
    [
        "reader,case,truth,rating,located\na,1,0,2,\na,2,1,3,1\na,3,1,1,0\na,4,1,0,no\n".replace("no", "false"),
        "reader,case,truth,rating_if_correctly_located,rating_if_not\na,1,0,,2\na,2,1,3,\na,3,1,0,1\na,4,1,0,0\n",
    ],
    ids=["one rating and located", "two ratings"],
)
def test_a_table_of_ratings_with_locations_is_recognised(text, tmp_path):
    found = table(tmp_path, text)
    assert isinstance(found, LocatedRatings)
    assert list(zip(found.ratings.truth, found.ratings.rating[0, 0], found.located[0, 0], strict=True)) == LOCATED


def test_a_workbook_of_the_lroc_paradigm_is_read(tmp_path):
    truth = [["CaseID", "LesionID", "Weight", "Paradigm"], [1, 0, 0, "LROC"], [2, 1, 1, "FCTRL"], [3, 1, 1, ""]]
    fp = [*FP[:2], [1, 0, 3, 4]]
    found = formats.read(workbook(tmp_path / "b.xlsx", TRUTH=truth, TP=TP, FP=fp))
    assert isinstance(found, LocatedRatings)
    by_case = dict(zip(found.ratings.cases, zip(found.ratings.rating[0, 0], found.located[0, 0], strict=True), strict=True))
    assert by_case == {"2": (5.0, True), "1": (2.0, False), "3": (4.0, False)}
    with pytest.raises(ReaderStudyError, match="a case that a reader marked twice"):
        formats.read(workbook(tmp_path / "b.xlsx", TRUTH=truth, TP=TP, FP=FP))


def test_the_ending_may_be_in_capitals(tmp_path):
    (tmp_path / "T.CSV").write_text("reader,case,truth,rating\na,1,0,1\na,2,1,2\n", encoding="utf-8")
    assert formats.read(tmp_path / "T.CSV").readers == ("a",)


def test_text_of_another_encoding_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes("reader,case,truth,rating\nMüller,1,0,1\n".encode("latin-1"))
    with pytest.raises(ReaderStudyError, match="no UTF-8 text"):
        formats.read(tmp_path / "t.csv")


def test_marks_need_their_cases_and_lesions(tmp_path):
    (tmp_path / "x_marks.csv").write_text((DATA / "froc_marks.csv").read_text())
    with pytest.raises(ReaderStudyError, match=r"needs 'x_cases.csv' beside it"):
        formats.read(tmp_path)
    (tmp_path / "x_cases.csv").write_text((DATA / "froc_cases.csv").read_text().replace("c01,0,0", "c01,1,0"))
    (tmp_path / "x_lesions.csv").write_text((DATA / "froc_lesions.csv").read_text())
    with pytest.raises(ReaderStudyError, match=r"1 cases .* contradicts the lesions"):
        formats.read(tmp_path)
    with pytest.raises(ReaderStudyError, match=r"2 files '…marks.csv'"):
        (tmp_path / "y_marks.csv").write_text("")
        formats.read(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ReaderStudyError, match="no table of a reader study"):
        formats.read(Path("study.pdf"))
