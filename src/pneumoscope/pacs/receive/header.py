"""Read what the ledger says of an instance from its file, without decoding anything else of it."""

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumoscope.pacs.errors import NotUnderstoodError
from pneumoscope.pacs.receive.truncation import is_truncated
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

PREAMBLE, PREFIX = 128, b"DICM"
_SYNTAX, _CLASS, _INSTANCE, _STUDY, _SERIES = 0x00020010, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_LAST_OF_META = 0x0002FFFF
_UID = re.compile(r"[0-9.]{1,64}")
_MOST_META_BYTES = 2**16
_INFLATED_BYTES = 2**22
"""Bytes of a deflated data set in which its UIDs must lie."""
_BLOCK = 2**20


@dataclass(frozen=True)
class Header:
    """What identifies an instance.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, study_uid, series_uid, transfer_syntax : str
        UIDs; those of study and series are empty where the data set does not state them.
    sha256 : str
        Hash of the data set, without the file meta information.
    size : int
        Bytes of the file.
    is_truncated : bool
        Whether its Pixel Data, or an element before it, has fewer bytes than it states.
    """

    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    transfer_syntax: str
    sha256: str
    size: int
    is_truncated: bool = False


def read_header(file: Path) -> Header:
    """Read the header of a DICOM file.

    Parameters
    ----------
    file : Path
        A DICOM file (PS3.10).

    Returns
    -------
    Header
        Its UIDs and its hash.

    Raises
    ------
    NotUnderstoodError
        If it is no DICOM file, or its data set has no valid SOP Class and SOP Instance UID.
    OSError
        If the file cannot be read.
    """
    with file.open("rb") as stream, silenced_decoders():
        if stream.read(PREAMBLE + len(PREFIX))[PREAMBLE:] != PREFIX:
            raise NotUnderstoodError("the instance is no DICOM file; send it as PS3.10 describes")
        meta = _elements(stream, ExplicitVRLittleEndian, _LAST_OF_META)
        start, syntax = stream.tell(), _uid(meta, _SYNTAX)
        if not syntax or start > _MOST_META_BYTES:
            raise NotUnderstoodError("the instance does not state its transfer syntax")
        of_data_set = _inflated(stream) if syntax == DeflatedExplicitVRLittleEndian else stream
        values = _elements(of_data_set, syntax, _SERIES)
        sop_class, instance = _uid(values, _CLASS), _uid(values, _INSTANCE)
        if not sop_class or not instance:
            raise NotUnderstoodError("the data set has no valid SOP Class UID and SOP Instance UID")
        stream.seek(start)
        sha256, size = _sha256(stream), stream.tell()
        stream.seek(start)
        of_study = _uid(values, _STUDY), _uid(values, _SERIES)
        return Header(sop_class, instance, *of_study, syntax, sha256, size, is_truncated(stream, syntax, size))


def _elements(stream: BinaryIO, syntax: str, last: int) -> dict[int, object]:
    """The undecoded values of the wanted elements up to a tag: their texts are neither checked nor ever part of a message."""

    def beyond(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return int(tag) > last

    try:
        tags: Any = [_SYNTAX, _CLASS, _INSTANCE, _STUDY, _SERIES]
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        read = read_dataset(stream, implicit, little, stop_when=beyond, specific_tags=tags)
        return {int(tag): read.get_item(tag).value for tag in read.keys()}  # noqa: SIM118 - items would be decoded
    except Exception as error:  # pydicom names no errors of its own for damaged files
        raise NotUnderstoodError(f"the data set is damaged ({type(error).__name__})") from None


def _uid(values: dict[int, object], tag: int) -> str:
    value = values.get(tag)
    text = value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else ""
    return text if _UID.fullmatch(text) else ""


def _inflated(stream: BinaryIO) -> BinaryIO:
    """The beginning of a deflated data set; its size after inflation may be anything."""
    try:
        return BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(_INFLATED_BYTES), _INFLATED_BYTES))
    except zlib.error:
        raise NotUnderstoodError("the deflated data set is damaged") from None


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
