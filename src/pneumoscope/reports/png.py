"""Encode RGB pictures as PNG (ISO/IEC 15948), faster than Pillow.

Pillow tries all five filters on each row, which takes longer than the compression. Overlays are smooth in every direction, so
that one filter, the difference to the row above (9.2, type 2), gives files of the same size.
"""

import struct
import zlib

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
_RGB = 2
_FASTEST = 1


def encode(picture: Image.Image) -> bytes:
    """Encode a picture without loss.

    Parameters
    ----------
    picture : PIL.Image.Image
        A picture of mode RGB.

    Returns
    -------
    bytes
        Content of a PNG file.

    Raises
    ------
    ValueError
        If the picture has another mode.
    """
    if picture.mode != "RGB":
        raise ValueError(f"only RGB pictures are encoded, not those of mode {picture.mode}")
    rows = np.asarray(picture).reshape(picture.height, -1)
    filtered = np.empty((picture.height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, _RGB, 0, 0, 0)
    data = zlib.compress(filtered.data, _FASTEST)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
