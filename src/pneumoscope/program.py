"""The program ``pneumoscope``: it can be interrupted in one line from its start on, also while its modules are imported.

This module imports nothing that takes time. An exception that Ctrl-C raises in the middle of an import may come out as an import
error, or be swallowed by the module; while nothing but imports has been done, the process simply ends.
"""

import importlib
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""Exit code of an interrupted program: 128 and the number of SIGINT."""
_RESUMED = ("train", "train-lungs")
"""Verbs that go on where they stopped only with ``--resume``."""


def entry() -> None:
    """Run the command as a program, with its arguments and an exit code."""
    open_standard_streams()
    end_when_interrupted()
    importlib.import_module("pneumoscope.cli.main").entry()


def open_standard_streams() -> None:
    """Open the null device for each standard stream that the program was started without.

    Otherwise the next file that is opened gets the number of the stream: what a library prints would go into the results.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def end_when_interrupted() -> None:
    """Let Ctrl-C or a termination signal end the process at once, with one sentence; for the time before anything is done."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def raise_when_interrupted() -> None:
    """Let these signals raise `KeyboardInterrupt` from now on, where they would end the process at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.default_int_handler)


def again() -> str:
    """Say how this program goes on.

    Returns
    -------
    str
        Such as "run the same command again".
    """
    resumed = sys.argv[1:2] and sys.argv[1] in _RESUMED and "--resume" not in sys.argv
    return f"run the same command again{' with --resume' if resumed else ''}"


def interrupted() -> str:
    """Say that this program was interrupted, and how it goes on.

    Returns
    -------
    str
        One sentence.
    """
    return f"interrupted; {again()} to go on"


def _end(signum: int, frame: FrameType | None) -> None:
    os.write(2, f"{interrupted()}\n".encode())
    os._exit(INTERRUPTED)
