"""Answer DICOMweb clients: the table of routes, searches and retrievals (PS3.18 10.4 and 10.6)."""

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.web.dicomweb import multipart, rendered, search
from pneumoscope.web.dicomweb.accepted import ANY, EXPLICIT_LITTLE_ENDIAN, NotAcceptableError, choose
from pneumoscope.web.dicomweb.catalogue import Catalogue, Entry
from pneumoscope.web.dicomweb.json_model import FRAME
from pneumoscope.web.dicomweb.multipart import Part
from pneumoscope.web.dicomweb.search import Level
from pneumoscope.web.dicomweb.stow import Storing
from pneumoscope.web.errors import MissingError
from pneumoscope.web.workspace import Workspace

ROOT = "/dicomweb"
"""Where the service begins."""
_STUDY, _SERIES, _INSTANCE = "/studies/{study}", "/series/{series}", "/instances/{instance}"
_JSON, _DICOM, _BYTES = "application/dicom+json", "application/dicom", "application/octet-stream"
_PICTURES = ("image/jpeg", "image/png")
_NAMES = ("study", "series", "instance")


def routes(workspace: Workspace, catalogue: Catalogue | None = None) -> Sequence[BaseRoute]:
    """Make the routes of DICOMweb over the open films.

    Parameters
    ----------
    workspace : Workspace
        What the server has; its options say whether clients may store films, and see identifiers.
    catalogue : Catalogue, optional
        The films as DICOM objects; one that parses them in this process by default.

    Returns
    -------
    sequence of BaseRoute
        For `pneumoscope.web.app.build`.
    """
    service = _Service(workspace, catalogue or Catalogue(workspace))
    searches: tuple[tuple[str, Level], ...] = (
        ("/studies", "studies"), ("/series", "series"), ("/instances", "instances"), (f"{_STUDY}/series", "series"),
        (f"{_STUDY}/instances", "instances"), (f"{_STUDY}{_SERIES}/instances", "instances"),
    )  # fmt: skip
    made = [_get(path, service.searching(level)) for path, level in searches]
    for path in (_STUDY, _STUDY + _SERIES, _STUDY + _SERIES + _INSTANCE):
        made += [
            _get(path, service.retrieve),
            _get(f"{path}/metadata", service.metadata),
            _get(f"{path}/rendered", service.rendered),
            _get(f"{path}/thumbnail", service.thumbnail),
        ]
    one = _STUDY + _SERIES + _INSTANCE
    made += [
        _get(f"{one}/frames/{{frames}}", service.frames),
        _get(f"{one}/frames/1/rendered", service.rendered),
        _get(f"{one}/frames/1/thumbnail", service.thumbnail),
        _get(f"{one}/bulkdata/{{number}}", service.bulk_data),
    ]
    storing = Storing(workspace, service.catalogue, ROOT)
    return [*made, *(Route(ROOT + path, storing.store, methods=["POST"]) for path in ("/studies", _STUDY))]


def _get(path: str, endpoint: Any) -> Route:
    return Route(ROOT + path, endpoint, methods=["GET"])


def _root(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{ROOT}"


def _multipart(parts: Iterable[Part], kind: str) -> Response:
    boundary = secrets.token_hex(16)
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    return StreamingResponse(multipart.encode(parts, boundary), media_type=media_type)


class _Service:
    """The handlers; each is run in a thread."""

    def __init__(self, workspace: Workspace, catalogue: Catalogue) -> None:
        self._workspace = workspace
        self.catalogue = catalogue

    def searching(self, level: Level) -> Any:
        def handle(request: Request) -> Response:
            choose(request, _JSON, "application/json")
            uids = tuple(request.path_params[name] for name in _NAMES if name in request.path_params)
            given = [(name, value) for name, value in request.query_params.multi_items() if name != "accept"]
            query = search.parse(level, uids, given)
            entries, left = self.catalogue.entries()
            results, more = search.results(query, entries, _root(request))
            return Response(json.dumps(results), media_type=_JSON, headers=_warning(query.fuzzy, more, left))

        return handle

    def retrieve(self, request: Request) -> Response:
        media_type, syntax = choose(request, f"multipart/related;{_DICOM}", _DICOM)
        entries = self._below(request)
        if media_type == _DICOM and len(entries) > 1:
            raise NotAcceptableError('there are several instances: accept multipart/related; type="application/dicom"')
        if syntax not in (ANY, EXPLICIT_LITTLE_ENDIAN):
            raise NotAcceptableError(f"films are sent in transfer syntax {EXPLICIT_LITTLE_ENDIAN}, or as they are stored for *")
        if media_type == _DICOM:
            return Response(self._file(entries[0], syntax), media_type=_DICOM)
        return _multipart((Part(_DICOM, self._file(entry, syntax)) for entry in entries), _DICOM)

    def _file(self, entry: Entry, syntax: str) -> bytes:
        """The file of a film: as it is stored where the client takes every transfer syntax and may see identifiers."""
        if syntax == ANY and self.catalogue.identifiers.are_kept:
            content = self._workspace.films.content(entry.film)
            if looks_like_dicom(content):
                return content
        return self.catalogue.object_of(entry).file

    def metadata(self, request: Request) -> Response:
        choose(request, _JSON, "application/json")
        models = [self._metadata(entry, _root(request)) for entry in self._below(request)]
        return Response(json.dumps(models), media_type=_JSON)

    def _metadata(self, entry: Entry, root: str) -> Any:
        model = json.loads(self.catalogue.object_of(entry).metadata)
        path = "".join(f"/{name}/{uid}" for name, uid in zip(("studies", "series", "instances"), entry.uids, strict=True))
        return _with_absolute_uris(model, f"{root}{path}/")

    def frames(self, request: Request) -> Response:
        media_type, syntax = choose(request, f"multipart/related;{_BYTES}", _BYTES)
        if syntax not in (ANY, EXPLICIT_LITTLE_ENDIAN):
            raise NotAcceptableError(f"frames are sent in the transfer syntax {EXPLICIT_LITTLE_ENDIAN}")
        if set(request.path_params["frames"].split(",")) != {"1"}:
            raise MissingError("a film has one frame: frames/1")
        frame = self._one(request).bulk[FRAME]
        kind = f"{_BYTES}; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}"
        return Response(frame, media_type=kind) if media_type == _BYTES else _multipart([Part(kind, frame)], _BYTES)

    def bulk_data(self, request: Request) -> Response:
        media_type, _ = choose(request, f"multipart/related;{_BYTES}", _BYTES)
        content = self._one(request).bulk.get(f"bulkdata/{request.path_params['number']}")
        if content is None:
            raise MissingError("this film has no bulk data of this number")
        return Response(content, media_type=_BYTES) if media_type == _BYTES else _multipart([Part(_BYTES, content)], _BYTES)

    def rendered(self, request: Request) -> Response:
        return self._picture(request, *rendered.parameters(request))

    def thumbnail(self, request: Request) -> Response:
        viewport, quality = rendered.parameters(request)
        return self._picture(request, viewport or (rendered.THUMBNAIL_PX, rendered.THUMBNAIL_PX), quality)

    def _picture(self, request: Request, viewport: tuple[int, int] | None, quality: int) -> Response:
        media_type, _ = choose(request, *_PICTURES)
        film = self._workspace.films.decoded(self._below(request)[0].film)
        return Response(rendered.picture(film, media_type, viewport, quality), media_type=media_type)

    def _below(self, request: Request) -> Sequence[Entry]:
        return self.catalogue.below(*(request.path_params[name] for name in _NAMES if name in request.path_params))

    def _one(self, request: Request) -> Any:
        return self.catalogue.object_of(self._below(request)[0])


def _warning(fuzzy: bool, more: int, left: int) -> dict[str, str]:
    """The header Warning of PS3.18 8.3.4.4 and 10.6.3: what the client does not get, and why."""
    sentences = []
    if fuzzy:
        sentences.append("The fuzzymatching parameter is not supported. Only literal matching has been performed.")
    if more:
        sentences.append(f"There are {more} additional results that can be requested")
    if left:
        sentences.append(f"{left} films were not looked at yet: search again")
    return {"Warning": ", ".join(f'299 pneumoscope "{sentence}"' for sentence in sentences)} if sentences else {}


def _with_absolute_uris(model: Any, base: str) -> Any:
    """The JSON model with its bulk data URIs resolved against a base."""
    if isinstance(model, dict):
        made: dict[str, Any] = {name: _with_absolute_uris(value, base) for name, value in model.items()}
        return made | ({"BulkDataURI": base + model["BulkDataURI"]} if "BulkDataURI" in model else {})
    return [_with_absolute_uris(value, base) for value in model] if isinstance(model, list) else model
