"""Notices for tests, and what independent definitions say about their messages."""

import json
from pathlib import Path

import jsonschema

from pneumoscope.classifier import GreyZone, Score
from pneumoscope.pacs.notifications.notice import Notice, StoredObject
from pneumoscope.pacs.notifications.settings import Notification
from tests.dicom_objects.builders import result_of, well_formed_dx

FHIR = Notification("ehr", "fhir", url="http://127.0.0.1/fhir", patient_id_system="https://hospital.example/patients")
HL7 = Notification("ris", "hl7", host="127.0.0.1", port=2575, receiving_application="RIS", receiving_facility="HOSPITAL")
ABSTAINS = {"score": Score("pneumonia", 0.5, 0.0), "grey_zone": GreyZone(0.4, 0.6, "r", "tune", "")}
"""Changes of a reading by which the model abstains."""
REPORT = StoredObject("1.2.840.10008.5.1.4.1.1.88.34", "2.25.7", "2.25.8")
R5 = json.loads(Path(__file__).with_name("fhir_r5.json").read_text(encoding="utf-8"))
_SCHEMA = jsonschema.Draft6Validator(R5["schema"])


def notice(source=None, objects=(), earlier=(), **reading):
    """A notice about the reading of a source image."""
    return Notice(result_of(well_formed_dx() if source is None else source, **reading), tuple(objects), tuple(earlier))


def check_fhir(bundle):
    """Check a transaction by the JSON schema of R5, by its required codes, and by the targets that references may have."""
    _SCHEMA.validate(bundle)
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert len(kinds) == len(bundle["entry"])
    for entry in bundle["entry"]:
        _check_part(entry["resource"], entry["resource"]["resourceType"], kinds)


def _check_part(part, path, kinds):
    for name, value in part.items():
        for one in value if isinstance(value, list) else [value]:
            inner = f"{path}.{name}"
            if inner in R5["codes"]:
                assert one in R5["codes"][inner], inner
            if inner in R5["targets"]:
                kind = kinds[one["reference"]] if "reference" in one else one["type"]
                assert kind in R5["targets"][inner], inner
            elif isinstance(one, dict):
                _check_part(one, inner, kinds)
