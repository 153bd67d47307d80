"""A reading as DICOM objects: Structured Report, Segmentation, Parametric Map, Secondary Capture and presentation state."""

from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.errors import DicomObjectError, NotDicomError, UnidentifiedImageError
from pneumoscope.dicom_objects.header import SourceImage, source_image
from pneumoscope.dicom_objects.objects import omitted, write_objects
from pneumoscope.dicom_objects.profiles import KINDS, Kind, Profile
from pneumoscope.dicom_objects.result import Result

__all__ = [
    "KINDS",
    "DicomObject",
    "DicomObjectError",
    "Kind",
    "NotDicomError",
    "Profile",
    "Result",
    "SourceImage",
    "UnidentifiedImageError",
    "omitted",
    "source_image",
    "write_objects",
]
