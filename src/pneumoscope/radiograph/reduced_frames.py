"""Decode DICOM pixel data at a reduced scale, by the resolution levels of JPEG 2000.

Only codestreams whose structure is fully understood are reduced; of all others nothing is returned, and they are decoded in full.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000, JPEG2000Lossless

from pneumoscope.radiograph.reduction import Reduction, Wavelet
from pneumoscope.radiograph.stored_values import Stored, bit_layout

_SIZ, _COD, _SOT = 0xFF51, 0xFF52, 0xFF90
_KNOWN_MARKERS = frozenset({_SIZ, _COD, 0xFF55, 0xFF57, 0xFF58, 0xFF5C, 0xFF63, 0xFF64})
"""Marker segments of a main header that say nothing of single components or regions: SIZ, COD, TLM, PLM, PLT, QCD, CRG, COM."""
_START, _END = b"\xff\x4f\xff\x51", b"\xff\xd9"


@dataclass(frozen=True)
class Codestream:
    """What the main header of a JPEG 2000 codestream of one component and one tile says (ITU-T T.800 annex A).

    Parameters
    ----------
    rows, cols : int
        Size in pixels.
    bits : int
        Bits of a sample.
    signed : bool
        Whether the samples are signed.
    decompositions : int
        Number of times that the wavelet transform was applied.
    wavelet : {"5/3", "9/7"}
        The wavelet.
    """

    rows: int
    cols: int
    bits: int
    signed: bool
    decompositions: int
    wavelet: Wavelet

    @classmethod
    def parse(cls, frame: bytes) -> "Codestream | None":
        """Parse a codestream.

        Parameters
        ----------
        frame : bytes
            The codestream, without a JP2 file around it.

        Returns
        -------
        Codestream or None
            None where it is not whole, or has several components or tiles, an offset, or settings of single components.
        """
        segments = _main_header(frame)
        size, coding = segments.get(_SIZ, b""), segments.get(_COD, b"")
        if len(size) != 39 or len(coding) < 10 or not frame.rstrip(b"\0").endswith(_END):
            return None
        right, bottom, left, top, tile_cols, tile_rows, tile_left, tile_top = (
            int.from_bytes(size[at : at + 4], "big") for at in range(2, 34, 4)
        )
        one = (size[34:36], size[37:39]) == (b"\0\1", b"\1\1") and not any((left, top, tile_left, tile_top))
        if not one or tile_cols < right or tile_rows < bottom or coding[9] > 1:
            return None
        wavelet: Wavelet = "5/3" if coding[9] else "9/7"
        return cls(bottom, right, (size[36] & 0x7F) + 1, bool(size[36] & 0x80), coding[5], wavelet)


def _main_header(frame: bytes) -> dict[int, bytes]:
    """Content of each marker segment, by marker; nothing if one of them is damaged or not known."""
    segments: dict[int, bytes] = {}
    if not frame.startswith(_START):
        return segments
    at = 2
    while (marker := int.from_bytes(frame[at : at + 2], "big")) != _SOT:
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker not in _KNOWN_MARKERS or length < 2:
            return {}
        segments[marker] = frame[at + 4 : at + 2 + length]
        at += 2 + length
    return segments


def reduced_values(dataset: Dataset, seen_px: int) -> tuple[Stored, Reduction] | None:
    """Decode stored values at a reduced scale.

    Parameters
    ----------
    dataset : Dataset
        DICOM image whose size was checked; missing attributes of the Image Pixel module are filled in.
    seen_px : int
        Edge of the square on which a model sees the whole picture, >= 1.

    Returns
    -------
    tuple of ndarray of integers and Reduction, or None
        Samples of the reduced picture, in the range of the stored values. None where the transfer syntax does not allow it, the
        header contradicts the frame, or the picture is small or damaged.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in (JPEG2000, JPEG2000Lossless):
        return None
    bits, shift = bit_layout(dataset)
    if shift:
        return None
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    stated = dataset.Rows, dataset.Columns, bits, bool(dataset.PixelRepresentation)
    try:
        stream = Codestream.parse(frame)
        if stream is None or (stream.rows, stream.cols, stream.bits, stream.signed) != stated:
            return None
        return _decoded(frame, stream, seen_px)
    except Exception:  # decoding in full says what is wrong
        return None


def _decoded(frame: bytes, stream: Codestream, seen_px: int) -> tuple[Stored, Reduction] | None:
    reduction = Reduction.choose(stream.rows, stream.cols, seen_px, stream.wavelet, stream.decompositions)
    # Pillow rounds a size to the nearest, not up, and then refuses what its decoder gives.
    while reduction and reduction.shape != _rounded(reduction):
        reduction = Reduction.choose(stream.rows, stream.cols, seen_px, stream.wavelet, reduction.halvings - 1)
    if reduction is None:
        return None
    with Image.open(io.BytesIO(frame), formats=("JPEG2000",)) as image:
        assert isinstance(image, Jpeg2KImageFile)  # the only class of this format
        image.reduce = reduction.halvings
        samples = np.asarray(image)
    return _unscaled(samples, stream), reduction


def _rounded(reduction: Reduction) -> tuple[int, int]:
    half = 1 << reduction.halvings >> 1
    return (reduction.rows + half) >> reduction.halvings, (reduction.cols + half) >> reduction.halvings


def _unscaled(samples: NDArray[np.unsignedinteger[Any]], stream: Codestream) -> Stored:
    """Stored values of samples, which Pillow shifts to 8 or 16 bits, and to above zero where they are signed."""
    wide = 8 * samples.dtype.itemsize
    values = samples >> (wide - stream.bits)
    if not stream.signed:
        return values
    return (values.astype(np.int32) - (1 << (stream.bits - 1))).astype(f"i{samples.dtype.itemsize}")
