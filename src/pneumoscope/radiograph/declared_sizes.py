"""Compare what a DICOM file declares with what its streams would unpack to, before they are unpacked."""

import zlib
from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from pneumoscope.radiograph.errors import TooLargeError
from pneumoscope.radiograph.limits import MAX_INFLATED_BYTES, MAX_ITEMS

_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""Tag of a sequence item, little and big endian (PS3.5 7.5)."""
_LONG_LENGTHS = (b"OB", b"OW", b"SQ", b"UN", b"UT")
"""Value representations of the File Meta Information whose length has four bytes (PS3.5 7.1.2)."""
_BLOCK_BYTES = 2**20
_BLOCK_WORDS = 2**16
"""Words compared at a time, few enough for the cache of a processor core."""


def check_elements(content: bytes) -> None:
    """Refuse a data set that unpacks to more than any radiograph (PS3.5 A.5), or has more sequence items than any.

    Parameters
    ----------
    content : bytes
        The whole file.

    Raises
    ------
    TooLargeError
        If it unpacks to more than `MAX_INFLATED_BYTES` bytes, or has more than `MAX_ITEMS` items.
    zlib.error
        If a deflated data set is damaged.
    """
    start = _end_of_file_meta(content)
    if DeflatedExplicitVRLittleEndian.encode() not in content[132:start]:
        if _most_items(content) > MAX_ITEMS:
            _check_items(sum(content.count(tag) for tag in _ITEM_TAGS))
        return
    inflate, size, items, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0, content[start:]
    while rest and size <= MAX_INFLATED_BYTES:
        block = inflate.decompress(rest, _BLOCK_BYTES)
        rest, size, items = inflate.unconsumed_tail, size + len(block), items + sum(block.count(tag) for tag in _ITEM_TAGS)
        _check_items(items)
    if size > MAX_INFLATED_BYTES:
        raise TooLargeError(
            f"the deflated DICOM data set unpacks to more than {MAX_INFLATED_BYTES:,} bytes, more than any radiograph; "
            "it was not decoded"
        )


def _most_items(content: bytes) -> int:
    """An upper bound of the number of item tags, from their first halves alone: ten times quicker than counting the tags."""
    halves = [int.from_bytes(tag[:2], "little") for tag in _ITEM_TAGS]
    count = 0
    for offset in (0, 1):
        words = np.frombuffer(content, "<u2", (len(content) - offset) // 2, offset)
        for start in range(0, words.size, _BLOCK_WORDS):
            block = words[start : start + _BLOCK_WORDS]
            count += sum(int(np.count_nonzero(block == half)) for half in halves)
    return count


def _check_items(count: int) -> None:
    if count > MAX_ITEMS:
        raise TooLargeError(
            f"the DICOM data set has more than {MAX_ITEMS:,} sequence items, more than any radiograph; it was not decoded"
        )


def _end_of_file_meta(content: bytes) -> int:
    """Where the data set begins, by the elements of group 0002 themselves: their group length may be wrong or missing."""
    at = 132 if content[128:132] == b"DICM" else 0
    while content[at : at + 2] == b"\x02\x00":
        if content[at + 4 : at + 6] in _LONG_LENGTHS:
            at += 12 + int.from_bytes(content[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    return at


def check_frame(dataset: Dataset) -> None:
    """Refuse a compressed frame whose own header declares another size than the DICOM image.

    Parameters
    ----------
    dataset : Dataset
        DICOM image with its pixel data.

    Raises
    ------
    ValueError
        If the sizes differ, or the frame has no header where its standard wants it.
    """
    size_of = _FRAME_SIZES.get(dataset.file_meta.TransferSyntaxUID)
    if size_of is None:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    rows, cols = size_of(frame)
    if (rows, cols) != (dataset.Rows, dataset.Columns):
        raise ValueError(f"a frame of {rows} × {cols} pixels in an image of {dataset.Rows} × {dataset.Columns}")


def _jpeg_2000_size(frame: bytes) -> tuple[int, int]:
    """Rows and columns of a codestream by its SIZ marker segment (ITU-T T.800 A.5.1), with or without a JP2 file around it."""
    siz = frame.find(b"\xff\x4f\xff\x51") + 4
    right, bottom, left, top = (int.from_bytes(frame[siz + at : siz + at + 4], "big") for at in (4, 8, 12, 16))
    return bottom - top, right - left


def _jpeg_ls_size(frame: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG-LS frame by its SOF55 marker segment (ITU-T T.87 C.2.2)."""
    sof = frame.find(b"\xff\xf7")
    return int.from_bytes(frame[sof + 5 : sof + 7], "big"), int.from_bytes(frame[sof + 7 : sof + 9], "big")


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG frame by its first start of frame (ITU-T T.81 B.2.2)."""
    at = 2
    while at + 9 <= len(frame) and not (0xC0 <= frame[at + 1] <= 0xCF and frame[at + 1] not in (0xC4, 0xC8, 0xCC)):
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")


_FRAME_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    JPEGBaseline8Bit: _jpeg_size,
    JPEGLSLossless: _jpeg_ls_size,
    JPEGLSNearLossless: _jpeg_ls_size,
    JPEG2000: _jpeg_2000_size,
    JPEG2000Lossless: _jpeg_2000_size,
    HTJ2K: _jpeg_2000_size,
    HTJ2KLossless: _jpeg_2000_size,
    HTJ2KLosslessRPCL: _jpeg_2000_size,
}
"""By transfer syntax; that of the processes which GDCM decodes is checked by `codecs.frame_precision`."""
