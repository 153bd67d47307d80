"""Text that is burned into the pixels, such as a patient's name: what the files state, and what a person has confirmed.

The headers of files are not proof: many devices leave the attribute out, and pictures have none. Only a person who looks at every
radiograph can confirm that none shows a name, and the confirmation holds for exactly the files that were looked at.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from pneumoscope.radiograph import BurnedIn
from pneumoscope.reader_study.fault import Fault
from pneumoscope.reader_study.protocol import Protocol

_STATES: Mapping[BurnedIn, str] = {
    "yes": "state burned-in annotation, Burned In Annotation (0028,0301) YES",
    "converted": "were digitised or captured from a screen and do not state that they have no burned-in annotation",
    "not stated": "do not state whether they have burned-in annotation",
}
_LOOK = (
    "look through them (pneumoscope study check --contact-sheets OUT) and confirm in study.toml, [cases] pixel_check, that none "
    "shows a name or a date"
)


def code_of(protocol: Protocol) -> str:
    """Make the code that stands for exactly the radiographs of a study.

    Parameters
    ----------
    protocol : Protocol
        The study.

    Returns
    -------
    str
        Such as ``3f0c-9a2b``: eight digits of the SHA-256 of all files' hashes, in their order.
    """
    hashes = "\n".join(sorted(case.sha256 for case in protocol.cases))
    digits = hashlib.sha256(hashes.encode()).hexdigest()[:8]
    return f"{digits[:4]}-{digits[4:]}"


def is_confirmed(protocol: Protocol) -> bool:
    """Whether a person has confirmed that the pixels of exactly these radiographs show no identifier.

    Parameters
    ----------
    protocol : Protocol
        The study.

    Returns
    -------
    bool
        False without a confirmation, and where it is of other files.
    """
    check = protocol.definition.cases.pixel_check
    return check is not None and check.code == code_of(protocol)


def burned_in_faults(protocol: Protocol) -> tuple[Fault, ...]:
    """List what may let a reader read a patient's name off the pixels.

    Parameters
    ----------
    protocol : Protocol
        The study.

    Returns
    -------
    tuple of Fault
        Without a person's confirmation: errors for files that state burned-in annotation and for converted ones that do not
        deny it, a warning for other files that do not deny it. A confirmation of other files is an error.
    """
    if is_confirmed(protocol):
        return ()
    counts = Counter(case.burned_in for case in protocol.cases)
    faults = [
        Fault("warning" if stated == "not stated" else "error", f"{counts[stated]} radiographs {sentence}; {_LOOK}")
        for stated, sentence in _STATES.items()
        if counts[stated]
    ]
    if protocol.definition.cases.pixel_check:
        faults.append(Fault("error", f"pixel_check has the code of other radiographs; {_LOOK}"))
    return tuple(faults)


def statement(protocol: Protocol) -> str:
    """Write what is known of burned-in annotation, for a report.

    Parameters
    ----------
    protocol : Protocol
        The study.

    Returns
    -------
    str
        One sentence.
    """
    counts = Counter(case.burned_in for case in protocol.cases)
    stated = ", ".join(f"{name} in {count}" for name, count in sorted(counts.items()))
    check = protocol.definition.cases.pixel_check
    by = f"looked through by {check.by}, code {check.code}" if check and is_confirmed(protocol) else "not confirmed by a person"
    return f"Burned-in annotation by the headers of the files: {stated} radiographs; pixels {by}."
