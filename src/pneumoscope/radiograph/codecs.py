"""Choose a decoder for a compressed DICOM frame, and decode the JPEG processes that only GDCM knows.

GDCM is an optional extra and is asked last: on a damaged frame it can end the whole process instead of raising. It is given
JPEG frames only, and only after their marker segments were checked.
"""

import importlib
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from pneumoscope.radiograph.errors import UnreadableFileError
from pneumoscope.radiograph.native_stderr import silenced_native_stderr

PLUGIN = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000: "pylibjpeg",
    uid.JPEG2000Lossless: "pylibjpeg",
}
"""Plugin of `pydicom.pixels` by transfer syntax; one that is not listed has only one plugin or none."""
ONLY_GDCM = frozenset({uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1})
"""Transfer syntaxes that `decode_jpeg` decodes."""


def _gdcm() -> ModuleType:
    """GDCM, which is loaded at the first frame that needs it: it is large, and an optional extra."""
    try:
        return importlib.import_module("gdcm")
    except ModuleNotFoundError as error:
        raise UnreadableFileError(
            "the DICOM image is compressed by a JPEG process (Extended or Lossless) that GDCM decodes; "
            "install it with  pip install 'pneumoscope[gdcm]'"
        ) from error


def decode_jpeg(dataset: Dataset) -> NDArray[np.integer[Any]]:
    """Decode the one frame of a JPEG Extended or JPEG Lossless image with GDCM.

    Parameters
    ----------
    dataset : Dataset
        Image of one sample a pixel with its Image Pixel attributes present.

    Returns
    -------
    ndarray of 8 or 16 bit integers, shape (rows, cols)
        Stored values.

    Raises
    ------
    UnreadableFileError
        If GDCM is not installed.
    ValueError
        If the structure of the frame is damaged.
    """
    gdcm = _gdcm()
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    precision = frame_precision(frame, dataset.Rows, dataset.Columns)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    syntax = gdcm.TransferSyntax.GetTSType(str(dataset.file_meta.TransferSyntaxUID))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    # GDCM picks its 8, 12 or 16 bit library by the bits allocated; 12 is what keeps it from trying 16 first.
    allocated = 12 if precision == 12 else dataset.BitsAllocated
    bits = dataset.BitsStored
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, bits, bits - 1, dataset.PixelRepresentation))
    with silenced_native_stderr():
        buffer = image.GetBuffer()
    values = bytes(buffer.encode("utf-8", "surrogateescape"))
    kind = f"<{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}"
    return np.frombuffer(values, kind).reshape(dataset.Rows, dataset.Columns)


def frame_precision(frame: bytes, rows: int, cols: int) -> int:
    """Check the marker segments of a JPEG frame (ITU-T T.81 B.1.1) and read its sample precision.

    Parameters
    ----------
    frame : bytes
        The compressed frame.
    rows, cols : int
        Size that the DICOM header states, in pixels.

    Returns
    -------
    int
        Bits of a sample, 8 to 16.

    Raises
    ------
    ValueError
        If a segment is damaged, or the frame is not one component of the stated size.
    IndexError
        If the frame ends within its header.
    """
    precision, at = 0, 2
    if frame[:2] != b"\xff\xd8":
        raise ValueError("a JPEG frame without start of image")
    while True:
        mark, code, length = frame[at], frame[at + 1], int.from_bytes(frame[at + 2 : at + 4])
        if mark != 0xFF or length < 2:
            raise ValueError(f"no JPEG marker segment at byte {at}")
        if code in (0xC0, 0xC1, 0xC3):
            precision, components = frame[at + 4], frame[at + 9]
            if (int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9])) != (rows, cols):
                raise ValueError("the JPEG frame is not of the size that the DICOM header states")
            if components != 1 or not 8 <= precision <= 16:
                raise ValueError(f"the JPEG frame has {components} components of {precision} bits")
        elif code == 0xDA:
            break
        elif code != 0xC4 and not 0xDB <= code <= 0xFE:
            raise ValueError(f"JPEG marker {code:02X} is not of a baseline, extended or lossless process")
        at += 2 + length
    if not precision:
        raise ValueError("a JPEG scan before its frame header")
    return precision
