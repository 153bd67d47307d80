"""Errors of reader studies."""

from pneumoscope import PneumoscopeError


class ReaderStudyError(PneumoscopeError):
    """A study, an answer or a request is not valid."""


class InvalidStudyError(ReaderStudyError):
    """A study file does not describe a valid study."""


class NotSignedInError(ReaderStudyError):
    """A request carries no personal link of a reader of this study."""


class ForbiddenError(ReaderStudyError):
    """A reader asked for what the reader may not see now."""


class ConflictError(ReaderStudyError):
    """A change does not fit the state of the study, such as an answer to a case that is locked."""


class BlindedError(ReaderStudyError):
    """Results were asked for before all answers are locked."""


class TamperedJournalError(ReaderStudyError):
    """A journal is not what the program wrote."""
