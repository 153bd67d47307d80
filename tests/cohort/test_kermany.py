"""The name grammar of the Kermany set: every form that occurs, the traps, and what is no form at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort import NameGrammarError
from pneumoscope.cohort.layouts.kermany import Name, parse
from tests.cohort.conftest import property_test

four_digits = st.integers(0, 9999).map("{:04}".format)
number = st.integers(1, 99999).map(str)
patient_of_normal = st.tuples(st.sampled_from(["", "NORMAL2-", "NORMAL3-"]), four_digits).map(lambda t: f"{t[0]}IM-{t[1]}")
exposure = st.lists(four_digits, min_size=1, max_size=2).map("-".join)


@pytest.mark.parametrize(
    ("stem", "patient", "subtype"),
    [
        ("NORMAL2-IM-0173-0001-0002", "NORMAL2-IM-0173", "normal"),
        ("NORMAL2-IM-1427-0001", "NORMAL2-IM-1427", "normal"),
        ("IM-0115-0001", "IM-0115", "normal"),
        ("IM-0429-0001-0002", "IM-0429", "normal"),
        ("person1000_bacteria_2931", "person1000", "bacteria"),
        ("person1_virus_6", "person1", "virus"),
        ("NORMAL-115218-0001", "NORMAL-115218", "normal"),
        ("BACTERIA-7422-0001", "BACTERIA-7422", "bacteria"),
        ("VIRUS-100398-0001", "VIRUS-100398", "virus"),
    ],
)
def test_every_form_that_occurs_names_its_patient(stem, patient, subtype):
    assert parse(stem) == Name(patient, subtype)


def test_the_second_normal_series_counts_from_zero_again_with_other_children():
    assert parse("IM-0173-0001").patient_id != parse("NORMAL2-IM-0173-0001").patient_id


def test_rule_person_takes_both_germs_of_a_number_for_one_child():
    assert parse("person1_bacteria_1").patient_id == parse("person1_virus_6").patient_id == "person1"


def test_rule_person_subtype_takes_them_for_two():
    assert parse("person1_bacteria_1", "person-subtype") == Name("person1_bacteria", "bacteria")
    assert parse("person1_virus_6", "person-subtype") == Name("person1_virus", "virus")


def test_version_3_numbers_each_class_on_its_own():
    stems = ("NORMAL-7422-0001", "BACTERIA-7422-0001", "VIRUS-7422-0001")
    assert len({parse(stem).patient_id for stem in stems}) == 3


@pytest.mark.parametrize(
    "stem",
    [
        "",
        "scan17",
        "IM-0115",
        "IM-115-0001",
        "im-0115-0001",
        " IM-0115-0001",
        "IM-0115-0001 (1)",
        "IM-0115-0001\n",
        "IM-0115-0001-0002-0003",
        "NORMAL-IM-0115-0001",
        "person_bacteria_2",
        "person1_bacteria",
        "person1_fungus_2",
        "person1_bacteria_2_copy",
        "xperson1_virus_6",
        "BACTERIA-7422",
        "FUNGUS-7422-0001",
    ],
)
def test_any_other_name_is_an_error(stem):
    with pytest.raises(NameGrammarError):
        parse(stem)


@property_test
@given(patient_of_normal, exposure)
def test_a_normal_patient_is_all_before_the_exposure(patient, exposure):
    assert parse(f"{patient}-{exposure}") == Name(patient, "normal")


@property_test
@given(number, st.sampled_from(["bacteria", "virus"]), number)
def test_the_last_number_of_a_pneumonia_name_counts_files(person, germ, file):
    assert parse(f"person{person}_{germ}_{file}") == Name(f"person{person}", germ)
    assert parse(f"person{person}_{germ}_{file}", "person-subtype") == Name(f"person{person}_{germ}", germ)


@property_test
@given(patient_of_normal, exposure, st.sampled_from("_ .x"), st.booleans())
def test_a_name_with_anything_before_or_after_it_is_an_error(patient, exposure, extra, before):
    stem = f"{patient}-{exposure}"
    with pytest.raises(NameGrammarError):
        parse(extra + stem if before else stem + extra)
