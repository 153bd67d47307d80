"""Annotations from a folder of mask pictures, and masks from run lengths."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.reference.annotation import Annotation, CaseNames, Mask, RunLengths
from pneumoscope.reference.errors import RegionsError

_READER_FOLDER = "reader-"
_MOST_EDGE = 2**16 - 1
"""Rows or columns of a DICOM image."""
_MOST_BITS = 60
"""Bits of one run length in COCO's text; a radiograph has fewer than 2^26 pixels."""


def from_masks(files: Sequence[Path], folder: Path, paths: Sequence[str]) -> list[Annotation]:
    """Assign the mask pictures of a folder to cases.

    A mask belongs to the radiograph of the same relative path or stem. A folder ``reader-NAME`` holds the masks of one reader.

    Parameters
    ----------
    files
        The mask pictures.
    folder
        The folder that holds them.
    paths
        The paths of all cases of the cohort.

    Returns
    -------
    list of Annotation
        One a file, in their order.

    Raises
    ------
    RegionsError
        If a mask may belong to several radiographs, or one reader has two masks for one.
    """
    names, annotations = CaseNames(paths), []
    known: set[tuple[str, str]] = set()
    for number, file in enumerate(files, start=1):
        where = f"mask {number} of {len(files)} in '{folder}' (in the order of their paths)"
        relative, reader = PurePosixPath(file.relative_to(folder).as_posix()), ""
        if len(relative.parts) > 1 and relative.parts[0].startswith(_READER_FOLDER):
            reader = relative.parts[0].removeprefix(_READER_FOLDER)
            relative = relative.relative_to(relative.parts[0])
        cases = names.find((relative.with_suffix(""),), where, from_root=True)
        if any((path, reader) in known for path in cases):
            raise RegionsError(
                f"{where} is the second of one reader for one radiograph; keep one, or give each reader a folder "
                f"{_READER_FOLDER}NAME"
            )
        known.update((path, reader) for path in cases)
        annotations.append(Annotation(where, reader, cases, file))
    return annotations


def painted(file: Path, where: str) -> Mask:
    """Read a mask picture.

    Parameters
    ----------
    file
        A PNG of any mode.
    where
        The place of the file in its source, for the message.

    Returns
    -------
    ndarray
        bool (rows, cols): true where the picture is above zero and not transparent.

    Raises
    ------
    RegionsError
        If the file is damaged or larger than any radiograph.
    """
    stored, mode = _stored(file, where)
    values = stored.astype(bool)  # grey values are not below zero
    if values.ndim == 2:
        return values
    alpha = mode in ("LA", "PA", "RGBA")
    return np.asarray(values[..., :-1].any(-1) & values[..., -1] if alpha else values.any(-1))


def grey(file: Path, where: str) -> NDArray[np.uint8]:
    """Read the grey values of a mask picture.

    Parameters
    ----------
    file
        A PNG of one channel with 8 bits, or with 1 bit.
    where
        The place of the file in its source, for the message.

    Returns
    -------
    ndarray
        uint8 (rows, cols); the two values of a picture with 1 bit are 0 and 255.

    Raises
    ------
    RegionsError
        If the file is damaged, larger than any radiograph, or has another kind of pixels.
    """
    stored, mode = _stored(file, where)
    if mode == "1":
        return np.where(stored, np.uint8(255), np.uint8(0))
    if mode != "L":
        raise RegionsError(
            f"{where} has pixels of the kind {mode}; save it as a grey PNG with 8 bits, whose values say how opaque"
        )
    return np.asarray(stored, np.uint8)


def _stored(file: Path, where: str) -> tuple[NDArray[np.generic], str]:
    """The pixels of a PNG, (rows, cols) or (rows, cols, channels), and their mode in Pillow's words."""
    with silenced_decoders():
        try:
            with Image.open(file, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError("more pixels than any radiograph has")
                return np.asarray(image), image.mode
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, ValueError, struct.error …
            raise RegionsError(f"{where} is damaged or larger than any radiograph; save it again as a PNG") from error


def decoded(run_lengths: RunLengths, where: str) -> Mask:
    """Decode a run-length encoded mask, as COCO defines it (https://github.com/cocodataset/cocoapi, maskApi.c).

    Parameters
    ----------
    run_lengths
        The encoded mask.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    ndarray
        bool (rows, cols).

    Raises
    ------
    RegionsError
        If the run lengths do not fill the mask exactly, or the mask is larger than any radiograph.
    """
    rows, cols, counts = run_lengths.rows, run_lengths.cols, run_lengths.counts
    lengths = _decompressed(counts, where) if isinstance(counts, str) else list(counts)
    if max(rows, cols) > _MOST_EDGE or rows * cols > MAX_PIXELS:
        raise RegionsError(f"the mask of {where} is said to be larger than any radiograph; export it again")
    if min(lengths, default=0) < 0 or sum(lengths) != rows * cols:
        raise RegionsError(
            f"the run lengths of {where} are damaged: they do not fill a mask of {rows} × {cols} pixels; export them again"
        )
    drawn = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(drawn.reshape(rows, cols, order="F"))


def _decompressed(text: str, where: str) -> list[int]:
    """Run lengths from COCO's text: six bits a character; from the fourth on, differences from the last but one."""
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if shift > _MOST_BITS:
            raise RegionsError(f"the run lengths of {where} are damaged: one is longer than any radiograph; export them again")
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return lengths
