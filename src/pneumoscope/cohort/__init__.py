"""Cases with their reference standard, patient-disjoint splits, and audits for leaks and shortcuts."""

from pneumoscope.cohort.case import SIDES, Case, Cohort, Side, Split
from pneumoscope.cohort.errors import CohortError, NameGrammarError

__all__ = ["SIDES", "Case", "Cohort", "CohortError", "NameGrammarError", "Side", "Split"]
