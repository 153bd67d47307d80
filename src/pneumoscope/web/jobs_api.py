"""The part of the API about jobs, events and exports."""

import asyncio
import io
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pneumoscope import csv_cells, strict_json
from pneumoscope.ordered_map import chunks
from pneumoscope.readings import form
from pneumoscope.readings.line import Line
from pneumoscope.reports import csv_table
from pneumoscope.web.bodies import JobBody, JobRequest
from pneumoscope.web.dicom_export import EXPORT_DICOM
from pneumoscope.web.errors import RequestError
from pneumoscope.web.films_api import MODEL
from pneumoscope.web.operations import CSV, EVENTS, LINES, Arguments, Body, Operation, json_response
from pneumoscope.web.uploads import received
from pneumoscope.web.workspace import Workspace

T = TypeVar("T")
_PAUSE_SECONDS = 0.1
"""Between two looks at what has changed: a client gets at most ten events a second, however much happens."""
_LINES_AT_ONCE = 200


@dataclass(frozen=True)
class WorklistEvent:
    """That the worklist has changed."""

    revision: int
    n_films: int


async def _start(workspace: Workspace, arguments: Arguments, request: Request) -> Response:
    content = await received(request, workspace.films, workspace.options)
    try:
        asked = strict_json.decode(content, JobRequest)
    except strict_json.StrictJsonError as error:
        raise RequestError(f"the body is no job ({error})") from error
    films = [film.id for film in workspace.films.films()] if asked.films == "all" else list(asked.films)
    return json_response(workspace.jobs.start(films, asked.model or workspace.models.default, asked.population), 202)


def _job(workspace: Workspace, arguments: Arguments) -> Response:
    return json_response(workspace.jobs.get(arguments["job"]))


def _cancel(workspace: Workspace, arguments: Arguments) -> Response:
    return json_response(workspace.jobs.cancel(arguments["job"]))


async def _job_events(workspace: Workspace, arguments: Arguments, request: Request) -> Response:
    id = arguments["job"]
    workspace.jobs.get(id)
    return _stream(workspace, lambda: workspace.jobs.get(id), lambda body: body.state != "running")


async def _worklist_events(workspace: Workspace, arguments: Arguments, request: Request) -> Response:
    return _stream(workspace, lambda: WorklistEvent(workspace.films.revision, len(workspace.films)), lambda event: False)


def _stream(workspace: Workspace, present: Callable[[], T], last: Callable[[T], bool]) -> Response:
    return StreamingResponse(_events(workspace, present, last), media_type=EVENTS)


async def _events(workspace: Workspace, present: Callable[[], T], last: Callable[[T], bool]) -> AsyncIterator[bytes]:
    """Send what is present whenever it has changed, and a comment when nothing happens for a while.

    No event waits in a queue: a client that reads slowly gets the newest state when it reads again.
    """
    sent, heard = None, time.monotonic()
    while not workspace.closing.is_set():
        now = present()
        if now != sent:
            yield b"data: " + msgspec.json.encode(now) + b"\n\n"
            sent, heard = now, time.monotonic()
            if last(now):
                return
        elif time.monotonic() - heard > workspace.options.heartbeat_seconds:
            yield b": still here\n\n"
            heard = time.monotonic()
        await asyncio.sleep(_PAUSE_SECONDS)


def _lines(workspace: Workspace, arguments: Arguments) -> Iterator[Line]:
    """The readings by one model, of all films that it has read or failed to read, in the order of opening."""
    model = arguments["model"] or workspace.models.default
    workspace.models.reader(model)
    states = (workspace.readings.checked_state(film.id, model) for film in workspace.films.films())
    return (state.line for state in states if state.line is not None)


def _export_lines(workspace: Workspace, arguments: Arguments) -> Response:
    lines = (form.to_json(line) + "\n" for line in _lines(workspace, arguments))
    return StreamingResponse(_together(lines), media_type=LINES, headers=_saved_as("readings.jsonl"))


def _export_table(workspace: Workspace, arguments: Arguments) -> Response:
    rows = map(csv_table.row, _lines(workspace, arguments))
    lines = itertools.chain([_csv_line(csv_table.COLUMNS)], map(_csv_line, rows))
    return StreamingResponse(_together(lines), media_type=CSV, headers=_saved_as("readings.csv"))


def _together(lines: Iterable[str]) -> Iterator[str]:
    """Join some lines at a time: each part of an answer costs a change of threads."""
    return ("".join(some) for some in chunks(lines, _LINES_AT_ONCE))


def _csv_line(cells: Sequence[object]) -> str:
    stream = io.StringIO()
    csv_cells.write_rows(stream, [cells])
    return stream.getvalue()


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


OPERATIONS = (
    Operation(
        "POST", "/jobs", "startJob", "Read all films, or some, in the background.", _start,
        {202: Body("The job.", JobBody)}, body=Body("What is to be read.", JobRequest), asynchronous=True,
    ),
    Operation("GET", "/jobs/{job}", "getJob", "The progress of a job.", _job, {200: Body("The job.", JobBody)}),
    Operation(
        "DELETE", "/jobs/{job}", "cancelJob", "Cancel a job; the films that are being read are finished.", _cancel,
        {200: Body("The job.", JobBody)},
    ),
    Operation(
        "GET", "/jobs/{job}/events", "followJob", "The progress of a job as server-sent events; the data of each is a job.",
        _job_events, {200: Body("Events, until the job has ended.", media_type=EVENTS)}, asynchronous=True,
    ),
    Operation(
        "GET", "/events", "followWorklist",
        'Server-sent events {"revision", "n_films"} whenever a film or a reading has changed: ask GET /films?since=… then.',
        _worklist_events, {200: Body("Events, without end.", media_type=EVENTS)}, asynchronous=True,
    ),
    Operation(
        "GET", "/exports/readings.jsonl", "exportLines", "The readings by one model, one JSON object a line.", _export_lines,
        {200: Body("Lines.", media_type=LINES)}, (MODEL,),
    ),
    Operation(
        "GET", "/exports/readings.csv", "exportTable", "The readings by one model as a table.", _export_table,
        {200: Body("The table.", media_type=CSV)}, (MODEL,),
    ),
    EXPORT_DICOM,
)  # fmt: skip
