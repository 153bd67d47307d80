"""A decoder that a worker process of a test imports: it does what the content says, as a decoder may do by a defect."""

import ctypes
import os
import time
from pathlib import Path

from pneumoscope import radiograph
from pneumoscope.radiograph import Radiograph

HANG, SLEEP, CRASH, BOMB, RAISE = b"hang", b"sleep", b"crash", b"bomb", b"raise"


def decode(content: bytes) -> Radiograph:
    """Decode a radiograph, or misbehave; content that asks for sleep names a file that gets the number of this process."""
    if content == HANG:
        while True:
            pass
    if content.startswith(SLEEP):
        Path(os.fsdecode(content[len(SLEEP) :])).write_text(str(os.getpid()), "ascii")
        time.sleep(3600)
    if content == CRASH:
        ctypes.string_at(0)
    if content == BOMB:
        bytearray(2**30)
    if content == RAISE:
        raise ZeroDivisionError("Doe^Jane")
    return radiograph.read(content)
