"""Functions that a worker process of a test imports: each does one thing that a decoder may do."""

import os
import signal
import sys
import time

import numpy as np

from pneumoscope.radiograph import UnreadableFileError


def doubled(values: np.ndarray) -> np.ndarray:
    """Give back a new array."""
    return values * 2


def process_id() -> int:
    """Tell two workers from each other."""
    return os.getpid()


def sleep(seconds: float) -> float:
    """Take some time."""
    time.sleep(seconds)
    return seconds


def allocate(n_bytes: int) -> int:
    """Take memory, and use it."""
    return len(bytearray(n_bytes))


def allocate_and_hide(n_bytes: int) -> int:
    """Take memory, and report the failure as a damaged file, as a decoder that catches everything does."""
    try:
        return allocate(n_bytes)
    except MemoryError as error:
        raise UnreadableFileError("the file is damaged") from error


def crash() -> None:
    """End as a library does that writes outside of its memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    """Raise an error of ours."""
    raise UnreadableFileError("the file is empty")


def fail(secret: str) -> None:
    """Raise an error of somebody else's, with a text that must not leave the worker."""
    raise ValueError(secret)


def print_much() -> str:
    """Write to the standard streams, as some C libraries do."""
    print("x" * 100_000, flush=True)
    print("x" * 100_000, file=sys.stderr, flush=True)
    os.write(1, b"y" * 1000)
    return "done"


def modules() -> list[str]:
    """List what is imported in the worker."""
    return sorted(sys.modules)


def obey(content: bytes) -> bytes:
    """Do what a content says, or give it back."""
    actions = {
        b"process id": lambda: str(process_id()).encode(),
        b"sleep": lambda: sleep(3600.0),
        b"allocate": lambda: allocate(400_000_000),
        b"crash": crash,
        b"refuse": refuse,
        b"fail": lambda: fail("Patient^Name"),
    }
    return actions[content]() if content in actions else content
