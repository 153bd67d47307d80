"""Read which images a DICOMDIR lists, the directory of a DICOM medium (PS3.10 8.6, PS3.3 F.3)."""

import io

import pydicom

from pneumoscope import PneumoscopeError
from pneumoscope.radiograph.declared_sizes import check_elements
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

NAME = "DICOMDIR"


class DicomdirError(PneumoscopeError):
    """A DICOMDIR cannot be read."""


def images_of(content: bytes) -> list[str]:
    """List the images of a DICOMDIR.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    list of str
        Referenced File ID of each image that is in use, with forward slashes, relative to the folder of the DICOMDIR. References
        that lead out of it are left out.

    Raises
    ------
    DicomdirError
        It is damaged, or no DICOMDIR.
    """
    try:
        with silenced_decoders():
            check_elements(content)
            records = pydicom.dcmread(io.BytesIO(content)).DirectoryRecordSequence
            return [name for record in records if (name := _image(record))]
    except Exception as error:  # pydicom raises errors of many classes
        raise DicomdirError("the DICOMDIR is damaged; its folder was searched without it") from error


def _image(record: pydicom.Dataset) -> str:
    """Referenced File ID of an image; empty for another record."""
    if record.get("DirectoryRecordType") != "IMAGE" or record.get("RecordInUseFlag", 0xFFFF) == 0:
        return ""
    value = record.get("ReferencedFileID") or ""
    parts = [value] if isinstance(value, str) else [str(part) for part in value]
    safe = all(part and part not in (".", "..") and not set(part) & set("/\\\0") for part in parts)
    return "/".join(parts) if safe else ""
