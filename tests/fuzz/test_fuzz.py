"""Mutated inputs of every parser are read, or refused by one of our errors, in bounded time and memory; nothing is printed.

PNEUMOSCOPE_FUZZ says how many inputs, PNEUMOSCOPE_FUZZ_SEED which ones. An input that once failed is kept in ``seeds/TARGET/``.
"""

import os
from pathlib import Path

import pytest

from tests.fuzz.run import fuzz, replay, shares, text_of
from tests.fuzz.targets import TARGETS

N_INPUTS = int(os.environ.get("PNEUMOSCOPE_FUZZ", "2000"))
SEED = int(os.environ.get("PNEUMOSCOPE_FUZZ_SEED", "0"))
SEEDS = Path(__file__).with_name("seeds")

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of memory")


@pytest.mark.parametrize(("name", "n_inputs"), shares(N_INPUTS).items())
def test_no_mutated_input_has_a_fault(name, n_inputs):
    report = fuzz(name, SEED, n_inputs)
    assert not report.faults, text_of(name, SEED, report)
    assert report.counts.total() == n_inputs


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "n_inputs"), shares(55_000).items())
def test_no_input_of_very_many_has_a_fault(name, n_inputs):
    report = fuzz(name, SEED + 1, n_inputs)
    assert not report.faults, text_of(name, SEED + 1, report)


@pytest.mark.parametrize("name", sorted(path.name for path in SEEDS.iterdir()))
def test_an_input_that_once_failed_has_no_fault(name):
    report = replay(name, SEEDS / name)
    assert not report.faults, text_of(name, 0, report)


def test_every_target_reads_its_own_samples():
    for name in ("dicom", "pictures", "film", "reading", "line", "cohort", "predictions", "labels", "regions", "study", "node"):
        for content in TARGETS[name].samples().values():
            TARGETS[name].check(content)
