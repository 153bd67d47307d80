"""Tell whether a data set was cut off, from the lengths that it states and without reading its values."""

import struct
import zlib
from typing import BinaryIO

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

_PIXEL_DATA, _DELIMITERS, _GROUP_OF_ITEMS = 0x7FE00010, (0xFFFEE00D, 0xFFFEE0DD), 0xFFFE
_UNDEFINED = 0xFFFFFFFF
_MOST_ELEMENTS = 100_000
_PIECE, _MOST_INFLATED = 2**20, 2**29
_LONG_LENGTHS = frozenset(str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32)


def is_truncated(stream: BinaryIO, syntax: str, size: int) -> bool:
    """Tell whether Pixel Data, or an element before it, has fewer bytes than it states (PS3.5 7.1 and A.4).

    Parameters
    ----------
    stream : BinaryIO
        The file, at the beginning of its data set; its position changes.
    syntax : str
        Transfer syntax of the data set. Of a deflated one, only the end of the deflated stream is looked for.
    size : int
        Bytes of the file.

    Returns
    -------
    bool
        True also where Pixel Data of undefined length has no end, and where more than 100,000 elements precede it.
    """
    if syntax == DeflatedExplicitVRLittleEndian:
        return _has_no_end(stream)
    depth, in_pixel_data = 0, False
    for _ in range(_MOST_ELEMENTS):
        if stream.tell() == size:
            return depth > 0
        header = _header(stream, syntax)
        if header is None:
            return True
        tag, length = header
        is_pixel_data = tag == _PIXEL_DATA and depth == 0
        if length == _UNDEFINED:
            depth, in_pixel_data = depth + 1, in_pixel_data or is_pixel_data
        elif tag in _DELIMITERS:
            depth = max(0, depth - 1)
            if in_pixel_data and depth == 0:
                return False
        elif stream.seek(length, 1) > size:
            return True
        elif is_pixel_data:
            return False
    return True


def _has_no_end(stream: BinaryIO) -> bool:
    """Whether a deflated stream (RFC 1951) ends early; one that inflates to more than any radiograph is left to the reader."""
    inflating, inflated = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while piece := inflating.unconsumed_tail or stream.read(_PIECE):
            inflated += len(inflating.decompress(piece, _PIECE))
            if inflating.eof or inflated > _MOST_INFLATED:
                return False
    except zlib.error:
        return True
    return True


def _header(stream: BinaryIO, syntax: str) -> tuple[int, int] | None:
    """Tag and length of the next element; None where the file ends within them."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    content = stream.read(8)
    if len(content) < 8:
        return None
    group, element = struct.unpack(f"{order}HH", content[:4])
    vr, tag = content[4:6], group << 16 | element
    has_vr = syntax != ImplicitVRLittleEndian and group != _GROUP_OF_ITEMS and b"AA" <= vr <= b"ZZ"
    if not has_vr:  # also within an element of VR UN and undefined length (PS3.5 6.2.2)
        return tag, struct.unpack(f"{order}L", content[4:])[0]
    if vr not in _LONG_LENGTHS:
        return tag, struct.unpack(f"{order}H", content[6:])[0]
    rest = stream.read(4)
    return (tag, struct.unpack(f"{order}L", rest)[0]) if len(rest) == 4 else None
