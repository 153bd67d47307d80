"""The judge of the fuzzed inputs finds each kind of fault, and makes the same input of the same number."""

import logging
import mmap
import random
from pathlib import Path

import pytest

from pneumoscope import PneumoscopeError
from tests.fuzz import worker
from tests.fuzz.run import shares
from tests.fuzz.samples import IDENTITY
from tests.fuzz.targets import TARGETS, Target, ViolationError

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of memory")


def raising(error: BaseException):
    def check(_: bytes) -> None:
        raise error

    return check


@pytest.fixture
def judged(tmp_path):
    printed, heard = tmp_path / "printed", worker._Heard()
    printed.touch()
    logging.getLogger().addHandler(heard)
    yield lambda check: worker.outcome(
        Target(dict, None, check(printed) if check in (prints,) else check, 1), b"", printed, heard
    )
    logging.getLogger().removeHandler(heard)


def prints(file: Path):
    return lambda _: file.write_text("Corrupt JPEG data")


def logs_a_name(_: bytes) -> None:
    logging.getLogger("anywhere").warning("patient %s", IDENTITY["PatientName"].lower())


def takes_memory(_: bytes) -> None:
    # A mapping of its own: an allocation of the heap may be served from memory that the process already had.
    with mmap.mmap(-1, 64_000_000) as memory:
        memory[::4096] = bytes(len(range(0, len(memory), 4096)))


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (raising(ValueError("x")), "raised ValueError"),
        (raising(MemoryError()), "raised MemoryError"),
        (raising(ViolationError("NaN")), "gave NaN"),
        (raising(PneumoscopeError(f"'{IDENTITY['PatientID']}' is no number")), "an error with"),
        (raising(PneumoscopeError("two\nlines")), "an error of several lines"),
        (prints, "printed b'Corrupt JPEG data'"),
        (logs_a_name, "logged ['XDOEX', 'JANEX']"),
        (takes_memory, " MB"),
    ],
)
def test_each_kind_of_fault_is_found(judged, check, fault, monkeypatch):
    monkeypatch.setattr(worker, "MOST_MB", 30)
    answer = judged(check)
    assert (answer["kind"], fault in answer["fault"]) == ("FAULT", True), answer


def test_a_refusal_and_a_reading_are_no_fault(judged):
    assert judged(raising(PneumoscopeError("a sentence")))["kind"] == "PneumoscopeError"
    assert judged(lambda _: None)["kind"] == "read"


@pytest.mark.parametrize("name", ["dicom", "pictures", "labels"])
def test_a_number_names_one_input(name):
    made = [worker.input_of(name, 3, number) for number in range(20)]
    assert made == [worker.input_of(name, 3, number) for number in range(20)]
    assert len(set(made)) > 15
    assert TARGETS[name].input(random.Random("another")) not in made


def test_the_default_lane_has_2000_inputs_of_all_targets():
    counts = shares(2000)
    assert counts.keys() == TARGETS.keys()
    assert 2000 <= sum(counts.values()) <= 2000 + len(TARGETS)
