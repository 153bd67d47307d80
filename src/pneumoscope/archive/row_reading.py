"""Read one file of a manifest: from where it lies to a row of results."""

import hashlib
import hmac
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pydicom

from pneumoscope import PneumoscopeError
from pneumoscope.archive import result_table
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.decoding import DecodeEach
from pneumoscope.archive.errors import CredentialsError
from pneumoscope.archive.journal import Run
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.reading import Content, read_together
from pneumoscope.archive.result_table import Device
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.header import texts_of
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.reader import Outcome, Reader
from pneumoscope.readings import CaseKey, form

_DEVICE = ("Manufacturer", "ManufacturerModelName", "InstitutionName")
_MOST_CHARACTERS = 64
_SITE_DIGITS = 16


def fetch(row: Row) -> Content:
    """Read the content of a file.

    Parameters
    ----------
    row : Row
        The file.

    Returns
    -------
    bytes or PneumoscopeError or OSError
        Its content, or the error in its place.

    Raises
    ------
    CredentialsError
        The store accepts no request; that is no fault of this file.
    """
    try:
        return content_of(row.source)
    except CredentialsError:
        raise
    except (PneumoscopeError, OSError) as error:
        return error


@dataclass(frozen=True, eq=False)
class Records:
    """Read files whose content was fetched; the result of each is its value by column (`result_table.COLUMNS`).

    Parameters
    ----------
    reader : Reader
        The model.
    run : Run
        What is asked.
    decode : callable
        Decodes the contents of files (`pneumoscope.archive.decoding.decoder`).
    site_key : str
        Secret by which institutions are hashed; empty so that none is kept.
    """

    reader: Reader
    run: Run
    decode: DecodeEach
    site_key: str = field(default="", repr=False)

    def __call__(self, group: Sequence[tuple[Row, Content]]) -> list[dict[str, Any]]:
        """Read a group of files.

        Parameters
        ----------
        group : sequence of (Row, bytes or PneumoscopeError or OSError)
            The files.

        Returns
        -------
        list of dict
            Value by column of each.
        """
        return read_together(group, self.reader, self.decode, self.run.options, self._record)

    def _record(self, row: Row, content: Content, outcome: Outcome) -> dict[str, Any]:
        if not isinstance(content, bytes):
            return error_record(row, content, self.run)
        sha256 = hashlib.sha256(content).hexdigest()
        if outcome.reading is None:
            return error_record(row, outcome.error, self.run, sha256, len(content))
        line = form.line_of(CaseKey(row.name, sha256), outcome.reading)
        heatmap = outcome.reading.heatmap if self.run.options.maps else None
        return result_table.record_of(line, len(content), device_of(content, self.site_key), heatmap)


def error_record(row: Row, error: BaseException | None, run: Run, sha256: str = "", size: int | None = None) -> dict[str, Any]:
    """Make the row of a file that could not be read.

    Parameters
    ----------
    row : Row
        The file.
    error : exception
        Why.
    run : Run
        What was asked.
    sha256 : str
        Hash of its content; empty if that could not be read.
    size : int, optional
        Size of its content in bytes.

    Returns
    -------
    dict
        Value by column.
    """
    message = str(error) if isinstance(error, PneumoscopeError) else getattr(error, "strerror", None) or "could not be opened"
    line = form.error_line(CaseKey(row.name, sha256), run.options.target, run.model, type(error).__name__, message)
    return result_table.record_of(line, size, Device(), None)


def device_of(content: bytes, site_key: str) -> Device:
    """Find what made a DICOM image.

    Parameters
    ----------
    content : bytes
        A file that was decoded before.
    site_key : str
        Secret by which the institution is hashed; empty so that it is not kept.

    Returns
    -------
    Device
        Manufacturer and model as stated, and the keyed hash of the institution; empty of another format.
    """
    if not looks_like_dicom(content):
        return Device()
    try:
        with silenced_decoders():
            dataset = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=True, specific_tags=[*_DEVICE])
            texts = [_text(texts_of(dataset, keyword)) for keyword in _DEVICE]
    except Exception:  # what decoding does not need may be damaged in any way
        return Device()
    manufacturer, model, institution = texts
    return Device(manufacturer, model, site_of(institution, site_key) if institution and site_key else "")


def site_of(institution: str, site_key: str) -> str:
    """Hash the name of an institution so that its images can be counted and it cannot be named without the key.

    Parameters
    ----------
    institution : str
        DICOM Institution Name.
    site_key : str
        The secret.

    Returns
    -------
    str
        The first 16 hexadecimal digits of HMAC-SHA-256.
    """
    return hmac.new(site_key.encode(), institution.casefold().encode(), hashlib.sha256).hexdigest()[:_SITE_DIGITS]


def site_key_sha256(site_key: str) -> str:
    """Hash the secret of the sites, to tell it from another one.

    Parameters
    ----------
    site_key : str
        The secret; empty where none is used.

    Returns
    -------
    str
        16 hexadecimal digits; empty without a secret.
    """
    return hashlib.sha256(f"pneumoscope site key {site_key}".encode()).hexdigest()[:16] if site_key else ""


def _text(values: tuple[str, ...]) -> str:
    text = "".join(character for character in " ".join(values) if character.isprintable())
    return text[:_MOST_CHARACTERS].strip()
