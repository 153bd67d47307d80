"""The process that parses mutated inputs: ``python -m tests.fuzz.worker FOLDER TARGET SOURCE FIRST END``.

SOURCE is the seed of the inputs, or a folder of them. One JSON line for each input goes to ``FOLDER/outcomes.jsonl``. Before an
input is parsed it lies in ``FOLDER/input``, so that it is known when the process ends in the middle of it. What a library prints
goes to ``FOLDER/printed``, by file descriptor.
"""

import faulthandler
import json
import logging
import os
import random
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

from pneumoscope import PneumoscopeError
from tests.fuzz.samples import PLANTED
from tests.fuzz.targets import TARGETS, Target, ViolationError

MOST_PROCESSOR_SECONDS = 10
MOST_MB = 600
MOST_WALL_SECONDS = 180


class _Heard(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)


def input_of(name: str, seed: int, number: int) -> bytes:
    """Make the input of a number: the same for the same arguments."""
    return TARGETS[name].input(random.Random(f"{seed} {name} {number}"))


def outcome(target: Target, content: bytes, printed: Path, heard: _Heard) -> dict[str, object]:
    """What came of one input: ``read``, the class of the error that refused it, or ``FAULT`` with what is wrong; and its cost."""
    printed_before, started, memory_before = printed.stat().st_size, time.process_time(), _reset_peak()
    heard.text = ""
    kind, fault = _parsed(target, content)
    seconds, memory = time.process_time() - started, _peak_mb() - memory_before
    said = printed.read_bytes()[printed_before:]
    if not fault and said:
        fault = f"printed {said[:300]!r}"
    if not fault and (named := [word for word in PLANTED if word in heard.text.upper()]):
        fault = f"logged {named}"
    if not fault and seconds > MOST_PROCESSOR_SECONDS:
        fault = f"took {seconds:.1f} s of the processor"
    if not fault and memory > MOST_MB:
        fault = f"took {memory:.0f} MB"
    return {"kind": "FAULT" if fault else kind, "fault": fault, "seconds": round(seconds, 3), "mb": round(memory)}


def _parsed(target: Target, content: bytes) -> tuple[str, str]:
    try:
        target.check(content)
    except PneumoscopeError as error:
        message = f"{error!r} {error}"
        named = [word for word in PLANTED if word in message.upper()] if target.has_patients else []
        fault = f"an error with {named}: {message}" if named else "an error of several lines" if "\n" in str(error) else ""
        return type(error).__name__, fault
    except ViolationError as violation:
        return "FAULT", f"gave {violation}"
    except BaseException as error:
        return "FAULT", f"raised {type(error).__name__}: {error}\n{''.join(traceback.format_exc()[-3000:])}"
    return "read", ""


def _reset_peak() -> float:
    """Reset the peak of memory, and give the memory in use, in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Parse the inputs of some numbers."""
    place, name, source, first, end = Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:])
    kept = [] if source.isdigit() else sorted(Path(source).iterdir())
    printed, outcomes = place / "printed", (place / "outcomes.jsonl").open("a", encoding="utf-8")
    faults = (place / "stack").open("w", encoding="utf-8")
    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    faulthandler.enable(faults)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("always")
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    logging.getLogger().setLevel(logging.DEBUG)
    target = TARGETS[name]
    target.samples()
    for number in range(first, end):
        content = kept[number].read_bytes() if kept else input_of(name, int(source), number)
        (place / "input").write_bytes(content)
        faulthandler.dump_traceback_later(MOST_WALL_SECONDS, exit=True, file=faults)
        one = outcome(target, content, printed, heard)
        faulthandler.cancel_dump_traceback_later()
        outcomes.write(json.dumps({"number": number, **one}) + "\n")
        outcomes.flush()


if __name__ == "__main__":
    main()
