"""Write a reading as an HL7 v2.5.1 message ORU^R01: a preliminary result, or a correction of an earlier one."""

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from pydicom.sr.coding import Code

from pneumoscope import __version__
from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.encoding import MANUFACTURER, device_uid
from pneumoscope.pacs.notifications import codes
from pneumoscope.pacs.notifications.hl7_text import HEAD, composite, escaped, message, segment
from pneumoscope.pacs.notifications.notice import Notice
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.readings.line import FindingLine, Line

VERSION, CHARACTER_SET = "2.5.1", "UNICODE UTF-8"
PRELIMINARY, CORRECTED, DELETED, DETAIL = "P", "C", "D", "O"
"""Observation result statuses (OBX-11, table 0085); ``O`` stands for a detail that is no result."""
_NAME_FORMS = ("A", "I", "P")
_TIME = re.compile(r"\d{4}(\d{2})?")
_Observation = dict[int, str]


def write(notice: Notice, settings: Notification) -> bytes:
    """Write the message.

    Parameters
    ----------
    notice : Notice
        What it says.
    settings : Notification
        The system that is told.

    Returns
    -------
    bytes
        The message without its MLLP frame, UTF-8.
    """
    return message([_header(notice, settings), *_patient(notice, settings), _request(notice), *_observations(notice)])


def short_id(*of: str) -> str:
    """Derive an identifier of 20 characters, the longest that MSH-10 takes.

    Parameters
    ----------
    *of : str
        The texts that it follows from.

    Returns
    -------
    str
        Letters and digits: 100 bits of a hash.
    """
    return base64.b32encode(hashlib.sha256("\0".join(of).encode()).digest())[:20].decode()


def control_id(content: bytes) -> str:
    """Read the identifier of a message.

    Parameters
    ----------
    content : bytes
        A message that `write` has written.

    Returns
    -------
    str
        MSH-10.
    """
    return content.partition(b"\r")[0].split(b"|")[9].decode("ascii")


def _header(notice: Notice, settings: Notification) -> str:
    fields = {
        2: escaped(settings.sending_application),
        3: escaped(settings.sending_facility),
        4: escaped(settings.receiving_application),
        5: escaped(settings.receiving_facility),
        6: _stamp(notice.result.local_time),
        8: composite("ORU", "R01", "ORU_R01"),
        9: short_id("message", settings.name, notice.report_uid),
        10: settings.processing_id,
        11: VERSION,
        17: CHARACTER_SET,
    }
    return segment(HEAD, {position - 1: text for position, text in fields.items()})


def _patient(notice: Notice, settings: Notification) -> Iterator[str]:
    """The segment of a patient with an ID; a name alone identifies nobody, so that the segment is then left out."""
    number = notice.stated("PatientID")
    if not number:
        return
    authority = notice.stated("IssuerOfPatientID") or settings.assigning_authority
    fields = {
        1: "1",
        3: composite(number, "", "", authority),
        5: _name(notice.stated("PatientName")),
        7: notice.stated("PatientBirthDate"),
        8: notice.stated("PatientSex"),
    }
    yield segment("PID", fields)


def _name(name: str) -> str:
    """A name of DICOM (PS3.5 6.2.1) as XPN, whose suffix comes before its prefix; without one, of the type unspecified."""
    groups = [(form, group) for form, group in zip(_NAME_FORMS, name.split("="), strict=False) if group.strip("^ ")]
    if not groups:
        return "^^^^^^U"
    several = len(groups) > 1
    return "~".join(_name_form(group, form if several else "") for form, group in groups)


def _name_form(group: str, form: str) -> str:
    family, given, middle, prefix, suffix = [*group.split("^"), "", "", "", "", ""][:5]
    return composite(family, given, middle, suffix, prefix, "", "", form)


def _request(notice: Notice) -> str:
    fields = {
        1: "1",
        3: composite(short_id("order", notice.order_uid), "PNEUMOSCOPE"),
        4: _code(codes.CHEST_EXAMINATION),
        7: _acquired(notice),
        18: escaped(notice.stated("AccessionNumber")),
        22: _stamp(notice.result.local_time),
        24: "RAD",
        25: _status(notice),
    }
    return segment("OBR", fields)


def _acquired(notice: Notice) -> str:
    """Date and time of the image, as precise as the source states them."""
    for name in ("Acquisition", "Study"):
        if date := notice.stated(f"{name}Date"):
            time = _TIME.match(notice.stated(f"{name}Time"))
            return date + (time[0] if time else "")
    return ""


def _status(notice: Notice) -> str:
    return CORRECTED if notice.earlier else PRELIMINARY


def _observations(notice: Notice) -> Iterator[str]:
    shared = {11: _status(notice), 14: _stamp(notice.result.local_time), 18: _equipment(notice)}
    made = [_detail(codes.STUDY, notice.stated("StudyInstanceUID")), *_results(notice.line)]
    made.append(_observation("TX", codes.FINDINGS_TEXT, "~".join(map(escaped, notice.sentences))))
    made += [*_taken_back(notice), *_references(notice)]
    return (segment("OBX", {1: str(k), **shared, **fields}) for k, fields in enumerate(made, 1))


def _results(line: Line) -> list[_Observation]:
    made = [_number(concepts.PROBABILITY, line.probability or 0.0, concepts.NO_UNITS)]
    if line.operating_point:
        made.append(_number(concepts.THRESHOLD, line.operating_point.threshold, concepts.NO_UNITS))
    if line.decision:
        made.append(_coded(concepts.target_code(line.target), concepts.decision_code(line.decision, bool(line.abstains))))
    made.append(_coded(concepts.ABSTENTION, concepts.YES_NO[bool(line.abstains)]))
    if line.domain:
        made.append(_coded(concepts.DOMAIN, concepts.INSIDE if line.domain.inside else codes.OUTSIDE))
    made += [_coded(concepts.CAUTION, concepts.CAUTIONS[caution], k) for k, caution in enumerate(line.cautions, 1)]
    for number, finding in enumerate(line.findings, 1):
        made += _of_finding(finding, number)
    return made


def _of_finding(finding: FindingLine, number: int) -> Iterator[_Observation]:
    yield _number(concepts.CERTAINTY, round(finding.rating * 100, 2), concepts.PERCENT, number)
    yield _coded(concepts.OPACITY, concepts.ZONES[finding.zone] if finding.zone else concepts.LUNG, number)
    if finding.laterality:
        yield _coded(codes.LATERALITY, concepts.LATERALITIES[finding.laterality], number)


def _taken_back(notice: Notice) -> Iterator[_Observation]:
    """Observations of the readings that are corrected which this one does not make."""
    before = {_key(one): one for line in notice.earlier for one in _results(line)}
    made = {_key(one) for one in _results(notice.line)}
    for key, one in before.items():
        if key not in made:
            yield {**one, 5: '""', 6: "", 11: DELETED}


def _key(observation: _Observation) -> tuple[str, str]:
    return observation[3], observation.get(4, "")


def _references(notice: Notice) -> Iterator[_Observation]:
    yield _detail(codes.SOURCE_IMAGE, notice.source.sop_instance_uid)
    for number, one in enumerate(notice.objects, 1):
        yield _detail(codes.RESULT_OBJECT, one.sop_instance_uid, number)


def _number(code: Code, value: float, unit: Code, sub_id: int = 0) -> _Observation:
    # A number of HL7 (NM) has no exponent.
    return _observation("NM", code, format(Decimal(str(value)), "f"), sub_id) | {6: _code(unit)}


def _coded(code: Code, value: Code, sub_id: int = 0) -> _Observation:
    return _observation("CWE", code, _code(value), sub_id)


def _detail(code: Code, uid: str, sub_id: int = 0) -> _Observation:
    return _observation("ST", code, escaped(uid), sub_id) | {11: DETAIL}


def _observation(kind: str, code: Code, value: str, sub_id: int = 0) -> _Observation:
    return {2: kind, 3: _code(code), 4: str(sub_id or ""), 5: value}


def _code(code: Code) -> str:
    return composite(code.value, code.meaning, code.scheme_designator)


def _equipment(notice: Notice) -> str:
    name = f"{notice.line.model.name} {__version__}"
    return composite(name, MANUFACTURER, device_uid(notice.result), "ISO")


def _stamp(time: datetime) -> str:
    return time.strftime("%Y%m%d%H%M%S%z")
