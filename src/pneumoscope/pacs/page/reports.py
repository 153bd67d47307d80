"""The last report about each polled service, as `pneumoscope.pacs.reconcile.save` wrote it."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pneumoscope.pacs.reconcile import REPORTS


@dataclass(frozen=True)
class Reason:
    """Why images were not read.

    Parameters
    ----------
    state, reason : str
        State in the ledger, and the sentence.
    instances : int
        Number of images.
    """

    state: str
    reason: str
    instances: int


@dataclass(frozen=True)
class _Outside:
    undated: int = 0
    earlier: int = 0
    earlier_missing: int = 0
    unseen: str = ""


@dataclass(frozen=True)
class _Written:
    """What is used of the file of a report."""

    source: str
    first_study_date: str
    last_study_date: str
    in_pacs: int
    states: dict[str, int]
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()
    outside_of_the_period: _Outside = field(default_factory=_Outside)


_WRITTEN = msgspec.json.Decoder(_Written)


@dataclass(frozen=True)
class Report:
    """What a PACS has of a period, and what the node did with it.

    Parameters
    ----------
    first, last : str
        First and last Study Date.
    made_at : float
        When it was made, in seconds since 1970, UTC.
    in_pacs, missing : int
        Number of images in the PACS, and of those that had not arrived.
    states : dict of str to int
        Number of images by state.
    reasons : tuple of Reason
        Why images were not read.
    earlier, earlier_missing : int
        Number of images with an earlier Study Date, and of those that had not arrived; they are not fetched.
    unseen : str
        Which images could not be seen, and why; empty where all were seen.
    """

    first: str
    last: str
    made_at: float
    in_pacs: int
    missing: int
    states: dict[str, int]
    reasons: tuple[Reason, ...]
    earlier: int
    earlier_missing: int
    unseen: str


def last_reports(spool_folder: Path) -> dict[str, Report]:
    """Read the newest report about each service.

    Parameters
    ----------
    spool_folder : Path
        The spool folder.

    Returns
    -------
    dict of str to Report
        By the name of the poll; a file that cannot be read is left out.
    """
    newest: dict[str, Report] = {}
    for file in sorted((spool_folder / REPORTS).glob("reconcile-*.json")):
        try:
            written, made_at = _WRITTEN.decode(file.read_bytes()), file.stat().st_mtime
        except (OSError, msgspec.MsgspecError):
            continue
        before = newest.get(written.source)
        if before is None or before.made_at <= made_at:
            newest[written.source] = _report(written, made_at)
    return newest


def _report(written: _Written, made_at: float) -> Report:
    outside = written.outside_of_the_period
    return Report(
        written.first_study_date,
        written.last_study_date,
        made_at,
        written.in_pacs,
        len(written.missing),
        written.states,
        written.reasons,
        outside.earlier,
        outside.earlier_missing,
        outside.unseen,
    )
