"""Age, sex, view position and population: from columns, from NIH's table, stated, and refused where they do not fit."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort import CohortError
from pneumoscope.cohort.build import build
from pneumoscope.cohort.demographics import parse_age, parse_sex, parse_view, population_of
from pneumoscope.cohort.label_rules import LabelRules
from pneumoscope.cohort.layouts import Columns, LayoutOptions, csv_table, dicom_tree, nih
from pneumoscope.cohort.patient_ids import keyed
from tests.cohort.conftest import dicom, field, property_test, tree

ONE_CLASS = LabelRules(allow_no_positive=True)
COLUMNS = Columns(age="age", sex="sex", view="view")


def table(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def person(k=0, age="58", sex="F", view="AP", label="NORMAL"):
    return {"path": f"{k}.png", "label": label, "patient_id": f"p{k}", "age": age, "sex": sex, "view": view}


def built(tmp_path, *rows, columns=COLUMNS, **said):
    tree(tmp_path, *(f"{k}.png" for k in range(len(rows))))
    return build(csv_table.read(table(tmp_path / "t.csv", *rows), LayoutOptions(columns=columns)), ONE_CLASS, **said)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58),
        ("58.5", 58.5),
        ("058Y", 58),
        ("006M", 0.5),
        ("000D", 0),
        ("1461D", 4),
        ("0", 0),
        (" 7 ", 7),
        ("012m", 1),
        ("", None),
    ],
)
def test_an_age_is_a_number_of_years_or_has_the_unit_of_an_age_string(text, years):
    """DICOM PS3.5 6.2, Age String: nnnD, nnnW, nnnM, nnnY; 1,461 days are four years with a leap day."""
    assert parse_age(text) == years


def test_weeks_are_seven_days():
    assert parse_age("052W") == pytest.approx(364 / 365.25)


@pytest.mark.parametrize("text", ["-1", "old", "58 Y", "5 8", "Y", "131", "411Y", "nan", "inf", "1e1", "٥", "58Y58"])
def test_what_is_no_age_is_refused(text):
    with pytest.raises(ValueError, match="no age"):
        parse_age(text)


@property_test
@given(st.floats(0, 120, allow_subnormal=False).map(lambda years: round(years, 3)))
def test_every_number_of_years_is_read_as_itself(years):
    assert parse_age(f"{years:.3f}") == years


def test_sex_and_view_are_dicoms_terms():
    assert [parse_sex(text) for text in ("f", "Male", "OTHER", "", "unknown")] == ["F", "M", "O", "", ""]
    assert [parse_view(text) for text in ("ap", " PA", "LL", "")] == ["AP", "PA", "LL", ""]


def test_an_adult_is_18_years_or_older():
    assert [population_of(age) for age in (17.99, 18.0, None)] == ["child", "adult", ""]
    assert [population_of(age, "child") for age in (17.0, None)] == ["child", "child"]


def test_named_columns_of_a_csv_reach_the_cases(tmp_path):
    made = built(tmp_path, person(0), person(1, "006M", "male", "pa"), person(2, "", "", ""))
    said = [(c.age_years, c.sex, c.view_position, c.population) for c in made.cohort.cases]
    assert said == [(58.0, "F", "AP", "adult"), (0.5, "M", "PA", "child"), (None, "", "", "")]
    lines = made.report.lines()
    assert "  age: 2 images, 0.5 to 58 years" in lines
    assert "  sex: 2 images, F 1, M 1" in lines
    assert "  view position: 2 images, AP 1, PA 1" in lines
    assert "  population: 2 images, adult 1, child 1" in lines


def test_columns_that_are_not_named_are_not_read(tmp_path):
    made = built(tmp_path, person(0, "very old"), columns=Columns())
    assert made.cohort.cases[0].age_years is None
    assert not any(line.startswith("  age") for line in made.report.lines())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age": "old"}, r"row 2 of t.csv has no age \(in years, or such as 058Y or 006M\) as age; correct it or leave it blank"),
        ({"age": "131"}, "row 2 of t.csv has no age"),
        ({"sex": "Mr"}, r"row 2 of t.csv has no sex \(F, M or O\) as sex"),
        ({"view": "front"}, r"row 2 of t.csv has no View Position of DICOM \(such as AP, PA or LL\) as view"),
    ],
)
def test_an_odd_value_is_refused_without_being_quoted(tmp_path, changes, words):
    with pytest.raises(CohortError, match=words) as error:
        built(tmp_path, person(0, **changes))
    assert next(iter(changes.values())) not in str(error.value)


def test_a_named_column_must_be_there(tmp_path):
    with pytest.raises(CohortError, match=r"t.csv has no column years"):
        built(tmp_path, person(0), columns=Columns(age="years"))


def test_a_lateral_view_of_the_named_column_is_left_out(tmp_path):
    made = built(tmp_path, person(0), person(1, view="LL"))
    assert [c.path for c in made.cohort.cases] == ["0.png"]
    assert made.report.left_out == {"lateral view": 1}


def test_rows_of_one_image_must_agree_on_the_age(tmp_path):
    with pytest.raises(CohortError, match="rows 2 and 3 describe one image but name 2 ages"):
        built(tmp_path, person(0), person(0, "59"))


def test_a_population_may_be_stated_for_a_set_without_ages(tmp_path):
    made = built(tmp_path, person(0, ""), person(1, "3"), population="child")
    assert [c.population for c in made.cohort.cases] == ["child", "child"]


def test_a_stated_population_that_contradicts_an_age_is_refused(tmp_path):
    with pytest.raises(CohortError, match="said to be child, but 1 images are of patients of at least 18 years"):
        built(tmp_path, person(0, "18"), person(1, ""), population="child")
    with pytest.raises(CohortError, match="said to be adult, but 1 images are of patients below 18 years"):
        built(tmp_path, person(0, "17"), population="adult")


def test_the_source_is_stated_or_the_folder(tmp_path):
    folder = tmp_path / "chest x-rays (2019)"
    folder.mkdir()
    assert built(folder, person(0)).cohort.cases[0].source == "chest-x-rays-2019"
    assert built(folder, person(0), source="RSNA_2018").cohort.cases[0].source == "RSNA_2018"
    with pytest.raises(CohortError, match="the name of the source 'a:b' should have letters"):
        built(folder, person(0), source="a:b")


NIH = {"Image Index": "0.png", "Finding Labels": "Pneumonia", "Patient ID": "1", "View Position": "PA"}


@pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
@pytest.mark.parametrize("age", ["058Y", "58"])
def test_nih_tables_of_both_releases_are_read(tmp_path, sex, age):
    tree(tmp_path, "0.png")
    table(tmp_path / "Data_Entry_2017.csv", {**NIH, "Patient Age": age, sex: "M"})
    (case,) = build(nih.read(tmp_path)).cohort.cases
    assert (case.age_years, case.sex, case.view_position, case.population) == (58.0, "M", "PA", "adult")


def test_impossible_ages_of_nih_are_unknown_and_counted(tmp_path):
    """The table of 2017 has ages such as 411Y."""
    tree(tmp_path, "0.png", "1.png")
    rows = ({**NIH, "Patient Age": "411Y"}, {**NIH, "Image Index": "1.png", "Patient Age": "130Y"})
    table(tmp_path / "Data_Entry_2017.csv", *rows)
    made = build(nih.read(tmp_path))
    assert [c.age_years for c in made.cohort.cases] == [None, 130.0]
    assert "1 rows give an age above 130 years, which is taken as unknown" in made.report.notes


def of_dicom(tmp_path, header, **row):
    dicom(tmp_path / "a.dcm", field(0), "1.2.3", "MRN", **header)
    labels = table(tmp_path / "labels.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL", **row})
    options = LayoutOptions(labels=labels, columns=COLUMNS if row else Columns())
    (case,) = build(dicom_tree.read(tmp_path, options), ONE_CLASS, patient_ids=keyed(bytes(32))).cohort.cases
    return case.age_years, case.sex, case.view_position, case.population


HEADER = {"PatientAge": "017Y", "PatientSex": "F", "ViewPosition": "AP"}


def test_age_sex_and_view_of_a_dicom_header_are_taken_where_the_table_has_none(tmp_path):
    assert of_dicom(tmp_path, HEADER) == (17.0, "F", "AP", "child")
    assert of_dicom(tmp_path, HEADER, age="", sex="", view="") == (17.0, "F", "AP", "child")


def test_the_table_decides_an_age_that_differs_by_a_year_at_most(tmp_path):
    assert of_dicom(tmp_path, HEADER, age="18", sex="F", view="AP") == (18.0, "F", "AP", "adult")


def test_a_table_that_contradicts_the_headers_is_refused(tmp_path):
    with pytest.raises(CohortError, match="contradicts the age of 1 and the sex of 1 and the view position of 1 DICOM files"):
        of_dicom(tmp_path, HEADER, age="19", sex="M", view="PA")


def test_a_sex_in_a_header_that_is_no_term_is_unknown(tmp_path):
    assert of_dicom(tmp_path, {"PatientSex": "X"})[1] == ""
