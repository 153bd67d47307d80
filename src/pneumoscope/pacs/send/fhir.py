"""Send notifications to a FHIR R5 server: a transaction of conditional creates, and a search for the report (FHIR R5 3.2.0)."""

import json
import time
from typing import Any

import httpx2

from pneumoscope.pacs.errors import InvalidMessageError
from pneumoscope.pacs.notifications import codes, fhir, validity
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.send.http import client, limited_body, retry_after
from pneumoscope.pacs.send.operation_outcome import summary
from pneumoscope.pacs.send.outcome import DOUBT_HTTP, LATER_HTTP, Fate, Outcome
from pneumoscope.pacs.send.result_file import ResultFile
from pneumoscope.pacs.send.target import UnreachableTargetError

_JSON = "application/fhir+json"
_RELEASE = "5."
_CONFLICT = 409
_DOUBT = DOUBT_HTTP | {_CONFLICT}
"""Statuses after which the server is asked first; 409 says that another transaction was in the way."""
_NOT_ONE = 412
_ADVICE = {
    401: ": it asks for credentials; name them in the table 'credentials' of the notification, then requeue",
    403: ": the credentials may not create resources; ask who runs the server, then requeue",
    404: ": it has no such resource; check the 'url' of the notification, then requeue",
    405: ": it does not take transactions; ask who runs the server",
    _NOT_ONE: ": it holds several resources with one identifier; ask who runs the server to remove all but one, then requeue",
}


class FhirTarget:
    """A FHIR server.

    Parameters
    ----------
    notification : Notification
        Its settings.

    Raises
    ------
    ConfigError
        If the library that checks messages is not installed.
    OSError
        If a file with a secret or a certificate cannot be read.
    """

    def __init__(self, notification: Notification) -> None:
        validity.library(notification.protocol)
        self._url, self._who = notification.url.rstrip("/"), f"the notification '{notification.name}'"
        self._seconds = notification.seconds
        self._client = client(notification.credentials, notification.tls, notification.seconds)

    def store(self, result: ResultFile) -> Outcome:
        """Send a transaction and wait for the answer.

        Parameters
        ----------
        result : ResultFile
            The file of the transaction.

        Returns
        -------
        Outcome
            The outcome; `Fate.DOUBT` where the connection broke before the answer, or the answer is none of a FHIR server.
        """
        content = result.path.read_bytes()
        headers = {"Content-Type": f"{_JSON}; charset=utf-8", "Prefer": "return=minimal"}
        try:
            validity.check("fhir", content)
            status, body, wait = self._answer("POST", self._url, content=content, headers=headers)
        except InvalidMessageError as error:
            return Outcome(Fate.NEVER, str(error))
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Outcome(Fate.LATER, f"{self._who} could not be delivered: no connection", unreachable=True)
        except httpx2.TransportError:
            return Outcome(Fate.DOUBT, f"{self._who} was not answered; whether the report is there is asked before the next try")
        return outcome_of(status, body, len(json.loads(content)["entry"]), self._who, wait)

    def holds(self, result: ResultFile) -> bool | None:
        """Ask whether the server holds the report of a transaction.

        Parameters
        ----------
        result : ResultFile
            The file of the transaction.

        Returns
        -------
        bool or None
            None where the server does not support the search; the conditional creates then prevent a second report.

        Raises
        ------
        UnreachableTargetError
            If it could not be asked now.
        """
        wanted = fhir.identifier_of(result.path.read_bytes())
        query = {"identifier": f"{codes.OID_SYSTEM}|{wanted}", "_elements": "identifier"}
        try:
            status, body, _ = self._answer("GET", f"{self._url}/DiagnosticReport", params=query)
        except httpx2.TransportError as error:
            raise UnreachableTargetError(f"{self._who}: whether the report is there could not be asked") from error
        if status in LATER_HTTP | DOUBT_HTTP:
            raise UnreachableTargetError(f"{self._who} is answered with status {status} when the report is asked for")
        return _holds(body, wanted) if status == 200 else None

    def echo(self) -> None:
        """Check that the server states FHIR R5, transactions and conditional creates of reports.

        Raises
        ------
        UnreachableTargetError
            If it does not.
        """
        try:
            status, body, _ = self._answer("GET", f"{self._url}/metadata")
        except httpx2.TransportError as error:
            raise UnreachableTargetError(f"{self._who}: no connection; check its URL and its certificate") from error
        if lacks := what_is_missing(body) if status == 200 else f"status {status} for its capability statement":
            raise UnreachableTargetError(f"{self._who}: the server states {lacks}")

    def rest(self) -> None:
        """Keep the connections: HTTP servers close idle ones themselves."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer(self, method: str, url: str, **request: Any) -> tuple[int, Any, float]:
        """Status, parsed body and time to wait; a server that sends its answer byte by byte is cut off."""
        headers = {"Accept": _JSON} | request.pop("headers", {})
        deadline = time.monotonic() + 2 * self._seconds
        with self._client.stream(method, url, headers=headers, **request) as response:
            return response.status_code, _parsed(limited_body(response, deadline)), retry_after(response)


def outcome_of(status: int, body: Any, entries: int, who: str, wait_seconds: float = 0.0) -> Outcome:
    """Read the outcome of a transaction from its answer.

    Parameters
    ----------
    status : int
        HTTP status.
    body : object
        Body of the answer, parsed JSON; None where it is no JSON.
    entries : int
        Number of entries of the transaction.
    who : str
        The server, for the sentence.
    wait_seconds : float
        What its header Retry-After asks for.

    Returns
    -------
    Outcome
        Sent only where the answer is a transaction response in which every entry succeeded.
    """
    if status in (200, 201):
        if _all_succeeded(body, entries):
            return Outcome(Fate.SENT)
        return Outcome(Fate.DOUBT, f"{who} is answered with status {status} and no transaction response with {entries} entries")
    fate = Fate.DOUBT if status in _DOUBT else Fate.LATER if status in LATER_HTTP else Fate.NEVER
    said = summary(body)
    return Outcome(
        fate, f"{who} is answered with status {status}{f' ({said})' if said else ''}{_ADVICE.get(status, '')}", wait_seconds
    )


def _all_succeeded(body: Any, entries: int) -> bool:
    answers = _entries(body, "transaction-response")
    statuses = [one["response"].get("status") for one in answers if isinstance(one.get("response"), dict)]
    return len(statuses) == entries and all(str(status).startswith("2") for status in statuses)


def _holds(body: Any, wanted: str) -> bool | None:
    """Whether a search set has a report with an identifier; None where the answer is no search set."""
    if not isinstance(body, dict) or body.get("type") != "searchset":
        return None
    reports = [one["resource"] for one in _entries(body, "searchset") if isinstance(one.get("resource"), dict)]
    identifiers = [
        name for one in reports if one.get("resourceType") == "DiagnosticReport" for name in one.get("identifier") or []
    ]
    return any(isinstance(name, dict) and name.get("value") == wanted for name in identifiers)


def _entries(body: Any, kind: str) -> list[dict[str, Any]]:
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle" or body.get("type") != kind:
        return []
    entries = body.get("entry")
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def what_is_missing(statement: Any) -> str:
    """Say what a server lacks by its capability statement.

    Parameters
    ----------
    statement : object
        Parsed JSON of ``metadata``.

    Returns
    -------
    str
        A few words that go on from "states"; empty where nothing is missing.
    """
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        return "no capability statement; check the 'url'"
    version = str(statement.get("fhirVersion", ""))
    if not version.startswith(_RELEASE):
        return f"FHIR {version[:12] or 'of an unknown version'}, and notifications need R5 (5.0.0)"
    rests = [one for one in statement.get("rest") or [] if isinstance(one, dict)]
    if not any(one.get("code") == "transaction" for rest in rests for one in rest.get("interaction") or []):
        return "no transactions"
    reports = [one for rest in rests for one in rest.get("resource") or [] if one.get("type") == "DiagnosticReport"]
    if not any(one.get("conditionalCreate") is True for one in reports):
        return "no conditional create of DiagnosticReport, without which a repetition would make a second report"
    return ""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
