"""Read the files of a shard one at a time in a process of their own, after attempts to read it ended with the process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

from pneumoscope.archive.decoding import DecodeEach, decoder, seen_px
from pneumoscope.archive.errors import QuarantinedError
from pneumoscope.archive.journal import Run
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.row_reading import Records, error_record, fetch
from pneumoscope.limited_process import LimitedPool, LimitedProcessError, Limits
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.reader import Reader

_PROCESSES = ExitStack()
"""What ends with this process."""
LIMITS = Limits(seconds=300.0, memory_bytes=4_000_000_000)
"""Of one file, with the time to load the model."""


@contextmanager
def read_alone(bundle: str, run: Run, site_key: str) -> Iterator[Callable[[Row], dict[str, Any]]]:
    """Provide a function that reads a file in a process of its own; a file that ends the process gets a row that says so.

    Parameters
    ----------
    bundle : str
        Folder of the model.
    run : Run
        What is asked.
    site_key : str
        Secret by which institutions are hashed.

    Yields
    ------
    callable
        Reads one file; the row is that of `Records`, or has the kind of error ``QuarantinedError``.
    """
    with LimitedPool(_read, "reading", LIMITS, workers=1) as read:

        def read_one(row: Row) -> dict[str, Any]:
            try:
                return read(bundle, run, site_key, row)
            except LimitedProcessError as error:
                quarantined = QuarantinedError(f"the file was set apart after three tries; in the last one {error}")
                return error_record(row, quarantined, run)

        yield read_one


def _read(bundle: str, run: Run, site_key: str, row: Row) -> dict[str, Any]:
    reader = _reader(bundle, run.policy)
    read = Records(reader, run, _decode(seen_px(reader, run.options)), site_key)
    (record,) = read([(row, fetch(row))])
    return record


@lru_cache(maxsize=1)
def _decode(seen_px: int) -> DecodeEach:
    """As in a shard that is read at once, so that a file that ends its decoder has the same row: only the rest is set apart."""
    return _PROCESSES.enter_context(decoder(isolate=True, workers=1, seen_px=seen_px))


@lru_cache(maxsize=1)
def _reader(bundle: str, policy: AcceptancePolicy) -> Reader:
    return Reader.load(bundle, threads=1, policy=policy)
