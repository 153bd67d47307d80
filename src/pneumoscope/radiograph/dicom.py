"""Decode a DICOM CR or DX instance into display grey levels.

The order is that of PS3.3 C.11 and PS3.4 N.2: Modality LUT (C.11.1), VOI LUT or window (C.11.2), then the presentation
step that MONOCHROME1 asks for (C.7.6.3.1.2). Pixel padding (C.7.5.1.1.2) is black and takes no part in any range.
"""

import io
import re
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from pneumoscope.radiograph import codecs
from pneumoscope.radiograph.errors import (
    EmptyImageError,
    NotARadiographError,
    RadiographError,
    TooLargeError,
    UnreadableFileError,
)
from pneumoscope.radiograph.limits import MAX_INFLATED_BYTES, MAX_PIXELS
from pneumoscope.radiograph.quiet import quiet
from pneumoscope.radiograph.radiograph import Grey, Identity, Radiograph, Spacing

PROJECTION_MODALITIES = frozenset({"CR", "DX", "RG"})
_Stored = NDArray[np.integer]
_Values = NDArray[np.float64]


def looks_like(content: bytes) -> bool:
    """Whether the bytes are DICOM: the prefix of PS3.10 7.1, or a group 0002/0008 element where the preamble is missing."""
    return content[128:132] == b"DICM" or content[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08")


def decode(content: bytes) -> Radiograph:
    """Decode one DICOM instance; raises a `RadiographError`."""
    with quiet():
        try:
            return _decode(content)
        except RadiographError:
            raise
        except Exception as error:  # pydicom reads values late and raises whatever it likes, zlib.error among it
            raise UnreadableFileError("the DICOM file is truncated or damaged; send it again from its source") from error


def _decode(content: bytes) -> Radiograph:
    dataset = _parse(content)
    _check_kind(dataset)
    _check_size(dataset)
    stored = _stored_values(dataset)
    return Radiograph(
        _display(dataset, stored),
        spacing=_spacing(dataset),
        modality=_text(dataset, "Modality"),
        view=_text(dataset, "ViewPosition"),
        body_part=_text(dataset, "BodyPartExamined"),
        identity=Identity(
            patient_id=_text(dataset, "PatientID"),
            study_instance_uid=_text(dataset, "StudyInstanceUID"),
            series_instance_uid=_text(dataset, "SeriesInstanceUID"),
            sop_class_uid=_text(dataset, "SOPClassUID"),
            sop_instance_uid=_text(dataset, "SOPInstanceUID"),
        ),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _quotable(dataset: Dataset, keyword: str) -> str:
    """A Code String or a number for an error message; a damaged one may have swallowed what identifies the patient."""
    text = _text(dataset, keyword)
    return text if re.fullmatch(r"[A-Z0-9 _]{0,16}", text) else "unreadable"


def _check_inflated_size(content: bytes) -> None:
    """Refuse a deflated data set (PS3.5 A.5) that unpacks to more than any radiograph, before pydicom unpacks it whole."""
    meta_length = int.from_bytes(content[140:144], "little")
    if DeflatedExplicitVRLittleEndian.encode() not in content[132 : 144 + meta_length]:
        return
    inflate, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, content[144 + meta_length :]
    while rest and size <= MAX_INFLATED_BYTES:
        size += len(inflate.decompress(rest, 2**20))
        rest = inflate.unconsumed_tail
    if size > MAX_INFLATED_BYTES:
        raise TooLargeError(
            f"the deflated DICOM data set unpacks to more than {MAX_INFLATED_BYTES:,} bytes, more than any radiograph; "
            "it was not decoded"
        )


def _parse(content: bytes) -> Dataset:
    _check_inflated_size(content)
    dataset = pydicom.dcmread(io.BytesIO(content), force=content[128:132] != b"DICM")
    dataset.walk(lambda _, element: element.value)
    if "TransferSyntaxUID" not in dataset.file_meta:
        little = dataset.original_encoding[1]
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    if "PixelData" not in dataset:
        raise UnreadableFileError("the DICOM file has no Pixel Data: it is truncated or no image; send it again from its source")
    return dataset


def _check_kind(dataset: Dataset) -> None:
    modality = _quotable(dataset, "Modality")
    if modality not in PROJECTION_MODALITIES:
        raise NotARadiographError(
            f"the DICOM Modality is {modality or 'missing'}, not one of {', '.join(sorted(PROJECTION_MODALITIES))}; "
            "give a projection radiograph"
        )
    frames = _quotable(dataset, "NumberOfFrames")
    if frames not in ("", "0", "1"):
        raise NotARadiographError(f"the DICOM object has {frames} frames; give a single-frame radiograph")
    samples, photometric = (_quotable(dataset, key) for key in ("SamplesPerPixel", "PhotometricInterpretation"))
    if samples not in ("", "1") or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise NotARadiographError(
            f"the DICOM image is {photometric or 'of no stated Photometric Interpretation'} with {samples} sample(s) "
            "a pixel; give a MONOCHROME1 or MONOCHROME2 radiograph"
        )


def _check_size(dataset: Dataset) -> None:
    rows, cols = (int(dataset.get(keyword) or 0) for keyword in ("Rows", "Columns"))
    if rows < 1 or cols < 1:
        raise EmptyImageError(f"the DICOM image has {rows} rows and {cols} columns; export it again")
    if rows * cols > MAX_PIXELS:
        raise TooLargeError(
            f"the DICOM image declares {rows} × {cols} pixels, more than the {MAX_PIXELS:,} of any radiograph; it was not decoded"
        )
    bits = int(dataset.get("BitsStored") or 0)
    if not 8 <= bits <= 16:
        raise NotARadiographError(f"the DICOM image stores {bits} bits a pixel; 8 to 16 are read")


def _stored_values(dataset: Dataset) -> _Stored:
    """Stored pixel values, shape (rows, cols), with bits above High Bit (old overlays, PS3.5 8.1.2) taken out."""
    try:
        dataset.pixel_array_options(decoding_plugin=codecs.PLUGIN.get(dataset.file_meta.TransferSyntaxUID, ""))
        stored = np.asarray(dataset.pixel_array)
    except Exception as error:  # the decoder plugins raise whatever they like, RuntimeError and struct.error among it
        raise UnreadableFileError(
            f"the DICOM pixel data could not be decoded ({_transfer_syntax(dataset)}): they are truncated or damaged; "
            "send the file again from its source"
        ) from error
    rows, cols = int(dataset.Rows), int(dataset.Columns)
    if stored.shape != (rows, cols):
        raise UnreadableFileError(f"the DICOM pixel data are of shape {stored.shape}, not the declared {rows} × {cols}")
    unused = stored.dtype.itemsize * 8 - int(dataset.BitsStored)
    if unused > 0 and int(dataset.get("HighBit", dataset.BitsStored - 1)) == dataset.BitsStored - 1:
        stored = (stored << unused) >> unused
    return stored


def _transfer_syntax(dataset: Dataset) -> str:
    uid = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID")
    if uid is None:
        return "no transfer syntax stated"
    return "an unknown transfer syntax" if uid.name == uid else str(uid.name)


def _padding(dataset: Dataset, levels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which stored values are padding, PS3.3 C.7.5.1.1.2: one value, or the range up to Pixel Padding Range Limit."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(levels.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit", value)
    low, high = sorted((int(value), int(limit)))
    return np.asarray((levels >= low) & (levels <= high))


def _display(dataset: Dataset, stored: _Stored) -> Grey:
    """Display values in [0, 1], shape (rows, cols), white is high: each stored value that occurs is worked out once."""
    lowest = int(stored.min())
    # The difference to the lowest may be beyond the stored type, and wraps into its unsigned counterpart.
    above = (stored - stored.dtype.type(lowest)).view(f"u{stored.dtype.itemsize}")
    occurs = np.bincount(above.ravel()) > 0
    # Wide enough for a stored value less the first one of a LUT of 2¹⁶ entries.
    levels = np.flatnonzero(occurs).astype(np.int32) + np.int32(lowest)
    table: Grey = np.zeros(occurs.size, np.float32)
    table[occurs] = _displayed(dataset, levels)
    return np.take(table, above)


def _displayed(dataset: Dataset, levels: NDArray[np.int32]) -> Grey:
    """Display values in [0, 1] of the stored values that occur, shape (levels,)."""
    padding = _padding(dataset, levels)
    if padding.all():
        raise EmptyImageError("every pixel of the DICOM image is padding; export it again")
    values = np.asarray(apply_modality_lut(levels, dataset), np.float64)
    shown = _values_of_interest(dataset, values, padding)
    if _text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        shown = 1 - shown
    shown[padding] = 0
    if not np.isfinite(shown).all():
        raise UnreadableFileError("the DICOM rescale or window values are not finite numbers; export the image again")
    return shown.astype(np.float32)


def _values_of_interest(dataset: Dataset, values: _Values, padding: NDArray[np.bool_]) -> _Values:
    """VOI LUT first, else window, else the range of the image (PS3.3 C.11.2.1: a LUT and a window are alternatives)."""
    if dataset.get("VOILUTSequence"):
        return _voi_lut(dataset.VOILUTSequence[0], values, little=dataset.original_encoding[1] is not False)
    centre, width = (_first(dataset, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    function = _text(dataset, "VOILUTFunction") or "LINEAR"
    if centre is not None and width is not None and (width >= 1 or (width > 0 and function != "LINEAR")):
        return window(values, centre, width, function)
    low, high = values[~padding].min(), values[~padding].max()
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0, 1))


def _first(dataset: Dataset, keyword: str) -> float | None:
    """The first of the alternative values of an attribute (several windows may be given)."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float | str) else value[0])


def _voi_lut(item: Dataset, values: _Values, little: bool) -> _Values:
    """Look the values up, PS3.3 C.11.2.1.1: descriptor is number of entries (0 = 2¹⁶), first value mapped, bits."""
    entries, first, bits = (int(v) for v in item.LUTDescriptor)
    raw = item.LUTData
    words = "<u2" if little else ">u2"
    table = np.frombuffer(raw, words if len(raw) >= 2 * (entries or 2**16) else "u1") if isinstance(raw, bytes) else raw
    lut = np.asarray(table, np.float64)[: entries or 2**16]
    if item["LUTDescriptor"].VR == "SS" and first >= 2**15:
        first -= 2**16
    at = np.clip(np.rint(values) - first, 0, len(lut) - 1).astype(np.intp)
    return np.asarray(np.clip(lut[at] / (2**bits - 1), 0, 1))


def window(values: _Values, centre: float, width: float, function: str = "LINEAR") -> _Values:
    """Window to [0, 1] by VOI LUT Function, PS3.3 C.11.2.1.2.1 (LINEAR) and C.11.2.1.3.1–2 (SIGMOID, LINEAR_EXACT)."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1))
    if width == 1:
        return np.asarray(values > centre - 0.5, np.float64)
    return np.asarray(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1))


def _spacing(dataset: Dataset) -> Spacing | None:
    """Pixel Spacing and Imager Pixel Spacing, PS3.3 10.7.1.3 and C.8.7.1.

    Pixel Spacing counts as corrected for magnification unless it equals Imager Pixel Spacing; Imager Pixel Spacing alone
    is divided by the Estimated Radiographic Magnification Factor where there is one.
    """
    pixel, imager = (_pair(dataset, keyword) for keyword in ("PixelSpacing", "ImagerPixelSpacing"))
    if pixel is not None:
        plane: Literal["detector", "patient"] = "detector" if pixel == imager else "patient"
        return Spacing(*pixel, plane)
    if imager is None:
        return None
    factor = _first(dataset, "EstimatedRadiographicMagnificationFactor")
    if factor is not None and factor >= 1:
        return Spacing(imager[0] / factor, imager[1] / factor, "patient")
    return Spacing(*imager, "detector")


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    value = dataset.get(keyword)
    if not isinstance(value, Sequence) or len(value) != 2 or min(map(float, value)) <= 0:
        return None
    return float(value[0]), float(value[1])
