"""How far a study has come: locked cases, counted in one way everywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pneumoscope.reader_study.projection import Stored
from pneumoscope.reader_study.worklist import Task


@dataclass(frozen=True)
class Progress:
    """Cases that are done.

    Parameters
    ----------
    locked : int
        Cases all of whose answers in a session are locked, without practice; a case that is read in two sessions counts twice.
    assigned : int
        Cases of the worklist, counted in the same way.
    """

    locked: int
    assigned: int

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return self.locked == self.assigned

    def __str__(self) -> str:
        """For example ``12 of 80 cases``."""
        return f"{self.locked} of {self.assigned} cases"


def progress(tasks: Sequence[Task], answers: Iterable[Stored], session: int | None = None) -> Progress:
    """Count the locked cases of one reader.

    Parameters
    ----------
    tasks : sequence of Task
        The reader's worklist.
    answers : iterable of Stored
        The reader's answers.
    session : int, optional
        Count one session only.

    Returns
    -------
    Progress
        The counts.
    """
    locked = {answer.task for answer in answers if answer.locked}
    own = [task for task in tasks if task.last_step and not task.training and session in (None, task.session)]
    return Progress(sum(task.number in locked for task in own), len(own))


def current(tasks: Sequence[Task], answers: Iterable[Stored]) -> Task | None:
    """Find the task that a reader is at: the first that is not locked.

    Parameters
    ----------
    tasks : sequence of Task
        The reader's worklist.
    answers : iterable of Stored
        The reader's answers.

    Returns
    -------
    Task or None
        None when all are locked.
    """
    locked = {answer.task for answer in answers if answer.locked}
    return next((task for task in tasks if task.number not in locked), None)
