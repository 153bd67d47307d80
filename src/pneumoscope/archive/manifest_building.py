"""Build the manifest of an archive from its sources, or bring an earlier one up to date, in flat memory."""

import hashlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from tqdm import tqdm

from pneumoscope import PneumoscopeError, atomic_files
from pneumoscope.archive import locations, manifest_table, sources
from pneumoscope.archive.entries import Entry, entries_of
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.manifest_table import ROWS_A_SHARD, Row

_AT_ONCE = 1000


@dataclass(frozen=True)
class Built:
    """What became of a manifest.

    Parameters
    ----------
    rows : int
        Files in it.
    new, changed, kept, removed : int
        Of these, files that an earlier manifest did not have, had in another version, and had in the same; and files that only
        the earlier one had.
    left_out : mapping of str to int
        Number of other files by kind, most frequent first.
    notes : tuple of str
        What else a user should know, such as files that a DICOMDIR lists and that are missing.
    """

    rows: int
    new: int
    changed: int
    kept: int
    removed: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()


def build(
    inputs: Sequence[str],
    out: str,
    *,
    update: bool = False,
    hashed: bool = False,
    rows_a_shard: int = ROWS_A_SHARD,
    without: frozenset[Path] = frozenset(),
    show_progress: bool = False,
) -> Built:
    """Build a manifest, or bring it up to date.

    Parameters
    ----------
    inputs : sequence of str
        Paths and URLs of files, folders, prefixes.
    out : str
        Path or URL of the Parquet file.
    update : bool
        Compare with the manifest that is there: rows of files that did not change are kept with their hashes.
    hashed : bool
        Read every file that is new or was changed, and note its SHA-256.
    rows_a_shard : int
        Mean number of rows of a shard.
    without : set of Path
        Resolved folders that are passed over.
    show_progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Built
        Counts.

    Raises
    ------
    ArchiveError
        Nothing was found, two files would have one name, or there is no manifest to bring up to date.
    """
    earlier = manifest_table.open_manifest(out) if update else None
    left_out: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    with closing(_Sorted()) as found:
        listed = (entry for text in inputs for entry in entries_of(text, without))
        found.add(tqdm(listed, unit="file", disable=None if show_progress else True), left_out)
        by_kind = dict(left_out.most_common())
        if not found.count:
            shown = ", ".join(map(locations.shown, inputs))
            raise ArchiveError(f"no radiograph lies below {shown}" + (f" ({_listed(by_kind)})" if by_kind else ""))
        rows = _merged(found.rows(), earlier.rows() if earlier else iter(()), counts)
        rows = (_with_hash(row) if hashed and row.status != "kept" else row for row in rows)
        _write(rows, out, by_kind, rows_a_shard)
    return Built(found.count, counts["new"], counts["changed"], counts["kept"], counts["removed"], by_kind)


def _write(rows: Iterable[Row], out: str, left_out: Mapping[str, int], rows_a_shard: int) -> None:
    path = locations.local_path(out)
    if path is not None:
        with atomic_files.binary(path) as stream:
            manifest_table.write(rows, stream, left_out, rows_a_shard)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.parquet"
        with file.open("wb") as stream:
            manifest_table.write(rows, stream, left_out, rows_a_shard)
        with sources.failures(out):
            fs, name = sources.file_system(out)
            fs.put_file(str(file), name)


def _listed(left_out: Mapping[str, int]) -> str:
    return "left out: " + ", ".join(f"{count} {kind}" for kind, count in left_out.items())


class _Sorted:
    """Files in the order of their names, each once, in a temporary database on the disk."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file, removed when it is closed
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("CREATE TABLE files (name BLOB PRIMARY KEY, place TEXT, row BLOB) WITHOUT ROWID")
        self.count = 0

    def close(self) -> None:
        self._database.close()

    def add(self, entries: Iterable[Entry], left_out: Counter[str]) -> None:
        waiting: list[Entry] = []
        for entry in entries:
            if entry.kind:
                left_out[entry.kind] += 1
                continue
            waiting.append(entry)
            if len(waiting) == _AT_ONCE:
                self._insert(waiting)
                waiting.clear()
        self._insert(waiting)

    def _insert(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            place = f"{entry.source.location}\0{entry.source.member}"
            values = entry.name.encode(), place, msgspec.json.encode(Row(entry.name, entry.source, entry.modified))
            try:
                self._database.execute("INSERT INTO files VALUES (?, ?, ?)", values)
                self.count += 1
            except sqlite3.IntegrityError:
                self._check_same(entry.name, place)

    def _check_same(self, name: str, place: str) -> None:
        (earlier,) = self._database.execute("SELECT place FROM files WHERE name = ?", (name.encode(),)).fetchone()
        if earlier != place:
            raise ArchiveError(f"two files would both be called '{name}'; build a manifest of each source")

    def rows(self) -> Iterator[Row]:
        for (row,) in self._database.execute("SELECT row FROM files ORDER BY name"):
            yield msgspec.json.decode(row, type=Row)


def _merged(found: Iterator[Row], earlier: Iterator[Row], counts: Counter[str]) -> Iterator[Row]:
    """The files that were found, each compared with its row of the earlier manifest; both in the order of the names."""
    old = next(earlier, None)
    for row in found:
        while old and old.name.encode() < row.name.encode():
            counts["removed"] += 1
            old = next(earlier, None)
        same_name = old is not None and old.name == row.name
        merged = _compared(row, old) if same_name and old else row
        counts[merged.status] += 1
        if same_name:
            old = next(earlier, None)
        yield merged
    while old:
        counts["removed"] += 1
        old = next(earlier, None)


def _compared(row: Row, old: Row) -> Row:
    known = row if row.source.sha256 else replace(row, source=replace(row.source, sha256=old.source.sha256))
    return replace(known, status="kept") if known.source == old.source else replace(row, status="changed")


def _with_hash(row: Row) -> Row:
    """The row with the hash of its content; as it is where the file cannot be read, which its result will say."""
    try:
        content = sources.content(row.source)
    except (PneumoscopeError, OSError):
        return row
    return replace(row, source=replace(row.source, sha256=hashlib.sha256(content).hexdigest()))
