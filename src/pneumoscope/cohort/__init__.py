"""Cases with their reference standard, patient-disjoint splits, and audits for leaks and shortcuts."""

from pneumoscope.cohort.case import SPLITS, Case, Cohort, Partition, SplitName
from pneumoscope.cohort.errors import CohortError, NameGrammarError

__all__ = ["SPLITS", "Case", "Cohort", "CohortError", "NameGrammarError", "Partition", "SplitName"]
