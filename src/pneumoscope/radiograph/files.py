"""Read a radiograph from a path or from bytes, whatever its format."""

import io
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pneumoscope.radiograph import dicom
from pneumoscope.radiograph.errors import EmptyImageError, RadiographError, TooLargeError, UnreadableFileError
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.quiet import quiet
from pneumoscope.radiograph.radiograph import Grey, Radiograph

_SUFFIXES = frozenset({".dcm", ".dicom", ".jpeg", ".jpg", ".png"})
_PICTURE_FORMATS = ("PNG", "JPEG")
_DAMAGED = "the PNG or JPEG file is truncated or damaged; copy it again from its source"


def below(folder: Path, without: Collection[Path] = ()) -> Iterator[Path]:
    """The files below a folder that are taken for radiographs: by their suffix, or by the DICOM prefix (PS3.10, 7.1).

    DICOM files often have no suffix, or the end of a UID for one; the directory of a medium (PS3.10, 8.6) holds no image. Linked
    folders are followed, each folder once; hidden ones, and the resolved paths in `without`, are left out.
    """
    seen = {folder.resolve(), *without}
    for root, folders, names in os.walk(folder, followlinks=True):
        here, kept = Path(root), []
        for name in sorted(folders):
            real = (here / name).resolve()
            if not name.startswith(".") and name != "__MACOSX" and real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        yield from (here / name for name in sorted(names) if _may_be_one(here / name))


def _may_be_one(file: Path) -> bool:
    if file.name.startswith(".") or file.name == "DICOMDIR":
        return False
    return file.suffix.lower() in _SUFFIXES or _has_dicom_prefix(file)


def _has_dicom_prefix(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read(source: Path | str | bytes) -> Radiograph:
    """Read a DICOM CR/DX, PNG or JPEG radiograph; the format is found from the content, not from the name.

    Raises a `RadiographError` of a named class (see `pneumoscope.radiograph.errors`) with one sentence that says what
    is wrong; OSError where a path cannot be opened.
    """
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    if not content:
        raise UnreadableFileError("the file is empty; an intact DICOM, PNG or JPEG file is needed")
    radiograph = dicom.decode(content) if dicom.looks_like(content) else _decode_picture(content)
    if radiograph.pixels.min() == radiograph.pixels.max():
        raise EmptyImageError(
            f"every one of the {radiograph.rows} × {radiograph.cols} pixels has the same grey level; export the image again"
        )
    return radiograph


def _decode_picture(content: bytes) -> Radiograph:
    with quiet():
        try:
            with Image.open(io.BytesIO(content), formats=_PICTURE_FORMATS) as image:
                cols, rows = image.size
                if rows * cols > MAX_PIXELS:
                    raise TooLargeError(
                        f"the image declares {rows} × {cols} pixels, more than the {MAX_PIXELS:,} of any radiograph; "
                        "it was not decoded"
                    )
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return Radiograph(_grey(image))
        except RadiographError:
            raise
        except UnidentifiedImageError as error:
            if content[12:16] == b"IHDR" and bytes(4) in (content[16:20], content[20:24]):
                raise EmptyImageError("the PNG image has no rows or no columns; export it again") from error
            if content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
                raise UnreadableFileError(_DAMAGED) from error
            raise UnreadableFileError("the file is neither DICOM nor PNG nor JPEG; convert it to one of them") from error
        except Image.DecompressionBombError as error:
            raise TooLargeError("the image declares far more pixels than any radiograph; it was not decoded") from error
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, ValueError, struct.error …
            raise UnreadableFileError(_DAMAGED) from error


def _grey(image: Image.Image) -> Grey:
    """Grey levels in [0, 1]: colour by ITU-R 601 luma, transparency over black, 16 bit kept where it is grey."""
    if image.mode.startswith("I"):
        return np.asarray(image, np.float32) / np.float32(65535)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(np.divide(np.asarray(grey), np.float32(255), dtype=np.float32))
