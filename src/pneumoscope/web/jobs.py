"""Read films in the background: jobs with progress, that can be cancelled."""

import itertools
import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pneumoscope.classifier import Population
from pneumoscope.web.bodies import JobBody, JobState
from pneumoscope.web.errors import MissingError
from pneumoscope.web.films import FilmStore
from pneumoscope.web.models import Models
from pneumoscope.web.reading_store import ReadingStore

_MOST_JOBS = 1000
"""Jobs that are remembered; the oldest ones that have ended are forgotten."""
_PATIENCE_SECONDS = 5.0
"""For a film that is being read when the jobs are ended."""
_END, _ONE_FILM, _MANY_FILMS = 0, 1, 2
"""Priorities: a film that somebody looks at comes before the films of a list."""
_LOG = logging.getLogger(__name__)


@dataclass
class _Job:
    id: str
    model: str
    population: Population | None
    waiting: set[str] = field(repr=False)
    total: int = 0
    done: int = 0
    failed: int = 0
    state: JobState = "running"

    def body(self) -> JobBody:
        return JobBody(self.id, self.model, self.population, self.state, self.total, self.done, self.failed)


class Jobs:
    """Threads that read films one after the other; it is safe to use from several threads.

    Parameters
    ----------
    films : FilmStore
        The open films.
    models : Models
        The models.
    readings : ReadingStore
        Where the readings go.
    threads : int
        Number of films that are read at the same time, >= 1.
    """

    def __init__(self, films: FilmStore, models: Models, readings: ReadingStore, threads: int = 2) -> None:
        self._films = films
        self._models = models
        self._readings = readings
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, str, str]] = queue.PriorityQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True, name=f"reading {n}") for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def start(self, films: Sequence[str], model: str, population: Population | None = None) -> JobBody:
        """Start to read films.

        Parameters
        ----------
        films : sequence of str
            Ids of films.
        model : str
            Id of a model.
        population : {"child", "adult"}, optional
            Population where a file does not state the patient's age; that of the model's reader by default.

        Returns
        -------
        JobBody
            The job as it is now.

        Raises
        ------
        MissingError
            If there is no such film or model.
        RequestError
            If the model has no settings for the population.
        """
        population = population or self._models.reader(model).population
        self._models.check_population(model, population)
        chosen = list(dict.fromkeys(self._films.film(film).id for film in films))
        job = _Job(secrets.token_urlsafe(12), model, population, set(chosen), len(chosen))
        priority = _ONE_FILM if len(chosen) == 1 else _MANY_FILMS
        with self._lock:
            self._jobs[job.id] = job
            self._forget_old()
            if not chosen:
                job.state = "done"
        for film in chosen:
            self._readings.mark(film, model, "queued")
            self._queue.put((priority, next(self._order), job.id, film))
        return self.get(job.id)

    def get(self, id: str) -> JobBody:
        """Return the progress of a job.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        JobBody
            As it is now.

        Raises
        ------
        MissingError
            If there is no such job.
        """
        with self._lock:
            return self._job(id).body()

    def cancel(self, id: str) -> JobBody:
        """Cancel a job: the films that are being read are finished, the others stay as they were.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        JobBody
            As it is now.

        Raises
        ------
        MissingError
            If there is no such job.
        """
        with self._lock:
            job = self._job(id)
            waiting = list(job.waiting) if job.state == "running" else []
            job.waiting.clear()
            if job.state == "running":
                job.state = "cancelled"
        for film in waiting:
            self._readings.mark(film, job.model, "")
        return self.get(id)

    def close(self) -> None:
        """End the threads after the films that they are reading, and wait a little for them."""
        with self._lock:
            for job in self._jobs.values():
                job.waiting.clear()
        for _ in self._threads:
            self._queue.put((_END, next(self._order), "", ""))
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def _job(self, id: str) -> _Job:
        if id not in self._jobs:
            raise MissingError("there is no job with this id")
        return self._jobs[id]

    def _forget_old(self) -> None:
        ended = [id for id, job in self._jobs.items() if job.state != "running"]
        for id in ended[: max(0, len(self._jobs) - _MOST_JOBS)]:
            del self._jobs[id]

    def _work(self) -> None:
        while True:
            _, _, id, film = self._queue.get()
            if not id:
                return
            with self._lock:
                job = self._jobs.get(id)
                if job is None or film not in job.waiting:
                    continue  # cancelled
                job.waiting.discard(film)
            self._finish(job, failed=not self._was_read(film, job))

    def _was_read(self, film: str, job: _Job) -> bool:
        try:
            return self._readings.read(film, job.model, job.population).error is None
        except MissingError:
            return False  # the film was closed
        except Exception as error:
            _LOG.error("a film could not be read because of an unexpected %s", type(error).__name__)
            self._readings.mark(film, job.model, "")
            return False

    def _finish(self, job: _Job, failed: bool) -> None:
        with self._lock:
            job.done += 1
            job.failed += failed
            if job.done == job.total and job.state == "running":
                job.state = "done"
