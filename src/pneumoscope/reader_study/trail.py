"""What the coordinator does to a running study: override a washout, exclude a case or a reader, unblind; each with a reason."""

import uuid

from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.folder import COORDINATOR, OpenStudy
from pneumoscope.reader_study.journal import Event, canonical
from pneumoscope.reader_study.room import OVERRIDE
from pneumoscope.reader_study.worklist import worklist

EXCLUDED, UNBLINDED = "excluded", "unblinded"
_ANSWERS = ("answer", "undo")
"""Parts of an event from which an answer can be read."""


def _reason(text: str) -> str:
    if len(text.split()) < 2:
        raise ReaderStudyError("a reason of at least two words is needed; it stays in the trail of the study")
    return " ".join(text.split())


def override_washout(study: OpenStudy, reader: str, session: int, reason: str) -> Event:
    """Let a reader start a session before the washout is over.

    Parameters
    ----------
    study : OpenStudy
        The study.
    reader : str
        Pseudonym.
    session : int
        The session, from 2.
    reason : str
        Why; at least two words.

    Returns
    -------
    Event
        In the trail.

    Raises
    ------
    ReaderStudyError
        If there is no such reader or session, or no reason.
    """
    _known_reader(study, reader)
    sessions = {task.session for task in worklist(study.protocol, reader)}
    if session < 2 or session not in sessions:
        raise ReaderStudyError(f"the reader '{reader}' has no session {session} that follows a washout")
    body = {"reader": reader, "session": session, "reason": _reason(reason)}
    return study.journal.record(OVERRIDE, COORDINATOR, uuid.uuid4().hex, body)


def exclude(study: OpenStudy, *, case: str = "", reader: str = "", reason: str) -> Event:
    """Exclude a case, a reader, or one reader's answers to one case from all results; the answers stay in the journal.

    Parameters
    ----------
    study : OpenStudy
        The study.
    case : str
        Name of the case; empty for all cases of the reader.
    reader : str
        Pseudonym; empty for all readers of the case.
    reason : str
        Why; at least two words.

    Returns
    -------
    Event
        In the trail.

    Raises
    ------
    ReaderStudyError
        If neither is named, one is not in the study, or there is no reason.
    """
    if not case and not reader:
        raise ReaderStudyError("name the case or the reader to exclude")
    if reader:
        _known_reader(study, reader)
    if case and case not in study.protocol.by_name:
        raise ReaderStudyError("there is no such case in the study; write its path as the cohort does")
    body = {"case": case, "reader": reader, "reason": _reason(reason)}
    return study.journal.record(EXCLUDED, COORDINATOR, uuid.uuid4().hex, body)


def unblind(study: OpenStudy, reason: str, key: str = "") -> Event:
    """Open the results before all answers are locked.

    Parameters
    ----------
    study : OpenStudy
        The study.
    reason : str
        Why; at least two words.
    key : str
        Idempotency key of a client; a new one by default.

    Returns
    -------
    Event
        In the trail.

    Raises
    ------
    ReaderStudyError
        If there is no reason.
    """
    return study.journal.record(UNBLINDED, COORDINATOR, key or uuid.uuid4().hex, {"reason": _reason(reason)})


def audit_lines(study: OpenStudy, *, with_answers: bool) -> tuple[str, ...]:
    """Write the audit trail as JSON Lines.

    Parameters
    ----------
    study : OpenStudy
        The study.
    with_answers : bool
        Whether the answers are in the trail. Without them the hash of each event is still the one of the whole event.

    Returns
    -------
    tuple of str
        One line an event.
    """
    lines = []
    for event in study.journal.events():
        fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
        if not with_answers and "answer" in event.body:
            fields["body"] = {**event.body, **{name: "blinded" for name in _ANSWERS if name in event.body}}
        lines.append(canonical(fields) + "\n")
    return tuple(lines)


def _known_reader(study: OpenStudy, reader: str) -> None:
    names = [one.name for one in study.protocol.definition.readers]
    if reader not in names:
        raise ReaderStudyError(f"there is no reader '{reader}' in the study; its readers are {', '.join(names)}")
