"""Values that are kept up to a number of bytes, each made once at a time."""

import concurrent.futures
import threading

import pytest

from pneumoscope.web.bounded_cache import BoundedCache


@pytest.fixture
def cache():
    return BoundedCache(10, len)


def test_the_values_that_were_used_last_are_kept(cache):
    for key, value in (("a", b"1234"), ("b", b"1234"), ("a", b"never made"), ("c", b"1234")):
        cache.get(key, lambda value=value: value)
    assert cache.n_bytes == 8
    assert cache.get("a", pytest.fail) == b"1234"
    assert cache.get("c", pytest.fail) == b"1234"
    assert cache.get("b", lambda: b"again") == b"again"


def test_a_value_larger_than_the_whole_is_returned_and_not_kept(cache):
    cache.get("small", lambda: b"1")
    assert cache.get("large", lambda: bytes(11)) == bytes(11)
    assert cache.n_bytes == 1
    assert cache.get("large", lambda: b"again") == b"again"


def test_an_error_is_raised_and_the_next_one_tries_again(cache):
    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cache.get("a", fail)
    assert cache.get("a", lambda: b"1") == b"1"


def test_values_are_dropped_by_their_keys(cache):
    for key in "abc":
        cache.get(key, lambda: b"12")
    cache.drop(lambda key: key != "b")
    assert cache.n_bytes == 2
    assert cache.get("b", pytest.fail) == b"12"


def test_of_many_who_ask_at_the_same_time_one_makes_the_value(cache):
    made, together = [], threading.Barrier(8)

    def make():
        made.append(1)
        return b"value"

    def ask(_):
        together.wait(60)
        return cache.get("key", make)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {b"value"}
    assert made == [1]


def test_different_values_are_made_at_the_same_time(cache):
    both = threading.Barrier(2)

    def make():
        both.wait(60)  # neither would come through alone
        return b"1"

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda key: cache.get(key, make), "ab")) == [b"1", b"1"]
