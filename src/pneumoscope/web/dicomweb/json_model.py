"""The DICOM JSON model (PS3.18 F) of an object, with its bulk data under URIs."""

import json
from collections.abc import Mapping
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

_INLINE_BYTES = 1024
"""Binary values up to this size stand in the model itself."""
FRAME = "frames/1"
"""End of the URI of the pixels."""

SEARCHED = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "Modality",
    "ReferringPhysicianName", "StudyDescription", "SeriesDescription", "PatientName", "PatientID", "PatientBirthDate",
    "PatientSex", "StudyInstanceUID", "SeriesInstanceUID", "StudyID", "SeriesNumber", "InstanceNumber", "Rows", "Columns",
    "BitsAllocated", "NumberOfFrames", "BodyPartExamined", "ViewPosition",
)  # fmt: skip
"""Attributes that a search can match and returns (PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5)."""


def tag(keyword: str) -> str:
    """Write the tag of an attribute as the JSON model does.

    Parameters
    ----------
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    str
        Eight hexadecimal digits.
    """
    return f"{tag_for_keyword(keyword) or 0:08X}"


def encoded(dataset: Dataset) -> tuple[bytes, dict[str, bytes]]:
    """Write an object in the JSON model.

    Parameters
    ----------
    dataset : Dataset
        The object.

    Returns
    -------
    tuple of bytes and dict of str to bytes
        JSON with relative URIs of bulk data, and the bulk data by these URIs.
    """
    bulk: dict[str, bytes] = {FRAME: dataset.PixelData[: dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8]}

    def keep(element: DataElement) -> str:
        if element.keyword == "PixelData":
            return FRAME
        uri = f"bulkdata/{len(bulk)}"
        bulk[uri] = bytes(element.value)
        return uri

    model = dataset.to_json_dict(_INLINE_BYTES, keep, suppress_invalid_tags=True)
    model[tag("PixelData")] = {"vr": dataset["PixelData"].VR, "BulkDataURI": FRAME}
    model[tag("AvailableTransferSyntaxUID")] = {"vr": "UI", "Value": [str(ExplicitVRLittleEndian)]}
    return _json(model), bulk


def for_search(dataset: Dataset) -> bytes:
    """Write the attributes of an object that a search can match and returns.

    Parameters
    ----------
    dataset : Dataset
        The object.

    Returns
    -------
    bytes
        JSON.
    """
    chosen = Dataset({element.tag: element for keyword in SEARCHED if keyword in dataset for element in [dataset[keyword]]})
    return _json(chosen.to_json_dict(suppress_invalid_tags=True))


def _json(model: dict[str, Any]) -> bytes:
    return json.dumps(model, separators=(",", ":"), allow_nan=False).encode()


def first(attributes: Mapping[str, Any], keyword: str) -> str:
    """Read the first value of an attribute as text.

    Parameters
    ----------
    attributes : mapping of str to object
        Attributes in the JSON model.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    str
        The value, the alphabetic group of a name; empty where there is none.
    """
    return next(iter(texts(attributes.get(tag(keyword), {}))), "")


def texts(element: Mapping[str, Any]) -> list[str]:
    """Read the values of an element as texts.

    Parameters
    ----------
    element : mapping of str to object
        An element in the JSON model.

    Returns
    -------
    list of str
        The values, of names the alphabetic group; empty ones are left out.
    """
    values = [value.get("Alphabetic", "") if isinstance(value, dict) else value for value in element.get("Value", ())]
    return [str(value) for value in values if value not in (None, "")]
