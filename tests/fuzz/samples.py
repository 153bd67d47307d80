"""Valid inputs with an identity: the shipped radiographs, made smaller, and DICOM files of each transfer syntax that is read."""

import functools
import io
import warnings
from pathlib import Path

import numpy as np
import openjpeg
import pydicom
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from pneumoscope import cohort
from tests.dicom_objects.builders import SOURCES
from tests.radiograph.builders import RGBA, chunk, cr, exif, framed, jpeg, lut, png, written

IDENTITY = {
    "PatientName": "XDOEX^JANEX",
    "PatientID": "QX4711QX",
    "PatientBirthDate": "19570313",
    "AccessionNumber": "QACC0815Q",
}
PLANTED = ("XDOEX", "JANEX", "QX4711QX", "19570313", "QACC0815Q")
"""What no message, log or line on the terminal may hold."""
SHIPPED = sorted((Path(cohort.__file__).parent / "sample_files").rglob("*.jpeg"))
UIDS = {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.2", "SOPInstanceUID": "1.2.3.3"}
HEADER = {
    "PixelSpacing": [0.2, 0.3],
    "ImagerPixelSpacing": [0.2, 0.3],
    "EstimatedRadiographicMagnificationFactor": "1.5",
    "NumberOfFrames": "1",
    "RescaleSlope": "1",
    "RescaleIntercept": "0",
    "PixelPaddingValue": 3000,
    "PixelPaddingRangeLimit": 3001,
    "WindowCenter": [2000, 1000],
    "WindowWidth": [4000, 100],
    "PatientAge": "062Y",
    "PatientSex": "F",
    "PatientOrientation": ["L", "F"],
    "ViewPosition": "PA",
    "BodyPartExamined": "CHEST",
}
TABLES = {"ModalityLUTSequence": lut(0, [0, 9, 99, 65535]), "VOILUTSequence": lut(0, [0, 9, 99, 65535])}
ROWS, COLS = 40, 49


def waves(top: int = 4000) -> np.ndarray:
    """Slow waves from 0 to `top`, shape (40, 49)."""
    rows, cols = np.indices((ROWS, COLS))
    return np.rint((np.sin(rows / 9) + np.cos(cols / 11) + 2) / 4 * top).astype(int)


def instance(stored: np.ndarray, **elements: object) -> Dataset:
    """A CR image with an identity and a full header."""
    return cr(stored, **{**HEADER, **UIDS, **IDENTITY, **elements})


def _compressed(syntax: str) -> bytes:
    dataset = instance(waves())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.compress(
            syntax, **({"jls_error": 2} if syntax == JPEGLSNearLossless else {"j2k_cr": [4]} if syntax == JPEG2000 else {})
        )
    return written(dataset)


def _encoded_before(file: str, syntax: str, bits: int) -> bytes:
    """An image of `waves` whose frame lies in ``frames/``.

    OpenJPH (imagecodecs 2026.3.6) encoded that of HTJ2K, which no library here encodes, and GDCM 3.2.6 those of JPEG.
    """
    frame = (Path(__file__).parent / "frames" / file).read_bytes()
    return written(framed(instance(np.zeros((ROWS, COLS)), bits=bits), frame, syntax))


def _shipped(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L").resize((120, 90))


def _shipped_as_dicom(path: Path) -> bytes:
    return written(instance(np.asarray(_shipped(path)), bits=8))


def _shipped_as_jpeg(path: Path) -> bytes:
    stream, block = io.BytesIO(), Image.Exif()
    block[0x010E], block[0x0132] = IDENTITY["PatientName"], IDENTITY["PatientBirthDate"]
    _shipped(path).save(stream, "JPEG", exif=block, comment=IDENTITY["PatientID"])
    return stream.getvalue()


def _shipped_as_png(path: Path) -> bytes:
    stream, text = io.BytesIO(), PngImagePlugin.PngInfo()
    for keyword, value in IDENTITY.items():
        text.add_text(keyword, value)
    _shipped(path).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


@functools.cache
def dicom_files() -> dict[str, bytes]:
    """DICOM radiographs by name."""
    path = SHIPPED[0]
    return {
        "implicit": written(instance(waves(), syntax=ImplicitVRLittleEndian)),
        "explicit": written(instance(waves(), **TABLES)),
        "signed": written(instance(waves() - 2000, signed=True)),
        "big endian": written(instance(waves(), syntax=ExplicitVRBigEndian, **TABLES)),
        "deflated": written(instance(waves(), syntax=DeflatedExplicitVRLittleEndian)),
        "no preamble": written(instance(waves()))[132:],
        "JPEG baseline": written(framed(instance(waves(255), bits=8), jpeg(waves(255)), JPEGBaseline8Bit)),
        **{syntax.name: _compressed(syntax) for syntax in (RLELossless, JPEGLSLossless, JPEGLSNearLossless)},
        **{syntax.name: _compressed(syntax) for syntax in (JPEG2000Lossless, JPEG2000)},
        **{syntax.name: _encoded_before("htj2k.j2c", syntax, 16) for syntax in (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)},
        "JPEG Lossless": _encoded_before("lossless.jpeg", JPEGLossless, 12),
        "JPEG Lossless SV1": _encoded_before("lossless-sv1.jpeg", JPEGLosslessSV1, 12),
        "JPEG Extended": _encoded_before("extended.jpeg", JPEGExtended12Bit, 12),
        "shipped": _shipped_as_dicom(path),
        **{name: _with_identity(source) for name, source in SOURCES.items()},
    }


def _with_identity(source: Dataset) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(written(source)))
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)
    return written(dataset)


@functools.cache
def reducible_files() -> dict[str, bytes]:
    """Radiographs by name that may be decoded at a reduced scale: without padding, which DICOM decodes in full."""
    picture = np.asarray(_shipped(SHIPPED[0]))
    frames = {
        "JPEG 2000 lossless": (JPEG2000Lossless, 8, openjpeg.encode(picture)),
        "JPEG 2000": (JPEG2000, 12, openjpeg.encode(picture.astype(np.uint16) * 16, compression_ratios=[4])),
    }
    files = {}
    for name, (syntax, bits, frame) in frames.items():
        dataset = framed(instance(picture, bits=bits, PixelPaddingValue=None, PixelPaddingRangeLimit=None), frame, syntax)
        files[name] = written(dataset)
    return files


@functools.cache
def jpeg_files() -> dict[str, bytes]:
    """JPEG pictures by name."""
    paths = SHIPPED[::4]
    return {path.stem: _shipped_as_jpeg(path) for path in paths} | {
        "Exif": jpeg(waves(255), exif=b"Exif\0\0" + exif(6)),
        "progressive": jpeg(np.dstack([waves(255)] * 3), progressive=True),
    }


@functools.cache
def png_files() -> dict[str, bytes]:
    """PNG pictures by name."""
    paths = SHIPPED[::4]
    return {path.stem: _shipped_as_png(path) for path in paths} | {
        "grey": png(waves(255)),
        "16 bits": png(waves(65535), 16),
        "transparent": png(np.dstack([waves(255)] * 4), 8, RGBA, chunk(b"eXIf", exif(6))),
    }
