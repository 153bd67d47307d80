"""The flow of cases through a study, as STARD 2015 item 19 asks: eligible, read, excluded, missing."""

from collections import Counter
from dataclasses import dataclass

from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.results import readings, unanswered, why_excluded
from pneumoscope.reader_study.trail import EXCLUDED
from pneumoscope.reader_study.worklist import worklists


@dataclass(frozen=True)
class Flow:
    """Counts of cases and answers.

    Parameters
    ----------
    eligible : int
        Cases of the cohort's split, without those for practice.
    not_chosen : mapping of str to int
        Cases that were not taken, by reason.
    chosen, diseased : int
        Cases of the study, and those with the target.
    assigned : int
        Answers that the protocol asks for.
    excluded : mapping of str to int
        Assigned answers that were excluded, by reason.
    locked : int
        Answers that count.
    missing : int
        Assigned answers that are neither excluded nor locked.
    """

    eligible: int
    not_chosen: dict[str, int]
    chosen: int
    diseased: int
    assigned: int
    excluded: dict[str, int]
    locked: int
    missing: int

    def lines(self) -> tuple[str, ...]:
        """Write the flow as text.

        Returns
        -------
        tuple of str
            One line a box of the flow diagram; what left the flow is indented.
        """
        left = [f"  not read: {count} ({reason})" for reason, count in self.not_chosen.items()]
        out = [f"  excluded: {count} answers ({reason})" for reason, count in self.excluded.items()]
        return (
            f"eligible: {self.eligible} cases",
            *left,
            f"in the study: {self.chosen} cases, {self.diseased} with the target",
            f"assigned: {self.assigned} answers",
            *out,
            f"  missing: {self.missing} answers",
            f"in the analysis: {self.locked} answers",
        )


def flow(study: OpenStudy) -> Flow:
    """Count the flow of a study from its protocol and trail; holds no answer.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    Flow
        At this moment.
    """
    protocol = study.protocol
    events = [event.body for event in study.journal.events(EXCLUDED)]
    assigned = [(reader, task) for reader, tasks in worklists(protocol).items() for task in tasks if not task.training]
    excluded: Counter[str] = Counter()
    for reader, task in assigned:
        if reason := why_excluded(events, reader, task.case):
            excluded[reason] += 1
    locked = sum(not one.excluded for one in readings(study))
    return Flow(
        len(protocol.read_cases) + len(protocol.not_chosen),
        dict(Counter(one.reason for one in protocol.not_chosen)),
        len(protocol.read_cases),
        sum(case.diseased for case in protocol.read_cases),
        len(assigned),
        dict(excluded),
        locked,
        unanswered(study),
    )
