"""Write files compressed beforehand, beside each file, for web servers that send them."""

import gzip
from pathlib import Path

import brotli

_WINDOW_BITS = 24
"""The largest window of Brotli that browsers accept."""
_COMPRESSIBLE = frozenset({".css", ".html", ".js", ".json", ".onnx", ".svg", ".txt", ".wasm", ".webmanifest"})


def compressible(path: Path) -> bool:
    """Whether a file gets smaller by compression.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
        By the suffix of its name; pictures are compressed already.
    """
    return path.suffix in _COMPRESSIBLE


def write_compressed(path: Path, quality: int = 11) -> tuple[int, int]:
    """Write ``NAME.br`` and ``NAME.gz`` for a file that gets smaller by compression.

    Parameters
    ----------
    path : Path
        The file.
    quality : int
        Effort of Brotli, 0 to 11.

    Returns
    -------
    size, small : int
        Bytes of the file, and bytes that a server with Brotli sends.
    """
    content = path.read_bytes()
    if not compressible(path):
        return len(content), len(content)
    small = brotli.compress(content, quality=quality, lgwin=_WINDOW_BITS)
    path.with_name(f"{path.name}.br").write_bytes(small)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, min(quality, 9), mtime=0))
    return len(content), len(small)
