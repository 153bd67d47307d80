"""Salted hashes of training cases: what they recognise, what they do not, and what they do not contain."""

import doctest
import json
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort import fingerprint as module
from pneumoscope.cohort.fingerprint import Fingerprint, fingerprint, overlap
from tests.cohort.conftest import case, property_test

TRAINED = (case("a.png", "p1"), case("b.png", "p1"), case("c.png", "p2", "PNEUMONIA"))


def test_patient_under_another_path_and_image_is_recognised():
    shared = overlap(fingerprint(TRAINED), [case("z.png", "p1"), case("y.png", "p9")])
    assert [c.path for c in shared.cases] == ["z.png"]
    assert (shared.n_patients, shared.n_images) == (1, 0)
    assert shared


def test_image_under_another_patient_is_recognised():
    twin = case("z.png", "p9", pixel_sha256=TRAINED[0].pixel_sha256)
    shared = overlap(fingerprint(TRAINED), [twin])
    assert (shared.cases, shared.n_patients, shared.n_images) == ((twin,), 0, 1)


def test_case_that_shares_both_is_listed_once():
    shared = overlap(fingerprint(TRAINED), [*TRAINED, case("z.png", "p9")])
    assert shared.cases == TRAINED
    assert str(shared) == "3 radiographs (2 patients, 3 identical images)"


def test_strangers_are_not_recognised():
    shared = overlap(fingerprint(TRAINED), [case(f"s{k}.png", f"s{k}") for k in range(500)])
    assert not shared
    assert shared.cases == ()


def test_patient_named_as_an_image_is_another_thing():
    assert not overlap(fingerprint([case("p1", "x", pixel_sha256="")]), [case("q", "p1")])


def test_fingerprint_holds_no_identifier_and_survives_json():
    trained = fingerprint([case("ward/Doe_John.png", "MRN-0042", pixel_sha256="ab" * 32)])
    text = json.dumps(asdict(trained))
    assert not any(secret in text for secret in ("Doe", "MRN", "0042", "abab"))
    stored = json.loads(text)
    assert Fingerprint(stored["salt"], tuple(stored["patients"]), tuple(stored["images"])) == trained


def test_same_cases_have_one_fingerprint_in_any_order_and_other_cases_another_salt():
    assert fingerprint(TRAINED) == fingerprint(TRAINED[::-1])
    other = fingerprint([*TRAINED, case("d.png", "p3")])
    assert other.salt != fingerprint(TRAINED).salt
    assert not set(other.patients) & set(fingerprint(TRAINED).patients)


@property_test
@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_overlap_is_the_intersection_of_the_patients(trained, tested):
    known = fingerprint([case(f"train{k}", f"p{k}") for k in trained])
    cases = [case(f"test{k}", f"p{k}") for k in tested]
    assert {c.patient_id for c in overlap(known, cases).cases} == {f"p{k}" for k in trained & tested}
    assert overlap(known, [replace(c, patient_id="x") for c in cases]).n_patients == 0


def test_examples_run():
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0
