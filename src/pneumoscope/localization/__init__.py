"""Heat maps measured against reference regions, lung fields and uninformed maps."""

from pneumoscope.localization.case import LocalizationCase, ReadCase, read_cases, reduced_case
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.localize import Localization, Localizer, UninformedBaseline, best_threshold, localize

__all__ = [
    "Localization",
    "LocalizationCase",
    "LocalizationError",
    "Localizer",
    "ReadCase",
    "UninformedBaseline",
    "best_threshold",
    "localize",
    "read_cases",
    "reduced_case",
]
