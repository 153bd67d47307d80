"""Write a reading as a FHIR R5 transaction: DiagnosticReport, Observations, ImagingSelections and the Device that read.

Every resource is created only if none with its identifier is there, so that a repetition changes nothing: neither a second report
is made, nor is a report overwritten that somebody has confirmed since.
"""

import html
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from pydicom.sr.coding import Code

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.encoding import MANUFACTURER, device_uid
from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.pacs.notifications import codes
from pneumoscope.pacs.notifications.notice import UNCONFIRMED, Notice, StoredObject, report_uid
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.radiograph import Region
from pneumoscope.readings.line import FindingLine

Resource = dict[str, Any]
_V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ACCESSION = {"coding": [{"system": f"{_V2}0203", "code": "ACSN", "display": "Accession ID"}]}


def write(notice: Notice, settings: Notification) -> bytes:
    """Write the transaction.

    Parameters
    ----------
    notice : Notice
        What it says.
    settings : Notification
        The server that is told.

    Returns
    -------
    bytes
        A Bundle, JSON in UTF-8.
    """
    entries = [_entry(uid, resource) for uid, resource in _Resources(notice, settings).by_uid()]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()


def identifier_of(content: bytes) -> str:
    """Read the identifier of the report from a transaction.

    Parameters
    ----------
    content : bytes
        What `write` has written.

    Returns
    -------
    str
        Its value, ``urn:oid:…``, in the namespace `codes.OID_SYSTEM`.
    """
    resources = (entry["resource"] for entry in json.loads(content)["entry"])
    report = next(one for one in resources if one["resourceType"] == "DiagnosticReport")
    return str(report["identifier"][0]["value"])


def _entry(uid: str, resource: Resource) -> Resource:
    identifiers = [_identifier(uid), *resource.pop("identifier", ())]
    named = {"resourceType": resource.pop("resourceType"), "identifier": identifiers, **resource}
    request = {"method": "POST", "url": named["resourceType"], "ifNoneExist": f"identifier={codes.OID_SYSTEM}|urn:oid:{uid}"}
    return {"fullUrl": _full_url(uid), "resource": named, "request": request}


def _identifier(uid: str) -> Resource:
    return {"system": codes.OID_SYSTEM, "value": f"urn:oid:{uid}"}


def _full_url(uid: str) -> str:
    """The UUID that the UID was derived from (PS3.5 B.2), by which the entries refer to each other."""
    return uuid.UUID(int=int(uid.rpartition(".")[2])).urn


def _concept(code: Code) -> Resource:
    system = codes.FHIR_SYSTEMS[code.scheme_designator]
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}]}


def _quantity(value: float, unit: Code) -> Resource:
    return {"value": value, "unit": unit.meaning, "system": codes.FHIR_SYSTEMS["UCUM"], "code": unit.value}


class _Resources:
    """The resources of a notice, each with its UID."""

    def __init__(self, notice: Notice, settings: Notification) -> None:
        self._notice, self._settings, self._line = notice, settings, notice.line
        self._device = derived_uid("version of a device", device_uid(notice.result), __version__)
        self._source = self._uid("source image")

    def by_uid(self) -> Iterator[tuple[str, Resource]]:
        observations = dict(self._observations())
        yield self._device, self._algorithm()
        yield self._source, self._selection(codes.SOURCE_IMAGE, self._source_instance())
        for number, finding in enumerate(self._line.findings, 1):
            yield self._uid(f"region {number}"), self._region(finding)
        for one in self._notice.objects:
            yield derived_uid("selection of an object", one.sop_instance_uid), self._object(one)
        yield from observations.items()
        yield self._notice.report_uid, self._report([*observations])

    def _uid(self, part: str) -> str:
        return derived_uid("part of a report", self._notice.report_uid, part)

    def _algorithm(self) -> Resource:
        model = self._line.model
        return {
            "resourceType": "Device",
            "identifier": [_identifier(device_uid(self._notice.result))],  # as in the DICOM objects, for all versions
            "status": "active",
            "manufacturer": MANUFACTURER,
            "modelNumber": model.name,
            "name": [{"value": f"{MANUFACTURER} {model.name}", "type": "user-friendly-name", "display": True}],
            "version": [_version("identity of the model", model.sha256), _version("software", __version__)],
            "type": [_concept(concepts.FAMILY)],
            "note": [{"text": DISCLAIMER}],
        }

    def _selection(self, code: Code, instance: Resource, series_uid: str = "") -> Resource:
        study_uid = self._notice.stated("StudyInstanceUID")
        return {
            "resourceType": "ImagingSelection",
            "status": "available",
            **self._subject(),
            "issued": self._issued(),
            "performer": [{"actor": {"reference": _full_url(self._device)}}],
            **self._based_on(),
            "code": _concept(code),
            "studyUid": study_uid,
            "derivedFrom": [self._study()],
            "seriesUid": series_uid or self._notice.stated("SeriesInstanceUID"),
            "instance": [instance],
        }

    def _source_instance(self) -> Resource:
        source = self._notice.source
        return _instance(source.sop_instance_uid, source.sop_class_uid)

    def _region(self, finding: FindingLine) -> Resource:
        instance = self._source_instance() | {"imageRegion2D": [_polyline(finding.box)]}
        made = self._selection(codes.IMAGE_REGION, instance)
        return made | {"bodySite": {"concept": _site(finding)}, "focus": [{"reference": _full_url(self._source)}]}

    def _object(self, one: StoredObject) -> Resource:
        return self._selection(codes.RESULT_OBJECT, _instance(one.sop_instance_uid, one.sop_class_uid), one.series_uid)

    def _observations(self) -> Iterator[tuple[str, Resource]]:
        line, image = self._line, self._source
        yield self._observation("probability", concepts.PROBABILITY, _number(line.probability or 0.0, concepts.NO_UNITS), image)
        if line.decision:
            yield self._decision(concepts.decision_code(line.decision, bool(line.abstains)), image)
        abstains = {"valueCodeableConcept": _concept(concepts.YES_NO[bool(line.abstains)])}
        yield self._observation("abstention", concepts.ABSTENTION, abstains, image)
        if line.domain:
            inside = {"valueCodeableConcept": _concept(concepts.INSIDE if line.domain.inside else codes.OUTSIDE)}
            yield self._observation("domain", concepts.DOMAIN, inside, image)
        for number, caution in enumerate(line.cautions, 1):
            value = {"valueCodeableConcept": _concept(concepts.CAUTIONS[caution])}
            yield self._observation(f"caution {number}", concepts.CAUTION, value, image)
        for number, finding in enumerate(line.findings, 1):
            value = {"bodySite": _site(finding), **_number(round(finding.rating * 100, 2), concepts.PERCENT)}
            yield self._observation(f"finding {number}", concepts.OPACITY, value, self._uid(f"region {number}"))

    def _decision(self, decision: Code, image: str) -> tuple[str, Resource]:
        line = self._line
        value: Resource = {"valueCodeableConcept": _concept(decision)}
        if line.operating_point:
            threshold = _number(line.operating_point.threshold, concepts.NO_UNITS)
            value["component"] = [{"code": _concept(concepts.THRESHOLD), **threshold}]
        return self._observation("decision", concepts.target_code(line.target), value, image)

    def _observation(self, part: str, code: Code, value: Mapping[str, Any], selection: str) -> tuple[str, Resource]:
        return self._uid(part), {
            "resourceType": "Observation",
            **self._based_on(),
            "status": "preliminary",
            "category": [{"coding": [{"system": _CATEGORY, "code": "imaging", "display": "Imaging"}]}],
            "code": _concept(code),
            **self._subject(),
            **self._effective(),
            "issued": self._issued(),
            **value,
            "device": {"reference": _full_url(self._device)},
            "derivedFrom": [{"reference": _full_url(selection)}],
        }

    def _report(self, observations: list[str]) -> Resource:
        text = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self._notice.sentences)
        return {
            "resourceType": "DiagnosticReport",
            "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'},
            **self._based_on(),
            "status": "modified" if self._notice.earlier else "preliminary",
            "category": [{"coding": [{"system": f"{_V2}0074", "code": "RAD", "display": "Radiology"}]}],
            "code": _concept(codes.CHEST_EXAMINATION),
            **self._subject(),
            **self._effective(),
            "issued": self._issued(),
            "result": [{"reference": _full_url(uid)} for uid in observations],
            "note": [{"text": f"{UNCONFIRMED} {DISCLAIMER}"}],
            "study": [self._study()],
            **self._earlier(),
            "conclusion": " ".join(self._notice.sentences),
        }

    def _earlier(self) -> Resource:
        """The reports by earlier models, which this one follows."""
        uids = [report_uid(self._notice.source.sop_instance_uid, one) for one in self._notice.earlier]
        references = [{"type": "DiagnosticReport", "identifier": _identifier(uid)} for uid in uids]
        kind = {"text": "Report of the same image by an earlier model"}
        return {"supportingInfo": [{"type": kind, "reference": one} for one in references]} if references else {}

    def _subject(self) -> Resource:
        number = self._notice.stated("PatientID")
        if not number:
            return {}
        issuer = self._notice.stated("IssuerOfPatientID")
        identifier = _stated(system=self._settings.patient_id_system, value=number)
        return {"subject": {"type": "Patient", "identifier": identifier | ({"assigner": {"display": issuer}} if issuer else {})}}

    def _based_on(self) -> Resource:
        number = self._notice.stated("AccessionNumber")
        if not number:
            return {}
        identifier = {"type": _ACCESSION, **_stated(system=self._settings.accession_number_system, value=number)}
        return {"basedOn": [{"type": "ServiceRequest", "identifier": identifier}]}

    def _study(self) -> Resource:
        uid = self._notice.stated("StudyInstanceUID")
        return {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}}

    def _effective(self) -> Resource:
        """The date of the image; its time would need a time zone, which few sources state."""
        date = self._notice.stated("AcquisitionDate") or self._notice.stated("StudyDate")
        return {"effectiveDateTime": f"{date[:4]}-{date[4:6]}-{date[6:]}"} if date else {}

    def _issued(self) -> str:
        return self._notice.result.local_time.isoformat()


def _version(kind: str, value: str) -> Resource:
    return {"type": {"text": kind}, "value": value}


def _stated(**values: str) -> Resource:
    return {name: value for name, value in values.items() if value}


def _number(value: float, unit: Code) -> Resource:
    return {"valueQuantity": _quantity(value, unit)}


def _instance(uid: str, sop_class_uid: str) -> Resource:
    return {"uid": uid, "sopClass": {"system": codes.OID_SYSTEM, "code": f"urn:oid:{sop_class_uid}"}}


def _polyline(box: Region) -> Resource:
    """A closed polyline of (column, row) pairs; the origin is the corner of the first pixel, as in PS3.3 C.18.6.1.1."""
    corners = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom), (box.left, box.top))
    return {"regionType": "polyline", "coordinate": [value for corner in corners for value in corner]}


def _site(finding: FindingLine) -> Resource:
    """The zone of the lung, and its side."""
    place = _concept(concepts.ZONES[finding.zone] if finding.zone else concepts.LUNG)
    return place | ({"text": f"{finding.laterality} lung, {finding.zone} zone"} if finding.laterality and finding.zone else {})
