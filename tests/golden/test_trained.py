"""A comparison of tiny networks that are trained here, as it was before the sources were moved."""

import pytest
import torch

from tests.golden import answers
from tests.golden.compared import EXACT, NETWORK, differences, frozen


@pytest.mark.slow
def test_a_comparison_of_networks_that_are_trained_here(cohort_file, tmp_path):
    """Training multiplies the last digit in which two processors differ; its figures are compared on one machine only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        now = answers.trained_comparison(cohort_file, tmp_path / "out")
    finally:
        torch.set_num_threads(threads)
    before = frozen("comparison-trained")
    assert differences(answers.without_training(before), answers.without_training(now), NETWORK, absolute=NETWORK) == []
    if EXACT:
        assert differences(before, now, NETWORK, absolute=NETWORK) == []
