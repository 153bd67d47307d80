"""Export the readings of the open films as DICOM objects, in one ZIP file."""

import importlib
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

from starlette.responses import Response, StreamingResponse

from pneumoscope import PneumoscopeError
from pneumoscope.web.errors import ForbiddenError, NotBuiltError
from pneumoscope.web.films_api import MODEL
from pneumoscope.web.operations import Arguments, Body, Operation, Parameter
from pneumoscope.web.workspace import Workspace

ZIP = "application/zip"
PROFILES = ("plain", "ohif", "air", "orthanc")
_PROFILE = Parameter(
    "profile", "System that the objects are for, which chooses their kinds.", schema={"type": "string", "enum": list(PROFILES)},
    default=PROFILES[0],
)  # fmt: skip
_IN_MEMORY = 16 * 2**20
_AT_ONCE = 2**16
LEFT_OUT = "left_out.txt"


def _export(workspace: Workspace, arguments: Arguments) -> Response:
    if not workspace.options.show_names:
        raise ForbiddenError(
            "DICOM objects carry the identity of their patients, which this server does not show; start it with --show-names, or "
            "write de-identified objects with  pneumoscope read --dicom-out profile --deidentify"
        )
    model = arguments["model"] or workspace.models.default
    workspace.models.reader(model)
    objects = _objects()
    stream = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by the answer that streams it
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        _fill(archive, workspace, model, objects, objects.Profile(arguments["profile"]))
    headers = {"Content-Disposition": 'attachment; filename="objects.zip"'}
    return StreamingResponse(_parts(stream), media_type=ZIP, headers=headers)


def _objects() -> Any:
    """The package that writes objects, whose own packages take a second to import and may not be installed."""
    try:
        return importlib.import_module("pneumoscope.dicom_objects")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "pneumoscope":
            raise
        raise NotBuiltError(
            "DICOM objects need packages that are not installed on the server: run  pip install 'pneumoscope[dicom]'"
        ) from error


def _fill(archive: zipfile.ZipFile, workspace: Workspace, model: str, objects: Any, profile: Any) -> None:
    """A folder for each film that was read, by its number, and a sentence for each film or object that is left out."""
    sentences = []
    for film in workspace.films.films():
        state = workspace.readings.checked_state(film.id, model)
        if state.line is None or state.line.error:
            continue
        try:
            reading = workspace.readings.reading(film.id, model, workspace.models.reader(model).card.map_method)
            radiograph = workspace.films.decoded(film.id).radiograph
            written = objects.write_objects(
                workspace.films.content(film.id), radiograph, reading, profile.kinds, profile, datetime.now().astimezone()
            )
        except PneumoscopeError as error:
            sentences.append(f"Film {film.number}: {error}")
            continue
        for one in written:
            archive.writestr(f"film-{film.number}/{one.kind}.dcm", one.content)
        omitted = objects.omitted(radiograph, reading)
        sentences += [f"Film {film.number}: no {kind}, since {omitted[kind]}" for kind in profile.kinds if kind in omitted]
    if sentences:
        archive.writestr(LEFT_OUT, "\n".join(sentences) + "\n")


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        stream.seek(0)
        while part := stream.read(_AT_ONCE):
            yield part


EXPORT_DICOM = Operation(
    "GET", "/exports/dicom", "exportDicom", "The readings by one model as DICOM objects, a folder for each film.", _export,
    {200: Body("The ZIP file.", media_type=ZIP)}, (MODEL, _PROFILE),
)  # fmt: skip
