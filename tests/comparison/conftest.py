"""The cohort of small synthetic radiographs that training is tested on."""

from tests.training.conftest import cohort, cohort_file

__all__ = ["cohort", "cohort_file"]
