"""What can be wrong with a cohort.

PneumoscopeError
└── CohortError              a cohort could not be built, read or split
    └── NameGrammarError     a file name does not say which patient it belongs to
"""

from pneumoscope import PneumoscopeError


class CohortError(PneumoscopeError):
    """A cohort could not be built, read or split."""


class NameGrammarError(CohortError):
    """A file name does not say which patient it belongs to."""
