"""The cohort of small synthetic radiographs that training is tested on."""

from tests.training.conftest import cohort_file

__all__ = ["cohort_file"]
