"""`silenced_decoders`: silence in the thread that decodes, and in no other."""

import logging
import threading
import warnings

import pytest

from pneumoscope.radiograph.silenced_decoders import silenced_decoders


def test_a_warning_and_a_log_of_the_decoding_thread_are_dropped(caplog):
    with silenced_decoders():
        warnings.warn("the patient is Doe^Jane", stacklevel=1)
        logging.getLogger("pydicom").warning("the patient is Doe^Jane")
    assert not caplog.records


def test_another_thread_hears_its_warnings_and_logs_while_one_decodes(caplog):
    decoding, leave, caught = threading.Event(), threading.Event(), []

    def decode():
        with silenced_decoders():
            decoding.set()
            leave.wait()

    thread = threading.Thread(target=decode)
    thread.start()
    decoding.wait()
    try:
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("mine too", DeprecationWarning, stacklevel=1)
        logging.getLogger("pydicom").warning("mine")
    finally:
        leave.set()
        thread.join()
    assert [str(w.message) for w in caught] == ["mine too"]
    assert [r.message for r in caplog.records] == ["mine"]


def test_warnings_are_heard_again_after_overlapping_silences_in_threads():
    inside, leave = threading.Barrier(3), threading.Event()

    def hold():
        with silenced_decoders():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    leave.set()
    for thread in threads:
        thread.join()
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_warnings_are_heard_again_after_an_exception():
    with pytest.raises(RuntimeError, match="decoder"), silenced_decoders():
        raise RuntimeError("decoder")
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_a_nested_silence_does_not_end_the_outer_one():
    with silenced_decoders():
        with silenced_decoders():
            pass
        warnings.warn("not heard", stacklevel=1)


def test_a_filter_that_was_set_later_is_not_heard_either():
    with silenced_decoders():
        pass
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced_decoders():
            warnings.warn("not heard", stacklevel=1)
        warnings.warn("heard", stacklevel=1)
    assert [str(w.message) for w in caught] == ["heard"]
