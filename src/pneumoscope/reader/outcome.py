"""Define the outcome: the reading of one of many sources, or why there is none."""

from dataclasses import dataclass
from pathlib import Path

from pneumoscope import PneumoscopeError
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading

Source = Path | str | bytes | Radiograph
"""What can be read: a file, its content, or a radiograph."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The reading of one of many sources, or the error that says why there is none.

    Parameters
    ----------
    source : Path, str, bytes or Radiograph
        What was to be read.
    radiograph : Radiograph, optional
        None where it could not be decoded.
    reading : ModelReading, optional
        None where it could not be read.
    error : PneumoscopeError or OSError, optional
        None where it was read.
    """

    source: Source
    radiograph: Radiograph | None = None
    reading: ModelReading | None = None
    error: PneumoscopeError | OSError | None = None

    def answered(self, answer: ModelReading | PneumoscopeError) -> "Outcome":
        """Complete the outcome of a decoded radiograph.

        Parameters
        ----------
        answer : ModelReading or PneumoscopeError
            The model's reading, or why it gave none.

        Returns
        -------
        Outcome
            With the reading or the error.
        """
        if isinstance(answer, PneumoscopeError):
            return Outcome(self.source, self.radiograph, error=answer)
        return Outcome(self.source, self.radiograph, answer)
