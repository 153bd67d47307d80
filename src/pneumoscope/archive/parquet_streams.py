"""Give Parquet files to pyarrow in memory and streams of its own.

Threads of pyarrow hold what they have read for a moment after it was used. Where that is memory of Python, a thread that releases
it while the program ends is stopped by the interpreter in the middle of C++ code, and the program aborts with exit code 134.
"""

import io
import os
from typing import BinaryIO

import pyarrow as pa


def of_stream(stream: BinaryIO) -> pa.NativeFile | BinaryIO:
    """Open a file on a disk a second time, by pyarrow.

    Parameters
    ----------
    stream : binary stream
        A file that is open for reading.

    Returns
    -------
    pyarrow.NativeFile or binary stream
        The same file; the stream itself where it is no file on a disk.
    """
    if isinstance(stream, io.BufferedReader):
        return pa.OSFile(os.fsencode(stream.name))
    return stream


def of_bytes(content: bytes) -> pa.BufferReader:
    """Copy the content of a file into memory of pyarrow.

    Parameters
    ----------
    content : bytes
        The content.

    Returns
    -------
    pyarrow.BufferReader
        A stream over the copy.
    """
    buffer = pa.allocate_buffer(len(content))
    with pa.FixedSizeBufferWriter(buffer) as writer:
        writer.write(content)
    return pa.BufferReader(buffer)
