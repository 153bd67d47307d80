"""Marks from masks: a folder of PNGs, or binary DICOM SEG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.radiograph import dicom
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.quiet import quiet
from pneumoscope.reference.annotation import KINDS, Annotation, Frames, Mask, Names

_READER_FOLDER = "reader-"


def from_masks(files: Sequence[Path], folder: Path, paths: Sequence[str]) -> list[Annotation]:
    names, marks = Names(paths), []
    known: set[tuple[str, str]] = set()
    for number, file in enumerate(files, start=1):
        where = f"mask {number} of {len(files)} in '{folder}' (in the order of their paths)"
        relative, reader = PurePosixPath(file.relative_to(folder).as_posix()), ""
        if len(relative.parts) > 1 and relative.parts[0].startswith(_READER_FOLDER):
            reader = relative.parts[0].removeprefix(_READER_FOLDER)
            relative = relative.relative_to(relative.parts[0])
        cases = names.find((relative.with_suffix(""),), where, from_root=True)
        if any((path, reader) in known for path in cases):
            raise EvaluationError(
                f"{where} is the second of one reader for one radiograph; keep one, or give each reader a folder "
                f"{_READER_FOLDER}NAME"
            )
        known.update((path, reader) for path in cases)
        marks.append(Annotation(where, reader, cases, file))
    return marks


def painted(file: Path, where: str) -> Mask:
    """Where a mask picture is above zero and not transparent, bool (rows, cols)."""
    with quiet():
        try:
            with Image.open(file, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError("more pixels than any radiograph has")
                values = np.asarray(image) > 0
                alpha = image.mode in ("LA", "PA", "RGBA")
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, ValueError, struct.error …
            raise EvaluationError(f"{where} is damaged or larger than any radiograph; save it again as a PNG") from error
    if values.ndim == 2:
        return values
    return np.asarray(values[..., :-1].any(-1) & values[..., -1] if alpha else values.any(-1))


def from_seg(files: Sequence[Path], source: Path, root: Path, paths: Sequence[str]) -> list[Annotation]:
    found: list[_Segmentation] = []
    for number, file in enumerate(files, start=1):
        segmentation = _segmentation(file, f"DICOM file {number} of {len(files)} in '{source}' (in the order of their paths)")
        # Archives keep the radiographs in one folder with what was drawn on them.
        if segmentation is not None:
            found.append(segmentation)
    if not found:
        raise EvaluationError(f"none of the {len(files)} DICOM files of '{source}' is a SEG; give {KINDS}")
    instances: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        instances[_instance(root / path)].append(path)
    return [
        Annotation(one.where, one.reader, tuple(instances.get(uid, ())), Frames(one.file, frames))
        for one in found
        for uid, frames in one.frames.items()
    ]


@dataclass(frozen=True)
class _Segmentation:
    """What the header of a SEG file says: who drew it, and which frames on which SOP instance."""

    where: str
    file: Path
    reader: str
    frames: Mapping[str, tuple[int, ...]]


def _segmentation(file: Path, where: str) -> _Segmentation | None:
    """Read the header of a DICOM file, None if it is no SEG; EvaluationError where it is not binary or tells no source."""
    with quiet():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            if header.get("Modality") != "SEG":
                return None
            binary = header.get("SegmentationType") == "BINARY"
            reader = str(header.get("SeriesDescription") or "").strip()
            frames = _references(header)
        except Exception as error:  # pydicom reads values late and raises whatever it likes
            raise EvaluationError(f"{where} is truncated or damaged; send it again from its source") from error
    if not binary:
        raise EvaluationError(f"{where} is a SEG that is not binary; export it with the Segmentation Type BINARY")
    if not frames:
        raise EvaluationError(f"{where} does not tell which radiograph its frames are drawn on; export it with its source images")
    return _Segmentation(where, file, reader, frames)


def _instance(file: Path) -> str:
    """The SOP Instance UID of a DICOM file, from its header; empty for other files and for damaged ones."""
    with file.open("rb") as stream:
        if not dicom.looks_like(stream.read(132)):
            return ""
    with quiet():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
            return str(header.get("SOPInstanceUID") or "").strip()
        except Exception:  # a file that cannot be read is no reason to refuse the marks of others
            return ""


def _references(header: Dataset) -> Mapping[str, tuple[int, ...]]:
    """Which frames are drawn on which SOP instance (PS3.3 C.7.6.16.2.6); empty where it is not told for all of them."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    of_all = _sources(header.get("SharedFunctionalGroupsSequence") or []) or _only_instance(header)
    found: dict[str, tuple[int, ...]] = defaultdict(tuple)
    for frame in range(int(header.get("NumberOfFrames") or 1)):
        drawn_on = _sources(per_frame[frame : frame + 1]) or of_all
        if not drawn_on:
            return {}
        for uid in drawn_on:
            found[uid] += (frame,)
    return found


def _sources(groups: Iterable[Dataset]) -> set[str]:
    return {
        str(image.ReferencedSOPInstanceUID)
        for group in groups
        for derivation in group.get("DerivationImageSequence") or ()
        for image in derivation.get("SourceImageSequence") or ()
    }


def _only_instance(header: Dataset) -> set[str]:
    """The instance that a SEG refers to as a whole; empty where there are several, because a frame may be of any."""
    found = {
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    }
    return found if len(found) == 1 else set()


def segmented(frames: Frames, where: str) -> Mask:
    """The frames' pixels together, bool (rows, cols)."""
    with quiet():
        try:
            dataset = pydicom.dcmread(frames.file, force=True)
            if int(dataset.Rows) * int(dataset.Columns) > MAX_PIXELS:
                raise ValueError("more pixels than any radiograph has")
            # Not frame by frame: pydicom 3.0.2 cuts a bit-packed frame short that does not begin and end at a whole byte.
            pixels = pixel_array(dataset).reshape(-1, dataset.Rows, dataset.Columns)
            return np.asarray(pixels[list(frames.numbers)].any(0))
        except Exception as error:  # the decoder plugins raise whatever they like, RuntimeError and struct.error among it
            raise EvaluationError(f"the pixels of {where} cannot be decoded; send it again from its source") from error
