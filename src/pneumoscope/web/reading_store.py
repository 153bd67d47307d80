"""What the models read in the open films: the line of each reading, and the readings that were used last."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from pneumoscope import PneumoscopeError
from pneumoscope.classifier import Population
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.readings import CaseKey, ModelReading, form
from pneumoscope.readings.line import Line
from pneumoscope.web.bodies import FilmState
from pneumoscope.web.bounded_cache import BoundedCache
from pneumoscope.web.errors import ChangedError, NoFilmError, NotReadError, UnusableFilmError
from pneumoscope.web.films import FilmStore, OpenFilm
from pneumoscope.web.models import Models
from pneumoscope.web.store_folder import ReadingKey, StoreFolder

READINGS_BYTES = 128 * 2**20
"""Most bytes of readings with their maps and lung fields in memory; others are read again when they are shown."""
_OBJECT_BYTES = 4096
_Key = tuple[str, int, str, str, Population | None]
"""Film, how often its file was replaced, model, method and population."""


@dataclass(frozen=True)
class ReadingState:
    """Where the reading of one film by one model stands.

    Parameters
    ----------
    line : Line, optional
        The reading, or the error in its place; None before the film was read.
    population : {"child", "adult"}, optional
        The stated population that it was read with.
    phase : {"", "queued", "reading"}
        What a job is about to do.
    replacements : int
        `OpenFilm.replacements` when the film was read.
    """

    line: Line | None = None
    population: Population | None = None
    phase: str = ""
    replacements: int = 0

    @property
    def state(self) -> FilmState:
        """One word for the worklist."""
        if self.phase == "queued":
            return "queued"
        if self.phase == "reading":
            return "reading"
        if self.line is None:
            return "waiting"
        return "failed" if self.line.error else "read"


UNREAD = ReadingState()


class ReadingStore:
    """The readings of the open films; it is safe to use from several threads.

    Parameters
    ----------
    films : FilmStore
        The open films.
    models : Models
        The models.
    label : callable
        From the id of a film to the name that its readings have.
    folder : StoreFolder, optional
        Where readings are kept on disk; None where they are not.
    """

    def __init__(self, films: FilmStore, models: Models, label: Callable[[str], str], folder: StoreFolder | None = None) -> None:
        self._films = films
        self._models = models
        self._label = label
        self._folder = folder
        self._states: dict[tuple[str, str], ReadingState] = {}
        self._lock = threading.Lock()
        self._readings: BoundedCache[_Key, ModelReading] = BoundedCache(READINGS_BYTES, _size)

    def state(self, film: str, model: str) -> ReadingState:
        """Return where a reading stands.

        Parameters
        ----------
        film, model : str
            Ids.

        Returns
        -------
        ReadingState
            `UNREAD` where nothing is known; without a line where the film's file was replaced since it was read.
        """
        state = self._states.get((film, model), UNREAD)
        return state if state.line is None or self._is_of(film, state) else replace(state, line=None)

    def checked_state(self, film: str, model: str) -> ReadingState:
        """Return where a reading stands, after a look whether the film's file was replaced.

        Parameters
        ----------
        film, model : str
            Ids.

        Returns
        -------
        ReadingState
            As `state`; `UNREAD` for a film that was closed.
        """
        try:
            self._films.check(film)
        except NoFilmError:
            return UNREAD
        return self.state(film, model)

    def mark(self, film: str, model: str, phase: str) -> None:
        """Record what a job is about to do with a film.

        Parameters
        ----------
        film, model : str
            Ids.
        phase : {"", "queued", "reading"}
            What it is about to do; empty for nothing.
        """
        self._change(film, model, phase=phase)

    def line(self, film: str, model: str) -> Line:
        """Return the line of a reading.

        Parameters
        ----------
        film, model : str
            Ids.

        Returns
        -------
        Line
            The reading, or the error in its place.

        Raises
        ------
        NotReadError
            If the film was not read.
        ChangedError
            If the film's file was replaced since it was read.
        """
        opened = self._films.check(film)
        line = self.state(film, model).line
        if line is None and opened.error and opened.replacements:
            raise ChangedError(opened.error.message)
        if line is None:
            raise NotReadError("the model has not read this film yet; ask for it with PUT, or start a job")
        return line

    def read(self, film: str, model: str, population: Population | None = None) -> Line:
        """Read a film, unless the model has read it as the same population before.

        Parameters
        ----------
        film, model : str
            Ids.
        population : {"child", "adult"}, optional
            Population where the file does not state the patient's age.

        Returns
        -------
        Line
            The reading, or the error in its place: no film makes this fail.

        Raises
        ------
        MissingError
            If the film was closed.
        """
        state = self.checked_state(film, model)
        if state.line is not None and state.line.error is None and state.population == population:
            self.mark(film, model, "")
            return state.line
        self._films.forget_error(film)
        self.mark(film, model, "reading")
        opened = self._films.film(film)
        key = self._key(opened, model, population)
        line = self._read_now(opened, model, population)
        now = self._films.check(film)
        self._change(film, model, line=line, population=population, phase="", replacements=opened.replacements)
        if self._folder and not line.error and key == self._key(now, model, population):
            self._folder.keep_line(key, line)
        return line

    def reading(self, film: str, model: str, method: str) -> ModelReading:
        """Return a reading with its map and lung fields; it is made again where it is no longer in memory.

        Parameters
        ----------
        film, model : str
            Ids.
        method : str
            Method of the heat map, one of the model's.

        Returns
        -------
        ModelReading
            The reading.

        Raises
        ------
        NotReadError
            If the film was not read.
        UnusableFilmError
            If the film could not be read.
        """
        line, state = self.line(film, model), self.state(film, model)
        if line.error:
            raise UnusableFilmError(line.error.message)
        key = (film, state.replacements, model, method, state.population)
        return self._readings.get(key, lambda: self._infer(film, model, method, state.population))

    def resume(self, film: str) -> None:
        """Take the readings of a film that an earlier run kept on disk, if it stated the same population.

        Parameters
        ----------
        film : str
            Id of a film that was opened now.
        """
        if self._folder is None:
            return
        opened, label = self._films.film(film), self._label(film)
        for model, reader in self._models.readers.items():
            population = reader.population
            line = self._folder.line(self._key(opened, model, population))
            if line is not None:
                self._change(film, model, line=replace(line, path=label), population=population)

    def forget(self, film: str) -> None:
        """Forget the readings of a film that was closed.

        Parameters
        ----------
        film : str
            Its id.
        """
        with self._lock:
            for key in [key for key in self._states if key[0] == film]:
                del self._states[key]
        self._readings.drop(lambda key: key[0] == film)

    def _is_of(self, film: str, state: ReadingState) -> bool:
        """Whether a line is of the file that the film has now."""
        try:
            opened = self._films.film(film)
        except NoFilmError:
            return True
        line_sha256 = (state.line and state.line.file_sha256) or ""
        same_file = not opened.sha256 or line_sha256 in ("", opened.sha256)  # a line of an earlier run comes before the file
        return state.replacements == opened.replacements and same_file

    def _read_now(self, opened: OpenFilm, model: str, population: Population | None) -> Line:
        reader, film = self._models.reader(model), opened.id
        key = (film, opened.replacements, model, reader.card.map_method, population)
        try:
            reading = self._readings.get(key, lambda: self._infer(film, model, reader.card.map_method, population))
            if self._films.check(film).replacements != opened.replacements:
                raise ChangedError("the file was replaced while it was read; read the film again to use the new file")
        except PneumoscopeError as error:
            opened = self._films.film(film)  # a film that was closed meanwhile has no line
            kind = opened.error.kind if opened.error else type(error).__name__
            return form.error_line(self._case(opened), reader.card.target, reader.model, kind, str(error))
        return form.line_of(self._case(self._films.film(film)), reading)

    def _infer(self, film: str, model: str, method: str, population: Population | None) -> ModelReading:
        radiograph = self._films.decoded(film).radiograph
        return self._models.reader(model).read(radiograph, method=method, population=population)

    def _case(self, film: OpenFilm) -> CaseKey:
        return CaseKey(self._label(film.id), film.sha256)

    def _key(self, film: OpenFilm, model: str, population: Population | None) -> ReadingKey:
        reader = self._models.reader(model)
        return ReadingKey(film.source.fingerprint, reader.model.sha256, population, reader.policy)

    def _change(self, film: str, model: str, **changes: object) -> None:
        with self._lock:
            state = replace(self._states.get((film, model), UNREAD), **changes)  # type: ignore[arg-type]  # fields of the state by name
            self._states[film, model] = state
        self._films.touch(film)


def _size(reading: ModelReading) -> int:
    masks = 2 + len(ZONES)  # the severity has left the zones in the lung fields
    return _OBJECT_BYTES + reading.heatmap.cells.nbytes + masks * reading.lung_fields.right_cells.nbytes
