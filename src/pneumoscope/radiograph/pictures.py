"""Decode PNG and JPEG pictures into a `Film`."""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pneumoscope.radiograph.errors import (
    EmptyImageError,
    NotARadiographError,
    RadiographError,
    TooLargeError,
    UnreadableFileError,
)
from pneumoscope.radiograph.film import Film
from pneumoscope.radiograph.grey_range import Counts, Source, stated_or_bulk
from pneumoscope.radiograph.levels import Levels, count_levels
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.radiograph import Grey, Radiograph
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

PNG_PREFIX, JPEG_PREFIX = b"\x89PNG", b"\xff\xd8\xff"
_ZIP_PREFIX, _GZIP_PREFIX = b"PK\x03\x04", b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_FORMATS = ("PNG", "JPEG")
_DAMAGED = "the PNG or JPEG file is truncated or damaged; copy it again from its source"
_FIRST_TRANSPOSED = 5
"""Exif Orientation from which on the stored rows are columns of the upright picture."""
_CAMERA_TAGS = {ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.FocalLength}
"""Exif tags written by cameras, not by scanners or viewers."""
_LEAST_TINT = 8
"""Difference of the channels of a pixel, of 255, from which it has a colour: more than JPEG leaves in grey."""
_TINTED_SHARE = 1 / 10
"""Share of the pixels with a colour from which a picture is a photograph; a radiograph's own file has coloured letters."""
_SAMPLED = 7
"""One pixel in so many is looked at for its colour."""
_LEAST_UNUSED_BITS = 2
"""Unused high bits of a 16 bit picture from which its white is taken from its data: a picture four times too dark."""


def decode(content: bytes) -> Film:
    """Decode a PNG or JPEG picture, turned upright by its Exif Orientation.

    A 16 bit picture whose highest grey level has k bits, 8 ≤ k ≤ 14, holds k bit data (as converted from DICOM), and its white
    is 2ᵏ − 1; otherwise white is the highest value of the format.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    Film
        The radiograph and the tables of its grey levels. A colour picture is converted to 8 bits of grey; a colour profile (ICC)
        is ignored.

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


def _decode(content: bytes) -> Film:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        cols, rows = image.size
        if rows * cols > MAX_PIXELS:
            raise TooLargeError(
                f"the image declares {rows} × {cols} pixels, more than the {MAX_PIXELS:,} of any radiograph; it was not decoded"
            )
        if image.mode == "CMYK":
            raise NotARadiographError("the JPEG file has the four colours of print (CMYK); save it as grey or RGB")
        image.load()
        file_format: Literal["PNG", "JPEG"] = "PNG" if image.format == "PNG" else "JPEG"
        aspect = _aspect(image)
        camera = bool(_CAMERA_TAGS & set(image.getexif().get_ifd(ExifTags.IFD.Exif)))
        ImageOps.exif_transpose(image, in_place=True)
        photograph = camera or _is_colourful(image)
        levels, shown, counts, source = _deep_grey(np.asarray(image)) if image.mode.startswith("I") else _grey(image)
    pixels = LookedUp.of(levels, shown, counts)
    radiograph = Radiograph(pixels, file_format=file_format, grey_source=source, photograph=photograph, stated_aspect=aspect)
    values, padding = np.arange(shown.size, dtype=np.float64), np.zeros(shown.size, bool)
    return Film(radiograph, levels, shown, values, padding, lossy=file_format == "JPEG")


def _aspect(image: Image.Image) -> float:
    """Height of a pixel over its width in the upright picture, where PNG (pHYs) or JFIF states unequal resolutions."""
    # The resolution of a JPEG is Exif's where both are stated, which editors write for printing.
    keys = ("aspect", "dpi") if image.format == "PNG" else ("jfif_density",)
    across, down = next((image.info[key] for key in keys if key in image.info), (1, 1))
    if across <= 0 or down <= 0:
        return 1.0
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= _FIRST_TRANSPOSED
    return float(down / across if turned else across / down)


def _is_colourful(image: Image.Image) -> bool:
    """Whether a tenth of the pixels have a colour: the tint of the light in a photograph of a film or of a screen."""
    if image.mode[:1] in ("1", "L", "I"):
        return False
    channels = np.asarray(image.convert("RGB")).reshape(-1, 3)[::_SAMPLED]
    tint = channels.max(1) - channels.min(1)
    return bool((tint >= _LEAST_TINT).mean() >= _TINTED_SHARE)


def _unidentified(content: bytes) -> RadiographError:
    if content[12:16] == b"IHDR" and bytes(4) in (content[16:20], content[20:24]):
        return EmptyImageError("the PNG image has no rows or no columns; export it again")
    if content.startswith((PNG_PREFIX, JPEG_PREFIX)):
        return UnreadableFileError(_DAMAGED)
    if content.startswith(_ZIP_PREFIX) or content.startswith(_TAR_MAGIC, _TAR_MAGIC_AT):
        kind = "ZIP" if content.startswith(_ZIP_PREFIX) else "TAR"
        return UnreadableFileError(
            f"the file is a {kind} archive; read the radiographs in it with  pneumoscope archive manifest  and  archive read"
        )
    if content.startswith(_GZIP_PREFIX):
        return UnreadableFileError("the file is a gzip archive; unpack it, and read what it holds")
    return UnreadableFileError("the file is neither DICOM nor PNG nor JPEG; convert it to one of them")


def _grey(image: Image.Image) -> tuple[Levels, Grey, Counts, Source | Literal[""]]:
    """Levels, display grey and number of pixels of each of 8 bits: colour by ITU-R 601 luma, transparency over black."""
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(grey), np.arange(256, dtype=np.float32) / np.float32(255), np.array(grey.histogram()), ""


def _deep_grey(samples: NDArray[np.integer[Any]]) -> tuple[Levels, Grey, Counts, Source]:
    """Levels, display grey and number of pixels of each of 16 bits, and what their scale spans."""
    levels = samples.astype(np.uint16, copy=False)
    counts = count_levels(levels)
    white = _white(counts.size - 1)
    values = np.arange(counts.size, dtype=np.float64)
    shown, source = stated_or_bulk(values / white, values, counts)
    if source == "bulk":
        return levels, shown.astype(np.float32), counts, source
    return levels, values.astype(np.float32) / np.float32(white), counts, "header" if white == 2**16 - 1 else "range"


def _white(highest: int) -> int:
    bits = highest.bit_length()
    return 2 ** max(bits, 8) - 1 if 16 - bits >= _LEAST_UNUSED_BITS else 2**16 - 1
