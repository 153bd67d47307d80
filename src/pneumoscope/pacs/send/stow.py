"""Send by DICOMweb: STOW-RS, with the outcome of each instance, and QIDO-RS to ask for it (PS3.18 10.5, 10.6)."""

import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
from pydicom.datadict import tag_for_keyword

from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.send.http import client, limited_body, retry_after
from pneumoscope.pacs.send.outcome import DOUBT_HTTP, LATER_HTTP, Fate, Outcome, of_status
from pneumoscope.pacs.send.result_file import ResultFile
from pneumoscope.pacs.send.target import UnreachableTargetError

_JSON = "application/dicom+json"
_PIECE = 2**18


class StowTarget:
    """A DICOMweb service that stores.

    Parameters
    ----------
    destination : Destination
        Its settings.

    Raises
    ------
    OSError
        If a file with a secret or a certificate cannot be read.
    """

    def __init__(self, destination: Destination) -> None:
        self._url, self._who = destination.url.rstrip("/"), f"the destination '{destination.name}'"
        self._client = client(destination.credentials, destination.tls, destination.seconds)

    def store(self, result: ResultFile) -> Outcome:
        """Send a result and wait for the answer.

        Parameters
        ----------
        result : ResultFile
            The result.

        Returns
        -------
        Outcome
            The outcome; `Fate.DOUBT` where the connection broke before the answer.
        """
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        headers = {"Content-Type": kind, "Accept": _JSON, "Content-Length": str(_length(result.path, boundary))}
        try:
            with self._client.stream(
                "POST", f"{self._url}/studies", content=_message(result.path, boundary), headers=headers
            ) as response:
                body = limited_body(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Outcome(Fate.LATER, f"{self._who} could not be reached", unreachable=True)
        except httpx2.TransportError:
            return Outcome(Fate.DOUBT, f"{self._who} did not answer; whether it stored the result is asked before the next try")
        return outcome_of(response.status_code, body, result.sop_instance_uid, self._who, retry_after(response))

    def holds(self, result: ResultFile) -> bool | None:
        """Ask whether the service holds a result, by QIDO-RS.

        Parameters
        ----------
        result : ResultFile
            The result.

        Returns
        -------
        bool or None
            None where the service does not support the search.

        Raises
        ------
        UnreachableTargetError
            If it could not be asked now.
        """
        url = f"{self._url}/studies/{result.study_uid}/instances"
        query = {"SOPInstanceUID": result.sop_instance_uid}
        try:
            response = self._client.get(url, params=query, headers={"Accept": _JSON})
        except httpx2.TransportError as error:
            raise UnreachableTargetError(f"{self._who} could not be asked whether it holds the result") from error
        if response.status_code == 204:
            return False
        if response.status_code in LATER_HTTP | DOUBT_HTTP:
            raise UnreachableTargetError(
                f"{self._who} answers with status {response.status_code} when it is asked for the result"
            )
        if response.status_code != 200:
            return None
        return result.sop_instance_uid in _values(_parsed(response.content), "SOPInstanceUID")

    def echo(self) -> None:
        """Check that the service answers to a search.

        Raises
        ------
        UnreachableTargetError
            If it does not.
        """
        try:
            response = self._client.get(f"{self._url}/studies", params={"limit": "1"}, headers={"Accept": _JSON})
        except httpx2.TransportError as error:
            raise UnreachableTargetError(f"{self._who} could not be reached; check its URL and its certificate") from error
        if response.status_code not in (200, 204):
            raise UnreachableTargetError(f"{self._who} answers with status {response.status_code} to a search for studies")

    def rest(self) -> None:
        """Keep the connections: HTTP servers close idle ones themselves."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def outcome_of(status: int, body: bytes, sop_instance_uid: str, who: str, wait_seconds: float = 0.0) -> Outcome:
    """Read the outcome of one instance from the answer to a Store transaction (PS3.18 10.5.3, annex I.2).

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes
        Body of the answer in the DICOM JSON model; may be empty.
    sop_instance_uid : str
        The instance.
    who : str
        The destination, for the sentence.
    wait_seconds : float
        What its header Retry-After asks for.

    Returns
    -------
    Outcome
        By the instance's item of Failed SOP Sequence, or of Referenced SOP Sequence with its Warning Reason, or else by the HTTP
        status.
    """
    answer = _parsed(body)
    failure = _reason(answer, "FailedSOPSequence", sop_instance_uid, "FailureReason")
    if failure is not None:
        outcome = of_status(failure or 0x0110, who)
        return Outcome(outcome.fate, outcome.reason, wait_seconds)
    if status in (200, 202):
        warning = _reason(answer, "ReferencedSOPSequence", sop_instance_uid, "WarningReason")
        if warning is None and status == 202:
            return Outcome(Fate.DOUBT, f"{who} stored a part and does not say whether this result is in it", wait_seconds)
        return of_status(warning, who) if warning else Outcome(Fate.SENT)
    fate = Fate.DOUBT if status in DOUBT_HTTP else Fate.LATER if status in LATER_HTTP else Fate.NEVER
    return Outcome(fate, f"{who} answers with status {status}{_ADVICE.get(status, '')}", wait_seconds)


_ADVICE = {
    401: ": it asks for credentials; name them in the destination's table 'credentials', then requeue",
    403: ": the credentials may not store; ask who runs the server, then requeue",
    404: ": it has no such resource; check the destination's 'url', then requeue",
    405: ": it does not take instances here; check the destination's 'url', then requeue",
}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return {}


def _items(answer: Any, keyword: str) -> list[Any]:
    tag = f"{tag_for_keyword(keyword):08X}"
    sets = answer if isinstance(answer, list) else [answer]
    return [item for one in sets if isinstance(one, dict) for item in one.get(tag, {}).get("Value", [])]


def _values(answer: Any, keyword: str) -> list[Any]:
    return _items(answer, keyword)


def _reason(answer: Any, sequence: str, sop_instance_uid: str, keyword: str) -> int | None:
    """The reason in the instance's item of a sequence: 0 where the item has none, None where there is no item."""
    for item in _items(answer, sequence):
        if sop_instance_uid in _values(item, "ReferencedSOPInstanceUID"):
            reasons = _values(item, keyword)
            return int(reasons[0]) if reasons else 0
    return None


def _head(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()


def _tail(boundary: str) -> bytes:
    return f"\r\n--{boundary}--\r\n".encode()


def _length(path: Path, boundary: str) -> int:
    return len(_head(boundary)) + path.stat().st_size + len(_tail(boundary))


def _message(path: Path, boundary: str) -> Iterable[bytes]:
    """The message with one part, piece by piece."""
    yield _head(boundary)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece
    yield _tail(boundary)
