"""The folder of a study: its file, and the frozen pilot or study with protocol, secret and journal."""

import os
import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pneumoscope import atomic_files
from pneumoscope.reader_study import journal as journals
from pneumoscope.reader_study import protocol as protocols
from pneumoscope.reader_study.assembly import assemble
from pneumoscope.reader_study.definition import read
from pneumoscope.reader_study.design_check import check_definition, check_protocol
from pneumoscope.reader_study.errors import ConflictError, InvalidStudyError, ReaderStudyError, TamperedJournalError
from pneumoscope.reader_study.fault import Fault, errors
from pneumoscope.reader_study.journal import Clock, Journal, now
from pneumoscope.reader_study.protocol import Protocol, Stage
from pneumoscope.reader_study.room import ReadingRoom

STUDY_FILE, PROTOCOL_FILE, JOURNAL_FILE, KEY_FILE = "study.toml", "protocol.json", "journal.sqlite", "secret.key"
COORDINATOR = "coordinator"


@dataclass(frozen=True)
class OpenStudy:
    """A frozen study that is open.

    Parameters
    ----------
    folder : Path
        Folder of the frozen study.
    protocol : Protocol
        The protocol.
    key : bytes
        The secret.
    journal : Journal
        The journal; whoever opened the study closes it.
    """

    folder: Path
    protocol: Protocol
    key: bytes
    journal: Journal

    def room(self) -> ReadingRoom:
        """Open the reading room.

        Returns
        -------
        ReadingRoom
            For the clients of readers.
        """
        return ReadingRoom(self.protocol, self.key, self.journal)


def check(folder: Path, stage: Stage = "study") -> tuple[Protocol | None, tuple[Fault, ...]]:
    """Check a study before it is frozen.

    Parameters
    ----------
    folder : Path
        The folder with ``study.toml``.
    stage : {"pilot", "study"}
        What is to be frozen.

    Returns
    -------
    protocol : Protocol or None
        None if the study file alone is not valid, so that no radiograph was opened.
    faults : tuple of Fault
        Errors and warnings; a study with an error cannot be frozen.

    Raises
    ------
    InvalidStudyError
        If the study file is not valid, or a file of the study cannot be shown.
    """
    definition = read(folder / STUDY_FILE)
    faults = check_definition(definition)
    if errors(faults):
        return None, faults
    protocol = assemble(definition, folder, stage)
    return protocol, (*faults, *check_protocol(protocol))


def freeze(folder: Path, stage: Stage = "study", clock: Clock = now) -> OpenStudy:
    """Freeze a study: write its protocol, a secret and the journal, whose first event holds the hash of the protocol
    and the warnings of `check`.

    Parameters
    ----------
    folder : Path
        The folder with ``study.toml``.
    stage : {"pilot", "study"}
        A pilot may be frozen again and again; a study once.
    clock : callable
        Gives the time of the server.

    Returns
    -------
    OpenStudy
        In ``folder/study``, or ``folder/pilot-1``, ``pilot-2``, ….

    Raises
    ------
    InvalidStudyError
        If the study is not valid.
    ConflictError
        If the study is frozen already.
    """
    target = folder / "study" if stage == "study" else folder / f"pilot-{len(_pilots(folder)) + 1}"
    if (target / JOURNAL_FILE).exists():
        raise ConflictError("the study is frozen already; a changed protocol is another study, in another folder")
    protocol, faults = check(folder, stage)
    if protocol is None or errors(faults):
        raise InvalidStudyError(f"the study is not valid: {'; '.join(errors(faults))}")
    target.mkdir(mode=0o700, exist_ok=True)  # it holds the reference standard and the secret: not for readers on the same machine
    content = protocols.to_bytes(protocol)
    with atomic_files.binary(target / PROTOCOL_FILE) as stream:
        stream.write(content)
    key = _new_key(target / KEY_FILE)
    warnings = [fault.sentence for fault in faults]
    body = {"protocol_sha256": protocols.sha256(content), "stage": stage, "program": protocol.program, "warnings": warnings}
    return OpenStudy(target, protocol, key, journals.create(target / JOURNAL_FILE, COORDINATOR, body, clock))


def _new_key(file: Path) -> bytes:
    file.unlink(missing_ok=True)  # of a freeze that was killed before it had a journal
    key = secrets.token_bytes(32)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
    return key


def _pilots(folder: Path) -> list[Path]:
    return [file.parent for file in folder.glob(f"pilot-*/{JOURNAL_FILE}")]


def is_study(path: Path) -> bool:
    """Whether a path is the folder of a study, frozen or not.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True for a folder with ``study.toml`` or with a journal.
    """
    return path.is_dir() and any((path / name).is_file() for name in (STUDY_FILE, JOURNAL_FILE))


def frozen_folder(folder: Path) -> Path:
    """Find the frozen study in a folder.

    Parameters
    ----------
    folder : Path
        The folder with ``study.toml``, or that of a frozen study or pilot.

    Returns
    -------
    Path
        The study if it is frozen, else the last pilot.

    Raises
    ------
    ReaderStudyError
        If nothing is frozen.
    """
    pilots = sorted(_pilots(folder), key=lambda pilot: int(pilot.name.removeprefix("pilot-")), reverse=True)
    for place in (folder, folder / "study", *pilots):
        if (place / JOURNAL_FILE).is_file():
            return place
    raise ReaderStudyError(f"no study is frozen in '{folder}'; check it, then launch it:  pneumoscope study launch {folder}")


def open_study(folder: Path, clock: Clock = now) -> OpenStudy:
    """Open a frozen study.

    Parameters
    ----------
    folder : Path
        As in `frozen_folder`.
    clock : callable
        Gives the time of the server.

    Returns
    -------
    OpenStudy
        To be closed by its journal.

    Raises
    ------
    ReaderStudyError
        If nothing is frozen, or the secret is missing.
    TamperedJournalError
        If the protocol is not the one that was frozen.
    """
    place = frozen_folder(folder)
    journal = Journal(place / JOURNAL_FILE, clock)
    try:
        return OpenStudy(place, _protocol(place, journal), _key(place / KEY_FILE), journal)
    except BaseException:
        journal.close()
        raise


def _protocol(place: Path, journal: Journal) -> Protocol:
    first = next(iter(journal.events("frozen")), None)
    if first is None or not (place / PROTOCOL_FILE).is_file():
        raise TamperedJournalError(
            "the frozen protocol, or its hash in the journal, is missing; restore the folder from a backup"
        )
    return protocols.from_bytes((place / PROTOCOL_FILE).read_bytes(), first.body["protocol_sha256"])


def _key(file: Path) -> bytes:
    if not file.is_file():
        raise ReaderStudyError(f"the secret of the study, '{file.name}', is missing; restore the file from a backup")
    return file.read_bytes()


def verify(folder: Path, *, head: str = "") -> tuple[int, str]:
    """Verify journal, answers and protocol of a frozen study.

    Parameters
    ----------
    folder : Path
        As in `frozen_folder`.
    head : str
        As in `journal.verify`.

    Returns
    -------
    tuple of (int, str)
        Number and SHA-256 of the last event.

    Raises
    ------
    TamperedJournalError
        If anything was changed.
    """
    place = frozen_folder(folder)
    last = journals.verify(place / JOURNAL_FILE, head=head)
    with closing(Journal(place / JOURNAL_FILE)) as journal:
        _protocol(place, journal)
    return last
