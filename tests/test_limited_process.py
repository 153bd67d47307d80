"""Worker processes with limits: what comes back, and one sentence for each way to fail."""

import concurrent.futures
import sys
import time

import numpy as np
import pytest

from pneumoscope import limited_process
from pneumoscope.limited_process import (
    CrashedError,
    LimitedPool,
    Limits,
    MemoryLimitError,
    TimeLimitError,
    UnexpectedFailureError,
)
from pneumoscope.radiograph import UnreadableFileError
from tests import limited_functions

ENOUGH = Limits(60.0)


@pytest.fixture
def pool():
    """Make pools, and close them."""
    made = []

    def make(function, limits=ENOUGH, workers=1):
        made.append(LimitedPool(function, "decoding", limits, workers=workers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_arrays_go_and_come_back_whole_and_can_be_written(pool):
    values = np.arange(3_000_000, dtype=np.uint16).reshape(1000, 3000)
    answer = pool(limited_functions.doubled)(values)
    assert np.array_equal(answer, values * 2)
    answer[0, 0] = 7
    assert answer.dtype == np.uint16


def test_a_worker_is_used_again(pool):
    process_id = pool(limited_functions.process_id)
    process_id.start()
    assert process_id() == process_id()


def test_a_call_over_its_time_is_killed_and_the_next_one_has_a_new_worker(pool):
    sleep = pool(limited_functions.sleep, Limits(0.5))
    before = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"^decoding took longer than 0\.5 s and was stopped$"):
        sleep(3600.0)
    assert time.monotonic() - before < 600
    sleep.limits = ENOUGH
    assert sleep(0.0) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
@pytest.mark.parametrize("function", [limited_functions.allocate, limited_functions.allocate_and_hide])
def test_a_call_over_its_memory_is_refused_and_its_worker_lives(pool, function):
    allocate = pool(function, Limits(60.0, 300_000_000))
    assert allocate(1_000_000) == 1_000_000
    with pytest.raises(MemoryLimitError, match=r"^decoding needed more memory than 0\.3 GB$"):
        allocate(400_000_000)
    assert allocate(1_000_000) == 1_000_000


def test_a_crash_is_one_sentence_and_the_next_call_has_a_new_worker(pool):
    crash = pool(limited_functions.crash)
    for _ in range(2):
        with pytest.raises(CrashedError, match=r"^decoding failed: its process ended without an answer"):
            crash()


def test_our_errors_come_back_as_they_are(pool):
    with pytest.raises(UnreadableFileError, match=r"^the file is empty$"):
        pool(limited_functions.refuse)()


def test_the_text_of_other_errors_stays_in_the_worker(pool):
    with pytest.raises(UnexpectedFailureError, match="unexpected ValueError") as caught:
        pool(limited_functions.fail)("Patient^Name")
    assert "Patient" not in str(caught.value)


def test_what_a_library_prints_does_not_disturb_the_answer(pool, capfd):
    assert pool(limited_functions.print_much)() == "done"
    assert capfd.readouterr() == ("", "")


def test_more_calls_than_workers_wait_for_one_another(pool):
    process_id = pool(limited_functions.process_id, workers=2)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: process_id(), range(16)))
    assert 1 <= len(set(answers)) <= 2


def test_a_worker_without_the_modules_of_limits_still_keeps_the_time(pool, monkeypatch):
    monkeypatch.setattr(limited_process, "resource", None)
    limited_process._limit_memory(ENOUGH)
    limited_process._limit_processor_time(ENOUGH)
    with pytest.raises(TimeLimitError):
        pool(limited_functions.sleep, Limits(0.3))(3600.0)


def test_a_worker_imports_nothing_heavy(pool):
    assert not {"torch", "onnxruntime", "scipy"} & set(pool(limited_functions.modules)())
