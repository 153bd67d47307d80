"""Freed memory is kept, and results do not change by it."""

import subprocess
import sys

CODE = """
import resource
import torch
from pneumoscope.training import allocator

torch.set_num_threads(1)


def faults():
    # Three tensors of 64 MB: by default glibc reuses no block above 32 MB.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.zeros(16_000_000).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


default = faults()
assert allocator.keep_freed()
faults()  # the first block comes from the system
print(default, faults())
"""


def test_large_blocks_are_not_mapped_again_each_time():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    default, keeping = map(int, ran.stdout.split())
    assert keeping < default / 10
