"""Which radiographs of the user's cohort the report shows: by rule, never by hand."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics.metrics import Array

EACH = 4
"""Cases shown for each rule, at most."""
RULES = ("most confident and right", "most confident and wrong", "nearest to the threshold")


@dataclass(frozen=True)
class Shown:
    """A case that is shown.

    Parameters
    ----------
    path
        As in the cohort.
    rule
        The rule that it was chosen by, one of `RULES`.
    """

    path: str
    rule: str


def by_rule(member: ComparedModel, each: int = EACH) -> list[Shown]:
    """Choose cases of the test split; confidence is the distance of the calibrated log-odds from the threshold.

    Parameters
    ----------
    member
        The model whose decisions count.
    each
        Cases for each rule, at most.

    Returns
    -------
    list[Shown]
        One case per patient for each rule.
    """
    rows, right = member.test.rows, member.decisions == member.test.reference
    distance = np.abs(_log_odds(member.test.probability) - _log_odds(np.array(member.threshold)))
    falling, rising = np.argsort(-distance, kind="stable"), np.argsort(distance, kind="stable")
    shown = []
    for rule, order in zip(RULES, (falling[right[falling]], falling[~right[falling]], rising), strict=True):
        first_of_patient: dict[str, str] = {}
        for k in order:
            first_of_patient.setdefault(rows[k].patient_id, rows[k].path)
        shown += [Shown(path, rule) for path in [*first_of_patient.values()][:each]]
    return shown


def _log_odds(probability: Array) -> Array:
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(p / (1 - p)))
