"""Which of a user's own radiographs are shown: by rule, never by hand."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics.metrics import Array

EACH = 4
RULES = ("most confident and right", "most confident and wrong", "nearest to the threshold")


@dataclass(frozen=True)
class Shown:
    """A case by its path, and the rule that it was taken by."""

    path: str
    rule: str


def by_rule(member: ComparedModel, each: int = EACH) -> list[Shown]:
    """Cases of the test side, one a patient for each rule; fewer where there are not so many.

    Confidence is the distance of the calibrated log-odds from the member's threshold.
    """
    rows, right = member.test.rows, member.decisions == member.test.reference
    distance = np.abs(_log_odds(member.test.probability) - _log_odds(np.array(member.threshold)))
    falling, rising = np.argsort(-distance, kind="stable"), np.argsort(distance, kind="stable")
    found = []
    for rule, order in zip(RULES, (falling[right[falling]], falling[~right[falling]], rising), strict=True):
        first: dict[str, str] = {}
        for k in order:
            first.setdefault(rows[k].patient_id, rows[k].path)
        found += [Shown(path, rule) for path in [*first.values()][:each]]
    return found


def _log_odds(probability: Array) -> Array:
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(p / (1 - p)))
