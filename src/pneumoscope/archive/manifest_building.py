"""Build the manifest of an archive from its sources, or bring an earlier one up to date, in flat memory."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from pneumoscope import PneumoscopeError, atomic_files
from pneumoscope.archive import earlier_archives, locations, manifest_table, sources
from pneumoscope.archive.contents import content_of
from pneumoscope.archive.earlier_archives import EarlierArchives
from pneumoscope.archive.entries import entries_of, kinds_text
from pneumoscope.archive.errors import ArchiveError, MissingSourceError
from pneumoscope.archive.manifest_table import ROWS_A_SHARD, ManifestTable, Row
from pneumoscope.archive.sorted_entries import SortedEntries

_MOST_NOTES = 20
_SAME_PLACE = "same place"


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
    unanswered : int
        Files of tables whose store did not say size and version, though it was asked.
    """

    rows: int
    new: int
    changed: int
    kept: int
    removed: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()
    unanswered: int = 0


def build(
    inputs: Sequence[str],
    out: str,
    *,
    update: bool = False,
    hashed: bool = False,
    rows_a_shard: int | None = None,
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
        Compare with the manifest that is there: rows of files that did not change are kept with their hashes. Archives (ZIP,
        TAR) whose version (`Stored.etag`) did not change are not opened.
    hashed : bool
        Read every file whose SHA-256 is not known, and note it: those that are new or were changed, and those whose earlier rows
        have none.
    rows_a_shard : int, optional
        Mean number of rows of a shard; as in the manifest that is brought up to date, or `ROWS_A_SHARD`, by default.
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
        Nothing was found, two files would have one name, there is no manifest to bring up to date, none of its files lies in the
        sources, some of them lie where nothing can be read now, or a file is in the place of a new manifest.
    """
    if not update:
        _refuse_to_replace(out)
    earlier = manifest_table.open_manifest(out) if update else None
    mean = rows_a_shard or (earlier.rows_a_shard if earlier else ROWS_A_SHARD)
    left_out: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    notes: list[str] = []
    with closing(SortedEntries()) as found, closing(EarlierArchives(earlier)) as known:
        for text in inputs:
            listed = tqdm(entries_of(text, without, known.members), unit="file", disable=None if show_progress else True)
            found.add(listed, left_out, notes)
        by_kind = dict(left_out.most_common())
        if not found.count:
            shown = ", ".join(map(locations.shown, inputs))
            reasons = [*notes[:1], *([f"left out: {kinds_text(by_kind)}"] if by_kind else [])]
            raise ArchiveError(f"no radiograph lies below {shown}" + (f" ({'; '.join(reasons)})" if reasons else ""))
        unread: Counter[str] = Counter()
        merged = _merged(found, earlier.rows() if earlier else iter(()), counts, unread)
        rows: Iterator[Row] = (
            _with_hash(row) if hashed and answered and not row.source.sha256 else row for row, answered in merged
        )
        rows = _of_the_same_archive(rows, counts, earlier, unread)
        _write(rows, out, by_kind, mean, earlier_archives.encoded(found.left_out_of_archives))
        notes[:0] = filter(None, [found.unanswered_note])
    of_status = (counts["new"], counts["changed"], counts["kept"], counts["removed"])
    return Built(found.count, *of_status, by_kind, _first(notes), found.unanswered)


def _refuse_to_replace(out: str) -> None:
    """Refuse to write over a file: it may be a table of URLs, or the manifest that results rest on."""
    try:
        sources.stored(out)
    except MissingSourceError:
        return
    raise ArchiveError(
        f"'{locations.shown(out)}' is there: bring a manifest up to date with --update, or name another file with -o"
    )


def _of_the_same_archive(
    rows: Iterator[Row], counts: Counter[str], earlier: ManifestTable | None, unread: Counter[str]
) -> Iterator[Row]:
    """Pass the rows on; at their end, before the manifest is replaced, refuse sources that hold none of the earlier files.

    Sources are refused as well of which a folder or an archive that holds earlier files could not be read.
    """
    yield from rows
    if earlier and unread:
        place, count = unread.most_common(1)[0]
        raise ArchiveError(
            f"{unread.total()} files of the manifest '{locations.shown(earlier.location)}' lie in folders or archives that "
            f"cannot be read now, {count} of them in '{place}', so that their results would be lost; make it readable, or remove"
        )
    if earlier and earlier.n_rows and not counts[_SAME_PLACE]:
        raise ArchiveError(
            f"none of the {earlier.n_rows} files of the manifest '{locations.shown(earlier.location)}' lies in these sources, so "
            "that all results would be lost; name the same sources, or start another manifest (for  read: another OUT) with -o"
        )


def _first(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - _MOST_NOTES
    return (*notes[:_MOST_NOTES], *([f"and {more} more notes"] if more > 0 else []))


def _write(rows: Iterable[Row], out: str, left_out: Mapping[str, int], rows_a_shard: int, archives: str) -> None:
    path = locations.local_path(out)
    if path is not None:
        with atomic_files.binary(path) as stream:
            manifest_table.write(rows, stream, left_out, rows_a_shard, archives)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.parquet"
        with file.open("wb") as stream:
            manifest_table.write(rows, stream, left_out, rows_a_shard, archives)
        with sources.place_of_results(out):
            fs, name = sources.file_system(out)
            fs.put_file(str(file), name)


def _merged(
    found: SortedEntries, earlier: Iterator[Row], counts: Counter[str], unread: Counter[str]
) -> Iterator[tuple[Row, bool]]:
    """The files that were found, each compared with its row of the earlier manifest; both in the order of the names.

    With each row comes whether its store said what was asked.
    """

    def remove(row: Row) -> None:
        counts["removed"] += 1
        if place := found.in_unread(row.name):
            unread[place] += 1

    old = next(earlier, None)
    for row, answered in found.rows():
        while old and old.name.encode() < row.name.encode():
            remove(old)
            old = next(earlier, None)
        same_name = old is not None and old.name == row.name
        merged = _compared(row if answered else _as_before(row, old), old) if same_name and old else row
        counts[merged.status] += 1
        counts[_SAME_PLACE] += bool(same_name and old and _place(row) == _place(old))
        if same_name:
            old = next(earlier, None)
        yield merged, answered
    while old:
        remove(old)
        old = next(earlier, None)


def _place(row: Row) -> tuple[str, str]:
    """Where a file lies; the query of a URL may be a signature that is another one each day."""
    return locations.shown(row.source.location), row.source.member


def _as_before(row: Row, old: Row) -> Row:
    """A row whose store did not answer, with what the earlier manifest says of the same file."""
    said, before = row.source, old.source
    if _place(row) != _place(old) or said.etag not in ("", before.etag):
        return row
    size = before.size if said.size is None else said.size
    known = replace(said, size=size, etag=before.etag, sha256=said.sha256 or before.sha256)
    return replace(row, source=known, modified=old.modified)


def _compared(row: Row, old: Row) -> Row:
    known = row if row.source.sha256 else replace(row, source=replace(row.source, sha256=old.source.sha256))
    return replace(known, status="kept") if known.source == old.source else replace(row, status="changed")


def _with_hash(row: Row) -> Row:
    """The row with the hash of its content; as it is where the file cannot be read, which its result will say."""
    try:
        content = content_of(row.source)
    except (PneumoscopeError, OSError):
        return row
    return replace(row, source=replace(row.source, sha256=hashlib.sha256(content).hexdigest()))
