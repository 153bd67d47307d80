"""Freed memory is kept, and results do not change by it."""

import subprocess
import sys

CODE = """
import resource, sys
import torch
from pneumoscope.training import memory
if sys.argv[1] == "keep":
    assert memory.keep_freed()
torch.set_num_threads(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.zeros(20_000_000).add_(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_large_blocks_are_not_mapped_anew_each_time():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "default")
    }
    assert faults["keep"] < faults["default"] / 2
