"""`in_order`: results in the order of the items, no more of them at once than it says, errors where they belong."""

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.ordered_map import chunks, cores, ordered_map


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_come_in_the_order_of_the_items_however_long_each_takes(workers):
    def slow(k: int) -> int:
        time.sleep(0.002 * (k % 3))
        return k * k

    assert list(ordered_map(slow, range(40), workers)) == [k * k for k in range(40)]


def test_items_are_taken_no_faster_than_their_results():
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield k

    results = ordered_map(lambda k: k, items(), workers=2)
    assert next(results) == 0
    assert len(taken) <= 4
    assert [next(results) for _ in range(10)] == list(range(1, 11))
    assert len(taken) <= 14


def test_as_many_work_at_once_as_there_are_workers():
    meeting = threading.Barrier(3, timeout=10)  # breaks unless three are in it at once
    assert list(ordered_map(lambda _: meeting.wait() >= 0, range(6), workers=3)) == [True] * 6


def test_an_error_comes_in_its_place_and_ends_the_work():
    def work(k: int) -> int:
        if k == 3:
            raise ValueError("three")
        return k

    results = ordered_map(work, range(1000), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_no_items_no_results():
    assert list(ordered_map(str, [], workers=2)) == []


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_hold_all_items_in_order_and_only_the_last_is_shorter(items, size):
    parts = list(chunks(items, size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_cores_are_those_that_the_process_is_bound_to():
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def machine(root, groups: str, **files: str):
    """A root folder with these control groups of the process and these files, `/` written as `__`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu_max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu_max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu_max": "max 100000\n"}, 8),
        ("0::/a/b\n", {"a__b__cpu_max": "max 100000", "a__cpu_max": "300000 100000"}, 3),
        ("0::/docker/1a2b\n", {"cpu_max": "400000 100000"}, 4),  # the group of the host, mounted at the top
        (
            "4:memory:/\n2:cpu,cpuacct:/d\n",
            {"cpu,cpuacct__d__cpu_cfs_quota_us": "250000", "cpu,cpuacct__d__cpu_cfs_period_us": "100000"},
            3,
        ),
        ("1:cpu:/\n0::/\n", {"cpu__cpu_cfs_quota_us": "100000\n", "cpu__cpu_cfs_period_us": "100000\n"}, 1),
        ("1:cpu:/\n", {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, 8),
        ("1:cpuset:/\n", {}, 8),
        ("", {}, 8),
    ],
)  # fmt: skip
def test_cores_are_no_more_than_the_quota_of_the_container(groups, files, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores(machine(tmp_path, groups, **files)) == expected
