"""What can be wrong with the source of a DICOM object.

PneumoscopeError
└── DicomObjectError            an object could not be written or read back
    ├── NotDicomError           the source is no DICOM file
    ├── UnidentifiedImageError  the source lacks a UID by which an object refers to it
    └── RepeatedUidError        another source has the same SOP Instance UID
"""

from pneumoscope import PneumoscopeError


class DicomObjectError(PneumoscopeError):
    """A reading could not be written as a DICOM object, or an object could not be read back."""


class NotDicomError(DicomObjectError):
    """The source is no DICOM file, so that no object can refer to it."""


class UnidentifiedImageError(DicomObjectError):
    """The source lacks a UID by which an object refers to it."""


class RepeatedUidError(DicomObjectError):
    """Another source with other content has the same SOP Instance UID, so that the objects of both would have the same UIDs."""
