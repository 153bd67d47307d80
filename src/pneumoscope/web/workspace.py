"""What a running server has: films, models, readings, jobs, and what it was started with."""

import secrets
import threading
from dataclasses import dataclass, field
from typing import Self

from pneumoscope.web.films import ID_BYTES, FilmStore, OpenFilm
from pneumoscope.web.jobs import Jobs
from pneumoscope.web.models import Models
from pneumoscope.web.reading_store import ReadingStore
from pneumoscope.web.regions import References
from pneumoscope.web.sources import Source
from pneumoscope.web.store_folder import StoreFolder

MAX_BODY_BYTES = 64 * 2**20
"""Largest body that is taken."""


@dataclass(frozen=True)
class Options:
    """What the server was started with.

    Parameters
    ----------
    token : str
        Secret that every request to the API has to carry.
    show_names : bool
        Whether clients see the names of files.
    stow : bool
        Whether DICOMweb clients may store instances.
    max_body_bytes : int
        Largest body that is taken.
    idle_seconds, body_seconds : float
        Longest wait for the next part of a body, and for a whole one.
    heartbeat_seconds : float
        Longest silence of a stream of events.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    show_names: bool = False
    stow: bool = False
    max_body_bytes: int = MAX_BODY_BYTES
    idle_seconds: float = 15.0
    body_seconds: float = 300.0
    heartbeat_seconds: float = 15.0


def label_of(film: OpenFilm, options: Options) -> str:
    """Return the name of a film that clients may see.

    Parameters
    ----------
    film : OpenFilm
        The film.
    options : Options
        What the server was started with.

    Returns
    -------
    str
        The name of its file with `Options.show_names`, else its number.
    """
    return (options.show_names and film.source.label) or f"Film {film.number}"


@dataclass(frozen=True)
class Workspace:
    """What a running server has.

    Parameters
    ----------
    films : FilmStore
        The open films.
    models : Models
        The models.
    readings : ReadingStore
        What the models read in them.
    jobs : Jobs
        What is being read.
    options : Options
        What the server was started with.
    references : References
        Reference regions of films; those of no film by default.
    folder : StoreFolder, optional
        Where uploads and readings are kept on disk; None where nothing is.
    closing : Event
        Set when the server is about to end, so that streams of events end.
    """

    films: FilmStore
    models: Models
    readings: ReadingStore
    jobs: Jobs
    options: Options = field(default_factory=Options)
    references: References = field(default_factory=References)
    folder: StoreFolder | None = None
    closing: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(
        cls,
        models: Models,
        films: FilmStore,
        options: Options | None = None,
        *,
        references: References | None = None,
        folder: StoreFolder | None = None,
        threads: int = 2,
    ) -> Self:
        """Put a workspace together.

        Parameters
        ----------
        models : Models
            The models.
        films : FilmStore
            The open films; uploads of an earlier run are added to it.
        options : Options, optional
            What the server is started with.
        references : References, optional
            Reference regions of films.
        folder : StoreFolder, optional
            Where uploads and readings are kept.
        threads : int
            Number of films that are read at the same time, >= 1.

        Returns
        -------
        Workspace
            The workspace; its threads run until `close`.
        """
        options = options or Options()
        readings = ReadingStore(films, models, lambda id: label_of(films.film(id), options), folder)
        jobs = Jobs(films, models, readings, threads)
        made = cls(films, models, readings, jobs, options, references or References(), folder)
        for id, source in folder.uploads() if folder else ():
            made.open(source, id)
        return made

    def label(self, id: str) -> str:
        """Return the name of a film that clients may see.

        Parameters
        ----------
        id : str
            Id of the film.

        Returns
        -------
        str
            As `label_of`.

        Raises
        ------
        MissingError
            If there is no such film.
        """
        return label_of(self.films.film(id), self.options)

    def open_upload(self, content: bytes, label: str) -> str:
        """Open the film of an upload, and keep it on disk where the server has a store.

        Parameters
        ----------
        content : bytes
            The file.
        label : str
            Its name for people.

        Returns
        -------
        str
            Id of the film.

        Raises
        ------
        FullError
            If there is no room for it in memory or on disk.
        """
        if self.folder is None:
            return self.films.add(content, label)
        id = secrets.token_urlsafe(ID_BYTES)
        return self.films.add(self.folder.keep_upload(id, content, label), id=id)

    def open(self, source: Source, id: str = "") -> str:
        """Open a film, with the readings that an earlier run kept.

        Parameters
        ----------
        source : Source
            Where its bytes come from.
        id : str
            Id of a film of an earlier run; a new random one if empty.

        Returns
        -------
        str
            Id of the film.
        """
        film = self.films.add(source, id=id)
        self.readings.resume(film)
        return film

    def close_film(self, id: str) -> None:
        """Close a film with its readings; an upload is removed from the store.

        Parameters
        ----------
        id : str
            Id of the film.

        Raises
        ------
        MissingError
            If there is no such film.
        """
        self.films.remove(id)
        self.readings.forget(id)
        if self.folder:
            self.folder.remove_upload(id)

    def close(self) -> None:
        """End the streams and jobs, and let another server use the store."""
        self.closing.set()
        self.jobs.close()
        if self.folder:
            self.folder.close()
