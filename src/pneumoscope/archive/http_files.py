"""Read files from a web server: whole, or parts of them by range requests; with retries and limits of time by urllib3."""

import io
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus

import urllib3
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from pneumoscope.archive.errors import ChangedSourceError, MissingSourceError, RefusedSourceError, UnavailableSourceError
from pneumoscope.radiograph.errors import TooLargeError

_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_BLOCK = 2**20


@dataclass(frozen=True)
class Head:
    """What a web server says of a file.

    Parameters
    ----------
    size : int, optional
        Size in bytes; None where the server does not say.
    etag : str
        Its ETag, else its Last-Modified; empty where the server says neither.
    modified : float, optional
        Last-Modified, seconds since 1970.
    """

    size: int | None
    etag: str
    modified: float | None


class _NoHeadError(RefusedSourceError):
    """The server does not know the method of the request."""


def serves(location: str) -> bool:
    """Tell whether a location is on a web server.

    Parameters
    ----------
    location : str
        Path or URL.

    Returns
    -------
    bool
        Whether it is ``http://`` or ``https://``.
    """
    return location.startswith(("http://", "https://"))


def _retries() -> urllib3.Retry:
    return urllib3.Retry(
        total=5,
        redirect=3,
        backoff_factor=0.3,
        status_forcelist=_TRANSIENT,
        raise_on_status=False,
        allowed_methods=["GET", "HEAD"],
    )


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=16, retries=_retries(), timeout=urllib3.Timeout(connect=10, read=60))


def _request(method: str, location: str, headers: dict[str, str], *, patient: bool = True) -> urllib3.BaseHTTPResponse:
    url = urllib3.util.parse_url(location)
    if url.auth:
        headers |= urllib3.make_headers(basic_auth=url.auth)
        location = url._replace(auth=None).url
    # Compressed on the way, the size and the ranges would be those of another content.
    headers = {"Accept-Encoding": "identity", **headers}
    retries = _retries() if patient else _retries().new(connect=0, read=0, status=0, other=0)
    response = _pool().request(method, location, headers=headers, preload_content=False, retries=retries)
    if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        response.drain_conn()
        raise _refusal(response.status)
    return response


def _refusal(status: int) -> Exception:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return MissingSourceError(
            f"the web server has no such file (status {status}); restore it, or update the manifest without it"
        )
    if status == HTTPStatus.PRECONDITION_FAILED:
        return ChangedSourceError("the file was changed after the manifest was built; build the manifest again with --update")
    if status in _TRANSIENT:
        return UnavailableSourceError(f"the web server did not give the file after 6 tries (status {status}); try again later")
    kind = _NoHeadError if status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED) else RefusedSourceError
    return kind(f"the web server refuses the file (status {status}); check the URL and your credentials")


def _head_of(response: urllib3.BaseHTTPResponse) -> Head:
    said = response.headers
    length, modified = said.get("Content-Length", ""), said.get("Last-Modified", "")
    try:
        seconds = parsedate_to_datetime(modified).timestamp() if modified else None
    except ValueError:
        seconds = None
    return Head(int(length) if length.isdecimal() else None, said.get("ETag", "").strip('"') or modified, seconds)


def head(location: str, *, patient: bool = True) -> Head:
    """Ask a web server for size and version of a file.

    Parameters
    ----------
    location : str
        URL.
    patient : bool
        Ask again where there is no answer; redirections are followed all the same.

    Returns
    -------
    Head
        The answer.

    Raises
    ------
    SourceError
        Of a named class: missing, refused, or no answer after retries.
    """
    try:
        response = _request("HEAD", location, {}, patient=patient)
        response.drain_conn()
    except _NoHeadError:
        response = _request("GET", location, {}, patient=patient)
        response.close()  # the content is not wanted
    return _head_of(response)


def whole(location: str, etag: str, most: int) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    location : str
        URL.
    etag : str
        The version that is wanted; empty for any.
    most : int
        Largest size that is read, in bytes.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    TooLargeError
        It has more than `most` bytes.
    SourceError
        Of a named class: changed, missing, refused, or no answer after retries.
    """
    retries = _retries()
    while True:
        try:
            return _body(location, etag, most)
        except (ProtocolError, ReadTimeoutError) as error:  # a connection that was lost within the content
            retries = retries.increment("GET", error=error)
            retries.sleep()


def _body(location: str, etag: str, most: int) -> bytes:
    response = _request("GET", location, {})
    try:
        said = _head_of(response)
        if etag and said.etag != etag:
            raise ChangedSourceError("the file was changed after the manifest was built; build the manifest again with --update")
        parts, length = [], 0
        for part in response.stream(_BLOCK):
            length += len(part)
            if length > most:
                raise TooLargeError(f"the file has more than {most:,} bytes, more than any radiograph; it was not read")
            parts.append(part)
        return b"".join(parts)
    finally:
        response.close()


def open_ranges(location: str, etag: str) -> io.BufferedReader:
    """Open a file for reading at any position, by range requests.

    Parameters
    ----------
    location : str
        URL.
    etag : str
        The version that is wanted; empty for any.

    Returns
    -------
    BufferedReader
        A stream that can seek.

    Raises
    ------
    SourceError
        As `whole`; also where the server does not answer range requests.
    """
    said = head(location)
    if etag and said.etag != etag:
        raise ChangedSourceError("the file was changed after the manifest was built; build the manifest again with --update")
    if said.size is None:
        raise RefusedSourceError("the web server does not state the size of the archive; download it, and read it from a disk")
    return io.BufferedReader(_Ranges(location, said.size, said.etag), _BLOCK)


class _Ranges(io.RawIOBase):
    """A file on a web server; every read is one request."""

    def __init__(self, location: str, size: int, etag: str) -> None:
        super().__init__()
        self._location, self._size, self._etag, self._at = location, size, etag, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # any writable buffer
        last = min(self._at + len(buffer), self._size) - 1
        if last < self._at:
            return 0
        response = _request("GET", self._location, {"Range": f"bytes={self._at}-{last}"})
        try:
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                raise RefusedSourceError("the web server does not give parts of a file; download the archive, and read it there")
            if _head_of(response).etag != self._etag:
                raise ChangedSourceError("the file was changed while it was read; build the manifest again with --update")
            read = response.read(last - self._at + 1)
        finally:
            response.close()
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)
