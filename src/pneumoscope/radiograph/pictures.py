"""Decode PNG and JPEG pictures into a `Radiograph`."""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pneumoscope.radiograph.errors import EmptyImageError, RadiographError, TooLargeError, UnreadableFileError
from pneumoscope.radiograph.grey_range import Source, stated_or_bulk
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.radiograph import Grey, Radiograph
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

PNG_PREFIX, JPEG_PREFIX = b"\x89PNG", b"\xff\xd8\xff"
_FORMATS = ("PNG", "JPEG")
_DAMAGED = "the PNG or JPEG file is truncated or damaged; copy it again from its source"
_LEAST_UNUSED_BITS = 2
"""Unused high bits of a 16 bit picture from which its white is taken from its data: a picture four times too dark."""


def decode(content: bytes) -> Radiograph:
    """Decode a PNG or JPEG picture, turned upright by its Exif Orientation.

    A 16 bit picture whose highest grey level has k bits, 8 ≤ k ≤ 14, holds k bit data (as converted from DICOM), and its white
    is 2ᵏ − 1; otherwise white is the highest value of the format.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    Radiograph
        Grey levels; a picture states nothing else.

    Raises
    ------
    RadiographError
        Of a named class, with one sentence.
    """
    with silenced_decoders():
        try:
            return _decode(content)
        except RadiographError:
            raise
        except UnidentifiedImageError as error:
            raise _unidentified(content) from error
        except Image.DecompressionBombError as error:
            raise TooLargeError("the image declares far more pixels than any radiograph; it was not decoded") from error
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, ValueError, struct.error …
            raise UnreadableFileError(_DAMAGED) from error


def _decode(content: bytes) -> Radiograph:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        cols, rows = image.size
        if rows * cols > MAX_PIXELS:
            raise TooLargeError(
                f"the image declares {rows} × {cols} pixels, more than the {MAX_PIXELS:,} of any radiograph; it was not decoded"
            )
        image.load()
        file_format: Literal["PNG", "JPEG"] = "PNG" if image.format == "PNG" else "JPEG"
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I"):
            pixels, source = _deep_grey(np.asarray(image))
            return Radiograph(pixels, file_format=file_format, grey_source=source)
        return Radiograph(_grey(image), file_format=file_format)


def _unidentified(content: bytes) -> RadiographError:
    if content[12:16] == b"IHDR" and bytes(4) in (content[16:20], content[20:24]):
        return EmptyImageError("the PNG image has no rows or no columns; export it again")
    if content.startswith((PNG_PREFIX, JPEG_PREFIX)):
        return UnreadableFileError(_DAMAGED)
    return UnreadableFileError("the file is neither DICOM nor PNG nor JPEG; convert it to one of them")


def _grey(image: Image.Image) -> Grey:
    """Grey levels in [0, 1] of 8 bits: colour by ITU-R 601 luma, transparency over black."""
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(np.divide(np.asarray(grey), np.float32(255), dtype=np.float32))


def _deep_grey(samples: NDArray[np.integer[Any]]) -> tuple[Grey, Source]:
    """Grey levels in [0, 1] of 16 bits, and what their scale spans."""
    white = _white(int(samples.max()))
    counts = np.bincount(samples.ravel(), minlength=2**16)
    values = np.flatnonzero(counts).astype(np.float64)
    shown, source = stated_or_bulk(values / white, values, counts[counts > 0])
    if source == "bulk":
        table: Grey = np.zeros(2**16, np.float32)
        table[counts > 0] = shown
        return np.take(table, samples), source
    return samples.astype(np.float32) / np.float32(white), "header" if white == 2**16 - 1 else "range"


def _white(highest: int) -> int:
    bits = highest.bit_length()
    return 2 ** max(bits, 8) - 1 if 16 - bits >= _LEAST_UNUSED_BITS else 2**16 - 1
