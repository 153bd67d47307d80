"""Give a radiograph the nominal frame of reference without which viewers open no Segmentation or Parametric Map of it.

A projection radiograph has no plane in the patient. The frame says only that the object has the same pixel grid as the image: its
origin, orientation and thickness are nominal and must not be used to locate anything in the patient.
"""

from copy import deepcopy

from pydicom.dataset import Dataset

from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.uids import derived_uid

ORIENTATION = (1, 0, 0, 0, 1, 0)
"""Image Orientation (Patient) of the frame.

OHIF 3.13 takes an image without a plane to have this one, and refuses a Segmentation or Parametric Map that has another.
"""
POSITION = (0, 0, 0)
THICKNESS_MM = 1
UNSTATED_SPACING_MM = (1, 1)
"""Spacing of the frame where the image states none."""


def frame_uid(result: Result) -> str:
    """Derive the UID of the frame of reference.

    Parameters
    ----------
    result : Result
        The reading of the image.

    Returns
    -------
    str
        The same for all objects of the image, and never that of another image, which no registration relates to this one.
    """
    return derived_uid("nominal frame of reference", result.source.sop_instance_uid)


def framed_source(result: Result) -> Dataset:
    """Copy the header of the source image, and place it in the nominal frame.

    Parameters
    ----------
    result : Result
        The reading of the image.

    Returns
    -------
    Dataset
        The header with frame of reference, position, orientation, spacing and thickness.
    """
    header = deepcopy(result.source.dataset)
    spacing = result.radiograph.spacing
    header.FrameOfReferenceUID = frame_uid(result)
    header.PositionReferenceIndicator = ""
    header.ImagePositionPatient = list(POSITION)
    header.ImageOrientationPatient = list(ORIENTATION)
    header.PixelSpacing = [spacing.row_mm, spacing.col_mm] if spacing else list(UNSTATED_SPACING_MM)
    header.SliceThickness = THICKNESS_MM
    return header
