"""Find images that share a SOP Instance UID with an earlier one: their objects would have equal UIDs and other bytes."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pydicom

from pneumoscope.radiograph.declared_sizes import check_elements
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.files import content_of
from pneumoscope.radiograph.silenced_decoders import silenced_decoders


def repeated(files: Iterable[Path]) -> frozenset[str]:
    """Find the contents that share a SOP Instance UID with an earlier file and differ from it.

    Parameters
    ----------
    files : iterable of Path
        Files in the order in which they count; those that are no DICOM files share nothing.

    Returns
    -------
    frozenset of str
        SHA-256 of the bytes of each such file.
    """
    by_uid: defaultdict[str, list[Path]] = defaultdict(list)
    with silenced_decoders():
        for file in files:
            if uid := _sop_instance_uid(file):
                by_uid[uid].append(file)
    hashes = ([_sha256(file) for file in sharing] for sharing in by_uid.values() if len(sharing) > 1)
    return frozenset(sha256 for first, *others in hashes for sha256 in others if sha256 != first)


def _sha256(file: Path) -> str:
    return hashlib.sha256(content_of(file)).hexdigest()


def _sop_instance_uid(file: Path) -> str:
    try:
        content = content_of(file)
        if not looks_like_dicom(content):
            return ""
        check_elements(content)
        header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True, specific_tags=["SOPInstanceUID"])
        return str(header.get("SOPInstanceUID", "")).strip(" \0")
    except Exception:  # pydicom raises errors of many classes for damaged files; reading the file says what is wrong with it
        return ""
