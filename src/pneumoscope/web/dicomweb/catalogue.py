"""The catalogue of the open films as DICOM objects: what a search looks through, and the objects that were asked for last."""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pneumoscope import PneumoscopeError
from pneumoscope.limited_process import LimitedPool, Limits
from pneumoscope.web.bounded_cache import BoundedCache
from pneumoscope.web.dicomweb.identifiers import Identifiers
from pneumoscope.web.dicomweb.json_model import first
from pneumoscope.web.dicomweb.objects import DicomObject, attributes_for_search, dicom_object
from pneumoscope.web.errors import MissingError, NoFilmError, UnavailableError
from pneumoscope.web.films import OpenFilm
from pneumoscope.web.workspace import Workspace

OBJECT_BYTES = 256 * 2**20
"""Most bytes of DICOM objects in memory."""
SEARCH_SECONDS = 10.0
"""Time that one search spends on films that no search has looked at before."""
_KEY_BYTES = 32
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

Attributes = Mapping[str, Any]
Describe = Callable[[bytes, str, Identifiers], bytes]
Make = Callable[[bytes, str, Identifiers], DicomObject]


@dataclass(frozen=True)
class Entry:
    """One film in the catalogue.

    Parameters
    ----------
    film : str
        Id of the film.
    uids : tuple of three str
        Study, Series and SOP Instance UID.
    attributes : mapping of str to object
        What a search can match and returns, in the DICOM JSON model.
    """

    film: str
    uids: tuple[str, str, str] = field(repr=False)
    attributes: Attributes = field(repr=False)

    @classmethod
    def of(cls, film: str, model: bytes) -> Self:
        """Make the entry of a film.

        Parameters
        ----------
        film : str
            Id of the film.
        model : bytes
            What `objects.attributes_for_search` returns.

        Returns
        -------
        Entry
            The entry.
        """
        attributes = json.loads(model)
        study, series, instance = (first(attributes, keyword) for keyword in _UIDS)
        return cls(film, (study, series, instance), attributes)


class Catalogue:
    """The open films as DICOM objects; it is safe to use from several threads.

    Parameters
    ----------
    workspace : Workspace
        What the server has.
    describe, make : callable
        `objects.attributes_for_search` and `objects.dicom_object`; in a server, within worker processes.
    search_seconds : float
        Time that one search spends on films that are not in the catalogue yet, >= 0.
    """

    def __init__(
        self,
        workspace: Workspace,
        describe: Describe = attributes_for_search,
        make: Make = dicom_object,
        *,
        search_seconds: float = SEARCH_SECONDS,
    ) -> None:
        self._workspace = workspace
        self.describe, self._make = describe, make
        self.search_seconds = search_seconds
        self.identifiers = Identifiers(b"" if workspace.options.show_names else secrets.token_bytes(_KEY_BYTES))
        self._entries: dict[tuple[str, int], Entry | None] = {}
        self._lock = threading.Lock()
        self._objects: BoundedCache[tuple[str, int], DicomObject] = BoundedCache(OBJECT_BYTES, lambda made: made.n_bytes)

    def entries(self) -> tuple[Sequence[Entry], int]:
        """List the films, after looking at those that are new.

        Returns
        -------
        tuple of sequence of Entry and int
            One entry for each film that can be parsed, an object that several files hold only once, in the order of opening; and
            the number of films that there was no time for, or that their server does not give now.
        """
        if not self._lock.acquire(timeout=max(0.0, self.search_seconds)):  # another search looks at the new films
            return self._known(), sum(_key(film) not in self._entries for film in self._workspace.films.films())
        try:
            return self._looked_at(time.monotonic() + self.search_seconds)
        finally:
            self._lock.release()

    def _known(self) -> list[Entry]:
        """The entries that there are, an object that several films hold only once."""
        known: dict[tuple[str, str, str], Entry] = {}
        for film in self._workspace.films.films():
            entry = self._entries.get(_key(film))
            if entry is not None and film.error is None:
                known.setdefault(entry.uids, entry)
        return list(known.values())

    def _looked_at(self, ends: float) -> tuple[list[Entry], int]:
        """The entries, after looking at new films until a time, and the number of those that are left."""
        films = self._checked()
        for closed in self._entries.keys() - {_key(film) for film in films}:
            del self._entries[closed]
        left = 0
        for film in films:
            if film.error is None and _key(film) not in self._entries:
                left += time.monotonic() > ends or not self._look_at(film)
        return self._known(), left

    def _checked(self) -> list[OpenFilm]:
        """The open films, after a look whether their files were replaced."""
        films = []
        for film in self._workspace.films.films():
            with contextlib.suppress(NoFilmError):  # closed since they were listed
                films.append(self._workspace.films.check(film.id))
        return films

    def below(self, *uids: str) -> Sequence[Entry]:
        """Find the entries of a study, of a series, or of one instance.

        Parameters
        ----------
        *uids : str
            Study Instance UID, and then Series and SOP Instance UID.

        Returns
        -------
        sequence of Entry
            At least one.

        Raises
        ------
        MissingError
            If there is none.
        """
        matching = _of(self._known(), uids)
        if matching and len(uids) == len(_UIDS):  # one film, for which no other need be looked at
            return matching
        entries, left = self.entries()
        matching = _of(entries, uids)
        if not matching:
            more = f"; {left} films were not looked at yet: search again" if left else ""
            raise MissingError(f"no open film has these UIDs{more}")
        return matching

    def object_of(self, entry: Entry) -> DicomObject:
        """Return the DICOM object of a film.

        Parameters
        ----------
        entry : Entry
            The film.

        Returns
        -------
        DicomObject
            The object.

        Raises
        ------
        MissingError, UnusableFilmError, ChangedError
            If the film was closed, cannot be decoded, or its file was replaced.
        """
        film = self._workspace.films.check(entry.film)
        if film.error:
            self._workspace.films.decoded(film.id)  # raises its error
        return self._objects.get(_key(film), lambda: self._make(*self._film(entry.film), self.identifiers))

    def _film(self, id: str) -> tuple[bytes, str]:
        return self._workspace.films.content(id), self._workspace.label(id)

    def _look_at(self, film: OpenFilm) -> bool:
        """Make the entry of a film; whether that was possible now."""
        try:
            self._entries[_key(film)] = Entry.of(film.id, self.describe(*self._film(film.id), self.identifiers))
        except UnavailableError:
            return False
        except PneumoscopeError:  # the worklist says why
            self._entries[_key(film)] = None
        return True


def _key(film: OpenFilm) -> tuple[str, int]:
    """The id of a film, and how often its file was replaced."""
    return film.id, film.replacements


def _of(entries: Sequence[Entry], uids: tuple[str, ...]) -> list[Entry]:
    """The entries of a study, of a series, or of one instance."""
    return [entry for entry in entries if entry.uids[: len(uids)] == uids]


def parsing_pool(limits: Limits | None = None) -> LimitedPool[[bytes, str, Identifiers], bytes]:
    """Make the process that parses films for a search; it starts when it is first needed.

    Parameters
    ----------
    limits : Limits, optional
        Of each film.

    Returns
    -------
    LimitedPool
        `objects.attributes_for_search` within limits.
    """
    return LimitedPool(attributes_for_search, "parsing", limits, workers=1)


def object_pool(limits: Limits | None = None) -> LimitedPool[[bytes, str, Identifiers], DicomObject]:
    """Make the process that makes DICOM objects of films; it starts when it is first needed.

    Parameters
    ----------
    limits : Limits, optional
        Of each film.

    Returns
    -------
    LimitedPool
        `objects.dicom_object` within limits.
    """
    return LimitedPool(dicom_object, "making the DICOM object", limits, workers=1)
