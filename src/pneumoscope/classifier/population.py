"""Name the populations of patients that a model may know: children and adults; no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pneumoscope.population import ADULT_YEARS, Population, population_of

__all__ = ["ADULT_YEARS", "PLURALS", "Population", "PopulationChoice", "PopulationSource", "population_of"]

PopulationSource = Literal["age", "user", "unknown"]
"""How the population of a patient was known: from the age in the file, from the user, or not at all."""
PLURALS: Mapping[Population, str] = {"child": "children", "adult": "adults"}
"""The populations, and the word for their patients."""


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
