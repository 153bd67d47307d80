"""Silence what libraries written in C print on the standard error stream."""

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_lock = threading.Lock()
_silencers = 0
_loud: int | None = None


@contextmanager
def silenced_native_stderr() -> Iterator[None]:
    """Discard what C code prints by its variable ``stderr``; it may be entered by several threads at once.

    Python and C++ write by the file descriptor, which stays as it is, so that other threads are heard. Only the GNU C Library
    lets the variable be changed; elsewhere nothing is silenced.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _silencers, _loud
    with _lock:
        if _silencers == 0 and _is_glibc():
            variable = _variable()
            _loud, variable.value = variable.value, _nowhere()
        _silencers += 1


def _leave() -> None:
    global _silencers
    with _lock:
        _silencers -= 1
        if _silencers == 0 and _loud is not None:
            _variable().value = _loud


@cache
def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _variable() -> ctypes.c_void_p:
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")


@cache
def _nowhere() -> int | None:
    """A C stream to the null device; the present one where no more files can be opened."""
    open_stream = ctypes.CDLL(None).fopen
    open_stream.restype = ctypes.c_void_p
    stream: int | None = open_stream(os.fsencode(os.devnull), b"w")
    return stream if stream else _variable().value
