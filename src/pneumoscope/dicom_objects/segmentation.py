"""Write the lung fields and the findings of a reading as a Segmentation, and read its segments back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from highdicom import AlgorithmIdentificationSequence, seg
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, SegmentationStorage

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.encoding import MANUFACTURER, coded, common_arguments, finished, parsed
from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.dicom_objects.nominal_frame import framed_source
from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.lung_fields.lung_fields import Laterality, Zone
from pneumoscope.readings import Finding, ModelReading, mask_of

Mask = NDArray[np.bool_]

LabelMapSegmentationStorage = UID("1.2.840.10008.5.1.4.1.1.66.7")
"""SOP class that pydicom does not name yet."""

_DESCRIPTION = f"Pneumoscope segments. {DISCLAIMER}"
_LUNG_COLOURS: dict[Laterality, tuple[int, int, int]] = {"right": (86, 180, 233), "left": (0, 158, 115)}
_FINDING_COLOUR = (230, 159, 0)
"""Colours of Okabe and Ito, which people with any colour vision tell apart."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment: a lung field or a finding.

    Parameters
    ----------
    label : str
        Segment Label.
    mask : ndarray of bool, shape (rows, cols)
        True inside, on the stored grid of the radiograph.
    type : Code
        What it is: `concepts.LUNG` or `concepts.OPACITY`.
    tracking_uid : str
        The UID by which the report names the same thing; for a lung field, a UID of its own.
    laterality : {"right", "left"}, optional
        The patient's side.
    zone : {"upper", "mid", "lower"}, optional
        Third of the lung's height.
    description : str
        Segment Description.
    """

    label: str
    mask: Mask = field(repr=False)
    type: Code
    tracking_uid: str = field(repr=False)
    laterality: Laterality | None = None
    zone: Zone | None = None
    description: str = ""


def write(result: Result) -> DicomObject:
    """Write the segments of a reading, at the source's rows and columns.

    Parameters
    ----------
    result : Result
        The reading. Its `segmentation` chooses the form: in a BINARY one, each segment has a frame; a LABELMAP one has one frame,
        in which a pixel of a finding belongs to the finding and no more to the lung.

    Returns
    -------
    DicomObject
        Segmentation or Label Map Segmentation, in the nominal frame of reference.

    Raises
    ------
    DicomObjectError
        The reading has neither a lung field nor a finding.
    """
    segments = segments_of(result)
    if not segments:
        raise DicomObjectError("the reading has neither a lung field nor a finding, so that there is nothing to segment")
    made = seg.Segmentation(
        source_images=[framed_source(result)],
        pixel_array=_pixels(result, segments),
        segmentation_type=result.segmentation,
        segment_descriptions=[_described(result, number, one) for number, one in enumerate(segments, 1)],
        content_label="PNEUMOSCOPE",
        content_description=f"Lung fields and opacities, by a model for {result.reading.score.target}"[:64],
        omit_empty_frames=False,
        **common_arguments(result, "seg", _DESCRIPTION),
    )
    # Without the background, number 0 of a label map: OHIF takes the first description for that of number 1.
    # The Pixel Padding Value says which pixels are background.
    made.SegmentSequence = [item for item in made.SegmentSequence if item.SegmentNumber]
    for item, segment in zip(made.SegmentSequence, segments, strict=True):
        _add_detail(item, segment)
    return finished(made, result, "seg")


def segments_of(result: Result) -> tuple[Segment, ...]:
    """Tell the segments of a reading.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    tuple of Segment
        Right lung, left lung, then the findings by their rating; without a lung field that is empty, and without both where no
        lung was found.
    """
    reading = result.reading
    findings = (_finding_segment(result, number, one) for number, one in enumerate(reading.findings, 1))
    return (*_lung_segments(result), *findings)


def has_segments(reading: ModelReading) -> bool:
    """Tell whether a reading has anything to segment.

    Parameters
    ----------
    reading : ModelReading
        The reading.

    Returns
    -------
    bool
        Whether it has a lung field or a finding.
    """
    lungs = reading.lung_fields
    return bool(reading.findings) or (lungs.state != "not found" and bool(lungs.mask.any()))


def _lung_segments(result: Result) -> Iterator[Segment]:
    lungs = result.reading.lung_fields
    sides: tuple[tuple[Laterality, Mask, float], ...] = (
        ("right", lungs.right, lungs.right_quality),
        ("left", lungs.left, lungs.left_quality),
    )
    for laterality, mask, quality in sides:
        if lungs.state != "not found" and mask.any():
            label, uid = f"{laterality.capitalize()} lung", result.uid("sr", f"{laterality} lung")
            yield Segment(label, mask, concepts.LUNG, uid, laterality, description=f"Quality {quality:.2f}; {lungs.state}")


def _finding_segment(result: Result, number: int, finding: Finding) -> Segment:
    mask = mask_of(finding, result.reading.heatmap)
    uid, description = result.uid("sr", f"finding {number}"), f"Confidence {finding.rating:.3f}"
    return Segment(f"Opacity {number}", mask, concepts.OPACITY, uid, finding.laterality, finding.zone, description)


def _pixels(result: Result, segments: tuple[Segment, ...]) -> NDArray[np.uint8]:
    """Frames of shape (1, rows, cols, segments), or the label map of shape (1, rows, cols)."""
    if result.segmentation == "BINARY":
        frames = np.stack([one.mask for one in segments]).view(np.uint8)
        return np.moveaxis(frames, 0, -1)[None]  # each segment contiguous: highdicom checks and packs them many times faster
    labels = np.zeros((1, result.source.rows, result.source.cols), np.uint8)
    for number, one in reversed(
        list(enumerate(segments, 1))
    ):  # the lungs first, and the finding of the highest rating over others
        labels[0][one.mask & ((one.type == concepts.OPACITY) | (labels[0] == 0))] = number
    return labels


def _described(result: Result, number: int, segment: Segment) -> seg.SegmentDescription:
    model, is_lung = result.reading.model, segment.type == concepts.LUNG
    colour = _LUNG_COLOURS[segment.laterality] if is_lung and segment.laterality else _FINDING_COLOUR
    return seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=concepts.ANATOMY if is_lung else concepts.ABNORMALITY,
        segmented_property_type=segment.type,
        algorithm_type=seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=model.name, family=concepts.FAMILY, version=model.sha256, source=MANUFACTURER
        ),
        tracking_uid=segment.tracking_uid,
        tracking_id=segment.label,
        anatomic_regions=None if is_lung else [concepts.ZONES[segment.zone] if segment.zone else concepts.LUNG],
        display_color=CIELabColor.from_rgb(*colour),
    )


def _add_detail(item: Dataset, segment: Segment) -> None:
    """Add what highdicom has no arguments for: the patient's side as a modifier, and the description."""
    item.SegmentDescription = segment.description
    if segment.laterality:
        side = [coded(concepts.LATERALITIES[segment.laterality])]
        if segment.type == concepts.LUNG:
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
        else:
            item.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side


def read(content: bytes) -> tuple[Segment, ...]:
    """Read the segments of a Segmentation back.

    Parameters
    ----------
    content : bytes
        A Segmentation that `write` made, BINARY or LABELMAP.

    Returns
    -------
    tuple of Segment
        In the order of their numbers. In a LABELMAP one, the lung fields lack the pixels of findings.

    Raises
    ------
    DicomObjectError
        The object is no such Segmentation.
    """
    with silenced_libraries("read"):
        dataset = parsed(content)
        if dataset.SOPClassUID not in (SegmentationStorage, LabelMapSegmentationStorage):
            raise DicomObjectError("the DICOM object is no Segmentation; give a SEG that Pneumoscope wrote")
        masks = _masks(dataset)
        return tuple(_read_segment(item, masks[int(item.SegmentNumber)]) for item in dataset.SegmentSequence)


def _masks(dataset: Dataset) -> dict[int, Mask]:
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    numbers = [int(item.SegmentNumber) for item in dataset.SegmentSequence]
    if dataset.SOPClassUID == LabelMapSegmentationStorage:
        return {number: frames[0] == number for number in numbers}
    of_frames = [
        int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for frame in dataset.PerFrameFunctionalGroupsSequence
    ]
    return {number: frames[of_frames.index(number)] > 0 for number in numbers}


def _read_segment(item: Dataset, mask: Mask) -> Segment:
    kind = item.SegmentedPropertyTypeCodeSequence[0]
    region = item.get("AnatomicRegionSequence", [Dataset()])[0]
    sides = kind.get("SegmentedPropertyTypeModifierCodeSequence") or region.get("AnatomicRegionModifierSequence")
    return Segment(
        str(item.SegmentLabel),
        mask,
        concepts.LUNG if kind.CodeValue == concepts.LUNG.value else concepts.OPACITY,
        str(item.TrackingUID),
        next((side for side, code in concepts.LATERALITIES.items() if sides and code.value == sides[0].CodeValue), None),
        next((zone for zone, code in concepts.ZONES.items() if code.value == region.get("CodeValue")), None),
        str(item.get("SegmentDescription", "")),
    )
