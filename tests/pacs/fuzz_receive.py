"""Fuzz the receiving side: ``python -m tests.pacs.fuzz_receive --minutes 10 [--seed 1]``.

Valid conversations are cut, repeated and changed byte by byte, and data sets are changed within. After each, nothing may have
ended by an error that nobody named: no thread may have raised, no log line may say "unexpected", a good peer must be served, and
no file may be left behind.
"""

import argparse
import contextlib
import logging
import random
import struct
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.receive.header import read_header
from pneumoscope.pacs.settings import Limits
from tests.pacs.receiving import associate_rq, echo, instance, item, node, p_data, store_command, stored
from tests.radiograph.builders import without_meta, written

QUICK = Limits(
    request_seconds=0.3, pdu_seconds=0.3, idle_seconds=0.5, wait_seconds=0.1, drain_seconds=1.0, spool_free_bytes=0,
    associations_per_address=64, associations=64, instance_bytes=2**20, pdu_bytes=2**17,
)  # fmt: skip
INTERESTING = (0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF)


def changed(content: bytes, chance: random.Random) -> bytes:
    """A message that was damaged on its way."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] = chance.choice(INTERESTING)
        elif kind == 1 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[at : at + chance.randrange(64)]
        elif kind == 3:
            data[at:at] = data[at : at + chance.randrange(64)]
        elif kind == 4:
            data[at:at] = chance.randbytes(chance.randrange(16))
        elif len(data) >= 4:
            at %= len(data) - 3
            data[at : at + 4] = struct.pack(">I", chance.choice((0, 1, 2**16, 2**31, 2**32 - 1)))
    return bytes(data)


def conversation(content: bytes, chance: random.Random) -> list[bytes]:
    """The PDUs of a sender that asks, stores and leaves, some of them damaged."""
    half = len(content) // 2
    pdus = [
        associate_rq(),
        p_data(store_command(), is_command=True, is_last=True),
        p_data(content[:half], is_command=False, is_last=False),
        p_data(content[half:], is_command=False, is_last=True),
        item(5, b"\0\0")[:2] + b"\0\0\0\4\0\0\0\0",
    ]
    victims = chance.sample(range(len(pdus)), chance.choice((1, 1, 2)))
    pdus = [changed(pdu, chance) if number in victims else pdu for number, pdu in enumerate(pdus)]
    if chance.random() < 0.2:
        pdus.insert(chance.randrange(len(pdus)), chance.choice(pdus))
    if chance.random() < 0.2:
        del pdus[chance.randrange(len(pdus)) :]
    return pdus


def talk(receiving, pdus: list[bytes]) -> None:
    """Send PDUs without looking at the answers, then wait for the end."""
    try:
        with receiving.connect(timeout=0.02) as sock:
            for pdu in pdus:
                sock.sendall(pdu)
                with contextlib.suppress(TimeoutError):
                    sock.recv(4096)
    except OSError:
        return


def read_damaged_file(content: bytes, file: Path, chance: random.Random) -> str:
    """Read the header of a damaged file; say what came of it."""
    file.write_bytes(changed(content, chance))
    try:
        read_header(file)
    except NodeError as error:
        return type(error).__name__
    return "read"


def serves(receiving, dataset, seconds: float = 10.0) -> bool:
    """Whether a good peer is served in time; it tries again, since the limits are shorter than a busy machine may keep."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError, AssertionError, AttributeError):
            if echo(receiving) and stored(receiving, dataset) == [0]:
                return True
    return False


class Unnamed(logging.Handler):
    """Collects what nobody has named: exceptions of threads, and log lines that admit it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "unexpected" in record.getMessage() or record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(record.getMessage())

    def raised(self, failed: threading.ExceptHookArgs) -> None:
        self.found.append(f"{failed.exc_type.__name__} in {failed.thread and failed.thread.name}: {failed.exc_value}")


def fuzz(folder: Path, seconds: float, seed: int, rounds: int = 10**9) -> tuple[Counter[str], list[str]]:
    """Fuzz a node; give what was done, and the errors that nobody has named."""
    chance, counted, unnamed = random.Random(seed), Counter(), Unnamed()
    sent = [instance(1), instance(1, PatientComments="x" * 200, OtherPatientIDsSequence=[])]
    contents, files = [without_meta(one) for one in sent], [written(one) for one in sent]
    log, hook = logging.getLogger("pneumoscope"), threading.excepthook
    log.addHandler(unnamed)
    threading.excepthook = unnamed.raised
    ends = time.monotonic() + seconds
    try:
        with node(folder, limits=QUICK) as receiving:
            for number in range(rounds):
                if time.monotonic() >= ends or unnamed.found:
                    break
                talk(receiving, conversation(chance.choice(contents), chance))
                counted[read_damaged_file(chance.choice(files), folder / "damaged.dcm", chance)] += 1
                counted["conversations"] += 1
                if number % 50 == 0 and not serves(receiving, instance(number + 10)):
                    unnamed.found.append("a good peer was not served")
            waited_until = time.monotonic() + 20
            while receiving.server.slots.taken and time.monotonic() < waited_until:
                time.sleep(0.05)
            if receiving.server.slots.taken or receiving.leftovers():
                left = receiving.server.slots.taken, len(receiving.leftovers())
                unnamed.found.append(f"{left[0]} connections and {left[1]} files were left behind")
            counted["rows"] = len(receiving.ledger.instances(limit=10**6))
    finally:
        threading.excepthook = hook
        log.removeHandler(unnamed)
    return counted, unnamed.found


def main() -> int:
    """Fuzz for some minutes; give 1 where an error was not named."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    warnings.simplefilter("ignore")  # as in a node
    with tempfile.TemporaryDirectory() as folder:
        counted, found = fuzz(Path(folder), options.minutes * 60, options.seed)
    print(f"seed {options.seed}: {dict(counted)}")
    print("\n".join(found) or "no error that nobody has named")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
