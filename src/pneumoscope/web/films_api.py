"""The part of the API about films: the worklist, uploads, pixels and grey tables."""

import dataclasses
import urllib.parse
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pneumoscope.radiograph import Film, Orientation, Spacing
from pneumoscope.web import worklist
from pneumoscope.web.bodies import (
    FilmDetails,
    FilmList,
    FilmSummary,
    GreyBody,
    OrientationBody,
    SpacingBody,
    WindowBody,
)
from pneumoscope.web.operations import BYTES, PNG, Arguments, Body, Operation, Parameter, integer, json_response, one_of
from pneumoscope.web.uploads import received
from pneumoscope.web.workspace import Workspace

_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H", "": ""}
_MOST_LISTED = 1000
_MOST_NAME = 255
MODEL = Parameter("model", "Id of the model whose readings are shown; the default one if empty.")


def _model(workspace: Workspace, arguments: Arguments) -> str:
    id = str(arguments["model"]) or workspace.models.default
    workspace.models.reader(id)
    return id


def _list(workspace: Workspace, arguments: Arguments) -> Response:
    query = worklist.Query(
        model=_model(workspace, arguments),
        offset=arguments["offset"],
        limit=arguments["limit"],
        sort=arguments["sort"],
        descending=arguments["order"] == "desc",
        state=arguments["state"],
        decision=arguments["decision"],
        text=arguments["q"],
        since=arguments["since"],
    )
    return json_response(worklist.page(workspace, query))


async def _upload(workspace: Workspace, arguments: Arguments, request: Request) -> Response:
    label = _file_name(arguments["x_file_name"])
    content = await received(request, workspace.films, workspace.options)
    id = workspace.open_upload(content, label)
    return json_response(worklist.summary(workspace, id, workspace.models.default), 201)


def _file_name(text: str) -> str:
    """The name of an uploaded file without folders and characters that are not printed; empty where none was sent."""
    name = urllib.parse.unquote(text, errors="replace").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable())[:_MOST_NAME]


def _details(workspace: Workspace, arguments: Arguments) -> Response:
    model, id = _model(workspace, arguments), arguments["film"]
    decoded = workspace.films.decoded(id)
    film, facts = decoded.film, decoded.facts
    details = FilmDetails(
        **_fields(worklist.summary(workspace, id, model)),
        grey=_grey(film),
        spacing=_spacing(facts.spacing),
        aspect=film.aspect,
        orientation=_orientation(facts.orientation),
        cautions=decoded.cautions,
        refusal=decoded.refusal or None,
        file_format=facts.file_format,
        intent=facts.intent,
        lossy=film.lossy,
        body_part=facts.body_part,
        sha256=workspace.films.film(id).sha256,
    )
    return json_response(details)


def _fields(summary: FilmSummary) -> dict[str, Any]:
    return {field.name: getattr(summary, field.name) for field in dataclasses.fields(summary)}


def _grey(film: Film) -> GreyBody:
    window = WindowBody(film.window.centre, film.window.width, film.window.function) if film.window else None
    return GreyBody(film.shown.size, film.inverse, window, film.radiograph.grey_source)


def _spacing(spacing: Spacing | None) -> SpacingBody | None:
    return SpacingBody(spacing.row_mm, spacing.col_mm, spacing.kind) if spacing else None


def _orientation(orientation: Orientation) -> OrientationBody:
    """The turn to the displayed picture; its columns go to `right`, its rows to `bottom`."""
    across, down = orientation.row_direction, orientation.column_direction
    if orientation.transposed:
        across, down = down, across
    flip_rows, flip_cols = orientation.flipped
    right = _OPPOSITE[across] if flip_cols else across
    bottom = _OPPOSITE[down] if flip_rows else down
    return OrientationBody(
        orientation.transposed, flip_rows, flip_cols, left=_OPPOSITE[right], right=right, top=_OPPOSITE[bottom], bottom=bottom
    )


def _close(workspace: Workspace, arguments: Arguments) -> Response:
    workspace.close_film(arguments["film"])
    return Response(status_code=204)


def _pixels(workspace: Workspace, arguments: Arguments) -> Response:
    levels = workspace.films.decoded(arguments["film"]).film.levels
    return Response(np.ascontiguousarray(levels, "<u2").tobytes(), media_type=BYTES)


def _greys(workspace: Workspace, arguments: Arguments) -> Response:
    film = workspace.films.decoded(arguments["film"]).film
    parts = film.shown.astype("<f4"), film.values.astype("<f4"), film.padding.astype(np.uint8)
    return Response(b"".join(part.tobytes() for part in parts), media_type=BYTES)


def _thumbnail(workspace: Workspace, arguments: Arguments) -> Response:
    return Response(workspace.films.thumbnail(arguments["film"]), media_type=PNG)


OPERATIONS = (
    Operation(
        "GET", "/films", "listFilms", "List films: filtered, sorted, one page.", _list,
        {200: Body("One page of the worklist.", FilmList)},
        (
            Parameter("offset", "Films to skip.", schema=integer(0, 10**9), default=0),
            Parameter("limit", "Most films to list.", schema=integer(1, _MOST_LISTED), default=100),
            Parameter("sort", "What the films are sorted by.", schema=one_of(*worklist.SORT_KEYS), default="number"),
            Parameter("order", "Ascending or descending.", schema=one_of("asc", "desc"), default="asc"),
            Parameter("state", "Only films in this state.", schema=one_of("", *worklist.STATES)),
            Parameter("decision", "Only films with this answer.", schema=one_of("", *worklist.DECISIONS)),
            Parameter("q", "Only films whose name holds this text."),
            Parameter("since", "Only films that changed after this revision.", schema=integer(0, 2**53), default=0),
            MODEL,
        ),
    ),
    Operation(
        "POST", "/films", "addFilm", "Open the film in the body: a DICOM, PNG or JPEG file.", _upload,
        {201: Body("The film.", FilmSummary)},
        (Parameter("X-File-Name", "Name of the file, percent-encoded; shown only with --show-names.", "header"),),
        Body("The bytes of the file, at most 64 MiB.", media_type=BYTES), asynchronous=True,
    ),
    Operation("GET", "/films/{film}", "getFilm", "Describe a film.", _details, {200: Body("The film.", FilmDetails)}, (MODEL,)),
    Operation("DELETE", "/films/{film}", "closeFilm", "Close a film; the file itself stays.", _close, {204: Body("Closed.")}),
    Operation(
        "GET", "/films/{film}/pixels", "getPixels", "The level of each pixel: uint16, little-endian, row by row, stored order.",
        _pixels, {200: Body("rows × cols levels.", media_type=BYTES)},
    ),
    Operation(
        "GET", "/films/{film}/greys", "getGreys",
        "The tables of n levels: initial grey in [0, 1] and modality value (float32, little-endian), then padding (uint8).",
        _greys, {200: Body("9 n bytes.", media_type=BYTES)},
    ),
    Operation(
        "GET", "/films/{film}/thumbnail", "getThumbnail", "A small picture in the displayed order, its longer edge 128 px.",
        _thumbnail, {200: Body("The picture.", media_type=PNG)},
    ),
)  # fmt: skip
