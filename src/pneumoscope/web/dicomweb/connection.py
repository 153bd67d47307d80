"""Ask one DICOMweb server, within bounds: only its own origin, trusted TLS, and an end to every wait and every answer."""

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import httpx2

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.web.dicomweb.address import Address, origin_of
from pneumoscope.web.dicomweb.credentials import credentials_for
from pneumoscope.web.dicomweb.errors import DicomwebError, RefusedAnswerError, UnreachableError

CONNECT_S, READ_S, WHOLE_S = 10.0, 30.0, 300.0
"""Seconds that a connection, the next bytes of an answer, and a whole answer may take."""

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REASONS = {
    401: "it asks for credentials; put them into ~/.netrc or the environment (docs/dicomweb.md names the variables)",
    403: "the credentials may not do this; ask who runs the server",
    404: "it has no such resource; check the path of the URL, and whether the film was deleted",
    413: "the query has too many results; narrow it, such as by StudyDate=20240101-20240131",
    429: "it is asked too often; wait and try again",
}
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # both log URLs and headers, which hold UIDs and credentials


@dataclass(frozen=True)
class Answer:
    """An answer with status 200 or 204.

    Parameters
    ----------
    media_type : str
        Content-Type; empty where the server stated none.
    content : bytes
        The whole body, without transfer and content encodings.
    """

    media_type: str
    content: bytes = field(repr=False)


class Connection:
    """Connections to the origin of one DICOMweb service; safe to be used by several threads.

    Parameters
    ----------
    address : Address
        The service. No other origin is ever asked, wherever the server redirects to.
    whole_s : float
        Seconds that a whole answer may take, above 0.
    auth : httpx2.Auth, optional
        What identifies the client; by default the credentials of the environment or of netrc.
    verify : ssl.SSLContext, optional
        Which certificates are trusted, and the client's own; by default those that the system trusts.

    Raises
    ------
    CredentialsError
        If the credentials of the environment or of netrc cannot be used.
    """

    def __init__(
        self,
        address: Address,
        *,
        whole_s: float = WHOLE_S,
        auth: httpx2.Auth | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._address, self._whole_s = address, whole_s
        self._client = httpx2.Client(
            auth=auth or credentials_for(address),
            verify=True if verify is None else verify,
            headers={"User-Agent": f"pneumoscope/{__version__} ({DISCLAIMER})"},
            timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, accept: str, most_bytes: int, query: Mapping[str, str] | None = None) -> Answer:
        """Ask for a resource of the service.

        Parameters
        ----------
        path : str
            Path below the service's root, beginning with a slash.
        accept : str
            Media types that are wanted.
        most_bytes : int
            Bytes that the answer has at most, counted after it is decompressed.
        query : mapping of str to str, optional
            Query parameters.

        Returns
        -------
        Answer
            The whole answer.

        Raises
        ------
        UnreachableError
            If no connection is made, the certificate is not trusted, or a wait ends.
        RefusedAnswerError
            If the server redirects to another origin, answers with an error, or sends more than `most_bytes`.
        """
        url = httpx2.URL(f"{self._address.origin}{self._address.path}{path}", params=dict(query or {}))
        try:
            return self._followed(url, accept, most_bytes)
        except DicomwebError:
            raise
        except httpx2.TimeoutException:
            raise self._unreachable(f"did not answer within {READ_S:g} seconds; check that it runs, and the network") from None
        except httpx2.DecodingError:
            raise self._refused("sent an answer whose compression is damaged; ask who runs the server") from None
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self._unreachable(_why(error)) from None  # the cause quotes the URL

    def _followed(self, url: httpx2.URL, accept: str, most_bytes: int) -> Answer:
        ends = time.monotonic() + self._whole_s
        for _ in range(_MOST_REDIRECTS + 1):
            with self._client.stream("GET", url, headers={"Accept": accept}) as response:
                if response.status_code not in _REDIRECTS:
                    return self._read(response, most_bytes, ends)
                url = self._redirected(response)
        raise self._refused(f"redirects more than {_MOST_REDIRECTS} times; check the path of the URL")

    def _redirected(self, response: httpx2.Response) -> httpx2.URL:
        url = response.url.join(response.headers.get("Location", ""))
        if origin_of(str(url)) != self._address.origin:
            raise self._refused(
                f"redirects to another origin ({origin_of(str(url)) or 'none that could be parsed'}), which is not followed; "
                "name that service itself if it is meant"
            )
        return url

    def _read(self, response: httpx2.Response, most_bytes: int, ends: float) -> Answer:
        if response.status_code not in (200, 204):
            reason = _REASONS.get(response.status_code, "ask who runs the server")
            raise self._refused(f"answers with status {response.status_code}: {reason}")
        content = bytearray()
        for piece in response.iter_bytes(2**16):
            content += piece
            if len(content) > most_bytes:
                raise self._refused(f"sends more than the {most_bytes:,} bytes that this answer may have; it was not read on")
            if time.monotonic() > ends:
                raise self._unreachable(f"did not send its answer within {self._whole_s:g} seconds; check the network")
        return Answer(response.headers.get("Content-Type", ""), bytes(content))

    def _refused(self, what: str) -> RefusedAnswerError:
        return RefusedAnswerError(f"the DICOMweb server {self._address.origin} {what}")

    def _unreachable(self, what: str) -> UnreachableError:
        return UnreachableError(f"the DICOMweb server {self._address.origin} {what}")


def _why(error: BaseException) -> str:
    """Why there is no connection, without what the library says of the request."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "has a certificate that is not trusted; if it is that of your institution, name its authority's file in the "
            "environment variable SSL_CERT_FILE"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "does not speak TLS as https:// asks for; check the port, or use http:// on this machine"
    return "could not be reached, or broke the connection off; check the host and the port, and that the server runs"
