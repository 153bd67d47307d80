"""The FHIR R5 transaction of a reading: valid by independent definitions, and saying what the reading says."""

import json
from collections import Counter

import jsonschema
import pytest
from fhir.resources.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects.encoding import device_uid
from pneumoscope.pacs.notifications import fhir
from pneumoscope.readings import DomainCheck, ModelIdentity
from tests.dicom_objects.builders import SOURCES, cr_without_ids, well_formed_dx, with_raw
from tests.pacs.notices import ABSTAINS, FHIR, REPORT, check_fhir, notice

LATER = {"model": ModelIdentity("newer", "cd" * 32)}


def bundle(*arguments, settings=FHIR, **changes):
    return json.loads(fhir.write(notice(*arguments, **changes), settings))


def of_kind(made, kind):
    return [entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == kind]


def coded(resource):
    return resource["code"]["coding"][0]["code"]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("changes", [{}, {"findings": (), "decision": "negative", "domain": None}], ids=["positive", "negative"])
def test_every_transaction_is_valid_by_two_definitions(name, changes):
    made = bundle(SOURCES[name], [REPORT], [notice(**LATER).line], **changes)
    check_fhir(made)
    assert Bundle.model_validate(made).type == "transaction"


@pytest.mark.parametrize(
    ("element", "value"), [("status", "done"), ("subject", {"type": "Observation"}), ("conclusions", "text"), ("study", "text")]
)
def test_the_independent_definitions_find_faults(element, value):
    made = bundle()
    made["entry"][-1]["resource"][element] = value
    with pytest.raises((AssertionError, jsonschema.ValidationError), match="DiagnosticReport"):
        check_fhir(made)


def test_the_report_is_preliminary_and_says_what_it_is_not():
    (report,) = of_kind(bundle(), "DiagnosticReport")
    assert (report["status"], coded(report)) == ("preliminary", "36554-4")
    assert report["category"][0]["coding"][0]["code"] == "RAD"
    assert report["conclusion"].startswith("Pneumonia: positive, probability 0.900 (threshold 0.550).")
    assert report["conclusion"].endswith(f"Not confirmed by a physician. {DISCLAIMER}")
    assert DISCLAIMER in report["text"]["div"]
    assert report["study"] == [{"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.1"}}]
    assert (report["effectiveDateTime"], report["issued"]) == ("2026-01-02", "2026-03-04T06:36:07+01:30")


def test_the_subject_and_the_order_are_identified_as_the_source_states_and_by_no_name():
    made = bundle(with_raw(well_formed_dx(), PatientID="P^1", IssuerOfPatientID="HOSPITAL"))
    (report,) = of_kind(made, "DiagnosticReport")
    identifier = {"system": "https://hospital.example/patients", "value": "P^1", "assigner": {"display": "HOSPITAL"}}
    assert report["subject"] == {"type": "Patient", "identifier": identifier}
    assert report["basedOn"][0]["identifier"]["value"] == "A1"
    assert "Müller" not in json.dumps(made, ensure_ascii=False)


def test_nothing_is_invented_for_a_source_without_patient_order_and_date():
    made = bundle(cr_without_ids())
    for resource in (entry["resource"] for entry in made["entry"]):
        assert not {"subject", "basedOn", "effectiveDateTime"} & resource.keys()


def test_findings_are_regions_in_pixels_of_the_source_image():
    first, second = (one for one in of_kind(bundle(), "ImagingSelection") if coded(one) == "111030")
    (instance,) = first["instance"]
    # Region(top, left, bottom, right) of the first finding is 30, 8, 60, 32: columns before rows, closed.
    region = {"regionType": "polyline", "coordinate": [8.0, 30.0, 32.0, 30.0, 32.0, 60.0, 8.0, 60.0, 8.0, 30.0]}
    assert (instance["uid"], instance["imageRegion2D"]) == ("1.2.3.3", [region])
    assert (first["studyUid"], first["seriesUid"]) == ("1.2.3.1", "1.2.3.2")
    assert second["bodySite"]["concept"]["text"] == "left lung, upper zone"


def test_observations_hold_probability_decision_abstention_domain_and_findings():
    made = {coded(one): one for one in of_kind(bundle(domain=DomainCheck(9.0, 2.5, lungs=True)), "Observation")}
    assert made["122157"]["valueQuantity"]["value"] == 0.9
    assert made["233604007"]["valueCodeableConcept"]["coding"][0]["display"] == "Present"
    assert made["233604007"]["component"][0]["valueQuantity"]["value"] == 0.55
    assert made["ABSTENTION"]["valueCodeableConcept"]["coding"][0]["display"] == "No"
    assert made["DOMAIN"]["valueCodeableConcept"]["coding"][0]["code"] == "OUTSIDE"
    assert made["112033"]["valueQuantity"] == {
        "value": 63.0,
        "unit": "Percent",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert {one["status"] for one in made.values()} == {"preliminary"}


@pytest.mark.parametrize("decision", ["positive", "negative"])
def test_where_the_model_abstains_observation_and_conclusion_say_neither_present_nor_absent(decision):
    made = bundle(decision=decision, **ABSTAINS)
    check_fhir(made)
    observed = {coded(one): one for one in of_kind(made, "Observation")}["233604007"]
    value = {"system": "http://snomed.info/sct", "code": "82334004", "display": "Indeterminate"}
    assert observed["valueCodeableConcept"] == {"coding": [value]}
    (report,) = of_kind(made, "DiagnosticReport")
    assert report["conclusion"].startswith("Pneumonia: indeterminate, probability 0.500 (threshold 0.550). The model abstains: ")
    for word in ("positive", "negative", "Present", "Absent"):
        assert word not in json.dumps(made)


def test_the_algorithm_and_the_stored_objects_are_named():
    made = bundle(None, [REPORT])
    (device,) = of_kind(made, "Device")
    assert [one["value"] for one in device["version"]] == ["ab" * 32, __version__]
    assert device["identifier"][1]["value"] == f"urn:oid:{device_uid(notice().result)}" != device["identifier"][0]["value"]
    stored = [one for one in of_kind(made, "ImagingSelection") if coded(one) == "RESULT_OBJECT"]
    assert [(one["seriesUid"], one["instance"][0]["uid"]) for one in stored] == [("2.25.8", "2.25.7")]


def test_every_entry_is_a_conditional_create_by_its_identifier_and_the_bytes_are_always_the_same():
    first, again = fhir.write(notice(), FHIR), fhir.write(notice(), FHIR)
    assert first == again
    entries = json.loads(first)["entry"]
    for entry in entries:
        identifier = entry["resource"]["identifier"][0]
        assert entry["request"]["ifNoneExist"] == f"identifier={identifier['system']}|{identifier['value']}"
        assert (entry["request"]["method"], entry["request"]["url"]) == ("POST", entry["resource"]["resourceType"])
    assert max(Counter(entry["request"]["ifNoneExist"] for entry in entries).values()) == 1
    assert fhir.identifier_of(first) == entries[-1]["resource"]["identifier"][0]["value"]


def test_another_model_makes_a_report_of_its_own_that_names_the_earlier_one():
    (earlier,) = of_kind(bundle(), "DiagnosticReport")
    (later,) = of_kind(bundle(earlier=[notice().line], **LATER), "DiagnosticReport")
    assert later["status"] == "modified"
    assert later["supportingInfo"][0]["reference"]["identifier"] == earlier["identifier"][0] != later["identifier"][0]


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=64))
def test_any_patient_id_makes_a_valid_transaction(number):
    made = bundle(with_raw(cr_without_ids(), SpecificCharacterSet="ISO_IR 192", PatientID=number))
    Bundle.model_validate(made)
