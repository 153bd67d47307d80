"""Define `Outcome`: the reading of one source among many, or the error in its place."""

from dataclasses import dataclass
from pathlib import Path

from pneumoscope import PneumoscopeError
from pneumoscope import radiograph as radiographs
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader.errors import SourceError
from pneumoscope.readings import ModelReading

Source = Path | str | bytes | Radiograph
"""A source that can be read: the path of a file, the bytes of a file, or a decoded radiograph."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The reading of one source among many, or the error in its place.

    Attributes
    ----------
    source : Path, str, bytes or Radiograph
        The source.
    radiograph : Radiograph or None
        The decoded radiograph; None if the source could not be decoded.
    reading : ModelReading or None
        The reading; None after an error.
    error : PneumoscopeError or OSError or None
        The reason why there is no reading; None if there is one.
    """

    source: Source
    radiograph: Radiograph | None = None
    reading: ModelReading | None = None
    error: PneumoscopeError | OSError | None = None

    def answered(self, answer: ModelReading | PneumoscopeError) -> "Outcome":
        """Add the reading, or the error in its place, to the outcome of a decoded radiograph.

        Parameters
        ----------
        answer : ModelReading or PneumoscopeError
            The model's reading, or the error in its place.

        Returns
        -------
        Outcome
            A copy with the reading or the error.
        """
        if isinstance(answer, PneumoscopeError):
            return Outcome(self.source, self.radiograph, error=answer)
        return Outcome(self.source, self.radiograph, answer)


def open_source(source: Source, seen_px: int = 0) -> Radiograph:
    """Decode a source.

    Parameters
    ----------
    source : Path, str, bytes or Radiograph
        The source.
    seen_px : int
        As for `pneumoscope.radiograph.read`; not used for a decoded radiograph.

    Returns
    -------
    Radiograph
        The decoded radiograph.

    Raises
    ------
    RadiographError
        If a file cannot be decoded as a radiograph.
    SourceError
        If the source has another type.
    """
    if not isinstance(source, Radiograph | Path | str | bytes):
        raise SourceError(
            f"a source must be a Radiograph, a path or the bytes of a file, not {type(source).__name__}; convert grey levels "
            "in [0, 1] with  pneumoscope.Radiograph(pixels)  from a float32 array of shape (rows, cols)"
        )
    return source if isinstance(source, Radiograph) else radiographs.read(source, seen_px)
