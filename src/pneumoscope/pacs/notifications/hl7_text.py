"""Encode and parse HL7 v2 messages: delimiters, escape sequences, segments (HL7 v2.5.1 chapter 2)."""

from collections.abc import Iterable, Sequence

_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_LAST_CONTROL = 0x1F
_DELETE = 0x7F
HEAD = "MSH|^~\\&"
"""The first two fields of every message that is written."""


def escaped(text: str) -> str:
    """Escape a text for a component (HL7 v2.5.1 2.7).

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text without delimiters and without control characters, among them those that end a segment or an MLLP block.

    Examples
    --------
    >>> escaped("50 % | A&B")
    '50 % \\\\F\\\\ A\\\\T\\\\B'
    """
    return "".join(_ESCAPES.get(letter) or _printable(letter) for letter in text)


def _printable(letter: str) -> str:
    code = ord(letter)
    return f"\\X{code:02X}\\" if code <= _LAST_CONTROL or code == _DELETE else letter


def composite(*components: str) -> str:
    """Join components, escaping each; empty ones at the end are left out.

    Parameters
    ----------
    *components : str
        Texts.

    Returns
    -------
    str
        A field, or one repetition of it.
    """
    return "^".join(map(escaped, components)).rstrip("^")


def segment(name: str, fields: dict[int, str]) -> str:
    """Join the fields of a segment.

    Parameters
    ----------
    name : str
        Such as ``OBX``.
    fields : dict of int to str
        Encoded fields by their positions, from 1.

    Returns
    -------
    str
        The segment without its end.
    """
    last = max((position for position, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(position, "") for position in range(1, last + 1))])


def message(segments: Iterable[str]) -> bytes:
    """Join the segments of a message.

    Parameters
    ----------
    segments : iterable of str
        Encoded segments.

    Returns
    -------
    bytes
        UTF-8; every segment ends with a carriage return.
    """
    return "".join(f"{one}\r" for one in segments).encode()


def fields_of(content: bytes) -> list[Sequence[str]]:
    """Split a message into segments and fields.

    Parameters
    ----------
    content : bytes
        A message with any field separator. Bytes that are no ASCII are replaced: only codes are read from it.

    Returns
    -------
    list of sequence of str
        The fields of each segment; position 0 is its name, and MSH-1 is the separator itself. Empty where it is no message.
    """
    text = content.decode("ascii", "replace").replace("\n", "\r").lstrip("\r ")
    if not text.startswith("MSH") or len(text) < len(HEAD):
        return []
    separator = text[3]
    segments = [one.split(separator) for one in text.split("\r") if one.strip()]
    segments[0].insert(1, separator)
    return [*segments]
