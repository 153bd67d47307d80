"""Name the populations of patients that models, cohorts and readings distinguish: children and adults."""

from typing import Literal

Population = Literal["child", "adult"]
"""A group of patients with calibration, operating points and limits of its own."""
ADULT_YEARS = 18
"""Age from which a patient is an adult."""


def population_of(age_years: float) -> Population:
    """Return the population of a patient of a known age.

    Parameters
    ----------
    age_years
        Age in years, >= 0.

    Returns
    -------
    {"child", "adult"}
        An adult is `ADULT_YEARS` or older.
    """
    return "adult" if age_years >= ADULT_YEARS else "child"
