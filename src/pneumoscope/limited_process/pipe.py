"""Send values over a pipe, as pickles with out-of-band buffers (pickle protocol 5, PEP 574).

The pixels of a radiograph are copied once into the pipe and once out of it.
"""

import contextlib
import pickle
from typing import Any, BinaryIO

import numpy as np

try:
    import fcntl
except ImportError:  # Windows has none, and its pipes keep their size
    fcntl = None  # type: ignore[assignment]  # as above

_LENGTH_BYTES = 8
_PIPE_BYTES = 2**20
"""What a pipe holds; Linux allows every user this much."""


def widen(stream: BinaryIO) -> int:
    """Let a pipe hold more, where the system can, so that the two ends of it take turns less often.

    Parameters
    ----------
    stream : file object
        One end of the pipe.

    Returns
    -------
    int
        Bytes that it holds; 0 where the system does not tell.
    """
    if not hasattr(fcntl, "F_SETPIPE_SZ"):
        return 0
    with contextlib.suppress(OSError):  # more than this user may have
        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return fcntl.fcntl(stream, fcntl.F_GETPIPE_SZ)


def send(stream: BinaryIO, value: object) -> None:
    """Write a value: the number of its parts, the length and kind of each (odd: read-only), then the parts, first the pickle.

    Parameters
    ----------
    stream : file object
        The end of the pipe to write to.
    value : object
        What can be pickled.

    Raises
    ------
    OSError
        The other end is closed.
    """
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    numbers = (len(parts), *(2 * part.nbytes + part.readonly for part in parts))
    stream.write(b"".join(number.to_bytes(_LENGTH_BYTES, "little") for number in numbers))
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read a value that `send` wrote.

    Parameters
    ----------
    stream : file object
        The end of the pipe to read from.

    Returns
    -------
    object
        The value; arrays in it can be written.

    Raises
    ------
    EOFError
        The other end was closed before the value was complete.
    """
    kinds = [divmod(_number(stream), 2) for _ in range(_number(stream))]
    parts = [_read_only(stream, length) if readonly else _writable(stream, length) for length, readonly in kinds]
    return pickle.loads(parts[0], buffers=parts[1:])


def _number(stream: BinaryIO) -> int:
    return int.from_bytes(_read_only(stream, _LENGTH_BYTES), "little")


def _read_only(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _writable(stream: BinaryIO, length: int) -> memoryview:
    """The memory of an array rather than a `bytearray`: its memory is not written twice, and large pages are asked for."""
    view, at = np.empty(length, np.uint8).data, 0
    while at < length:
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]  # buffered streams have it
        if not count:
            raise EOFError
        at += count
    return view
