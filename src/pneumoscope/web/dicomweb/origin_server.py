"""Search and retrieve the radiographs of a DICOMweb origin server (PS3.18 10.4 and 10.6)."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pneumoscope.radiograph.limits import MAX_FILE_BYTES
from pneumoscope.web.dicomweb import multipart
from pneumoscope.web.dicomweb.address import Address
from pneumoscope.web.dicomweb.connection import Connection
from pneumoscope.web.dicomweb.errors import DicomwebError, RefusedAnswerError
from pneumoscope.web.errors import UnavailableError

PAGE = 200
"""Instances that are asked for at once."""
MOST_RECEIVED = 10**6
"""Results of one search that are read at most, of whatever modality."""

_MOST_JSON_BYTES = 2**26
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_INSTANCE_TYPES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_STUDY, _SERIES, _INSTANCE, _MODALITY = "0020000D", "0020000E", "00080018", "00080060"
_PATIENT_ID, _STUDY_DATE = "00100020", "00080020"


@dataclass(frozen=True)
class RemoteFilm:
    """One instance of a DICOMweb server, retrieved when it is asked for: a source of a film.

    Parameters
    ----------
    server : OriginServer
        Where it lies.
    uids : tuple of three str
        Study, Series and SOP Instance UID; never printed.
    label : str
        Patient ID and Study Date, for a user who asked for names; never printed.
    modality : str
        Modality of its series; empty where the server does not say it.
    study_date : str
        Study Date as the server states it; empty where it states none. Never printed.
    """

    server: "OriginServer"
    uids: tuple[str, str, str] = field(repr=False)
    label: str = field(default="", repr=False)
    modality: str = ""
    study_date: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """Hash of the UIDs: an instance that changes gets another SOP Instance UID (PS3.3 C.12.1.1)."""
        return hashlib.sha256("\n".join(self.uids).encode()).hexdigest()

    @property
    def version(self) -> str:
        """Empty: as for the fingerprint."""
        return ""

    def load(self) -> bytes:
        """Retrieve the instance.

        Returns
        -------
        bytes
            The DICOM file, as the server stores it.

        Raises
        ------
        UnavailableError
            In one sentence without any identifier.
        """
        try:
            return self.server.retrieve(self.uids)
        except DicomwebError as error:
            raise UnavailableError(str(error)) from None


class OriginServer:
    """A DICOMweb service that the user named.

    Parameters
    ----------
    address : Address
        The service, and which of its radiographs are wanted.
    connection : Connection, optional
        How it is asked; by default one with the credentials of the environment or of netrc.

    Examples
    --------
    >>> from pneumoscope.web.dicomweb import address
    >>> server = OriginServer(address.parse("https://pacs.example/dicom-web?StudyDate=20240101-"))
    >>> server
    OriginServer(https://pacs.example)
    """

    def __init__(self, address: Address, connection: Connection | None = None) -> None:
        self._address = address
        self._connection = connection or Connection(address)
        self.has_more = False
        """Whether the last search ended at `Address.most_films` while the server has more radiographs."""

    def __repr__(self) -> str:
        return f"OriginServer({self._address.origin})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._connection.close()

    def films(self) -> Iterator[RemoteFilm]:
        """Search for the radiographs, page by page.

        Yields
        ------
        RemoteFilm
            One for each instance, at most `Address.most_films` of them.

        Raises
        ------
        DicomwebError
            In one sentence without any identifier.
        """
        self.has_more = False
        listed: set[str] = set()
        for modality in self._address.modalities:
            for film in self._of_modality(modality):
                if film.uids[2] in listed:
                    continue
                if len(listed) == self._address.most_films:
                    self.has_more = True
                    return
                listed.add(film.uids[2])
                yield film

    def retrieve(self, uids: tuple[str, str, str]) -> bytes:
        """Retrieve one instance (WADO-RS).

        Parameters
        ----------
        uids : tuple of three str
            Study, Series and SOP Instance UID.

        Returns
        -------
        bytes
            The DICOM file.

        Raises
        ------
        DicomwebError
            In one sentence without any identifier.
        """
        study, series, instance = uids
        path = f"/studies/{study}/series/{series}/instances/{instance}"
        answer = self._connection.get(path, _INSTANCE_TYPES, MAX_FILE_BYTES + 2**16)
        if answer.media_type.partition(";")[0].strip().lower() == "application/dicom":  # a server before correction CP-2040
            return answer.content
        try:
            parts = multipart.parse(answer.media_type, answer.content)
        except multipart.MultipartError as error:
            raise self._not_dicom() from error
        if len(parts) != 1:
            raise self._refused(f"sent {len(parts)} parts for one instance; ask who runs the server")
        return parts[0].content

    def _of_modality(self, modality: str) -> Iterator[RemoteFilm]:
        """The films of one modality. A server may send fewer in a page than asked for, so that the end is a page without any."""
        listed: set[str] = set()
        received = 0
        while items := self._search({**self._address.matching, "Modality": modality}, received):
            films = {film.uids[2]: film for film in map(self._film, items) if film.uids[2] not in listed}
            if not films and len(items) > PAGE:  # a server that heeds neither limit nor offset has sent all at once
                return
            if not films or received > MOST_RECEIVED:
                raise self._refused(
                    "does not page through its results as was asked for; narrow the query until one page holds them"
                )
            received += len(items)
            listed |= films.keys()
            yield from (film for film in films.values() if film.modality in ("", modality))

    def _search(self, matching: Mapping[str, str], offset: int) -> Sequence[Mapping[str, Any]]:
        paging = {"limit": str(PAGE), "offset": str(offset)}
        answer = self._connection.get(
            "/instances", "application/dicom+json, application/json", _MOST_JSON_BYTES, {**matching, **paging}
        )
        if not answer.content:
            return ()
        try:
            items = json.loads(answer.content)
        except (ValueError, RecursionError):
            raise self._not_dicom() from None  # the parser quotes what it read
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._not_dicom()
        return items

    def _film(self, item: Mapping[str, Any]) -> RemoteFilm:
        uids = (_first(item, _STUDY), _first(item, _SERIES), _first(item, _INSTANCE))
        if not all(len(uid) <= 64 and _UID.fullmatch(uid) for uid in uids):
            raise self._refused("lists an instance without valid UIDs of its study, series and instance; ask who runs it")
        label = " ".join(text for text in (_first(item, _PATIENT_ID), _first(item, _STUDY_DATE)) if text)
        return RemoteFilm(self, uids, label, _first(item, _MODALITY), _first(item, _STUDY_DATE))

    def _refused(self, what: str) -> RefusedAnswerError:
        return RefusedAnswerError(f"the DICOMweb server {self._address.origin} {what}")

    def _not_dicom(self) -> RefusedAnswerError:
        return self._refused("sent something else than DICOM was asked for; check that the URL is the root of a DICOMweb service")


def _first(item: Mapping[str, Any], tag: str) -> str:
    """The first value of an attribute of the DICOM JSON model (PS3.18 F.2) as text, empty where there is none."""
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values and isinstance(values[0], str | int) else ""
