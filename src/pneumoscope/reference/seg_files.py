"""Annotations from binary DICOM SEG files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.reference.annotation import KINDS, Annotation, Mask, SegmentFrames
from pneumoscope.reference.errors import RegionsError

_MOST_FRAMES = 10_000
_MOST_PIXELS = 10 * MAX_PIXELS
"""Pixels of all frames of a file, which are decoded together."""


def from_seg(files: Sequence[Path], source: Path, root: Path, paths: Sequence[str]) -> list[Annotation]:
    """Assign the frames of binary DICOM SEG files to cases by the SOP Instance UID that they are drawn on.

    Parameters
    ----------
    files
        DICOM files; those that are no SEG are passed over, since archives keep both in one folder.
    source
        The file or folder that holds them, for messages.
    root
        The root folder of the cohort.
    paths
        The paths of all cases of the cohort.

    Returns
    -------
    list of Annotation
        One for each pair of a file and an instance; the Series Description names the reader.

    Raises
    ------
    RegionsError
        If no file is a SEG, or one is damaged, not binary, or does not name its source images.
    """
    segmentations: list[_Segmentation] = []
    for number, file in enumerate(files, start=1):
        segmentation = _segmentation(file, f"DICOM file {number} of {len(files)} in '{source}' (in the order of their paths)")
        if segmentation is not None:
            segmentations.append(segmentation)
    if not segmentations:
        raise RegionsError(f"none of the {len(files)} DICOM files of '{source}' is a SEG; give {KINDS}")
    instances: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        instances[_instance(root / path)].append(path)
    return [
        Annotation(one.where, one.reader, tuple(instances.get(uid, ())), SegmentFrames(one.file, frames))
        for one in segmentations
        for uid, frames in one.frames.items()
    ]


@dataclass(frozen=True)
class _Segmentation:
    """What the header of a SEG file says: who drew it, and which frames lie on which SOP instance."""

    where: str
    file: Path
    reader: str
    frames: Mapping[str, tuple[int, ...]]


def _segmentation(file: Path, where: str) -> _Segmentation | None:
    """Read the header of a DICOM file, None if it is no SEG; RegionsError where it is not binary or names no source image."""
    with silenced_decoders():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            if header.get("Modality") != "SEG":
                return None
            binary = header.get("SegmentationType") == "BINARY"
            reader = str(header.get("SeriesDescription") or "").strip()
            n_frames = int(header.get("NumberOfFrames") or 1)
            frames = _references(header, n_frames) if n_frames <= _MOST_FRAMES else {}
        except Exception as error:  # pydicom converts values late, with any exception
            raise RegionsError(f"{where} is truncated or damaged; send it again from its source") from error
    if not binary:
        raise RegionsError(f"{where} is a SEG that is not binary; export it with the Segmentation Type BINARY")
    if n_frames > _MOST_FRAMES:
        raise RegionsError(f"{where} states {n_frames:,} frames; at most {_MOST_FRAMES:,} are read: export fewer to a file")
    if not frames:
        raise RegionsError(f"{where} does not state which radiograph its frames are drawn on; export it with its source images")
    return _Segmentation(where, file, reader, frames)


def _instance(file: Path) -> str:
    """The SOP Instance UID of a DICOM file, from its header; empty for other files and for damaged ones."""
    with file.open("rb") as stream:
        if not looks_like_dicom(stream.read(132)):
            return ""
    with silenced_decoders():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
            return str(header.get("SOPInstanceUID") or "").strip()
        except Exception:  # a file that cannot be read is no reason to refuse the annotations of others
            return ""


def _references(header: Dataset, n_frames: int) -> Mapping[str, tuple[int, ...]]:
    """Which frames are drawn on which SOP instance (PS3.3 C.7.6.16.2.6); empty where it is not stated for all."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    of_all = _sources(header.get("SharedFunctionalGroupsSequence") or []) or _only_instance(header)
    found: dict[str, tuple[int, ...]] = defaultdict(tuple)
    for frame in range(n_frames):
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


def segmented(frames: SegmentFrames, where: str) -> Mask:
    """Join the frames of a SEG file to one mask.

    Parameters
    ----------
    frames
        The file and the numbers of its frames.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    ndarray
        bool (rows, cols).

    Raises
    ------
    RegionsError
        If the pixels cannot be decoded.
    """
    with silenced_decoders():
        try:
            dataset = pydicom.dcmread(frames.file, force=True)
            size = int(dataset.Rows) * int(dataset.Columns)
            if size > MAX_PIXELS or size * int(dataset.get("NumberOfFrames") or 1) > _MOST_PIXELS:
                raise ValueError("more pixels than any radiograph has")
            # Not frame by frame: pydicom 3.0.2 cuts a bit-packed frame short that does not begin and end at a whole byte.
            pixels = pixel_array(dataset).reshape(-1, dataset.Rows, dataset.Columns)
            return np.asarray(pixels[list(frames.numbers)].any(0))
        except Exception as error:  # decoder plugins raise any exception, such as RuntimeError and struct.error
            raise RegionsError(f"the pixels of {where} cannot be decoded; send it again from its source") from error
