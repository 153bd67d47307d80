"""Read the acknowledgement of an HL7 v2 message, and decide what becomes of the message (HL7 v2.5.1 2.9, table 0357)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.pacs.notifications.hl7_text import fields_of
from pneumoscope.pacs.send.outcome import Fate, Outcome


@dataclass(frozen=True)
class Condition:
    """An error condition of table 0357, and what it means for a message.

    Parameters
    ----------
    meaning : str
        As the Standard calls it.
    fate : Fate
        What becomes of the message.
    """

    meaning: str
    fate: Fate


CONDITIONS: Mapping[str, Condition] = {
    "100": Condition("segment sequence error", Fate.NEVER),
    "101": Condition("required field missing", Fate.NEVER),
    "102": Condition("data type error", Fate.NEVER),
    "103": Condition("table value not found", Fate.NEVER),
    "200": Condition("unsupported message type", Fate.NEVER),
    "201": Condition("unsupported event code", Fate.NEVER),
    "202": Condition("unsupported processing ID", Fate.NEVER),
    "203": Condition("unsupported version ID", Fate.NEVER),
    "204": Condition("unknown key identifier", Fate.LATER),
    "205": Condition("duplicate key identifier", Fate.SENT),
    "206": Condition("application record locked", Fate.LATER),
    "207": Condition("application internal error", Fate.LATER),
}
"""Error conditions (ERR-3). 204 is tried again, since the patient or the order may become known; 205 says that it is there."""
ACCEPTED, ERROR, REJECTED = frozenset({"AA", "CA"}), frozenset({"AE", "CE"}), frozenset({"AR", "CR"})
"""Acknowledgement codes (MSA-1, table 0008)."""
_BUSY = frozenset({"206", "207"})
"""Conditions with which a rejection is tried again as well: a system rejects also when it is busy or down."""


def outcome_of(content: bytes, control_id: str, who: str) -> Outcome:
    """Read the outcome of a message from its acknowledgement.

    Parameters
    ----------
    content : bytes
        The acknowledgement without its MLLP frame.
    control_id : str
        MSH-10 of the message.
    who : str
        The system, for the sentence.

    Returns
    -------
    Outcome
        By MSA-1, and for errors by the error condition; `Fate.DOUBT` where it is no acknowledgement of this message.
    """
    segments = fields_of(content)
    answer = next((one for one in segments if one[0] == "MSA"), ())
    code = _at(answer, 1)
    if code not in ACCEPTED | ERROR | REJECTED:
        return Outcome(Fate.DOUBT, f"{who} answered with something that is no acknowledgement; the message is sent again")
    if _at(answer, 2) != control_id:
        return Outcome(Fate.DOUBT, f"{who} acknowledged another message; the message is sent again")
    if code in ACCEPTED:
        return Outcome(Fate.SENT)
    return _of_error(code, _condition_code(segments, answer), who)


def _of_error(code: str, number: str, who: str) -> Outcome:
    condition = CONDITIONS.get(number)
    meaning = f", {number} ({condition.meaning})" if condition else " without a condition of table 0357"
    sentence = f"{who} answers {code}{meaning}"
    if code in REJECTED and number not in _BUSY:
        return Outcome(Fate.NEVER, sentence)
    return Outcome(condition.fate if condition else Fate.LATER, sentence)


def _condition_code(segments: Sequence[Sequence[str]], answer: Sequence[str]) -> str:
    """The code in ERR-3, or where systems before version 2.5 have it: the fourth component of ERR-1, or MSA-6."""
    error = next((one for one in segments if one[0] == "ERR"), ())
    component = segments[0][2][:1] or "^"
    subcomponent = segments[0][2][3:4] or "&"
    location = _at(error, 1).split(component)
    candidates = (_at(error, 3), location[3].replace(subcomponent, component) if len(location) > 3 else "", _at(answer, 6))
    return next((text.partition(component)[0].strip() for text in candidates if text.strip()), "")


def _at(fields: Sequence[str], position: int) -> str:
    return fields[position].strip() if len(fields) > position else ""
