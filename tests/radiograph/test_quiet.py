"""Silence that many threads may ask for at once."""

import logging
import threading
import warnings

import pytest

from pneumoscope.radiograph.quiet import quiet


def test_warnings_are_back_after_overlapping_silences_in_threads():
    before, inside, leave = list(warnings.filters), threading.Barrier(3), threading.Event()

    def hold():
        with quiet():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert logging.getLogger("pydicom").disabled
    warnings.warn("not heard", stacklevel=1)
    leave.set()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
    assert not logging.getLogger("pydicom").disabled


def test_warnings_are_back_after_an_exception():
    before = list(warnings.filters)
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    assert warnings.filters == before
