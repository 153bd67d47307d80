"""The file of a result: what a destination needs to know of it, and the proof that its data set is the one that was written."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pynetdicom.dsutils import split_dataset

from pneumoscope.pacs.errors import NodeError

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_PIECE = 2**20
_MISSING = "the file of the result is missing or damaged; have the image read again with reprocess"
_CHANGED = "the file of the result has other bytes than those that were written; have the image read again with reprocess"


class ResultFileError(NodeError):
    """The file of a result is missing, or has other bytes than those that were written."""


@dataclass(frozen=True)
class ResultFile:
    """A result as it lies in the spool.

    Parameters
    ----------
    path : Path
        The DICOM file, or the file of a notification.
    transfer_syntax : str
        Transfer syntax of its data set; empty for a notification.
    sop_class_uid, sop_instance_uid, study_uid, series_uid : str
        Its UIDs, never printed; of a notification only the second one.
    """

    path: Path = field(repr=False)
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)


def data_set_sha256(path: Path) -> str:
    """Hash the data set of a DICOM file, without its preamble and its file meta information.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    _, offset = split_dataset(path)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(offset)
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_and_hash(path: Path) -> tuple[bytes, str]:
    """Read a DICOM file, and hash its data set as `data_set_sha256` does.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
        Its content.
    str
        SHA-256 of its data set, 64 hexadecimal digits.
    """
    _, offset = split_dataset(path)
    content = path.read_bytes()
    return content, hashlib.sha256(memoryview(content)[offset:]).hexdigest()


def open_result(path: Path, sha256: str) -> ResultFile:
    """Open the file of a result after checking that its data set is the one that was written.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Hash of the data set when it was written.

    Returns
    -------
    ResultFile
        What a destination needs to know.

    Raises
    ------
    ResultFileError
        If the file is missing, or its data set has another hash.
    """
    try:
        there = data_set_sha256(path)
    except (OSError, ValueError, EOFError, InvalidDicomError) as error:
        raise ResultFileError(_MISSING) from error
    if there != sha256:
        raise ResultFileError(_CHANGED)
    dataset = pydicom.dcmread(path, specific_tags=list(_UIDS), stop_before_pixels=True)
    return ResultFile(path, str(dataset.file_meta.TransferSyntaxUID), *(str(dataset[keyword].value) for keyword in _UIDS))


def open_message(path: Path, sha256: str, uid: str) -> ResultFile:
    """Open the file of a notification after checking that it has the bytes that were written.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Hash of the file when it was written.
    uid : str
        Its identifier in the ledger.

    Returns
    -------
    ResultFile
        The file.

    Raises
    ------
    ResultFileError
        If the file is missing, or has another hash.
    """
    try:
        there = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ResultFileError(_MISSING) from error
    if there != sha256:
        raise ResultFileError(_CHANGED)
    return ResultFile(path, "", "", uid, "", "")
