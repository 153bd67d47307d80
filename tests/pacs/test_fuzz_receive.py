"""A short fuzz of the receiving side; ``python -m tests.pacs.fuzz_receive --minutes 10`` is the long one."""

import pytest

from tests.pacs.fuzz_receive import fuzz

pytestmark = pytest.mark.filterwarnings("ignore")  # as in a node, whose libraries may warn of what they read


def test_damaged_conversations_and_data_sets_raise_nothing_unnamed(tmp_path):
    counted, unnamed = fuzz(tmp_path, seconds=120, seed=7, rounds=60)
    assert unnamed == []
    assert counted["conversations"] == 60
    assert counted["NotUnderstoodError"] > 0
