"""Write the objects of a reading, each by the writer of its kind."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from pneumoscope.dicom_objects import parametric_map, presentation_state, secondary_capture, segmentation, structured_report
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.header import source_image
from pneumoscope.dicom_objects.profiles import KINDS, Kind, Profile
from pneumoscope.dicom_objects.result import Result, SegmentationType
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading

Writer = Callable[[Result], DicomObject]
"""Writes one kind of object."""

WRITERS: Mapping[Kind, Writer] = {
    "sr": structured_report.write,
    "seg": segmentation.write,
    "pm": parametric_map.write,
    "sc": secondary_capture.write,
    "gsps": presentation_state.write,
}


def write_objects(
    content: bytes,
    radiograph: Radiograph,
    reading: ModelReading,
    kinds: Collection[Kind],
    profile: Profile,
    created: datetime,
    *,
    predecessors: Sequence[bytes] = (),
    segmentation_type: SegmentationType = "BINARY",
    deflated_maps: bool = False,
) -> tuple[DicomObject, ...]:
    """Write a reading as DICOM objects.

    Parameters
    ----------
    content : bytes
        The DICOM file that was read.
    radiograph : Radiograph
        The decoded file.
    reading : ModelReading
        Its reading.
    kinds : collection of {"sr", "seg", "pm", "sc", "gsps"}
        The kinds of object to write.
    profile : Profile
        The system that the objects are for.
    created : datetime
        When the image was read, with its time zone.
    predecessors : sequence of bytes
        Structured Reports of the same image by an earlier model, as DICOM files; a new report names them as its predecessors.
    segmentation_type : {"BINARY", "LABELMAP"}
        Form of the Segmentation. Few viewers know LABELMAP yet.
    deflated_maps : bool
        Whether a Parametric Map is rounded to 1/1024 of full scale and deflated: 0.1 to 1 MB instead of 30 MB. Its receiver has
        to know Deflated Explicit VR Little Endian; OHIF and Orthanc do.

    Returns
    -------
    tuple of DicomObject
        In the order of `KINDS`, without those of `omitted`; the same bytes for the same arguments.

    Raises
    ------
    NotDicomError
        The file is no DICOM file.
    UnidentifiedImageError
        A UID by which an object refers to the image is missing or invalid.
    DicomObjectError
        The header cannot be parsed, or an object cannot be written with its values.
    """
    source, earlier = source_image(content), tuple(predecessors)
    result = Result(source, radiograph, reading, profile, created, segmentation_type, earlier, deflated_maps)
    left_out = omitted(radiograph, reading, kinds)
    with silenced_libraries("written"):
        return tuple(WRITERS[kind](result) for kind in KINDS if kind in kinds and kind not in left_out)


def omitted(radiograph: Radiograph, reading: ModelReading, kinds: Collection[Kind] = KINDS) -> Mapping[Kind, str]:
    """Tell which kinds of object cannot be written of a reading.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    reading : ModelReading
        Its reading.
    kinds : collection of {"sr", "seg", "pm", "sc", "gsps"}
        The kinds to ask about.

    Returns
    -------
    mapping of Kind to str
        The reason by kind; usually empty.
    """
    reasons: dict[Kind, str] = {}
    if "seg" in kinds and not segmentation.has_segments(reading):
        reasons["seg"] = "the reading has neither a lung field nor a finding, so that there is nothing to segment"
    if "pm" in kinds and radiograph.spacing is None:
        reasons["pm"] = "the source states no pixel spacing, which a Parametric Map needs"
    return reasons
