"""The part of the API about models, readings and what lies in them: maps, lungs, findings, zones, comparison, regions."""

import io
import threading

import numpy as np
from PIL import Image
from starlette.responses import Response

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading, form
from pneumoscope.reports import overlay
from pneumoscope.web import outlines
from pneumoscope.web.bodies import (
    ComparisonBody,
    FindingsBody,
    JobStarted,
    LungsBody,
    MapBody,
    ModelItem,
    ModelList,
    RegionsBody,
    ServerInfo,
    ZoneBody,
    ZonesBody,
)
from pneumoscope.web.errors import MissingError, RequestError
from pneumoscope.web.maps import MapDifference, box_body, difference, map_body
from pneumoscope.web.operations import API, BYTES, JSON, PNG, Arguments, Body, Operation, Parameter, json_response, one_of
from pneumoscope.web.workspace import Workspace

_LUNGS_MISSING = "both lungs must be found for zones"
_PNG_COMPRESSION = 1
_PAINTED_AT_ONCE = threading.BoundedSemaphore(2)
"""A film of 40 million pixels takes a gigabyte while it is painted."""
POPULATION = Parameter(
    "population",
    "Population where the file does not state the age; that of the server if empty.",
    schema=one_of("", "child", "adult"),
)


def _info(workspace: Workspace, arguments: Arguments) -> Response:
    options = workspace.options
    return json_response(
        ServerInfo(
            name="Pneumoscope",
            version=__version__,
            form=form.SCHEMA_VERSION,
            disclaimer=DISCLAIMER,
            show_names=options.show_names,
            stow=options.stow,
            has_reference=workspace.references.any,
            store=workspace.folder is not None,
            max_body_bytes=options.max_body_bytes,
        )
    )


def _models(workspace: Workspace, arguments: Arguments) -> Response:
    items = tuple(_model_item(workspace, id) for id in workspace.models.readers)
    return json_response(ModelList(workspace.models.default, items, DISCLAIMER))


def _model_item(workspace: Workspace, id: str) -> ModelItem:
    reader = workspace.models.reader(id)
    card = reader.card
    settings = card.settings(reader.population)
    return ModelItem(
        id=id,
        name=card.name,
        sha256=reader.model.sha256,
        target=card.target,
        methods=tuple(card.map_scales),
        default_method=card.map_method,
        threshold=settings.operating_point.threshold,
        finding_threshold=settings.finding_threshold,
        populations=tuple(card.populations),
        abstains=settings.grey_zone is not None,
        has_domain=settings.domain is not None,
        sees=card.preprocessing.crop,
        intended_population=card.intended_population,
        limits=card.limits,
        card=f"{API}/models/{id}/card",
    )


def _card(workspace: Workspace, arguments: Arguments) -> Response:
    return json_response(workspace.models.reader(arguments["model"]).card)


def _read(workspace: Workspace, arguments: Arguments) -> Response:
    job = workspace.jobs.start([arguments["film"]], arguments["model"], arguments["population"] or None)
    return json_response(JobStarted(job), 202)


def _line(workspace: Workspace, arguments: Arguments) -> Response:
    film, model = _known(workspace, arguments)
    return Response(form.to_json(workspace.readings.line(film, model)), media_type=JSON)


def _known(workspace: Workspace, arguments: Arguments) -> tuple[str, str]:
    """The ids of a film and a model that are there."""
    workspace.models.reader(arguments["model"])
    return workspace.films.film(arguments["film"]).id, arguments["model"]


def _reading(workspace: Workspace, arguments: Arguments) -> ModelReading:
    film, model = _known(workspace, arguments)
    method = workspace.models.method(model, arguments.get("method", ""))
    return workspace.readings.reading(film, model, method)


def _map(workspace: Workspace, arguments: Arguments) -> Response:
    return json_response(_map_body(workspace, arguments["film"], arguments["model"], _reading(workspace, arguments)))


def _map_body(workspace: Workspace, film: str, model: str, reading: ModelReading) -> MapBody:
    spacing = workspace.films.decoded(film).facts.spacing
    return map_body(model, workspace.models.reader(model).card, reading, spacing)


def _map_values(workspace: Workspace, arguments: Arguments) -> Response:
    return Response(_reading(workspace, arguments).heatmap.cells.astype("<f4").tobytes(), media_type=BYTES)


def _map_picture(workspace: Workspace, arguments: Arguments) -> Response:
    heatmap = _reading(workspace, arguments).heatmap
    with _PAINTED_AT_ONCE:
        radiograph = _radiograph(workspace, arguments)
        values = heatmap.on_grid(radiograph.rows, radiograph.cols)
        return _png(Image.fromarray(overlay.tint(radiograph, values, heatmap.threshold)))


def _overlay(workspace: Workspace, arguments: Arguments) -> Response:
    reading = _reading(workspace, arguments)
    with _PAINTED_AT_ONCE:
        return _png(overlay.paint(_radiograph(workspace, arguments), reading))


def _radiograph(workspace: Workspace, arguments: Arguments) -> Radiograph:
    return workspace.films.decoded(arguments["film"]).radiograph


def _png(picture: Image.Image) -> Response:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=_PNG_COMPRESSION)
    return Response(stream.getvalue(), media_type=PNG)


def _lungs(workspace: Workspace, arguments: Arguments) -> Response:
    fields = _reading(workspace, arguments).lung_fields
    right, left = (outlines.on_radiograph(mask, fields.placement) for mask in (fields.right_cells, fields.left_cells))
    return json_response(LungsBody(fields.state, round(fields.quality, 4), right, left, box_body(fields.box)))


def _findings(workspace: Workspace, arguments: Arguments) -> Response:
    _reading(workspace, arguments)
    return json_response(FindingsBody(workspace.readings.line(*_known(workspace, arguments)).findings))


def _zones(workspace: Workspace, arguments: Arguments) -> Response:
    fields = _reading(workspace, arguments).lung_fields
    severity = workspace.readings.line(*_known(workspace, arguments)).severity
    opacities = {(zone.laterality, zone.zone): zone for zone in severity.zones} if severity else {}
    zones = fields.zone_cells
    if zones is None:
        return json_response(ZonesBody((), severity, _LUNGS_MISSING))
    items = (ZoneBody(*name, outlines.on_radiograph(mask, fields.placement), opacities.get(name)) for name, mask in zones.items())
    return json_response(ZonesBody(tuple(items), severity, None))


def _compare(workspace: Workspace, arguments: Arguments) -> Response:
    film, ((first, one), (second, other)) = arguments["film"], _two_readings(workspace, arguments)
    bodies = _map_body(workspace, film, first, one), _map_body(workspace, film, second, other)
    return json_response(ComparisonBody(*bodies, _difference(workspace, first, one, second, other).body))


def _compare_values(workspace: Workspace, arguments: Arguments) -> Response:
    (first, one), (second, other) = _two_readings(workspace, arguments)
    return Response(_difference(workspace, first, one, second, other).values.astype("<f4").tobytes(), media_type=BYTES)


def _difference(workspace: Workspace, first: str, one: ModelReading, second: str, other: ModelReading) -> MapDifference:
    cards = [workspace.models.reader(model).card for model in (first, second)]
    return difference((cards[0], one), (cards[1], other))


def _two_readings(workspace: Workspace, arguments: Arguments) -> list[tuple[str, ModelReading]]:
    film, models = workspace.films.film(arguments["film"]).id, arguments["models"].split(",")
    methods = arguments["methods"].split(",") if arguments["methods"] else ["", ""]
    if len(models) != 2 or len(methods) != 2:
        raise RequestError("a comparison needs two models, and two methods or none, separated by a comma")
    chosen = [(model, workspace.models.method(model, method)) for model, method in zip(models, methods, strict=True)]
    return [(model, workspace.readings.reading(film, model, method)) for model, method in chosen]


def _regions(workspace: Workspace, arguments: Arguments) -> Response:
    film = workspace.films.film(arguments["film"])
    if not workspace.references.has(film):
        raise MissingError("there are no reference regions of this film; start the server with --cohort and --regions")
    decoded = workspace.films.decoded(film.id)
    regions = workspace.references.of(film, decoded.rows, decoded.cols)
    if regions is None:
        return json_response(RegionsBody((), (), 0))
    boxes = tuple(box_body(box) for box in regions.boxes)
    return json_response(RegionsBody(boxes, outlines.on_grid(np.asarray(regions.mask)), len(regions.readers)))


_MODELS = (Parameter("models", "Ids of two models, separated by a comma."),
           Parameter("methods", "Their methods of heat maps, separated by a comma; the default ones if empty."))  # fmt: skip
_OF = "/films/{film}/readings/{model}"
OPERATIONS = (
    Operation("GET", "/info", "getInfo", "Describe the server.", _info, {200: Body("The server.", ServerInfo)}),
    Operation("GET", "/models", "listModels", "List the models.", _models, {200: Body("The models.", ModelList)}),
    Operation(
        "GET", "/models/{model}/card", "getCard", "The whole card of a model.",
        _card, {200: Body("The card.", {"type": "object"})},
    ),
    Operation(
        "PUT", _OF, "readFilm", "Read a film in the background.", _read, {202: Body("The job.", JobStarted)}, (POPULATION,)
    ),
    Operation(
        "GET", _OF, "getReading", "The reading of a film in its JSON form, or the error in its place; 404 `not_read` before.",
        _line, {200: Body("One line of readings.jsonl.", form.schema())},
    ),
    Operation(
        "GET", f"{_OF}/maps/{{method}}.f32", "getMapValues", "The cells of a heat map: float32, little-endian, row by row.",
        _map_values, {200: Body("rows × cols values.", media_type=BYTES)},
    ),
    Operation(
        "GET", f"{_OF}/maps/{{method}}.png", "getMapPicture", "The stored pixels, coloured where the map reaches its threshold.",
        _map_picture, {200: Body("The picture.", media_type=PNG)},
    ),
    Operation(
        "GET", f"{_OF}/maps/{{method}}", "getMap", "Geometry, scale, threshold and looked-at cells of a heat map.",
        _map, {200: Body("The map without its values.", MapBody)},
    ),
    Operation(
        "GET", f"{_OF}/overlay.png", "getOverlay", "The film beside its overlay with findings, colour bar and caption.",
        _overlay, {200: Body("The picture.", media_type=PNG)},
    ),
    Operation("GET", f"{_OF}/lungs", "getLungs", "The lung fields.", _lungs, {200: Body("Outlines and quality.", LungsBody)}),
    Operation("GET", f"{_OF}/findings", "getFindings", "The findings.", _findings, {200: Body("The findings.", FindingsBody)}),
    Operation("GET", f"{_OF}/zones", "getZones", "The lung zones and their opacity.", _zones, {200: Body("Zones.", ZonesBody)}),
    Operation(
        "GET", "/films/{film}/compare", "compare", "Two maps of a film and their difference.",
        _compare, {200: Body("Both maps and the difference without its values.", ComparisonBody)}, _MODELS,
    ),
    Operation(
        "GET", "/films/{film}/compare.f32", "getDifference", "The second map minus the first: float32, little-endian.",
        _compare_values, {200: Body("rows × cols values, NaN where one did not look.", media_type=BYTES)}, _MODELS,
    ),
    Operation(
        "GET", "/films/{film}/regions", "getRegions", "What radiologists drew on the film.",
        _regions, {200: Body("Boxes and outlines.", RegionsBody)},
    ),
)  # fmt: skip
