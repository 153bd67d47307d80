"""Parse and write messages of several parts, ``multipart/related`` of RFC 2387, as DICOMweb uses them (PS3.18 8.6.1.2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 10_000
"""Parts of one message that are parsed."""


class MultipartError(ValueError):
    """A message is not the ``multipart/related`` message that its header declares."""


@dataclass(frozen=True)
class Part:
    """One part of a message.

    Parameters
    ----------
    media_type : str
        Content-Type of the part, with its parameters.
    content : bytes
        Its body.
    location : str
        Content-Location of the part; empty where there is none.
    """

    media_type: str
    content: bytes = field(repr=False)
    location: str = ""


def parameters_of(media_type: str) -> tuple[str, dict[str, str]]:
    """Split a media type from its parameters (RFC 9110 8.3.1).

    Parameters
    ----------
    media_type : str
        Such as ``multipart/related; type="application/dicom"; boundary=x``.

    Returns
    -------
    tuple of str and dict of str to str
        The type in lower case, and the parameters without quotes, their names in lower case.

    Examples
    --------
    >>> parameters_of('Multipart/Related; type="application/dicom"; Boundary=x')
    ('multipart/related', {'type': 'application/dicom', 'boundary': 'x'})
    """
    message = Message()
    message["Content-Type"] = media_type.replace("\r", " ").replace("\n", " ")
    pairs = message.get_params(failobj=[])
    return pairs[0][0].strip().lower() if pairs else "", {str(name).lower(): str(value) for name, value in pairs[1:]}


def parse(media_type: str, body: bytes) -> list[Part]:
    """Parse a message of several parts.

    Parameters
    ----------
    media_type : str
        Content-Type of the message, with its boundary.
    body : bytes
        The whole message.

    Returns
    -------
    list of Part
        Its parts, in order.

    Raises
    ------
    MultipartError
        If the type is another one, the boundary is missing, or the body ends before the last boundary.
    """
    kind, parameters = parameters_of(media_type)
    boundary = parameters.get("boundary", "")
    if kind != "multipart/related" or not boundary or not boundary.isascii():
        raise MultipartError("the message is not multipart/related with a boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary.encode(), collector.callbacks())
        parser.write(_without_preamble(body, b"--" + boundary.encode()))
        parser.finalize()
    except FormParserError:
        raise MultipartError("the message does not keep to its boundary") from None
    if not collector.ended:
        raise MultipartError("the message ends before its last boundary")
    return collector.parts


def _without_preamble(body: bytes, delimiter: bytes) -> bytes:
    """The body from its first delimiter on: text before it is to be ignored (RFC 2046 5.1.1)."""
    if body.startswith(delimiter):
        return body
    start = body.find(b"\r\n" + delimiter)
    return body if start < 0 else body[start + 2 :]


class _Collector:
    """Collects what the parser reports, part by part."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._headers: dict[str, str] = {}
        self._name, self._value, self._content = bytearray(), bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._content.extend(memoryview(data)[start:end]),
            "on_part_end": self._end_part,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise MultipartError(f"the message has more than {MOST_PARTS:,} parts")
        self._headers, self._content = {}, bytearray()

    def _end_header(self) -> None:
        self._headers[self._name.decode("latin-1").strip().lower()] = self._value.decode("latin-1").strip()
        self._name, self._value = bytearray(), bytearray()

    def _end_part(self) -> None:
        media_type = self._headers.get("content-type", "application/octet-stream")
        self.parts.append(Part(media_type, bytes(self._content), self._headers.get("content-location", "")))

    def _end(self) -> None:
        self.ended = True


def encode(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """Write a message of several parts, piece by piece.

    Parameters
    ----------
    parts : sequence of Part
        The parts; types and locations without line breaks.
    boundary : str
        Text that is in none of the contents: 128 random bits.

    Yields
    ------
    bytes
        Pieces of the message.

    Raises
    ------
    ValueError
        If a type or a location holds a line break.
    """
    for part in parts:
        if {"\r", "\n"} & set(part.media_type + part.location):
            raise ValueError("a header of a part must be one line")
        location = f"Content-Location: {part.location}\r\n" if part.location else ""
        yield f"--{boundary}\r\nContent-Type: {part.media_type}\r\n{location}\r\n".encode()
        yield part.content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
