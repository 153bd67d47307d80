"""Worker processes with limits: what comes back, and one sentence for each way to fail."""

import concurrent.futures
import sys
import threading
import time
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.limited_process import (
    ClosedError,
    CrashedError,
    LimitedPool,
    Limits,
    MemoryLimitError,
    TimeLimitError,
    UnexpectedFailureError,
    worker,
    worker_process,
)
from pneumoscope.limited_process.deadlines import Deadlines
from pneumoscope.limited_process.pending import Pending
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
    monkeypatch.setattr(worker, "resource", None)
    worker._limit_memory(ENOUGH)
    worker._limit_processor_time(ENOUGH)
    with pytest.raises(TimeLimitError):
        pool(limited_functions.sleep, Limits(0.3))(3600.0)


def test_a_worker_imports_nothing_heavy(pool):
    assert not {"torch", "onnxruntime", "scipy"} & set(pool(limited_functions.modules)())


def told(outcomes):
    return [outcome if isinstance(outcome, bytes) else type(outcome) for outcome in outcomes]


def test_each_content_is_a_call_of_its_own_in_one_worker(pool):
    obey = pool(limited_functions.obey)
    contents = [b"1", b"refuse", b"2", b"fail", b"3"]
    assert told(obey.each(contents)) == [b"1", UnreadableFileError, b"2", UnexpectedFailureError, b"3"]
    first, second = obey.each([b"process id"] * 2)
    assert first == second == obey(b"process id")


@pytest.mark.parametrize("length", [10, 100_000, 3_000_000])
def test_a_content_that_ends_its_worker_costs_only_its_own_result(pool, length):
    rest = bytes(length)
    contents = [b"a" + rest, b"crash", b"b" + rest, b"crash", b"crash", b"c" + rest]
    answers = [b"a" + rest, CrashedError, b"b" + rest, CrashedError, CrashedError, b"c" + rest]
    assert told(pool(limited_functions.obey).each(contents)) == answers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_each_content_has_limits_of_its_own(pool):
    obey = pool(limited_functions.obey, Limits(1.0, 300_000_000))
    contents = [b"a", b"sleep", b"b", b"allocate", b"c"]
    assert told(obey.each(contents)) == [b"a", TimeLimitError, b"b", MemoryLimitError, b"c"]


def test_a_worker_that_is_killed_after_its_answer_costs_no_other_content(pool, monkeypatch):
    def late(stream):
        answer = receive(stream)
        time.sleep(1.0 if answer != worker.READY else 0)  # the deadline passes between the answer and its end
        return answer

    receive = worker_process.receive
    monkeypatch.setattr(worker_process, "receive", late)
    contents = [bytes([k]) * 600_000 for k in range(3)]
    assert told(pool(limited_functions.obey, Limits(0.5)).each(contents)) == contents


def test_whoever_wants_no_more_results_gets_no_other_result_later(pool):
    obey = pool(limited_functions.obey)
    outcomes = obey.each([b"1", b"2", b"3"])
    assert next(outcomes) == b"1"
    outcomes.close()
    assert obey(b"4") == b"4"
    assert told(obey.each([b"5", b"6"])) == [b"5", b"6"]


def test_contents_are_asked_for_shortly_before_they_are_sent(pool):
    asked = []

    def contents():
        for k in range(4):
            asked.append(k)
            yield bytes(2_000_000)

    outcomes = pool(limited_functions.obey).each(contents())
    counts = [len(asked) for _ in outcomes]
    assert counts == [2, 3, 4, 4]


def test_a_closed_pool_answers_nothing_more(pool):
    obey = pool(limited_functions.obey)
    outcomes = obey.each([b"1", b"sleep", b"2"])
    assert next(outcomes) == b"1"
    obey.close()
    assert isinstance(next(outcomes), CrashedError)
    with pytest.raises(ClosedError, match="decoding was stopped"):
        next(outcomes)


@given(st.lists(st.binary(max_size=20)), st.integers(0, 1500), st.randoms(use_true_random=False))
def test_contents_are_sent_in_their_order_as_many_as_fit_and_again_after_a_death(contents, most_bytes, random):
    pending, answered = Pending(iter(contents)), []
    while pending:
        before = len(pending.unanswered)
        taken = pending.to_send(most_bytes)
        assert sum(len(one) + 256 for one in pending.unanswered) <= most_bytes or (before, len(taken)) == (0, 1) or not taken
        assert pending.unanswered
        answered.append(pending.unanswered.popleft())
        if random.random() < 0.3:
            pending.send_again()
    assert answered == contents


def test_one_thread_watches_deadlines_until_there_are_none():
    deadlines, ended = Deadlines(), Event()
    with deadlines.within(3600.0, ended.set) as never, deadlines.within(0.05, ended.set) as late:
        assert ended.wait(60.0)
        assert (late.is_set(), never.is_set()) == (True, False)
        assert [thread.name for thread in threading.enumerate()].count("deadlines") >= 1
    with deadlines.within(0.05, lambda: pytest.fail("it was left in time")):
        pass
    ended.clear()
    with deadlines.within(0.05, ended.set):
        assert ended.wait(60.0)
