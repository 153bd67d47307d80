"""Turn stored values into display grey levels: Modality LUT, VOI LUT or window, Presentation LUT Shape.

The order is that of PS3.3 C.11 and PS3.4 N.2. Pixel padding (C.7.5.1.1.2) is black and takes no part in any range. Where the
header and the data disagree, the rule of `grey_range` holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pneumoscope.radiograph.errors import EmptyImageError, UnreadableFileError
from pneumoscope.radiograph.grey_range import Counts, Source, Values, range_or_bulk, stated_or_bulk
from pneumoscope.radiograph.header import number_of, term_of, unreadable, value_of
from pneumoscope.radiograph.levels import count_levels
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.radiograph.stored_values import Stored
from pneumoscope.radiograph.window import Function, Window, window


@dataclass(frozen=True, eq=False)
class Displayed:
    """Stored values as levels, and the tables that say what each level is and how it is displayed.

    Level k is the lowest stored value plus k. The tables have an entry for every level up to the highest stored value.

    Parameters
    ----------
    levels : ndarray of unsigned integers, shape (rows, cols)
        Level of each pixel.
    shown : ndarray of float32, shape (n_levels,)
        Display grey of each level, in [0, 1], white is 1.
    values : ndarray of float64, shape (n_levels,)
        Value after the Modality LUT.
    padding : ndarray of bool, shape (n_levels,)
        Whether the level is pixel padding.
    inverse : bool
        Whether the lowest value is white.
    window : Window, optional
        The window that the display follows; None where it follows a VOI LUT or the data.
    source : {"header", "range", "bulk"}
        What the grey scale spans.
    pixels : LookedUp
        Display grey of each pixel.
    """

    levels: NDArray[np.unsignedinteger[Any]]
    shown: Grey
    values: Values
    padding: NDArray[np.bool_]
    inverse: bool
    window: Window | None
    source: Source
    pixels: LookedUp


def display(dataset: Dataset, stored: Stored) -> Displayed:
    """Compute the display grey of the stored values of an image.

    Parameters
    ----------
    dataset : Dataset
        DICOM image of MONOCHROME1 or MONOCHROME2.
    stored : ndarray of integers, shape (rows, cols)
        Its stored values.

    Returns
    -------
    Displayed
        Levels and tables.

    Raises
    ------
    UnreadableFileError
        If an attribute of the grey scale cannot be read or gives values that are not finite.
    EmptyImageError
        If every pixel is padding.
    """
    lowest = int(stored.min())
    # The difference to the lowest may be beyond the stored type, and wraps into its unsigned counterpart.
    above = stored - stored.dtype.type(lowest) if lowest else stored.astype(stored.dtype.newbyteorder("="), copy=False)
    levels = above.view(f"u{stored.dtype.itemsize}")
    occurs = count_levels(levels)
    # Wide enough for a stored value less the first one of a LUT of 2¹⁶ entries.
    each = np.arange(lowest, lowest + occurs.size, dtype=np.int32)
    padding = _padding(dataset, each)
    counts = np.where(padding, 0, occurs)
    if not counts.any():
        raise EmptyImageError("every pixel of the DICOM image is padding; export it again")
    with np.errstate(over="ignore", invalid="ignore"):
        values = _modality_values(dataset, each)
        stated = _window(dataset)
        shown, source = _scaled(dataset, stated, values, counts)
    inverse = _is_inverse(dataset)
    if inverse:
        shown = 1 - shown
    shown[padding] = 0
    if not np.isfinite(shown).all():
        raise UnreadableFileError("the DICOM rescale or window values are not finite numbers; export the image again")
    followed = stated if source == "header" else None
    greys = shown.astype(np.float32)
    return Displayed(levels, greys, values, padding, inverse, followed, source, LookedUp.of(levels, greys, occurs))


def states_display(dataset: Dataset) -> bool:
    """Tell whether the header alone decides how each stored value is displayed, unless the data contradict it.

    Parameters
    ----------
    dataset : Dataset
        DICOM image.

    Returns
    -------
    bool
        Whether it has a window or a VOI LUT, and no padding, whose pixels take no part in any mean.
    """
    stated = _window(dataset) is not None or bool(value_of(dataset, "VOILUTSequence"))
    return stated and number_of(dataset, "PixelPaddingValue") is None


def _padding(dataset: Dataset, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which stored values are padding, PS3.3 C.7.5.1.1.2: one value, or the range up to Pixel Padding Range Limit.

    A padding value beyond the range of the stored values, such as one written with the other signedness, is taken modulo 2ⁿ,
    n = Bits Stored.
    """
    value = number_of(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = number_of(dataset, "PixelPaddingRangeLimit")
    low, high = sorted(_as_stored(dataset, int(v)) for v in (value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(dataset: Dataset, value: int) -> int:
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    lowest = -(2 ** (bits - 1)) if signed else 0
    return int((value - lowest) % 2**bits + lowest)


def _modality_values(dataset: Dataset, stored: NDArray[np.int32]) -> Values:
    """Modality LUT Sequence, else rescale slope and intercept, else the stored values (PS3.3 C.11.1).

    As in DCMTK, rescaling needs both attributes and a slope other than 0.
    """
    sequence = value_of(dataset, "ModalityLUTSequence")
    if sequence:
        return _looked_up(sequence[0], stored.astype(np.float64), dataset)[0]
    slope, intercept = (number_of(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not slope or intercept is None:
        return stored.astype(np.float64)
    return np.asarray(stored * np.float64(slope) + intercept)


def _is_inverse(dataset: Dataset) -> bool:
    """Whether the lowest value is white: by Presentation LUT Shape, else by Photometric Interpretation (PS3.3 C.8.11.3.1.4).

    Where the two contradict each other the shape counts, as in DCMTK.
    """
    shape = term_of(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return term_of(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def _scaled(dataset: Dataset, stated: Window | None, values: Values, counts: Counts) -> tuple[Values, Source]:
    """Values in [0, 1], white is high: by the stated window, else the VOI LUT, else the data."""
    if stated is not None:
        return stated_or_bulk(window(values, stated.centre, stated.width, stated.function), values, counts)
    sequence = value_of(dataset, "VOILUTSequence")
    if sequence:
        looked_up, top = _looked_up(sequence[0], values, dataset)
        return stated_or_bulk(np.clip(looked_up / top, 0, 1), values, counts)
    return range_or_bulk(values, counts)


def _window(dataset: Dataset) -> Window | None:
    """The first window, None where a VOI LUT takes its place (PS3.3 C.11.2.1) or its width is not one of its function."""
    if value_of(dataset, "VOILUTSequence"):
        return None
    centre, width = (number_of(dataset, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    term = term_of(dataset, "VOILUTFunction")
    function: Function = "SIGMOID" if term == "SIGMOID" else "LINEAR_EXACT" if term == "LINEAR_EXACT" else "LINEAR"
    if centre is None or width is None or width <= 0 or (width < 1 and function == "LINEAR"):
        return None
    return Window(centre, width, function)


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
