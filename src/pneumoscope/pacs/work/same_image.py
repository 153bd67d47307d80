"""Tell whether two files hold the same image in different transfer syntaxes, as an archive sends it to different receivers."""

import io
from collections.abc import Callable
from dataclasses import fields

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.tag import Tag

from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

_OF_ENCODING = frozenset(map(Tag, ("PhotometricInterpretation", "PlanarConfiguration")))
"""Attributes that a lossless transcoding may change."""
_NOT_KNOWN = frozenset({"UN", "US or SS", "OB or OW"})
"""Value representations of elements that were read without their own, as in Implicit VR."""


def same_image(one: bytes, other: bytes, decode: Callable[[bytes], Radiograph]) -> bool:
    """Tell whether two files hold the same image.

    Parameters
    ----------
    one, other : bytes
        DICOM files.
    decode : callable
        Decodes a file.

    Returns
    -------
    bool
        Whether they have the same pixels, as a model reads them, and the same attributes, apart from private ones and from those
        that describe how pixels are encoded.

    Raises
    ------
    PneumoscopeError
        As `decode` raises it.
    """
    return _same_radiograph(decode(one), decode(other)) and _same_header(one, other)


def _same_radiograph(one: Radiograph, other: Radiograph) -> bool:
    pairs = ((getattr(one, part.name), getattr(other, part.name)) for part in fields(Radiograph))
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def _same_header(one: bytes, other: bytes) -> bool:
    try:
        with silenced_decoders():
            first, second = _elements(one), _elements(other)
            return first.keys() == second.keys() and all(_same(first[tag], second[tag]) for tag in first)
    except Exception:  # pydicom names no errors of its own; what cannot be compared is not called the same
        return False


def _elements(content: bytes) -> dict[int, DataElement]:
    header = dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
    return {element.tag: element for element in header if not element.tag.is_private and element.tag not in _OF_ENCODING}


def _same(one: DataElement, other: DataElement) -> bool:
    if one.VR != other.VR:
        return bool(_NOT_KNOWN & {one.VR, other.VR})
    return bool(one.value == other.value)
