"""Define the mark: a place that a reader points at."""

from dataclasses import dataclass

from pneumoscope.radiograph import Region


@dataclass(frozen=True)
class Mark:
    """A place that a reader, human or model, points at.

    Parameters
    ----------
    row, col : float
        The place in pixels of the radiograph; (0.5, 0.5) is the centre of the first pixel.
    rating : float
        Confidence that an abnormality is there, on the reader's own scale; higher is more confident. A model's is in [0, 1].
    region : Region, optional
        The rectangle that the reader drew, in pixels of the radiograph.

    Examples
    --------
    >>> Mark(120.5, 80.0, rating=0.7).rating
    0.7
    """

    row: float
    col: float
    rating: float
    region: Region | None = None
