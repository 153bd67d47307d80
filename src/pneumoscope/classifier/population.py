"""Name the populations of patients that a model may know: children and adults; no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Population = Literal["child", "adult"]
"""A group of patients with calibration, operating points and limits of its own."""
PopulationSource = Literal["age", "user", "unknown"]
"""How the population of a patient was known: from the age in the file, from the user, or not at all."""
ADULT_YEARS = 18
"""Age from which a patient is an adult."""
PLURALS: Mapping[Population, str] = {"child": "children", "adult": "adults"}
"""The populations, and the word for their patients."""


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


@dataclass(frozen=True)
class PopulationChoice:
    """The population that a radiograph was read as, and how it was known.

    Parameters
    ----------
    value : {"child", "adult"}, optional
        The patient's population; None where it is unknown.
    source : {"age", "user", "unknown"}
        How it was known.
    settings : {"child", "adult"}
        The population whose calibration, operating point and grey zone decided. It is `value` where that is known, and otherwise
        the population whose operating point is more sensitive.

    Raises
    ------
    ValueError
        A known population is said to be unknown, an unknown one known, or the settings are those of another population.
    """

    value: Population | None
    source: PopulationSource
    settings: Population

    def __post_init__(self) -> None:
        if (self.value is None) != (self.source == "unknown"):
            raise ValueError(f"the source of the population {self.value} cannot be '{self.source}'")
        if self.value not in (None, self.settings):
            raise ValueError(f"a patient of the population '{self.value}' cannot be read with the settings of '{self.settings}'")

    def __str__(self) -> str:
        """What the radiograph was read as and how that was known, for people."""
        if self.value is None:
            return f"population unknown: read with the cautious settings ({self.settings})"
        return f"read as {self.value} ({'by age' if self.source == 'age' else 'as stated'})"

    @property
    def cautious(self) -> bool:
        """Whether the population is unknown, so that the more sensitive settings and the smaller domain limit decided."""
        return self.value is None
