"""Decode the files of an archive, in worker processes with limits or in this process."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pneumoscope import PneumoscopeError
from pneumoscope import radiograph as radiographs
from pneumoscope.archive.errors import error_of_file
from pneumoscope.archive.journal import Options
from pneumoscope.limited_process import DECODING_BYTES, ClosedError, LimitedPool, Limits, NotStartedError
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.files import content_of
from pneumoscope.reader import Reader

Decode = Callable[[bytes], Radiograph]
"""Decodes the content of a file; raises a `PneumoscopeError` where it cannot."""
Decoded = Radiograph | PneumoscopeError
DecodeEach = Callable[[Iterable[bytes]], Iterator[Decoded]]
"""Decodes the contents of files one after the other, and gives the radiograph or the error of each. Raises `NotStartedError`
where the system allows no further process, and `ClosedError` where the run was stopped."""

LIMITS = Limits(seconds=60.0, memory_bytes=DECODING_BYTES, processor_seconds=10.0)
"""Of one file. The processor time decides: a file does not fail because the machine is busy with others."""


def seen_px(reader: Reader, options: Options) -> int:
    """Edge of the square on which a model sees a radiograph, where the files of a run may be decoded at a reduced scale.

    Parameters
    ----------
    reader : Reader
        The model.
    options : Options
        What is asked of every file.

    Returns
    -------
    int
        In pixels; 0 where every pixel is decoded.
    """
    return reader.card.preprocessing.seen_px if options.decode == "reduced" else 0


@contextmanager
def decoder(isolate: bool, workers: int, seen_px: int = 0) -> Iterator[DecodeEach]:
    """Provide a function that decodes files; it is safe to use from several threads.

    Parameters
    ----------
    isolate : bool
        Decode each file in a worker process within `LIMITS`, so that a file that hangs a decoder, crashes it or asks for any
        amount of memory costs no more than an error of its own. Otherwise decode in this process.
    workers : int
        Number of worker processes, at least 1.
    seen_px : int
        Edge of the square on which a model sees a radiograph, if files may be decoded at a reduced scale (`seen_px`); 0 to decode
        in full.

    Yields
    ------
    callable
        `pneumoscope.radiograph.read` for bytes. Isolated, its errors may also be of the class
        `pneumoscope.limited_process.LimitedProcessError`.
    """
    if not isolate:
        yield one_by_one(decoder_here(seen_px))
        return
    read = importlib.import_module("pneumoscope.radiograph.every_format").read
    with LimitedPool(partial(read, seen_px=seen_px) if seen_px else read, "decoding", LIMITS, workers=workers) as pool:
        yield lambda contents: map(_foreseen, pool.each(contents))


def _foreseen(outcome: Decoded) -> Decoded:
    return error_of_file(outcome) if isinstance(outcome, PneumoscopeError) else outcome


def one_by_one(decode: Decode) -> DecodeEach:
    """Decode with a function for one file.

    Parameters
    ----------
    decode : callable
        Decodes the content of a file.

    Returns
    -------
    callable
        Decodes the contents of files, in this process.
    """

    def decoded(content: bytes) -> Decoded:
        try:
            return decode(content)
        except (NotStartedError, ClosedError):
            raise
        except Exception as error:
            return error_of_file(error)

    return partial(map, decoded)


def decoder_here(seen_px: int = 0) -> Decode:
    """Choose the decoder of this process, which loads what a format needs when it meets the first such file.

    Parameters
    ----------
    seen_px : int
        As for `decoder`.

    Returns
    -------
    callable
        `pneumoscope.radiograph.read` for bytes.
    """
    return partial(radiographs.read, seen_px=seen_px) if seen_px else radiographs.read


@contextmanager
def decoded_ahead(file: Path) -> Iterator[Decode]:
    """Decode a file in a thread of this process, so that it is decoded while its model is loaded.

    Parameters
    ----------
    file : Path
        Path of the file. Where it cannot be opened, nothing is decoded ahead.

    Yields
    ------
    callable
        `pneumoscope.radiograph.read` for bytes; it waits for the thread if they are the content of the file.
    """
    try:
        content = content_of(file)
    except (PneumoscopeError, OSError):  # whoever opens the file again says so
        yield radiographs.read
        return
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(radiographs.read, content)
        yield lambda wanted: ahead.result() if wanted == content else radiographs.read(wanted)
