"""Which decoder takes a compressed DICOM frame, and the two JPEG processes that only GDCM knows.

GDCM is asked last: on a damaged frame it can end the whole process instead of raising. It gets JPEG frames only, and
only after their marker segments were walked.
"""

import gdcm  # type: ignore[import-not-found, import-untyped, unused-ignore]  # has no types
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

PLUGIN = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pneumoscope",
    uid.JPEGLossless: "pneumoscope",
    uid.JPEGLosslessSV1: "pneumoscope",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000: "pylibjpeg",
    uid.JPEG2000Lossless: "pylibjpeg",
}
"""The plugin of `pydicom.pixels` by transfer syntax; one that is not listed has but one plugin or none."""

DECODER_DEPENDENCIES = {syntax: ("python-gdcm>=3.0.24",) for syntax, name in PLUGIN.items() if name == "pneumoscope"}


def is_available(syntax: str) -> bool:
    """Part of pydicom's plugin interface."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode a one-component JPEG frame with GDCM; ValueError where its structure is damaged."""
    precision = _precision(frame, runner.rows, runner.columns)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(runner.transfer_syntax))))
    # GDCM picks its 8, 12 or 16 bit library by the bits allocated; 12 is what keeps it from trying 16 first.
    allocated = 12 if precision == 12 else runner.bits_allocated
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, runner.bits_stored, runner.bits_stored - 1, runner.pixel_representation))
    return bytes(image.GetBuffer().encode("utf-8", "surrogateescape"))


def _precision(frame: bytes, rows: int, cols: int) -> int:
    """The sample precision in the frame header, once the marker segments (ITU-T T.81 B.1.1) are found in order."""
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


for _syntax in DECODER_DEPENDENCIES:
    get_decoder(_syntax).add_plugin("pneumoscope", (__name__, "decode_frame"))
