"""Keep the lines of an output folder: one writer at a time, resumable, each line tied to the bytes that it speaks of.

A line counts as done if the file has the same bytes, the model the same identity, and the run the same options as when it was
written. Whatever differs is read again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import filelock

from pneumoscope import PneumoscopeError, atomic_files, strict_json
from pneumoscope.archive import outputs
from pneumoscope.archive.errors import ArchiveError, FolderInUseError
from pneumoscope.archive.manifest import MAPS, OBJECTS, OVERLAYS, Item
from pneumoscope.archive.outputs import OverlayFormat, OverlayScale
from pneumoscope.classifier import Population
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY, AcceptancePolicy
from pneumoscope.radiograph.files import content_of
from pneumoscope.readings import ModelIdentity, form
from pneumoscope.readings.line import Line

LINES_NAME = "readings.jsonl"
RUN_NAME = "run.json"
"""Model and options of the lines in a folder."""
LOCK_NAME = ".lock"


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
    """

    target: str = ""
    method: str = ""
    overlays: OverlayScale = "fixed"
    maps: bool = False
    population: Population | None = None
    further: str = ""
    overlay_format: OverlayFormat = "png"


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
    stream : binary stream
        The lines, open for appending.
    done : dict of str to (int, int)
        Position and length of each line in the file, by the name of its file.
    """

    def __init__(self, out: Path, stream: BinaryIO, done: dict[str, tuple[int, int]]) -> None:
        self._out = out
        self._stream = stream
        self._places = done
        self.done = frozenset(done)

    def append(self, line: Line) -> None:
        """Write a line; it is with the system when this returns.

        Parameters
        ----------
        line : Line
            The line of a file that has none yet.
        """
        encoded = _encoded(line)
        self._places[line.path] = self._stream.tell(), len(encoded)
        self._stream.write(encoded)
        self._stream.flush()

    def settle(self, names: Sequence[str]) -> None:
        """Bring the lines into the order of the manifest, as an uninterrupted run writes them, and flush them to the disk.

        Parameters
        ----------
        names : sequence of str
            Names of the files that were read, in order; lines of other files come first, in the order that they have.
        """
        wanted = set(names)
        order = [*(name for name in self._places if name not in wanted), *(name for name in names if name in self._places)]
        if order == list(self._places):
            return
        file = self._out / LINES_NAME
        with atomic_files.binary(file) as new, file.open("rb") as old:
            for name in order:
                start, length = self._places[name]
                old.seek(start)
                new.write(old.read(length))


@contextmanager
def open_journal(
    out: Path, run: Run, items: Sequence[Item], has_further: Callable[[Path], bool] = lambda _: True
) -> Iterator[Journal]:
    """Open the journal of an output folder, keeping the lines that still hold.

    Dropped are lines with an error, lines that were cut, and lines of a file whose bytes, or of a run whose options, are not the
    present ones. Lines of files that are not in the manifest are kept.

    Parameters
    ----------
    out : Path
        The output folder; created if it does not exist.
    run : Run
        Model and options.
    items : sequence of Item
        The manifest.
    has_further : callable
        Tells whether a folder holds all further files of a line.

    Yields
    ------
    Journal
        For the files that have no line yet.

    Raises
    ------
    FolderInUseError
        Another process is writing to the folder.
    ArchiveError
        The folder holds readings of another model, or lines of another program.
    OSError
        The folder cannot be written.
    """
    with only_writer(out):
        done = _resumed(out, run, items, has_further)
        _write_run(out, run)
        with (out / LINES_NAME).open("ab") as stream:
            yield Journal(out, stream, done)


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


def _resumed(out: Path, run: Run, items: Sequence[Item], has_further: Callable[[Path], bool]) -> dict[str, tuple[int, int]]:
    """Rewrite the lines that still hold; returns the place of each by name."""
    places: dict[str, tuple[int, int]] = {}
    if not (out / LINES_NAME).exists():
        return places
    for folder in (out, out / OVERLAYS, out / MAPS, out / OBJECTS):
        atomic_files.remove_partial(folder, below=folder != out)
    for line in lines_of(out):
        if line.model.sha256 != run.model.sha256:
            raise ArchiveError(f"'{out}' holds readings of another model or of an earlier version; choose another folder with -o")
    same_options, files = _read_run(out) == run, {item.name: item.file for item in items}
    with atomic_files.binary(out / LINES_NAME) as new:
        position = 0
        checked = ordered_map(
            lambda one: (one, same_options and _holds(one, out, run, files, has_further)), lines_of(out), cores()
        )
        for line, holds in checked:
            if holds and line.path not in places:
                encoded = _encoded(line)
                places[line.path] = position, len(encoded)
                position += new.write(encoded)
    return places


def _holds(line: Line, out: Path, run: Run, files: Mapping[str, Path], has_further: Callable[[Path], bool]) -> bool:
    """Whether a line is what reading its file again would give, with everything that belongs to it."""
    if line.error or not _are_complete(out, line.path, run.options):
        return False
    if not has_further(outputs.further_folder(out, line.path)):
        return False
    file = files.get(line.path)
    try:
        return file is None or file_sha256(file) == line.file_sha256
    except (PneumoscopeError, OSError):
        return False


def _are_complete(out: Path, name: str, options: Options) -> bool:
    return outputs.are_complete(out, name, options.overlays, options.maps, options.overlay_format)


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
