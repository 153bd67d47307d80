"""The content of a Structured Report as highdicom makes it: the reference for the bytes that Pneumoscope encodes itself."""

import io

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from pneumoscope.dicom_objects import Result, concepts
from pneumoscope.dicom_objects.encoding import MANUFACTURER, device_uid
from pneumoscope.dicom_objects.structured_report import _evaluated, _measured, _parameters
from pneumoscope.readings import CaseKey, form


def root_of(result: Result) -> Dataset:
    """The root of the content, with all that it contains."""
    line = form.line_of(CaseKey(""), result.reading)
    groups = [_whole_image_group(result, line), *(_finding_group(result, k, one) for k, one in enumerate(line.findings, 1))]
    report = sr.MeasurementReport(
        observation_context=_observation_context(result), procedure_reported=concepts.IMAGING, imaging_measurements=groups
    )
    return report[0]


def content_sequence(result: Result) -> bytes:
    """The Content Sequence in Explicit VR Little Endian, in UTF-8."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    first = _encoded(dataset)
    dataset.ContentSequence = root_of(result).ContentSequence
    return _encoded(dataset).removeprefix(first)


def _encoded(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def _observation_context(result):
    model = result.reading.model
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid(result),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=model.name,
        serial_number=model.sha256,
    )
    return sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device))


def _answer(line):
    return "indeterminate" if line.abstains else line.decision


def _whole_image_group(result, line):
    fields = line.lung_fields
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(result.uid("sr", "whole image"), f"{line.target}: {_answer(line)}"),
        referenced_region=_region(result, fields.box),
        finding_type=concepts.LUNG,
        finding_category=concepts.ANATOMY,
        algorithm_id=_algorithm(result, line),
        finding_sites=[sr.FindingSite(concepts.LUNG)],
        measurements=[_measurement(*one) for one in _measured(line)],
        qualitative_evaluations=[sr.QualitativeEvaluation(*one) for one in _evaluated(result, line)],
    )


def _finding_group(result, number, finding):
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(result.uid("sr", f"finding {number}"), f"Opacity {number}"),
        referenced_region=_region(result, finding.box),
        finding_type=concepts.OPACITY,
        finding_category=concepts.ABNORMALITY,
        algorithm_id=_algorithm(result),
        finding_sites=[_site(finding)],
        measurements=[
            _measurement(concepts.CERTAINTY, round(finding.rating * 100, 2), concepts.PERCENT),
            _measurement(concepts.AREA, finding.area_px, concepts.PIXELS),
            _measurement(concepts.PEAK_ROW, finding.peak.row, concepts.PIXELS),
            _measurement(concepts.PEAK_COL, finding.peak.col, concepts.PIXELS),
        ],
    )


def _site(finding):
    place = concepts.ZONES[finding.zone] if finding.zone else concepts.LUNG
    return sr.FindingSite(place, laterality=concepts.LATERALITIES[finding.laterality] if finding.laterality else None)


def _measurement(name, value, unit):
    return sr.Measurement(name=name, value=value, unit=unit)


def _region(result, box):
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom), (box.left, box.top)]
    source = sr.SourceImageForRegion(result.source.sop_class_uid, result.source.sop_instance_uid)
    return sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, np.array(corners, float), source)


def _algorithm(result, line=None):
    model = result.reading.model
    return sr.AlgorithmIdentification(
        name=model.name,
        version=model.sha256,
        manufacturer=MANUFACTURER,
        family=concepts.FAMILY,
        parameters=_parameters(line) if line else None,
    )
