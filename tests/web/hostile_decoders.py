"""Decoders that fail as decoders of hostile files do; worker processes import them."""

import os
import signal
import time

from pneumoscope.web.decoding import DecodedFilm


def loop(content: bytes, policy: object) -> DecodedFilm:
    """Never end."""
    time.sleep(3600)
    raise AssertionError


def bomb(content: bytes, policy: object) -> DecodedFilm:
    """Ask for more and more memory."""
    parts = []
    while True:
        parts.append(bytearray(50_000_000))


def crash(content: bytes, policy: object) -> DecodedFilm:
    """End the process."""
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError
