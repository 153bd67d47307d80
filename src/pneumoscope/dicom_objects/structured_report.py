"""Write a reading as a Structured Report by TID 1500, Measurement Report (PS3.16), and read it back.

The first measurement group describes the lung fields, with the answer for the whole image; each finding has a group of its own.
Every group has a region on the image, since OHIF does not open a report with a group that has none. The content is not made by
highdicom, which takes as long as a model takes to read a radiograph; the tests compare its bytes with those of highdicom.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TypeVar

from pydicom import Dataset, dcmread
from pydicom.sr.coding import Code

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects import concepts, measurement_report
from pneumoscope.dicom_objects.content_items import number_item
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.encoding import MANUFACTURER, common_attributes, device_uid, finished
from pneumoscope.dicom_objects.report_reading import DECISION_BY_THRESHOLD
from pneumoscope.dicom_objects.report_reading import read as read
from pneumoscope.dicom_objects.result import Result
from pneumoscope.radiograph import Region
from pneumoscope.readings import CaseKey, DomainCheck, form
from pneumoscope.readings.line import FindingLine, Line

_Part = TypeVar("_Part")
_DESCRIPTION = f"Pneumoscope report. {DISCLAIMER}"
_RATING_DECIMALS = 4
_REFERENCED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def write(result: Result) -> DicomObject:
    """Write the report of a reading.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    DicomObject
        Comprehensive 3D SR or Comprehensive SR, by the profile.
    """
    line = form.line_of(CaseKey(""), result.reading)
    groups = [_whole_image_group(result, line), *(_finding_group(result, k, one) for k, one in enumerate(line.findings, 1))]
    content = measurement_report.content_sequence(_observer(result), concepts.IMAGING, groups)
    return finished(_document(result), result, "sr", last=content)


def _document(result: Result) -> Dataset:
    """The document around the content: SR Document Series and SR Document General (PS3.3 C.17.1, C.17.2), and its root."""
    dataset = common_attributes(result, "sr", result.profile.sr_class_uid, _DESCRIPTION)
    dataset.Modality = "SR"
    dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    dataset.ReferencedPerformedProcedureStepSequence, dataset.PerformedProcedureCodeSequence = [], []
    dataset.CurrentRequestedProcedureEvidenceSequence = [_reference(result.source.dataset)]
    if result.predecessors:
        dataset.PredecessorDocumentsSequence = [_reference(_uids_of(one)) for one in result.predecessors]
    dataset.CodingSchemeIdentificationSequence = [concepts.scheme_item()]
    dataset.update(measurement_report.root())
    return dataset


def _reference(instance: Dataset) -> Dataset:
    """An item of the Hierarchical SOP Instance Reference macro (PS3.3 C.17.2.1)."""
    study, series, image = Dataset(), Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = instance.SeriesInstanceUID, [image]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = instance.StudyInstanceUID, [series]
    return study


def _given(part: _Part | None) -> _Part:
    """A part of a line, which only the line of a file that could not be read lacks."""
    if part is None:
        raise ValueError("the line of a reading lacks a part")
    return part


def _uids_of(predecessor: bytes) -> Dataset:
    return dcmread(BytesIO(predecessor), specific_tags=[*_REFERENCED])


def _observer(result: Result) -> measurement_report.Device:
    model = result.reading.model
    return measurement_report.Device(device_uid(result), MANUFACTURER, MANUFACTURER, model.name, model.sha256)


def _whole_image_group(result: Result, line: Line) -> bytes:
    """The lung-field box with probability, operating point, decision, abstention, domain, lung fields and cautions."""
    fields = _given(line.lung_fields)
    return measurement_report.planar_group(
        tracking=(f"{line.target}: {'indeterminate' if line.abstains else line.decision}", result.uid("sr", "whole image")),
        finding=(concepts.ANATOMY, concepts.LUNG),
        site=(concepts.LUNG, None),
        algorithm=_algorithm(result, _parameters(line)),
        measurements=[number_item(*one) for one in _measured(line)],
        evaluations=_evaluated(result, line),
        region=_region(result, fields.box),
    )


def _measured(line: Line) -> list[tuple[Code, float, Code]]:
    fields, unit = _given(line.lung_fields), concepts.NO_UNITS
    measured = [
        (concepts.PROBABILITY, _given(line.probability), unit),
        (concepts.LOG_ODDS, _given(line.log_odds), unit),
        (concepts.THRESHOLD, _given(line.operating_point).threshold, unit),
        (concepts.LUNG_QUALITY, fields.quality, unit),
        (concepts.LUNG_SHARE, fields.area_share, unit),
    ]
    if line.domain:
        measured += [(concepts.DISTANCE, line.domain.distance, unit), (concepts.DISTANCE_LIMIT, line.domain.limit, unit)]
    return measured


def _evaluated(result: Result, line: Line) -> list[tuple[Code, Code]]:
    evaluated = [
        (concepts.target_code(line.target), concepts.decision_code(_given(line.decision), bool(line.abstains))),
        (concepts.ABSTENTION, concepts.YES_NO[bool(line.abstains)]),
        (concepts.LUNG_STATE, concepts.STATES[_given(line.lung_fields).state]),
    ]
    evaluated += [(concepts.DOMAIN, reason) for reason in _domain_codes(result.reading.domain)]
    return evaluated + [(concepts.CAUTION, concepts.CAUTIONS[caution]) for caution in line.cautions]


def _domain_codes(domain: DomainCheck | None) -> list[Code]:
    if domain is None:
        return []
    reasons = (
        (concepts.PHOTOGRAPH, domain.photograph),
        (concepts.NO_LUNGS, not domain.lungs),
        (concepts.UNLIKE, domain.distance > domain.limit),
    )
    return [code for code, holds in reasons if holds] or [concepts.INSIDE]


def _finding_group(result: Result, number: int, finding: FindingLine) -> bytes:
    certainty = round(finding.rating * 100, _RATING_DECIMALS - 2)
    return measurement_report.planar_group(
        tracking=(f"Opacity {number}", result.uid("sr", f"finding {number}")),
        finding=(concepts.ABNORMALITY, concepts.OPACITY),
        site=_site(finding),
        algorithm=_algorithm(result),
        measurements=[
            number_item(concepts.CERTAINTY, certainty, concepts.PERCENT),
            number_item(concepts.AREA, finding.area_px, concepts.PIXELS),
            number_item(concepts.PEAK_ROW, finding.peak.row, concepts.PIXELS),
            number_item(concepts.PEAK_COL, finding.peak.col, concepts.PIXELS),
        ],
        region=_region(result, finding.box),
    )


def _site(finding: FindingLine) -> tuple[Code, Code | None]:
    place = concepts.ZONES[finding.zone] if finding.zone else concepts.LUNG
    return place, concepts.LATERALITIES[finding.laterality] if finding.laterality else None


def _region(result: Result, box: Region) -> bytes:
    """A closed polyline in the pixel coordinates of SCOORD (PS3.3 C.18.6.1.1), whose origin is the corner of the first pixel."""
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom), (box.left, box.top)]
    return measurement_report.image_region(corners, result.source.sop_class_uid, result.source.sop_instance_uid)


def _algorithm(result: Result, parameters: Sequence[str] = ()) -> list[bytes]:
    """Name, identity and, for the whole image, what decided the answer."""
    model = result.reading.model
    return measurement_report.algorithm(model.name, model.sha256, MANUFACTURER, parameters, concepts.FAMILY)


def _parameters(line: Line) -> list[str]:
    """What decided the answer and has no code, as ``name: value``; `report_reading` reads them back."""
    choice, shown = line.population, _given(line.map)
    named = {
        "notice": DISCLAIMER,
        "software version": __version__,
        "target": line.target,
        "operating point": _given(line.operating_point).rule,
        "target of the heat map": shown.target,
        "heat map": shown.method,
        "full scale": repr(shown.scale),
        "finding threshold": repr(shown.threshold),
        "rows and columns": f"{line.rows} {line.cols}",
    }
    if line.abstains:
        named[DECISION_BY_THRESHOLD] = _given(line.decision)
    if choice:
        named["population"] = f"{choice.value or 'unknown'}, {choice.source}, {choice.settings}"
    return [f"{name}: {value}" for name, value in named.items()]
