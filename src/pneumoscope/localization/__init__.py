"""Heat maps measured against reference regions, lung fields and uninformed maps."""

from pneumoscope.localization.case import LocalizationCase, ReadCase, read_cases, reduced_case
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.localize import Selected, localize, measure_cases
from pneumoscope.localization.localizer import Localization, Localizer, Provenance, UninformedBaseline, best_threshold

__all__ = [
    "Localization",
    "LocalizationCase",
    "LocalizationError",
    "Localizer",
    "Provenance",
    "ReadCase",
    "Selected",
    "UninformedBaseline",
    "best_threshold",
    "localize",
    "measure_cases",
    "read_cases",
    "reduced_case",
]
