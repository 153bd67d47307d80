"""Keep the lines of an output folder: one writer at a time, resumable, each line tied to the bytes that it speaks of.

A line counts as done if the file, the line and its overlay, heat map and further files have the same bytes, the model the same
identity, and the run the same options as when it was written. Whatever differs is read again.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import filelock
import numpy as np
from numpy.typing import NDArray

from pneumoscope import PneumoscopeError, atomic_files, strict_json
from pneumoscope.archive import checks, outputs
from pneumoscope.archive.checks import CHECKS_NAME, Check
from pneumoscope.archive.errors import ArchiveError, FolderInUseError
from pneumoscope.archive.items import Item, Items, Keys, key_of, keys_of
from pneumoscope.archive.manifest import LINES_NAME, MAPS, OBJECTS, OVERLAYS, RUN_NAME
from pneumoscope.archive.outputs import OverlayFormat, OverlayScale, Sums
from pneumoscope.classifier import Population
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY, AcceptancePolicy
from pneumoscope.radiograph.files import content_of
from pneumoscope.radiograph.reduction import Decoding
from pneumoscope.readings import ModelIdentity, form
from pneumoscope.readings.line import Line

LOCK_NAME = ".lock"
DATA_SET_NAME = "_run.json"
"""Model, options and manifest of a data set of results, which is no folder for lines."""


@dataclass(frozen=True)
class Options:
    """What is asked of every file in a run.

    Parameters
    ----------
    target : str
        Class whose evidence the heat map shows; empty for the model's target.
    method : str
        Method of the heat map; empty for the model's own.
    overlays : {"none", "fixed", "image"}
        Whether overlays are painted, and on which scale.
    maps : bool
        Whether heat maps are written.
    population : {"child", "adult"}, optional
        Population of every patient whose age the file does not tell; None if it is unknown.
    further : str
        The setting of further files (`outputs.FurtherFiles`); empty where none are written.
    overlay_format : {"png", "webp", "jpeg"}
        Format of the overlays.
    decode : {"full", "reduced"}
        Whether every pixel of a file is decoded, or a smaller picture where the model sees no more
        (`pneumoscope.radiograph.reduction`).
    """

    target: str = ""
    method: str = ""
    overlays: OverlayScale = "fixed"
    maps: bool = False
    population: Population | None = None
    further: str = ""
    overlay_format: OverlayFormat = "png"
    decode: Decoding = "full"


@dataclass(frozen=True)
class Run:
    """Model, options and policy: with the bytes of a file, all that decides its line.

    Parameters
    ----------
    model : ModelIdentity
        The model that reads.
    options : Options
        Target and method are named, not left empty.
    policy : AcceptancePolicy
        Which radiographs are refused.
    form : int
        Version of the form of a line.
    """

    model: ModelIdentity
    options: Options
    policy: AcceptancePolicy = DEFAULT_POLICY
    form: Literal[5] = form.SCHEMA_VERSION


class Journal:
    """The lines of an output folder, open for one writer (`open_journal`).

    Parameters
    ----------
    out : Path
        The output folder.
    lines : binary stream
        The lines, open for appending.
    records : binary stream
        Their records (`pneumoscope.archive.checks`), open for appending.
    written : Written
        The lines that are there.
    """

    def __init__(self, out: Path, lines: BinaryIO, records: BinaryIO, written: "Written") -> None:
        self._out = out
        self._lines = lines
        self._records = records
        self._written = written

    def pending(self, items: Items) -> tuple[int, Iterator[Item]]:
        """Select the files that have no line yet.

        Parameters
        ----------
        items : Items
            The manifest.

        Returns
        -------
        n_pending : int
            Their number.
        pending : iterator of Item
            The files, in order.
        """
        if not self._written.starts:
            return len(items), iter(items)
        at = np.flatnonzero(~np.isin(items.keys, self._written.keys))
        return len(at), (items[int(k)] for k in at)

    def append(self, line: Line, written: Sums) -> None:
        """Write a line and its record; they are with the system when this returns.

        Parameters
        ----------
        line : Line
            The line of a file that has none yet.
        written : Sums
            Its outputs.
        """
        encoded = _encoded(line)
        self._written.add(line.path, self._lines.tell(), self._records.tell())
        self._records.write(checks.to_json(checks.check_of(line.path, encoded, written)))
        self._records.flush()
        self._lines.write(encoded)
        self._lines.flush()

    def settle(self, items: Items) -> None:
        """Bring the lines into the order of the manifest, as an uninterrupted run writes them, and flush them to the disk.

        Parameters
        ----------
        items : Items
            The manifest; lines of other files come first, in the order that they have.
        """
        order = np.argsort(self._written.ranks(items), kind="stable")
        if (order[1:] > order[:-1]).all():
            return
        for name, starts in ((CHECKS_NAME, self._written.record_starts), (LINES_NAME, self._written.starts)):
            file = self._out / name
            with atomic_files.binary(file) as new, file.open("rb") as old:
                for k in order:
                    old.seek(starts[k])
                    new.write(old.readline())


class Written:
    """Where each line of a journal and its record start, by the key of its file's name: 32 bytes a line."""

    def __init__(self) -> None:
        self._keys = bytearray()
        self.starts = array("Q")
        self.record_starts = array("Q")

    def add(self, name: str, start: int, record_start: int) -> None:
        """Add a line.

        Parameters
        ----------
        name : str
            Name of its file.
        start : int
            Its position in the journal, in bytes.
        record_start : int
            The position of its record among the records, in bytes.
        """
        self._keys += key_of(name)
        self.starts.append(start)
        self.record_starts.append(record_start)

    @property
    def keys(self) -> Keys:
        """Keys of the names, in the order of the lines."""
        return keys_of(self._keys)

    def ranks(self, items: Items) -> NDArray[np.intp]:
        """Find the index of each line's file in a manifest.

        Parameters
        ----------
        items : Items
            The manifest.

        Returns
        -------
        ndarray of int, shape (n_lines,)
            -1 for a file that is not in it.
        """
        keys = self.keys
        places = np.searchsorted(items.keys, keys, sorter=items.order)
        at = items.order[np.minimum(places, len(items) - 1)].astype(np.intp)
        return np.where(items.keys[at] == keys, at, -1)


@contextmanager
def open_journal(out: Path, run: Run, items: Items) -> Iterator[Journal]:
    """Open the journal of an output folder, keeping the lines that still hold.

    Dropped are lines with an error, lines that were cut or changed or have no record, lines whose overlay, heat map or further
    files were changed, and lines of a file whose bytes, or of a run whose options, are not the present ones. Lines of files that
    are not in the manifest are kept.

    Parameters
    ----------
    out : Path
        The output folder; created if it does not exist.
    run : Run
        Model and options.
    items : Items
        The manifest.

    Yields
    ------
    Journal
        For the files that have no line yet.

    Raises
    ------
    FolderInUseError
        Another process is writing to the folder.
    ArchiveError
        The folder holds readings of another model, lines of another program, or a data set.
    OSError
        The folder cannot be written.
    """
    with only_writer(out):
        if (out / DATA_SET_NAME).exists():
            raise ArchiveError(f"'{out}' holds a data set of  pneumoscope archive read; choose another folder with -o")
        written = _resumed(out, run, items)
        _write_run(out, run)
        with (out / LINES_NAME).open("ab") as lines, (out / CHECKS_NAME).open("ab") as records:
            yield Journal(out, lines, records, written)


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the lock of an output folder; the system gives it back when the process ends, however it ends.

    Parameters
    ----------
    out : Path
        The output folder; created if it does not exist.

    Raises
    ------
    FolderInUseError
        Another process holds the lock.
    OSError
        The folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(out / LOCK_NAME)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise FolderInUseError(
            f"another run is writing to '{out}'; wait until it has ended, or choose another folder with -o"
        ) from error
    try:
        yield
    finally:
        lock.release()


def lines_of(out: Path) -> Iterator[Line]:
    """Read the lines of an output folder, in flat memory; a line that was cut is left out.

    Parameters
    ----------
    out : Path
        The output folder.

    Yields
    ------
    Line
        The lines in their order.

    Raises
    ------
    ArchiveError
        A line is not a reading.
    """
    file = out / LINES_NAME
    with file.open("rb") as stream:
        for text in stream:
            try:
                yield form.parse_line(text)
            except form.TornLineError:
                continue
            except form.FormError as error:
                raise ArchiveError(
                    f"'{file}' was not written by this version ({error}); choose another folder with -o"
                ) from error


def _resumed(out: Path, run: Run, items: Items) -> Written:
    """Rewrite the lines that still hold, the first of each file, and their records."""
    if not (out / LINES_NAME).exists():
        (out / CHECKS_NAME).unlink(missing_ok=True)
        return Written()
    for folder in (out, out / OVERLAYS, out / MAPS, out / OBJECTS):
        atomic_files.remove_partial(folder, below=folder != out)
    for line in lines_of(out):
        if line.model.sha256 != run.model.sha256:
            raise ArchiveError(f"'{out}' holds readings of another model or of an earlier version; choose another folder with -o")
    # A kill between the two renames leaves records of lines that were dropped, which the next run leaves out.
    with atomic_files.binary(out / CHECKS_NAME) as records, atomic_files.binary(out / LINES_NAME) as lines:
        return _rewritten(lines, records, _holding(out, run, items), _Seen(items))


def _rewritten(lines: BinaryIO, records: BinaryIO, holding: Iterable[tuple[Line, Check]], seen: "_Seen") -> Written:
    """Write the first line of each file and its record."""
    written = Written()
    for line, check in holding:
        if seen.is_new(line.path):
            written.add(line.path, lines.tell(), records.tell())
            records.write(checks.to_json(check))
            lines.write(_encoded(line))
    return written


def _holding(out: Path, run: Run, items: Items) -> Iterator[tuple[Line, Check]]:
    """The lines of a folder that still hold, with their records."""
    if _read_run(out) != run:
        return

    def checked(recorded: tuple[Line, Check | None]) -> tuple[Line, Check | None]:
        line, check = recorded
        return line, check if check and _holds(line, check, out, run, items) else None

    with checks.open_recorded(out) as recorded:
        for line, check in ordered_map(checked, ((one, recorded.take(one.path)) for one in lines_of(out)), cores()):
            if check:
                yield line, check


class _Seen:
    """Names that were met: a bit for each file of a manifest, and a set of the others."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._met = bytearray(len(items))
        self._others: set[str] = set()

    def is_new(self, name: str) -> bool:
        at = self._items.find(name)
        if at is None:
            is_new = name not in self._others
            self._others.add(name)
        else:
            is_new, self._met[at] = not self._met[at], 1
        return is_new


def _holds(line: Line, check: Check, out: Path, run: Run, items: Items) -> bool:
    """Whether a line is what reading its file again would give, with everything that belongs to it."""
    if line.error or check.line != checks.line_sha256(_encoded(line)) or not _are_unchanged(out, check, run.options):
        return False
    at = items.find(line.path)
    try:
        return at is None or file_sha256(items[at].file) == line.file_sha256
    except (PneumoscopeError, OSError):
        return False


def _are_unchanged(out: Path, check: Check, options: Options) -> bool:
    wanted = (options.overlays, options.maps, options.overlay_format, bool(options.further))
    return outputs.are_unchanged(out, check.path, *wanted, check.outputs)


def file_sha256(file: Path) -> str:
    """Hash the bytes of a file.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    UnreadableFileError, TooLargeError
        It is no regular file, or larger than any radiograph.
    OSError
        The file cannot be read.
    """
    return hashlib.sha256(content_of(file)).hexdigest()


def _encoded(line: Line) -> bytes:
    return form.to_json(line).encode() + b"\n"


def _write_run(out: Path, run: Run) -> None:
    with atomic_files.text(out / RUN_NAME) as stream:
        stream.write(json.dumps(asdict(run), indent=2) + "\n")


def _read_run(out: Path) -> Run | None:
    """Model and options of the lines in a folder; None where they are not known."""
    try:
        return strict_json.decode((out / RUN_NAME).read_bytes(), Run)
    except (OSError, strict_json.StrictJsonError):
        return None
