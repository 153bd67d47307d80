"""What a running server has: films, models, readings, jobs, and what it was started with."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from pneumoscope.classifier import Population
from pneumoscope.web.films import FilmStore
from pneumoscope.web.jobs import Jobs
from pneumoscope.web.models import Models
from pneumoscope.web.reading_store import ReadingStore
from pneumoscope.web.regions import References
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
    population : {"child", "adult"}, optional
        Population of patients whose age the file does not state.
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
    population: Population | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    idle_seconds: float = 15.0
    body_seconds: float = 300.0
    heartbeat_seconds: float = 15.0


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
    """

    films: FilmStore
    models: Models
    readings: ReadingStore
    jobs: Jobs
    options: Options = field(default_factory=Options)
    references: References = field(default_factory=References)
    folder: StoreFolder | None = None

    def label(self, id: str) -> str:
        """Return the name of a film that clients may see.

        Parameters
        ----------
        id : str
            Id of the film.

        Returns
        -------
        str
            The name of its file with ``show_names``, else its number.

        Raises
        ------
        MissingError
            If there is no such film.
        """
        film = self.films.film(id)
        return (self.options.show_names and film.source.label) or f"Film {film.number}"
