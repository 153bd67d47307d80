"""Lay out the content of a Structured Report by TID 1500, Measurement Report, and the templates that it includes (PS3.16)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pneumoscope.dicom_objects.content_items import (
    code_item,
    container_item,
    image_item,
    polyline_item,
    text_item,
    uid_item,
)
from pneumoscope.dicom_objects.data_elements import Element, sequence
from pneumoscope.dicom_objects.encoding import coded

_LANGUAGE = Code("en-US", "RFC5646", "English (United States)")
_FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
_SOURCE = Code("260753009", "SCT", "Source")
_REPORT, _PLANAR_GROUP = "1500", "1410"
"""Identifiers of templates."""


@dataclass(frozen=True)
class Device:
    """A device that observed (TID 1004).

    Parameters
    ----------
    uid, name, manufacturer, model, serial_number : str
        Its attributes.
    """

    uid: str = field(repr=False)
    name: str
    manufacturer: str
    model: str
    serial_number: str


def root() -> Dataset:
    """Make the root of a report (TID 1500, row 1), without its content.

    Returns
    -------
    Dataset
        The attributes of the CONTAINER.
    """
    form, dataset = Dataset(), Dataset()
    form.MappingResource, form.TemplateIdentifier = "DCMR", _REPORT
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "CONTINUOUS"
    dataset.ConceptNameCodeSequence = [coded(codes.DCM.ImagingMeasurementReport)]
    dataset.ContentTemplateSequence = [form]
    return dataset


def content_sequence(observer: Device, procedure: Code, groups: Sequence[bytes]) -> Element:
    """Encode the content of a report (TID 1500).

    Parameters
    ----------
    observer : Device
        What made the measurements.
    procedure : Code
        The procedure that is reported.
    groups : sequence of bytes
        Measurement groups, at least one.

    Returns
    -------
    Element
        The Content Sequence.
    """
    return sequence(
        "ContentSequence",
        code_item("HAS CONCEPT MOD", codes.DCM.LanguageOfContentItemAndDescendants, _LANGUAGE),
        *_observation_context(observer),
        code_item("HAS CONCEPT MOD", codes.DCM.ProcedureReported, procedure),
        container_item(codes.DCM.ImagingMeasurements, groups),
    )


def planar_group(
    tracking: tuple[str, str],
    finding: tuple[Code, Code],
    site: tuple[Code, Code | None],
    algorithm: Sequence[bytes],
    measurements: Sequence[bytes],
    region: bytes,
    evaluations: Sequence[tuple[Code, Code]] = (),
) -> bytes:
    """Encode a group of measurements of a planar region (TID 1410).

    Parameters
    ----------
    tracking : (str, str)
        Tracking identifier and tracking UID.
    finding : (Code, Code)
        Category and type of the finding.
    site : (Code, Code or None)
        Finding site and its laterality.
    algorithm : sequence of bytes
        What `algorithm` encodes.
    measurements : sequence of bytes
        NUM items.
    region : bytes
        What `image_region` encodes.
    evaluations : sequence of (Code, Code)
        Questions and answers.

    Returns
    -------
    bytes
        The group.
    """
    laterality = [code_item("HAS CONCEPT MOD", codes.SCT.Laterality, site[1])] if site[1] else []
    children = [
        text_item("HAS OBS CONTEXT", codes.DCM.TrackingIdentifier, tracking[0]),
        uid_item("HAS OBS CONTEXT", codes.DCM.TrackingUniqueIdentifier, tracking[1]),
        code_item("CONTAINS", _FINDING_CATEGORY, finding[0]),
        code_item("CONTAINS", codes.DCM.Finding, finding[1]),
        code_item("HAS CONCEPT MOD", codes.SCT.FindingSite, site[0], *laterality),
        *algorithm,
        *measurements,
        *(code_item("CONTAINS", question, answer) for question, answer in evaluations),
        region,
    ]
    return container_item(codes.DCM.MeasurementGroup, children, _PLANAR_GROUP)


def algorithm(name: str, version: str, manufacturer: str, parameters: Sequence[str], family: Code) -> list[bytes]:
    """Encode the identification of an algorithm (TID 4019).

    Parameters
    ----------
    name, version, manufacturer : str
        The algorithm.
    parameters : sequence of str
        Its parameters, as ``name: value``.
    family : Code
        Its family.

    Returns
    -------
    list of bytes
        The items.
    """
    return [
        text_item("HAS CONCEPT MOD", codes.DCM.AlgorithmName, name),
        text_item("HAS CONCEPT MOD", codes.DCM.AlgorithmVersion, version),
        text_item("HAS CONCEPT MOD", codes.DCM.AlgorithmManufacturer, manufacturer),
        *(text_item("HAS CONCEPT MOD", codes.DCM.AlgorithmParameters, parameter) for parameter in parameters),
        code_item("HAS CONCEPT MOD", codes.DCM.AlgorithmFamily, family),
    ]


def image_region(points: Sequence[tuple[float, float]], sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Encode a region on an image.

    Parameters
    ----------
    points : sequence of (float, float)
        Column and row of the points of a closed polyline.
    sop_class_uid, sop_instance_uid : str
        The image.

    Returns
    -------
    bytes
        The item.
    """
    return polyline_item(codes.DCM.ImageRegion, points, image_item(_SOURCE, sop_class_uid, sop_instance_uid))


def _observation_context(observer: Device) -> list[bytes]:
    """What made the measurements (TID 1001, 1002 and 1004)."""
    texts = (
        (codes.DCM.DeviceObserverName, observer.name),
        (codes.DCM.DeviceObserverManufacturer, observer.manufacturer),
        (codes.DCM.DeviceObserverModelName, observer.model),
        (codes.DCM.DeviceObserverSerialNumber, observer.serial_number),
    )
    return [
        code_item("HAS OBS CONTEXT", codes.DCM.ObserverType, codes.DCM.Device),
        uid_item("HAS OBS CONTEXT", codes.DCM.DeviceObserverUID, observer.uid),
        *(text_item("HAS OBS CONTEXT", name, text) for name, text in texts),
    ]
