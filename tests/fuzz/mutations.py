"""Change a valid input as damage, careless programs and attackers do; the same random numbers give the same change."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.datadict import DicomDictionary

from pneumoscope.radiograph.declared_sizes import _end_of_file_meta

Change = Callable[[bytearray, bytes, random.Random], None]
"""Changes the first argument in place; the second is another valid input, to take pieces from."""

EXTREME_BYTES = (0, 1, 2, 3, 0x1F, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
EXTREME_NUMBERS = (0, 1, 2, 7, 255, 256, 2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")
VRS = tuple(b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT XX".split())
TAGS = tuple(tag for tag in DicomDictionary if tag >> 16 in (0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0040, 0x7FE0))
ODD_VALUES = (
    b"", b"\0", b" ", b"-1", b"1e308", b"NaN", b"inf", b"0", b"\\\\", b"1\\2\\3", b"1" * 64, b"\xff\xfe\xfa", b"YES\\NO",
    b"99999",
    b"000Y", b"-01Y", b"20261399", b"\x1b$B", b"L\\F", b"MONOCHROME1", b"1.2.840.10008.1.2.4.201",
)  # fmt: skip


def changed(content: bytes, other: bytes, chance: random.Random, changes: Sequence[Change]) -> bytes:
    """Apply one to four changes, or more of them to one input in eight."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 12))):
        chance.choice(changes)(data, other, chance)
    return bytes(data)


def _place(data: bytearray, chance: random.Random, least: int = 1) -> int:
    """A place with `least` bytes behind it; half of the places lie in the first 600, where the header is."""
    most = max(0, len(data) - least)
    return chance.randint(0, min(600, most) if chance.random() < 0.5 else most)


def flip_bits(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Flip one to eight bits."""
    for _ in range(chance.choice((1, 1, 2, 8)) if data else 0):
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def set_bytes(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Set some bytes to extreme or random values."""
    for _ in range(chance.choice((1, 1, 2, 6)) if data else 0):
        data[_place(data, chance)] = chance.choice((*EXTREME_BYTES, chance.randrange(256)))


def set_number(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Set a number of two or four bytes to an extreme value, in either byte order."""
    order, (code, size) = chance.choice("<>"), chance.choice((("H", 2), ("I", 4)))
    if len(data) >= size:
        at = _place(data, chance, size)
        data[at : at + size] = struct.pack(order + code, chance.choice(EXTREME_NUMBERS) % 2 ** (8 * size))


def cut(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Cut the end off."""
    del data[_place(data, chance) :]


def lose(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Lose a piece."""
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 2, 8, 64, 512))]


def double(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Repeat a piece."""
    at = _place(data, chance)
    data[at:at] = data[at : at + chance.choice((1, 2, 8, 64, 512))] * chance.choice((1, 1, 2, 50))


def insert(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Insert random bytes, or one byte many times."""
    piece = chance.choice((chance.randbytes(chance.randrange(1, 40)), bytes([chance.choice(EXTREME_BYTES)]) * 300))
    at = _place(data, chance)
    data[at:at] = piece


def splice(data: bytearray, other: bytes, chance: random.Random) -> None:
    """Go on as another valid input, from a place in each."""
    data[_place(data, chance) :] = other[_place(bytearray(other), chance) :]


def transplant(data: bytearray, other: bytes, chance: random.Random) -> None:
    """Put a piece of another valid input over a piece of this one."""
    size, source = chance.choice((2, 4, 16, 64, 256)), bytearray(other)
    at, of = _place(data, chance), _place(source, chance)
    data[at : at + size] = source[of : of + size]


BYTES: tuple[Change, ...] = (flip_bits, set_bytes, set_number, cut, lose, double, insert, splice, transplant)


@dataclass(frozen=True)
class Element:
    """Where an element of explicit VR in little endian lies: its tag, the length field, and its value."""

    start: int
    length_at: int
    length_size: int
    value_at: int
    end: int


def elements(data: bytes | bytearray, at: int) -> Iterator[Element]:
    """Walk over the elements of a data set as far as it is intact; what has an undefined length ends the walk."""
    while at + 8 <= len(data) and bytes(data[at + 4 : at + 6]) in VRS:
        is_long = bytes(data[at + 4 : at + 6]) in LONG_VRS
        length_at, size, value_at = (at + 8, 4, at + 12) if is_long else (at + 6, 2, at + 8)
        length = int.from_bytes(data[length_at : length_at + size], "little")
        end = len(data) if length == 2**32 - 1 else min(value_at + length, len(data))
        yield Element(at, length_at, size, value_at, end)
        at = end


def _some_element(data: bytearray | bytes, chance: random.Random) -> Element | None:
    start = 132 if data[128:132] == b"DICM" else 0
    walked = list(elements(data, start))
    return chance.choice(walked) if walked else None


def set_tag(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Give an element the tag of another."""
    if (element := _some_element(data, chance)) is not None:
        tag = chance.choice(TAGS)
        data[element.start : element.start + 4] = struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def set_vr(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Give an element another value representation."""
    if (element := _some_element(data, chance)) is not None:
        data[element.start + 4 : element.start + 6] = chance.choice(VRS)


def set_length(data: bytearray, _: bytes, chance: random.Random) -> None:
    """State another length than the value has."""
    if (element := _some_element(data, chance)) is not None:
        true = element.end - element.value_at
        stated = chance.choice((*EXTREME_NUMBERS, true + 1, true + 2, true - 1, true // 2, len(data))) % 256**element.length_size
        data[element.length_at : element.value_at] = stated.to_bytes(element.length_size, "little").rjust(
            element.value_at - element.length_at, b"\0"
        )


def set_value(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Give an element an odd value of its own length, or of any length with the length field set to it."""
    if (element := _some_element(data, chance)) is not None:
        value = chance.choice((*ODD_VALUES, chance.randbytes(chance.randrange(20))))
        if chance.random() < 0.5:
            value = (value * 80)[: element.end - element.value_at]
        value += b" " * (len(value) % 2)
        data[element.value_at : element.end] = value
        data[element.length_at : element.length_at + element.length_size] = len(value).to_bytes(element.length_size, "little")


def lose_element(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Leave an element out."""
    if (element := _some_element(data, chance)) is not None:
        del data[element.start : element.end]


def take_element(data: bytearray, other: bytes, chance: random.Random) -> None:
    """Insert an element of another file, or of this one once more."""
    here = _some_element(data, chance)
    source = chance.choice((other, bytes(data)))
    there = _some_element(source, chance)
    if here is not None and there is not None:
        data[here.start : here.start] = source[there.start : there.end]


ELEMENTS: tuple[Change, ...] = (set_tag, set_vr, set_length, set_value, lose_element, take_element)

STREAMS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
"""Beginnings of the JPEG and JPEG-LS frames, and of the JPEG 2000 codestreams."""


def _stream_start(data: bytearray) -> int:
    return max(0, *(data.find(start) for start in STREAMS))


def edit_codestream(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Change bytes in the header of a compressed frame: sizes, precision, tables, marker codes."""
    start = _stream_start(data)
    for _ in range(chance.choice((1, 2, 4)) if start < len(data) else 0):
        at = min(start + chance.choice((chance.randrange(32), chance.randrange(700))), len(data) - 1)
        data[at] = chance.choice((*EXTREME_BYTES, chance.randrange(256)))


def edit_marker(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Change the code or the length of a marker segment of a JPEG or JPEG 2000 stream."""
    start = _stream_start(data)
    marks = [at for at in range(start, min(start + 2000, len(data) - 4)) if data[at] == 0xFF and data[at + 1] not in (0, 0xFF)]
    if marks:
        at = chance.choice(marks)
        if chance.random() < 0.5:
            data[at + 1] = chance.choice((*range(0xC0, 0xFF), *range(0x4F, 0x65), 0x90, 0x93))
        else:
            data[at + 2 : at + 4] = struct.pack(">H", chance.choice(EXTREME_NUMBERS) % 2**16)


def edit_run_lengths(data: bytearray, _: bytes, chance: random.Random) -> None:
    """Change the header of an RLE frame: its number of segments and their offsets (PS3.5 G.5)."""
    at = data.rfind(struct.pack("<I", 64))
    if at >= 4:
        at += 4 * chance.randrange(-1, 15)
        data[at : at + 4] = struct.pack("<I", chance.choice(EXTREME_NUMBERS))


CODESTREAM: tuple[Change, ...] = (edit_codestream, edit_marker, edit_run_lengths)
DICOM: tuple[Change, ...] = (*BYTES, *ELEMENTS, *ELEMENTS, *CODESTREAM)
JPEG: tuple[Change, ...] = (*BYTES, *CODESTREAM[:2], *CODESTREAM[:2])


def changed_dicom(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a DICOM file; half of the changes to a deflated one are made in what is deflated."""
    start = _end_of_file_meta(content)
    if b"1.2.840.10008.1.2.1.99" not in content[:start] or chance.random() < 0.5:
        return changed(content, other, chance, DICOM)
    packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    inner = changed(zlib.decompress(content[start:], -zlib.MAX_WBITS), other, chance, (*BYTES, *ELEMENTS))
    return content[:start] + packed.compress(inner) + packed.flush()


def changed_jpeg(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a JPEG picture."""
    return changed(content, other, chance, JPEG)


def changed_png(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a PNG picture; the checksums of half of them fit again, so that a change reaches the decoder behind them."""
    damaged = changed(content, other, chance, BYTES)
    return _checked_again(damaged) if chance.random() < 0.5 else damaged


def _checked_again(content: bytes) -> bytes:
    """The picture with true checksums as far as its chunks can be walked."""
    data, at = bytearray(content), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)
