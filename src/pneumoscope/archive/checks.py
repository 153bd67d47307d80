"""Record the content of each line of a journal and of its outputs, so that a changed byte is noticed when a run goes on.

``checks.jsonl`` holds one record for each line of ``readings.jsonl``, in the same order. A record is written before its line.
What the records of an earlier version do not prove is read again once: every file where there are none, and a file with further
files where its record does not say what they hold.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from pneumoscope import strict_json
from pneumoscope.archive.outputs import Sums

CHECKS_NAME = "checks.jsonl"
MOST_AHEAD = 50_000
"""Records that are held at a time, about 40 MB."""


@dataclass(frozen=True)
class Check:
    """The content of a line and of its outputs.

    Parameters
    ----------
    path : str
        Name of the line's file in the manifest.
    line : str
        SHA-256 of the line, hexadecimal.
    outputs : Sums
        SHA-256 of its overlay, its heat map and its further files.
    """

    path: str
    line: str
    outputs: Sums


def check_of(name: str, encoded: bytes, outputs: Sums) -> Check:
    """Record the content of a line.

    Parameters
    ----------
    name : str
        Name of its file in the manifest.
    encoded : bytes
        The line as it is written.
    outputs : Sums
        What its outputs hold.

    Returns
    -------
    Check
        The record.
    """
    return Check(name, line_sha256(encoded), outputs)


def line_sha256(encoded: bytes) -> str:
    """Hash a line.

    Parameters
    ----------
    encoded : bytes
        The line as it is written.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(encoded).hexdigest()


def to_json(check: Check) -> bytes:
    """Encode a record as a line of JSON.

    Parameters
    ----------
    check : Check
        The record.

    Returns
    -------
    bytes
        The line, with its line end.
    """
    return msgspec.json.encode(check) + b"\n"


class Recorded:
    """The records of an output folder; they are looked up in about the order of the lines, so that few are held at a time.

    Parameters
    ----------
    records : iterator of Check
        The records in their order.
    most_ahead : int
        How many records are held at most; a record that lies further ahead counts as missing, and its line is read again.
    """

    def __init__(self, records: Iterator[Check], most_ahead: int = MOST_AHEAD) -> None:
        self._records = records
        self._most_ahead = most_ahead
        self._ahead: dict[str, Check] = {}

    def take(self, name: str) -> Check | None:
        """Look up the record of a line, once.

        Parameters
        ----------
        name : str
            Name of the line's file in the manifest.

        Returns
        -------
        Check or None
            None where there is no record among those held.
        """
        while name not in self._ahead:
            record = next(self._records, None) if len(self._ahead) < self._most_ahead else None
            if record is None:
                return None
            self._ahead[record.path] = record
        return self._ahead.pop(name)


@contextmanager
def open_recorded(out: Path) -> Iterator[Recorded]:
    """Open the records of an output folder.

    Parameters
    ----------
    out : Path
        The output folder.

    Yields
    ------
    Recorded
        The records; empty where there are none, as in a folder of an earlier version.
    """
    file = out / CHECKS_NAME
    if not file.exists():
        yield Recorded(iter(()))
        return
    with file.open("rb") as stream:
        yield Recorded(_records(stream))


def _records(stream: BinaryIO) -> Iterator[Check]:
    """The records; one that was cut or changed is left out, so that its line is read again."""
    for text in stream:
        try:
            yield strict_json.decode(text, Check)
        except strict_json.StrictJsonError:
            continue
