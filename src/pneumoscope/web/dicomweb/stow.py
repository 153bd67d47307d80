"""Store the films that clients send: STOW-RS (PS3.18 10.5), where the user allows it."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pneumoscope import PneumoscopeError
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.web.dicomweb import multipart
from pneumoscope.web.dicomweb.catalogue import Catalogue
from pneumoscope.web.dicomweb.identifiers import Identifiers
from pneumoscope.web.dicomweb.json_model import first, tag
from pneumoscope.web.dicomweb.multipart import Part
from pneumoscope.web.errors import ForbiddenError, FullError, RequestError
from pneumoscope.web.uploads import received
from pneumoscope.web.workspace import Workspace

_NO_RESOURCES, _OTHER_STUDY, _NOT_UNDERSTOOD = 0xA700, 0xA900, 0xC000
"""Failure reasons of PS3.18 table I.2-2."""


class Storing:
    """The handler of the Store transaction.

    Parameters
    ----------
    workspace : Workspace
        Where films are opened.
    catalogue : Catalogue
        The films as DICOM objects.
    root : str
        Path of the service.
    """

    def __init__(self, workspace: Workspace, catalogue: Catalogue, root: str) -> None:
        self._workspace, self._catalogue, self._root = workspace, catalogue, root

    async def store(self, request: Request) -> Response:
        """Open the instances of a message as films.

        Parameters
        ----------
        request : Request
            Its body is ``multipart/related`` with a part for each instance.

        Returns
        -------
        Response
            Status 200 if all were stored, 202 if some were, 409 if none was, with the references of each.

        Raises
        ------
        ForbiddenError
            If the user does not allow it.
        RequestError
            If the message has no such parts.
        """
        if not self._workspace.options.stow:
            raise ForbiddenError("films are not taken here; start the server with --stow")
        body = await received(request, self._workspace.films, self._workspace.options)
        try:
            parts = multipart.parse(request.headers.get("content-type", ""), body)
        except multipart.MultipartError as error:
            raise RequestError('the body is no message multipart/related; type="application/dicom" with its boundary') from error
        if not parts:
            raise RequestError("the message has no parts; send one for each instance")
        return await run_in_threadpool(self._answer, parts, request)

    def _answer(self, parts: list[Part], request: Request) -> Response:
        stored, failed = [], []
        for part in parts:
            reference, reason = self._one(part, request.path_params.get("study"))
            if reason:
                failed.append(reference | {tag("FailureReason"): {"vr": "US", "Value": [reason]}})
            else:
                stored.append(reference)
        model = {
            tag(keyword): {"vr": "SQ", "Value": items}
            for keyword, items in (("FailedSOPSequence", failed), ("ReferencedSOPSequence", stored))
            if items
        }
        status = 200 if not failed else 202 if stored else 409
        return Response(json.dumps(model), status, media_type="application/dicom+json")

    def _one(self, part: Part, study: str | None) -> tuple[dict[str, Any], int]:
        """Open one instance; give its reference, by the UIDs that the client sent, and the reason of a failure or 0."""
        if not looks_like_dicom(part.content):
            return {}, _NOT_UNDERSTOOD
        try:
            attributes = json.loads(self._catalogue.describe(part.content, "", Identifiers()))
        except PneumoscopeError:
            return {}, _NOT_UNDERSTOOD
        reference = {
            tag(f"Referenced{keyword}"): {"vr": "UI", "Value": [first(attributes, keyword)]}
            for keyword in ("SOPClassUID", "SOPInstanceUID")
        }
        if study and study != first(attributes, "StudyInstanceUID"):
            return reference, _OTHER_STUDY
        try:
            self._workspace.open_upload(part.content, "")
        except FullError:
            return reference, _NO_RESOURCES
        return reference, 0
