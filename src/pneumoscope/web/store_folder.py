"""Keep uploads and readings in a folder, each file whole or not at all, for the next start of the server."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from pneumoscope import PneumoscopeError, __version__, atomic_files, strict_json
from pneumoscope.classifier import Population
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.files import content_of
from pneumoscope.readings import form
from pneumoscope.readings.line import Line
from pneumoscope.web.errors import FullError

_FILMS, _READINGS, _LOCK = "films", "readings", ".lock"
_OWNER_ONLY = 0o700
"""Mode of a folder whose films no other user of the machine may read."""
_LOG = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class StoreError(PneumoscopeError):
    """The folder cannot be used as a store."""


@dataclass(frozen=True)
class ReadingKey:
    """What a kept reading depends on: version of the package, content, model, stated population, policy."""

    fingerprint: str
    model_sha256: str
    population: Population | None
    policy: AcceptancePolicy

    @property
    def name(self) -> str:
        """Name of its file."""
        said = f"{__version__}\n{self.fingerprint}\n{self.model_sha256}\n{self.population}\n{self.policy}"
        return hashlib.sha256(said.encode()).hexdigest() + ".json"


@dataclass(frozen=True)
class _About:
    """What is kept of an upload beside its bytes."""

    label: str
    sha256: str


@dataclass(frozen=True)
class KeptSource:
    """An upload that lies in the store.

    Parameters
    ----------
    file : Path
        Its bytes.
    label : str
        Its name for people; empty where the client sent none.
    fingerprint : str
        SHA-256 of its bytes.
    """

    file: Path = field(repr=False)
    label: str = field(repr=False)
    fingerprint: str = ""

    @property
    def version(self) -> str:
        """Empty: only this server writes to its store."""
        return ""

    def load(self) -> bytes:
        """Read the file.

        Returns
        -------
        bytes
            Its content.
        """
        return content_of(self.file)


class StoreFolder:
    """A folder that one server at a time keeps uploads and readings in.

    Parameters
    ----------
    path : Path
        The folder.
    lock : FileLock
        Held until `close`.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a folder, and make it where it is missing.

        Parameters
        ----------
        path : Path
            The folder: new, empty, or a store of an earlier run.

        Returns
        -------
        StoreFolder
            The open store.

        Raises
        ------
        StoreError
            If another server uses the folder, or it holds other files.
        OSError
            If it cannot be written.
        """
        if path.is_dir() and {file.name for file in path.iterdir()} - {_FILMS, _READINGS, _LOCK}:
            raise StoreError(f"'{path}' holds other files; give a new folder, or one of an earlier pneumoscope serve --store")
        for name in (_FILMS, _READINGS):
            (path / name).mkdir(parents=True, exist_ok=True)
            (path / name).chmod(_OWNER_ONLY)
        lock = FileLock(path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(f"another server uses '{path}'; stop it, or give another folder") from error
        atomic_files.remove_partial(path, below=True)
        return cls(path, lock)

    def close(self) -> None:
        """Let another server use the folder."""
        self._lock.release()

    def uploads(self) -> Iterator[tuple[str, KeptSource]]:
        """List the uploads of earlier runs.

        Yields
        ------
        tuple of (str, KeptSource)
            Id of the film, and where its bytes come from, in the order of uploading.

        Raises
        ------
        StoreError
            If what is kept of an upload is damaged.
        """
        files = [file for file in (self.path / _FILMS).glob("*.json") if _ID.fullmatch(file.stem)]
        for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
            try:
                about = strict_json.decode(file.read_bytes(), _About)
            except strict_json.StrictJsonError as error:
                raise StoreError(f"'{file}' is damaged; remove it with the .bin file of the same name") from error
            yield file.stem, KeptSource(file.with_suffix(".bin"), about.label, about.sha256)

    def keep_upload(self, id: str, content: bytes, label: str) -> KeptSource:
        """Write an upload.

        Parameters
        ----------
        id : str
            Id of its film.
        content : bytes
            The file.
        label : str
            Its name for people.

        Returns
        -------
        KeptSource
            Where its bytes come from now.

        Raises
        ------
        FullError
            If it cannot be written, usually because the disk is full.
        """
        about = _About(label, hashlib.sha256(content).hexdigest())
        file = self.path / _FILMS / f"{id}.bin"
        try:
            with atomic_files.binary(file) as stream:
                stream.write(content)
            with atomic_files.text(file.with_suffix(".json")) as text:
                text.write(json.dumps({"label": about.label, "sha256": about.sha256}))
        except OSError as error:
            self.remove_upload(id)
            raise FullError("the upload could not be written to the store; make room on its disk") from error
        return KeptSource(file, about.label, about.sha256)

    def remove_upload(self, id: str) -> None:
        """Remove an upload; nothing for a film that is no upload.

        Parameters
        ----------
        id : str
            Id of its film.
        """
        for suffix in (".json", ".bin"):
            (self.path / _FILMS / f"{id}{suffix}").unlink(missing_ok=True)

    def keep_line(self, key: ReadingKey, line: Line) -> None:
        """Write the line of a reading, and its SHA-256 in a line of its own.

        Parameters
        ----------
        key : ReadingKey
            What it depends on; nothing is written without a fingerprint.
        line : Line
            The reading.
        """
        if not key.fingerprint:
            return
        try:
            with atomic_files.text(self.path / _READINGS / key.name) as stream:
                text = form.to_json(line)
                stream.write(f"{text}\n{_sha256(text.encode())}\n")
        except OSError as error:  # the reading stays in memory, and its job goes on
            _LOG.error("a reading could not be written to the store (%s); make room on its disk", os.strerror(error.errno or 0))

    def line(self, key: ReadingKey) -> Line | None:
        """Read the line of a reading of an earlier run.

        Parameters
        ----------
        key : ReadingKey
            What it depends on.

        Returns
        -------
        Line or None
            None where there is none, or not what was written.
        """
        if not key.fingerprint:
            return None
        try:
            text, _, sha256 = (self.path / _READINGS / key.name).read_bytes().partition(b"\n")
            return form.parse_line(text + b"\n") if sha256 == f"{_sha256(text)}\n".encode() else None
        except (OSError, form.FormError):
            return None


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
