"""Decode the pixel data of a DICOM image into stored values: the bits of each pixel cell that hold the pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from pneumoscope.radiograph.codecs import ONLY_GDCM, PLUGIN, decode_jpeg
from pneumoscope.radiograph.declared_sizes import check_frame
from pneumoscope.radiograph.errors import (
    EmptyImageError,
    NotARadiographError,
    RadiographError,
    TooLargeError,
    UnreadableFileError,
)
from pneumoscope.radiograph.header import integer_of, unreadable
from pneumoscope.radiograph.limits import MAX_PIXELS

Stored = NDArray[np.integer[Any]]
_PLAIN = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian})
"""Transfer syntaxes whose Pixel Data are the cells as they lie in memory."""


def check_size(dataset: Dataset) -> None:
    """Refuse an image that has no pixels, or more than any radiograph, before it is decoded.

    Parameters
    ----------
    dataset : Dataset
        DICOM image.

    Raises
    ------
    EmptyImageError
        If it has no rows or no columns.
    TooLargeError
        If it has more than `MAX_PIXELS` pixels.
    """
    rows, cols = (integer_of(dataset, keyword, 0) for keyword in ("Rows", "Columns"))
    if rows < 1 or cols < 1:
        raise EmptyImageError(f"the DICOM image has {rows} rows and {cols} columns; export it again")
    if rows * cols > MAX_PIXELS:
        raise TooLargeError(
            f"the DICOM image declares {rows} × {cols} pixels, more than the {MAX_PIXELS:,} of any radiograph; it was not decoded"
        )


def stored_values(dataset: Dataset) -> Stored:
    """Decode the pixel data and cut the stored value out of each pixel cell.

    A cell has Bits Allocated bits, of which the Bits Stored ones below and including High Bit are the pixel (PS3.5 8.1.1);
    the others, such as old overlays, are cut off. Missing or empty, Samples per Pixel is 1 and High Bit is Bits Stored − 1, as
    in DCMTK. JPEG Baseline frames have 8 bits, also where the header allocates 16.

    Parameters
    ----------
    dataset : Dataset
        DICOM image with one sample a pixel; missing attributes of the Image Pixel module are filled in.

    Returns
    -------
    ndarray of integers, shape (rows, cols)
        Stored values, signed where Pixel Representation is 1.

    Raises
    ------
    UnreadableFileError
        If a needed attribute is missing or contradicts another, or the pixel data cannot be decoded.
    NotARadiographError
        If a pixel has fewer than 8 or more than 16 bits.
    """
    bits, shift = bit_layout(dataset)
    try:
        cells = _decoded(dataset)
    except RadiographError:
        raise
    except Exception as error:  # decoders raise errors of many classes, also RuntimeError
        raise _undecoded(dataset) from error
    rows, cols = int(dataset.Rows), int(dataset.Columns)
    if cells.shape != (rows, cols):
        raise UnreadableFileError(f"the DICOM pixel data are of shape {cells.shape}, not the declared {rows} × {cols}")
    return _cut(cells, bits, shift)


def bit_layout(dataset: Dataset) -> tuple[int, int]:
    """Check the Image Pixel attributes, fill in missing ones, and find the pixel in its cell.

    Parameters
    ----------
    dataset : Dataset
        DICOM image; missing attributes are filled in as `stored_values` says.

    Returns
    -------
    bits : int
        Bits Stored, 8 to 16.
    shift : int
        Number of bits below the pixel.

    Raises
    ------
    UnreadableFileError
        If an attribute is missing or contradicts another.
    NotARadiographError
        If a pixel has fewer than 8 or more than 16 bits.
    """
    bits = integer_of(dataset, "BitsStored")
    allocated = integer_of(dataset, "BitsAllocated")
    high = integer_of(dataset, "HighBit", bits - 1)
    if integer_of(dataset, "PixelRepresentation") not in (0, 1):
        raise unreadable("PixelRepresentation", "neither 0 nor 1")
    if not 8 <= bits <= 16:
        raise NotARadiographError(f"the DICOM image stores {bits} bits a pixel; 8 to 16 are read")
    if allocated not in (8, 16, 32):
        raise NotARadiographError(f"the DICOM image allocates {allocated} bits a pixel; 8, 16 or 32 are read")
    if dataset.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
        allocated, bits, high = 8, 8, 7
    if not bits - 1 <= high < allocated:
        raise unreadable("HighBit", f"{high}, which does not fit {bits} bits stored of {allocated} bits allocated")
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, allocated, bits, high
    return bits, high - bits + 1


def _decoded(dataset: Dataset) -> Stored:
    """Pixel cells, shape (rows, cols)."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in ONLY_GDCM:
        return decode_jpeg(dataset)
    if syntax in _PLAIN and (cells := _plain(dataset)) is not None:
        return cells
    check_frame(dataset)
    # pydicom cuts by Bits Stored from bit 0 on; cells are taken whole here and cut by High Bit.
    keep = syntax.is_encapsulated and syntax != RLELossless
    options: dict[str, Any] = {} if keep else {"correct_unused_bits": False}
    decoded, _ = get_decoder(syntax).as_array(dataset, decoding_plugin=PLUGIN.get(syntax, ""), **options)
    return np.asarray(decoded)


def _plain(dataset: Dataset) -> Stored | None:
    """The cells of one frame without a copy; None where the Pixel Data have another length, which pydicom judges."""
    rows, cols, size = int(dataset.Rows), int(dataset.Columns), int(dataset.BitsAllocated) // 8
    data, expected = dataset.PixelData, rows * cols * size
    if len(data) not in (expected, expected + expected % 2):
        return None
    kind = "i" if dataset.PixelRepresentation else "u"
    return np.frombuffer(data, f"<{kind}{size}", rows * cols).reshape(rows, cols)


def _cut(cells: Stored, bits: int, shift: int) -> Stored:
    """The `bits` bits above the lowest `shift` bits of each cell."""
    unused = cells.dtype.itemsize * 8 - bits
    if unused <= 0:
        return cells
    if shift and _fits(cells, bits):  # a compressed frame of this precision, which has no bits below the pixel
        shift = 0
    return np.asarray((cells << (unused - shift)) >> unused)


def _fits(cells: Stored, bits: int) -> bool:
    """Whether no cell uses more than `bits` bits."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if cells.dtype.kind == "i" else (0, 2**bits - 1)
    return bool(low <= cells.min() and cells.max() <= high)


def _undecoded(dataset: Dataset) -> UnreadableFileError:
    needed = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    syntax = dataset.file_meta.TransferSyntaxUID
    start = f"the DICOM pixel data could not be decoded ({_named(dataset)})"
    if not syntax.is_encapsulated and len(dataset.PixelData) < needed:
        return UnreadableFileError(
            f"{start}: they are truncated to {len(dataset.PixelData)} of {needed} bytes, or Rows and Columns are wrong; "
            "send the file again from its source"
        )
    return UnreadableFileError(f"{start}: they are truncated, damaged, or not what the header states; send the file again")


def _named(dataset: Dataset) -> str:
    uid = dataset.file_meta.TransferSyntaxUID
    return "an unknown transfer syntax" if uid.name == uid else str(uid.name)
