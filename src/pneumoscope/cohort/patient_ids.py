"""Replace patient identifiers by a keyed hash, or by random identifiers with a private map.

A plain hash of an identifier hides nobody: whoever knows the form of the identifiers tries them all (ten million take seconds).
Here either a secret key takes part in the hash, or the new identifier is random and a private file says who is who. Neither
makes a cohort anonymous: file names, pixels and rare combinations of facts may still identify a patient.
"""

import csv
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pneumoscope import atomic_files, csv_cells
from pneumoscope.cohort.errors import CohortError

PatientIds = Callable[[str], str]

_KEY_BYTES = 32
_FEWEST_KEY_BYTES = 16
_HEADER = ("original_id", "patient_id")


def as_given(original: str) -> str:
    """Return an identifier as it is: that of a published table, which is a pseudonym already.

    Parameters
    ----------
    original
        The identifier of the source.

    Returns
    -------
    str
        The same text.
    """
    return original


def keyed(key: bytes) -> PatientIds:
    """Replace identifiers by HMAC-SHA256 under a secret key (RFC 2104), cut to 16 hexadecimal digits.

    The same key gives the same patient the same identifier in every cohort. Whoever has the key can test a guessed identifier.

    Parameters
    ----------
    key
        The secret, at least 16 bytes.

    Returns
    -------
    PatientIds
        A function from the original identifier to the new one.

    Raises
    ------
    CohortError
        If the key is shorter than 16 bytes.
    """
    if len(key) < _FEWEST_KEY_BYTES:
        raise CohortError(f"a key of {len(key)} bytes can be guessed; at least {_FEWEST_KEY_BYTES} random bytes are needed")
    return lambda original: hmac.new(key, original.encode(), hashlib.sha256).hexdigest()[:16]


def read_key(path: Path) -> bytes:
    """Read a key file, or create one with 32 random bytes that only its owner can read.

    Parameters
    ----------
    path
        The key file; its content is the key, byte for byte.

    Returns
    -------
    bytes
        The key.
    """
    if not path.exists():
        _create_private(path, secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()


@contextmanager
def random_ids(path: Path) -> Iterator[PatientIds]:
    """Replace identifiers by random ones, and keep the map in a private file.

    The map is a CSV with the columns ``original_id`` and ``patient_id``; it is read first, so that a patient keeps the
    identifier of an earlier cohort, and written when the context ends without an exception. Only its owner can read it.

    Parameters
    ----------
    path
        The map file, which need not exist.

    Yields
    ------
    PatientIds
        A function from the original identifier to the new one.

    Raises
    ------
    CohortError
        If the file exists but is no such map.
    """
    known = _read_map(path) if path.exists() else {}
    before = len(known)

    def replaced(original: str) -> str:
        if original not in known:
            known[original] = f"p{secrets.token_hex(8)}"
        return known[original]

    yield replaced
    if len(known) > before:
        if not path.exists():
            _create_private(path, b"")
        mode = path.stat().st_mode
        with atomic_files.text(path) as stream:
            os.fchmod(stream.fileno(), mode & 0o777)
            csv_cells.write_rows(stream, [_HEADER, *known.items()])


def _read_map(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"'{path}' is no map of patient identifiers; give another file") from error
    if tuple(header) != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        raise CohortError(
            f"'{path}' is no map of patient identifiers with the columns {' and '.join(_HEADER)}; give another file"
        )
    return {csv_cells.original(given): csv_cells.original(new) for given, new in rows}


def _create_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
