"""The HTTP interface of the coordinator, without a web framework.

The coordinator is named by ``Authorization: Bearer LINK``, a link that no reader has.

=================  ====================================================================================
``GET overview``   the `Overview`: progress and flags, no answer
``GET integrity``  verifies journal, answers and protocol: ``{"events", "head"}``, or 500 with the fault
``POST unblind``   opens the results before all is locked: ``{reason, key}``
``GET trail``      all events as JSON Lines; without answers until results are open
``GET export``     the files of ``pneumoscope study export`` as ZIP; 403 until results are open
=================  ====================================================================================
"""

import hmac
import io
import tempfile
import zipfile
from pathlib import Path

import msgspec

from pneumoscope.reader_study import folder as studies
from pneumoscope.reader_study.errors import NotSignedInError
from pneumoscope.reader_study.exports import export
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.interface import (
    Request,
    Response,
    answered,
    json_response,
    link_of,
    parsed_body,
    response_of,
)
from pneumoscope.reader_study.overview import overview
from pneumoscope.reader_study.results import results_are_open
from pneumoscope.reader_study.room import ReadingRoom
from pneumoscope.reader_study.trail import audit_lines, unblind
from pneumoscope.reader_study.visible import token


class _Unblinding(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    key: str


def coordinator_link(key: bytes) -> str:
    """Make the secret part of the coordinator's link.

    Parameters
    ----------
    key : bytes
        Secret of the study.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return token(key, "coordinator")


def respond_to_coordinator(study: OpenStudy, room: ReadingRoom, request: Request) -> Response:
    """Answer a request of the coordinator's page.

    Parameters
    ----------
    study : OpenStudy
        The study.
    room : ReadingRoom
        Its reading room.
    request : Request
        The request.

    Returns
    -------
    Response
        As `interface.respond`.
    """
    return answered(request, lambda: _routed(study, room, request))


def _routed(study: OpenStudy, room: ReadingRoom, request: Request) -> Response:
    if not hmac.compare_digest(coordinator_link(study.key).encode(), link_of(request.headers).encode()):
        raise NotSignedInError("this link is not that of the coordinator; `pneumoscope study serve` prints it")
    match (request.method, request.path):
        case ("GET", "overview"):
            return json_response(200, msgspec.to_builtins(overview(study, room)))
        case ("GET", "integrity"):
            events, head = studies.verify(study.folder)
            return json_response(200, {"events": events, "head": head})
        case ("POST", "unblind"):
            asked = parsed_body(request.body, _Unblinding)
            event = unblind(study, asked.reason, asked.key)
            return json_response(200, {"number": event.number, "sha256": event.sha256})
        case ("GET", "trail"):
            lines = audit_lines(study, with_answers=results_are_open(study))
            return response_of(200, "application/jsonl", "".join(lines).encode(), _attached("audit.jsonl"))
        case ("GET", "export"):
            return response_of(200, "application/zip", _zip(study), _attached("study.zip"))
    return json_response(404, {"error": "there is no such address"})


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _zip(study: OpenStudy) -> bytes:
    studies.verify(study.folder)
    stream = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in export(study, Path(folder)):
            archive.write(Path(folder) / name, name)
    return stream.getvalue()
