"""Define the errors of a call in a worker process."""

from pneumoscope import PneumoscopeError


class LimitedProcessError(PneumoscopeError):
    """A worker process did not finish a call."""


class TimeLimitError(LimitedProcessError):
    """A call took longer than its limit, and its process was killed."""


class MemoryLimitError(LimitedProcessError):
    """A call needed more memory than its limit."""


class CrashedError(LimitedProcessError):
    """The process of a call ended in the middle of it."""


class ClosedError(LimitedProcessError):
    """A call was made after the pool was closed."""


class NotStartedError(PneumoscopeError):
    """The system does not allow another process or pipe."""


class UnexpectedFailureError(LimitedProcessError):
    """A call raised an exception that is no `PneumoscopeError`; its text is left out, because it may quote the input.

    Parameters
    ----------
    action : str
        What the call did.
    kind : str
        Name of the exception's class.
    """

    def __init__(self, action: str, kind: str) -> None:
        super().__init__(f"{action} failed with an unexpected {kind}; please report this with the kind of the input")
        self.kind = kind
