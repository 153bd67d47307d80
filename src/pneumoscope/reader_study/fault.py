"""What `check` finds wrong with a study."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """Something wrong with a study.

    Parameters
    ----------
    severity : {"error", "warning"}
        An error makes the study invalid; a warning makes it weaker.
    sentence : str
        What is wrong and what to do.
    """

    severity: Literal["error", "warning"]
    sentence: str


def errors(faults: Iterable[Fault]) -> tuple[str, ...]:
    """Select what makes a study invalid.

    Parameters
    ----------
    faults : iterable of Fault
        All faults.

    Returns
    -------
    tuple of str
        Sentences of the errors.
    """
    return tuple(fault.sentence for fault in faults if fault.severity == "error")
