"""The frozen protocol: the definition, the cases with their reference standard, and the hash of every file that is shown."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from pneumoscope import strict_json
from pneumoscope.radiograph import BurnedIn, Region
from pneumoscope.reader_study.definition import Definition
from pneumoscope.reader_study.errors import TamperedJournalError

Stage = Literal["pilot", "study"]
FORM: Literal[1] = 1


@dataclass(frozen=True)
class StudyCase:
    """A radiograph of the study.

    Parameters
    ----------
    name : str
        Path of the radiograph below `Protocol.root`.
    patient : str
        Identifier of the patient, as in the cohort.
    diseased : bool
        The reference standard.
    sha256 : str
        SHA-256 of the file's bytes.
    rows, cols : int
        Size of the radiograph in pixels.
    training : bool
        Whether the case is for practice with feedback.
    lesions : tuple of Region
        Reference regions in pixels of the radiograph.
    burned_in : {"yes", "no", "converted", "not stated"}
        What the file states of text that is burned into its pixels, as `radiograph.burned_in_of`.
    """

    name: str
    patient: str
    diseased: bool
    sha256: str
    rows: int
    cols: int
    training: bool = False
    lesions: tuple[Region, ...] = ()
    burned_in: BurnedIn = "not stated"


@dataclass(frozen=True)
class AidFile:
    """The overlay of a case in an aided arm.

    Parameters
    ----------
    arm, case : str
        Names.
    file : str
        Path of the overlay.
    sha256 : str
        SHA-256 of the file's bytes.
    bundle_sha256 : str
        Identity of the model bundle that made it; empty where none did, or where it is not known.
    threshold : float, optional
        Operating point of the model for this case; None as for `bundle_sha256`.
    map_threshold : float, optional
        Value of a heat map along whose border a line is drawn; None without.
    """

    arm: str
    case: str
    file: str
    sha256: str
    bundle_sha256: str = ""
    threshold: float | None = None
    map_threshold: float | None = None


@dataclass(frozen=True)
class NotChosen:
    """A case of the cohort's split that is not read.

    Parameters
    ----------
    name : str
        Path of the radiograph.
    reason : str
        Why.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Protocol:
    """A study as it was frozen.

    Parameters
    ----------
    form : int
        Version of this form.
    stage : {"pilot", "study"}
        Whether the answers count.
    program : str
        Version of the program that froze the study.
    definition : Definition
        The study file.
    root : str
        Folder of the radiographs.
    cases : tuple of StudyCase
        All cases, those for practice among them, in the order of their names.
    aids : tuple of AidFile
        All overlays.
    not_chosen : tuple of NotChosen
        Cases that were eligible and are not read.
    """

    form: Literal[1]
    stage: Stage
    program: str
    definition: Definition
    root: str
    cases: tuple[StudyCase, ...]
    aids: tuple[AidFile, ...]
    not_chosen: tuple[NotChosen, ...] = ()

    @cached_property
    def read_cases(self) -> tuple[StudyCase, ...]:
        """The cases whose answers count."""
        return tuple(case for case in self.cases if not case.training)

    @cached_property
    def by_name(self) -> dict[str, StudyCase]:
        """All cases by their names."""
        return {case.name: case for case in self.cases}

    @cached_property
    def aid_of(self) -> dict[tuple[str, str], AidFile]:
        """The overlays by arm and case."""
        return {(aid.arm, aid.case): aid for aid in self.aids}

    def file(self, case: StudyCase) -> Path:
        """Locate the file of a case.

        Parameters
        ----------
        case : StudyCase
            A case of this study.

        Returns
        -------
        Path
            Its file.
        """
        return Path(self.root) / case.name


def to_bytes(protocol: Protocol) -> bytes:
    """Write a protocol as JSON.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Returns
    -------
    bytes
        UTF-8; the same for the same protocol.
    """
    return (json.dumps(msgspec.to_builtins(protocol), indent=1, sort_keys=True) + "\n").encode()


def sha256(content: bytes) -> str:
    """Hash the content of a file.

    Parameters
    ----------
    content : bytes
        The content.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(content).hexdigest()


def from_bytes(content: bytes, expected_sha256: str) -> Protocol:
    """Parse a protocol and verify that it is the one that was frozen.

    Parameters
    ----------
    content : bytes
        Of ``protocol.json``.
    expected_sha256 : str
        The hash in the journal's first event.

    Returns
    -------
    Protocol
        The protocol.

    Raises
    ------
    TamperedJournalError
        If the file was changed after the study was frozen.
    """
    if sha256(content) != expected_sha256:
        raise TamperedJournalError("protocol.json was changed after the study was frozen; restore the file from a backup")
    return strict_json.decode(content, Protocol)
