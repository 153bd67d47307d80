"""The worklist: films filtered, sorted and cut into pages without decoding any of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pneumoscope.readings.line import Line
from pneumoscope.web.bodies import ErrorBody, FilmList, FilmState, FilmSummary
from pneumoscope.web.errors import NoFilmError
from pneumoscope.web.films import OpenFilm
from pneumoscope.web.reading_store import ReadingState
from pneumoscope.web.workspace import Workspace

DECISIONS = ("positive", "negative", "abstains", "outside_domain")
STATES: tuple[FilmState, ...] = ("waiting", "queued", "reading", "read", "failed")

_Row = tuple[OpenFilm, ReadingState]
_UNKNOWN = -1.0
"""Sorts before every known value."""
_KEYS: dict[str, Callable[[Workspace, _Row], Any]] = {
    "number": lambda workspace, row: row[0].number,
    "label": lambda workspace, row: workspace.label(row[0].id).casefold(),
    "state": lambda workspace, row: STATES.index(state_of(*row)),
    "probability": lambda workspace, row: _probability(row[1].line),
    "n_findings": lambda workspace, row: len(row[1].line.findings) if row[1].line else -1,
    "view_position": lambda workspace, row: row[0].facts.view_position if row[0].facts else "",
    "modality": lambda workspace, row: row[0].facts.modality if row[0].facts else "",
    "rows": lambda workspace, row: row[0].facts.rows if row[0].facts else 0,
    "decision": lambda workspace, row: (row[1].line.decision if row[1].line else None) or "",
}
SORT_KEYS = tuple(_KEYS)


@dataclass(frozen=True)
class Query:
    """Which films, in which order.

    Parameters
    ----------
    model : str
        Id of the model whose readings are listed.
    offset, limit : int
        The page.
    sort : str
        One of `SORT_KEYS`.
    descending : bool
        Whether the order is reversed.
    state, decision, text : str
        Only films in this state, with this decision (`DECISIONS`), whose name holds this text; empty for all.
    since : int
        Only films that have changed after this revision; 0 for all.
    """

    model: str
    offset: int = 0
    limit: int = 100
    sort: str = "number"
    descending: bool = False
    state: str = ""
    decision: str = ""
    text: str = ""
    since: int = 0


def page(workspace: Workspace, query: Query) -> FilmList:
    """List films.

    Parameters
    ----------
    workspace : Workspace
        The server.
    query : Query
        Which films.

    Returns
    -------
    FilmList
        One page.
    """
    revision = workspace.films.revision  # before the films are looked at, so that no change is missed
    films = workspace.films.films()
    rows = [(film, workspace.readings.state(film.id, query.model)) for film in films]
    rows = [row for row in rows if _matches(workspace, row, query)]
    if query.sort != "number" or query.descending:
        key = _KEYS[query.sort]
        rows.sort(key=lambda row: key(workspace, row), reverse=query.descending)
    shown = [_checked(workspace, row, query.model) for row in rows[query.offset : query.offset + query.limit]]
    removed = workspace.films.removed_since(query.since) if query.since else []
    items = tuple(_summary(workspace, row) for row in shown if row)
    return FilmList(len(rows), len(films), revision, items, tuple(removed))


def summary(workspace: Workspace, film: str, model: str) -> FilmSummary:
    """Summarise one film.

    Parameters
    ----------
    workspace : Workspace
        The server.
    film, model : str
        Ids.

    Returns
    -------
    FilmSummary
        Its row of the worklist.

    Raises
    ------
    MissingError
        If there is no such film.
    """
    return _summary(workspace, (workspace.films.check(film), workspace.readings.state(film, model)))


def state_of(film: OpenFilm, reading: ReadingState) -> FilmState:
    """Determine the state of a film.

    Parameters
    ----------
    film : OpenFilm
        The film.
    reading : ReadingState
        Where its reading stands.

    Returns
    -------
    {"waiting", "queued", "reading", "read", "failed"}
        ``failed`` where the film cannot be decoded, or not be read.
    """
    return "failed" if film.error and not reading.phase else reading.state


def _checked(workspace: Workspace, row: _Row, model: str) -> _Row | None:
    """A row after a look whether the file was replaced; None where the film was closed meanwhile."""
    try:
        film = workspace.films.check(row[0].id)
    except NoFilmError:
        return None
    return row if film is row[0] else (film, workspace.readings.state(film.id, model))


def _matches(workspace: Workspace, row: _Row, query: Query) -> bool:
    film, reading = row
    return (
        film.revision > query.since
        and (not query.state or state_of(film, reading) == query.state)
        and (not query.decision or (reading.line is not None and _decided(reading.line, query.decision)))
        and (not query.text or query.text.casefold() in workspace.label(film.id).casefold())
    )


def _decided(line: Line, decision: str) -> bool:
    if decision == "abstains":
        return bool(line.abstains)
    return bool(line.outside_domain) if decision == "outside_domain" else line.decision == decision


def _probability(line: Line | None) -> float:
    return _UNKNOWN if line is None or line.probability is None else line.probability


def _summary(workspace: Workspace, row: _Row) -> FilmSummary:
    film, reading = row
    facts, line = film.facts, reading.line
    answered = line if line and not line.error else None
    return FilmSummary(
        id=film.id,
        label=workspace.label(film.id),
        number=film.number,
        revision=film.revision,
        state=state_of(film, reading),
        error=_error(film, line),
        rows=facts.rows if facts else None,
        cols=facts.cols if facts else None,
        view_position=facts.view_position if facts else None,
        modality=facts.modality if facts else None,
        probability=answered.probability if answered else None,
        decision=answered.decision if answered else None,
        abstains=answered.abstains if answered else None,
        outside_domain=bool(answered.outside_domain) if answered else None,
        n_findings=len(answered.findings) if answered else None,
        has_reference=workspace.references.has(film),
        replacements=film.replacements,
    )


def _error(film: OpenFilm, line: Line | None) -> ErrorBody | None:
    error = film.error or (line.error if line else None)
    return ErrorBody(error.kind, error.message) if error else None
