"""Define the reading: one reader's answer for one case under one condition."""

import math
from dataclasses import dataclass
from typing import Literal

from pneumoscope.classifier.score import Decision
from pneumoscope.readings.case_key import CaseKey
from pneumoscope.readings.mark import Mark

Condition = Literal["unaided", "aided"]
"""Whether a human reader saw a model's answer; a model always reads unaided."""


@dataclass(frozen=True)
class Reading:
    """The answer of one reader, human or model, for one case under one condition.

    Parameters
    ----------
    reader : str
        Pseudonym of the human reader, or the name of the model.
    case : CaseKey
        The image.
    target : str
        What was asked for, such as ``pneumonia``.
    rating : float
        Confidence that the target is present, finite, on the reader's own scale; higher is more confident. A model's rating is
        its calibrated probability, in [0, 1].
    decision : {"positive", "negative"}, optional
        None where the reader gave a rating only.
    marks : tuple of Mark
        The places that the reader pointed at.
    condition : {"unaided", "aided"}
        Whether the reader saw a model's answer.
    seconds : float, optional
        Reading time, >= 0; None where it was not measured.

    Raises
    ------
    ValueError
        The rating is not finite, or the time is negative.

    Examples
    --------
    >>> Reading("reader 1", CaseKey("a.png"), "pneumonia", rating=4.0, decision="positive", condition="aided").condition
    'aided'
    """

    reader: str
    case: CaseKey
    target: str
    rating: float
    decision: Decision | None = None
    marks: tuple[Mark, ...] = ()
    condition: Condition = "unaided"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.rating):
            raise ValueError(f"a rating must be finite, not {self.rating}")
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"a reading time must be finite and not below 0, not {self.seconds}")
