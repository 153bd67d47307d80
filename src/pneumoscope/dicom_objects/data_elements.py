"""Encode data elements as they lie in a file in Explicit VR Little Endian (PS3.5 7.1.2).

A report has some 300 elements in 70 nested data sets. pydicom takes as long to encode them as a model takes to read a radiograph,
since it looks at each data set again for each data set around it.
"""

import struct
from collections.abc import Sequence
from functools import cache

from pydicom.datadict import dictionary_VR, tag_for_keyword

Element = tuple[int, bytes]
"""The tag of a data element, by which elements are sorted, and its bytes."""

_LONG = frozenset({"SQ", "UC", "UT"})
"""Value representations whose length has 32 bits (PS3.5 table 7.1-1), of those that are used."""
_NUMBERS = {"FD": "d", "FL": "f"}
_TEXTS = {"UI": b"\0", "CS": b" ", "DS": b" ", "LO": b" ", "SH": b" ", "UC": b" ", "UT": b" "}
"""What fills a text to an even length (PS3.5 6.2)."""


def element(keyword: str, value: str | Sequence[float]) -> Element:
    """Encode an element.

    Parameters
    ----------
    keyword : str
        Keyword of the attribute.
    value : str or sequence of float
        Its value: a text, encoded in UTF-8, or numbers where its value representation is FL or FD.

    Returns
    -------
    Element
        Tag and bytes.

    Raises
    ------
    ValueError
        The value does not fit the attribute.
    """
    tag, vr = _attribute(keyword)
    if isinstance(value, str) and vr in _TEXTS:
        text = value.encode()
        return tag, _framed(tag, vr, text + _TEXTS[vr] * (len(text) % 2))
    if not isinstance(value, str) and vr in _NUMBERS:
        return tag, _framed(tag, vr, struct.pack(f"<{len(value)}{_NUMBERS[vr]}", *value))
    raise ValueError(f"{keyword} has the value representation {vr}, which a {type(value).__name__} does not fit")


def item(*elements: Element) -> bytes:
    """Encode an item of a sequence.

    Parameters
    ----------
    *elements : Element
        The elements of its data set, in any order.

    Returns
    -------
    bytes
        The item, of defined length.
    """
    body = b"".join(encoded for _, encoded in sorted(elements))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def sequence(keyword: str, *items: bytes) -> Element:
    """Encode a sequence.

    Parameters
    ----------
    keyword : str
        Keyword of the attribute.
    *items : bytes
        Its items.

    Returns
    -------
    Element
        Tag and bytes; the sequence has a defined length.
    """
    tag, vr = _attribute(keyword)
    return tag, _framed(tag, vr, b"".join(items))


@cache
def _attribute(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword of an attribute")
    return tag, dictionary_VR(tag)


def _framed(tag: int, vr: str, value: bytes) -> bytes:
    if vr not in _LONG and len(value) >= 2**16:
        raise ValueError(f"a value of {len(value)} bytes does not fit the value representation {vr}")
    form = "<HH2sHI" if vr in _LONG else "<HH2sH"
    lengths = (0, len(value)) if vr in _LONG else (len(value),)
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr.encode(), *lengths) + value
