"""Turn stored values into display grey levels: Modality LUT, VOI LUT or window, Presentation LUT Shape.

The order is that of PS3.3 C.11 and PS3.4 N.2. Pixel padding (C.7.5.1.1.2) is black and takes no part in any range. Where the
header and the data disagree, the rule of `grey_range` holds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pneumoscope.radiograph.errors import EmptyImageError, UnreadableFileError
from pneumoscope.radiograph.grey_range import Counts, Source, Values, range_or_bulk, stated_or_bulk
from pneumoscope.radiograph.header import number_of, term_of, unreadable, value_of
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.radiograph.stored_values import Stored


@dataclass(frozen=True, eq=False)
class Displayed:
    """Pixels as displayed.

    Parameters
    ----------
    pixels : ndarray of float32, shape (rows, cols)
        Grey levels in [0, 1], white is 1.
    source : {"header", "range", "bulk"}
        What the grey scale spans.
    """

    pixels: Grey
    source: Source


def display(dataset: Dataset, stored: Stored) -> Displayed:
    """Compute the display grey levels of stored values.

    Parameters
    ----------
    dataset : Dataset
        DICOM image of MONOCHROME1 or MONOCHROME2.
    stored : ndarray of integers, shape (rows, cols)
        Its stored values.

    Returns
    -------
    Displayed
        Grey levels, each computed once for every stored value that occurs.

    Raises
    ------
    UnreadableFileError
        If an attribute of the grey scale cannot be read or gives values that are not finite.
    EmptyImageError
        If every pixel is padding.
    """
    lowest = int(stored.min())
    # The difference to the lowest may be beyond the stored type, and wraps into its unsigned counterpart.
    above = (stored - stored.dtype.type(lowest)).view(f"u{stored.dtype.itemsize}")
    counts = np.bincount(above.ravel())
    occurs = counts > 0
    # Wide enough for a stored value less the first one of a LUT of 2¹⁶ entries.
    levels = np.flatnonzero(occurs).astype(np.int32) + np.int32(lowest)
    shown, source = _displayed(dataset, levels, counts[occurs].astype(np.int64))
    table: Grey = np.zeros(occurs.size, np.float32)
    table[occurs] = shown
    return Displayed(np.take(table, above), source)


def _displayed(dataset: Dataset, levels: NDArray[np.int32], counts: Counts) -> tuple[Grey, Source]:
    """Grey levels in [0, 1] of the stored values that occur, shape (levels,)."""
    padding = _padding(dataset, levels)
    if padding.all():
        raise EmptyImageError("every pixel of the DICOM image is padding; export it again")
    with np.errstate(over="ignore", invalid="ignore"):
        shown, source = _scaled(dataset, _modality_values(dataset, levels), np.where(padding, 0, counts))
    if _is_inverse(dataset):
        shown = 1 - shown
    shown[padding] = 0
    if not np.isfinite(shown).all():
        raise UnreadableFileError("the DICOM rescale or window values are not finite numbers; export the image again")
    return shown.astype(np.float32), source


def _padding(dataset: Dataset, levels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which stored values are padding, PS3.3 C.7.5.1.1.2: one value, or the range up to Pixel Padding Range Limit.

    A padding value beyond the range of the stored values, such as one written with the other signedness, is taken modulo 2ⁿ,
    n = Bits Stored.
    """
    value = number_of(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(levels.shape, bool)
    limit = number_of(dataset, "PixelPaddingRangeLimit")
    low, high = sorted(_as_stored(dataset, int(v)) for v in (value, value if limit is None else limit))
    return np.asarray((levels >= low) & (levels <= high))


def _as_stored(dataset: Dataset, value: int) -> int:
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    lowest = -(2 ** (bits - 1)) if signed else 0
    return int((value - lowest) % 2**bits + lowest)


def _modality_values(dataset: Dataset, levels: NDArray[np.int32]) -> Values:
    """Modality LUT Sequence, else rescale slope and intercept, else the stored values (PS3.3 C.11.1).

    As in DCMTK, rescaling needs both attributes and a slope other than 0.
    """
    sequence = value_of(dataset, "ModalityLUTSequence")
    if sequence:
        return _looked_up(sequence[0], levels.astype(np.float64), dataset)[0]
    slope, intercept = (number_of(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not slope or intercept is None:
        return levels.astype(np.float64)
    return np.asarray(levels * np.float64(slope) + intercept)


def _is_inverse(dataset: Dataset) -> bool:
    """Whether the lowest value is white: by Presentation LUT Shape, else by Photometric Interpretation (PS3.3 C.8.11.3.1.4).

    Where the two contradict each other the shape counts, as in DCMTK.
    """
    shape = term_of(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return term_of(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def _scaled(dataset: Dataset, values: Values, counts: Counts) -> tuple[Values, Source]:
    """Values in [0, 1], white is high, by the header or by the data."""
    shown = _by_header(dataset, values)
    return range_or_bulk(values, counts) if shown is None else stated_or_bulk(shown, values, counts)


def _by_header(dataset: Dataset, values: Values) -> Values | None:
    """VOI LUT first, else the first window, else None (PS3.3 C.11.2.1: a LUT and a window are alternatives)."""
    sequence = value_of(dataset, "VOILUTSequence")
    if sequence:
        looked_up, top = _looked_up(sequence[0], values, dataset)
        return np.asarray(np.clip(looked_up / top, 0, 1))
    centre, width = (number_of(dataset, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    function = term_of(dataset, "VOILUTFunction") or "LINEAR"
    if centre is None or width is None or width <= 0 or (width < 1 and function not in ("LINEAR_EXACT", "SIGMOID")):
        return None
    return window(values, centre, width, function)


def _looked_up(item: Dataset, values: Values, dataset: Dataset) -> tuple[Values, float]:
    """Look values up, PS3.3 C.11.1.1 and C.11.2.1.1, and the highest output value of the table.

    The descriptor is number of entries (0 = 2¹⁶), first value mapped, and bits of an entry. A table whose entries all fit fewer
    bits than the descriptor states has that many, as DCMTK's ``--ignore-vlut-depth`` determines them.
    """
    descriptor, raw = value_of(item, "LUTDescriptor"), value_of(item, "LUTData")
    if descriptor is None or len(descriptor) != 3:
        raise unreadable("LUTDescriptor", "not three numbers")
    if raw is None:
        raise unreadable("LUTData", "missing or empty")
    entries, first, bits = (int(v) for v in descriptor)
    little = dataset.original_encoding[1] is not False
    words = f"{'<' if little else '>'}u2"
    table = np.frombuffer(raw, words if len(raw) >= 2 * (entries or 2**16) else "u1") if isinstance(raw, bytes) else raw
    lut = np.atleast_1d(np.asarray(table, np.float64))[: entries or 2**16]
    if item["LUTDescriptor"].VR == "SS" and first >= 2**15:
        first -= 2**16
    at = np.clip(np.rint(values) - first, 0, len(lut) - 1).astype(np.intp)
    used = max(int(lut.max()).bit_length(), 1)
    return lut[at], 2.0 ** min(max(bits, 1), used) - 1


def window(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """Apply a window by its VOI LUT Function, PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT).

    Parameters
    ----------
    values : ndarray of float64
        Values after the Modality LUT.
    centre, width : float
        Window Center and Window Width; the width is at least 1 for LINEAR and above 0 for the others.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function; any other text counts as LINEAR.

    Returns
    -------
    ndarray of float64, in [0, 1]
        Of the shape of `values`.
    """
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1))
    if width == 1:
        return np.asarray(values > centre - 0.5, np.float64)
    return np.asarray(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1))
