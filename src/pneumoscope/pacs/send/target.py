"""Define what the sender needs of a destination, whatever protocol it speaks."""

from typing import Protocol

from pneumoscope.pacs.send.outcome import Outcome
from pneumoscope.pacs.send.result_file import ResultFile


class Target(Protocol):
    """A destination with its open connections; used by one thread at a time."""

    def store(self, result: ResultFile) -> Outcome:
        """Send a result and wait for the answer."""

    def holds(self, result: ResultFile) -> bool | None:
        """Ask whether the destination holds a result; None where it cannot say."""

    def echo(self) -> None:
        """Check that the destination answers."""

    def rest(self) -> None:
        """Close connections that are not needed for now."""

    def close(self) -> None:
        """Close all connections."""


class UnreachableTargetError(Exception):
    """The destination could not be asked; the argument is a sentence."""
