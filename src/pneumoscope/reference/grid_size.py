"""The size of a radiograph's pixel grid, from its header alone."""

from pathlib import Path

import pydicom
from PIL import Image

from pneumoscope.radiograph import UnreadableFileError
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.reference.rasterization import Grid


def grid_size(file: Path) -> Grid:
    """Read the size of a radiograph without decoding its pixels.

    Parameters
    ----------
    file
        A DICOM, PNG or JPEG file.

    Returns
    -------
    tuple of int
        (rows, cols) in pixels.

    Raises
    ------
    UnreadableFileError
        If the header cannot be read.
    """
    with silenced_decoders():
        try:
            with file.open("rb") as stream:
                if looks_like_dicom(stream.read(132)):
                    header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
                    return int(header.Rows), int(header.Columns)
            with Image.open(file) as image:
                return image.height, image.width
        except Exception as error:  # pydicom and Pillow raise any exception for damage
            raise UnreadableFileError(
                "the header of an annotated radiograph is neither DICOM nor PNG nor JPEG; copy it again"
            ) from error
