"""Define the manifest of an archive: a Parquet table of files, one row each, cut into shards that survive its updates.

Rows are in the order of their names (UTF-8 bytes). A shard ends after a name whose CRC-32 says so, so that adding, changing or
removing a file changes the shard that it lies in, and no other; the results of all others stay valid. A row group holds whole
shards, as many as make a few thousand rows: every process that opens the manifest holds its footer, which grows with them.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any, BinaryIO, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pneumoscope.archive import locations, parquet_streams, sources
from pneumoscope.archive.errors import ArchiveError, MissingSourceError
from pneumoscope.archive.sources import Source

VERSION = "2"
_READABLE = ("1", VERSION)
"""In version 1 each row group is a shard."""
ROWS_A_SHARD = 256
_ROWS_A_GROUP = 8192
_DAMAGED = "the manifest '{}' is damaged; restore it from a copy, or remove it and build it again"
_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, msgspec.DecodeError)
"""What damaged bytes raise, also those of the footer's JSON; UnicodeDecodeError is a ValueError."""
_VERSION_KEY, _SHARDS_KEY, _COUNTS_KEY = b"pneumoscope.manifest", b"pneumoscope.shards", b"pneumoscope.left_out"
_MEAN_KEY, _ROWS_KEY = b"pneumoscope.rows_a_shard", b"pneumoscope.rows_of_shard"
_ARCHIVES_KEY = b"pneumoscope.whole_archives"
"""Under an earlier key, "pneumoscope.archives", there is no note of archives that are cut, so that it is not read."""
SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("location", pa.string(), nullable=False),
        pa.field("member", pa.string(), nullable=False),
        pa.field("offset", pa.int64()),
        pa.field("size", pa.int64()),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("modified", pa.timestamp("us", tz="UTC")),
        pa.field("status", pa.string(), nullable=False),
    ]
)

Status = Literal["new", "changed", "kept"]


@dataclass(frozen=True)
class Row:
    """A file of an archive.

    Parameters
    ----------
    name : str
        Its name in the results: relative, with forward slashes; unique in a manifest.
    source : Source
        Where it lies, and which version of it is meant.
    modified : float, optional
        Time of its last change, seconds since 1970.
    status : {"new", "changed", "kept"}
        What the last update of the manifest made of it.
    """

    name: str
    source: Source
    modified: float | None = None
    status: Status = "new"


@dataclass(frozen=True)
class ManifestTable:
    """A manifest that was opened: its shards and counts; rows are read when they are asked for.

    Parameters
    ----------
    location : str
        Path or URL of the Parquet file.
    shards : tuple of str
        Digest of each shard's rows, in order.
    rows_of_shard : tuple of int
        Number of rows of each shard.
    rows_of_group : tuple of int
        Number of rows of each row group of the file; each holds whole shards.
    left_out : mapping of str to int
        Number of other files that the sources hold, by kind.
    rows_a_shard : int
        Mean number of rows of a shard that was asked for when it was written.
    """

    location: str
    shards: tuple[str, ...] = field(repr=False)
    rows_of_shard: tuple[int, ...] = field(repr=False)
    rows_of_group: tuple[int, ...] = field(repr=False)
    left_out: Mapping[str, int]
    rows_a_shard: int

    @property
    def n_rows(self) -> int:
        """Number of files."""
        return sum(self.rows_of_shard)

    @property
    def sha256(self) -> str:
        """SHA-256 over the digests of the shards: the same for the same files at the same places."""
        return hashlib.sha256("\n".join(self.shards).encode()).hexdigest()

    def shard(self, index: int) -> list[Row]:
        """Read the rows of one shard.

        Parameters
        ----------
        index : int
            Its index, from 0.

        Returns
        -------
        list of Row
            The rows in order.

        Raises
        ------
        ArchiveError
            The manifest was replaced since it was opened, or is damaged.
        """
        replaced = f"the manifest '{locations.shown(self.location)}' was replaced or is damaged; start the run again"
        with sources.failures(self.location):
            etag = sources.stored(self.location).etag  # another file may hold the same rows in other places
            with sources.opened(self.location, etag) as stream:
                file = _parquet(stream, replaced, _metadata(self.location, etag))
                number, first = self._place(index)
                return self._checked(_group(file, number, replaced), first, index, replaced)

    def _place(self, index: int) -> tuple[int, int]:
        """The row group that a shard lies in, and the shard's first row in it."""
        first, number = sum(self.rows_of_shard[:index]), 0
        while first >= self.rows_of_group[number]:
            first -= self.rows_of_group[number]
            number += 1
        return number, first

    def _checked(self, group: pa.Table, first: int, index: int, problem: str) -> list[Row]:
        """The rows of a shard, which begins at a row of its row group."""
        with _damage_as(problem):
            rows = [_row(one) for one in group.slice(first, self.rows_of_shard[index]).to_pylist()]
        if digest(rows) != self.shards[index]:
            raise ArchiveError(problem)
        return rows

    def rows(self) -> Iterator[Row]:
        """Read all rows, in flat memory.

        Yields
        ------
        Row
            The rows in order.

        Raises
        ------
        ArchiveError
            The manifest is damaged.
        """
        damaged = _DAMAGED.format(locations.shown(self.location))
        with sources.failures(self.location), sources.opened(self.location) as stream:
            file, index = _parquet(stream, damaged), 0
            for number in range(len(self.rows_of_group)):
                group, first = _group(file, number, damaged), 0
                while first < group.num_rows:
                    yield from self._checked(group, first, index, damaged)
                    first, index = first + self.rows_of_shard[index], index + 1

    def names(self) -> Iterator[list[str]]:
        """Read the names of all files.

        Yields
        ------
        list of str
            The names of the next row group, in order.

        Raises
        ------
        ArchiveError
            The manifest is damaged.
        """
        damaged = _DAMAGED.format(locations.shown(self.location))
        with sources.failures(self.location), sources.opened(self.location) as stream:
            file = _parquet(stream, damaged)
            for number in range(len(self.rows_of_group)):
                yield _group(file, number, damaged, ["name"])["name"].to_pylist()


def _group(file: pq.ParquetFile, number: int, problem: str, columns: list[str] | None = None) -> pa.Table:
    with _damage_as(problem):
        return file.read_row_group(number, columns, use_threads=False)


def _parquet(stream: BinaryIO, problem: str, metadata: Any = None) -> pq.ParquetFile:
    with _damage_as(problem):
        return pq.ParquetFile(parquet_streams.of_stream(stream), metadata=metadata, page_checksum_verification=True)


@contextmanager
def _damage_as(problem: str) -> Iterator[None]:
    """Turn what damaged bytes raise into one sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveError(problem) from error


@lru_cache(maxsize=4)
def _metadata(location: str, etag: str) -> Any:
    """The footer of a manifest, kept: that of a million rows takes longer to read than a shard."""
    with sources.opened(location, etag) as stream:
        return pq.ParquetFile(parquet_streams.of_stream(stream)).metadata


def open_manifest(location: str) -> ManifestTable:
    """Open a manifest.

    Parameters
    ----------
    location : str
        Path or URL of the Parquet file.

    Returns
    -------
    ManifestTable
        The manifest.

    Raises
    ------
    ArchiveError
        It is no manifest that this version reads.
    SourceError
        The file cannot be opened.
    """
    _require_file(location)
    metadata, damaged = _footer(location), _DAMAGED.format(locations.shown(location))
    said = metadata.metadata or {}
    with _damage_as(damaged):
        version, schema = said.get(_VERSION_KEY, b"").decode(), metadata.schema.to_arrow_schema()
    if version not in _READABLE or not schema.equals(SCHEMA):
        raise ArchiveError(
            f"'{locations.shown(location)}' is no manifest of this version; build one with  pneumoscope archive manifest SOURCES"
        )
    with _damage_as(damaged):
        return _table(location, metadata)


def noted_archives(location: str) -> bytes:
    """Read what a manifest notes of archives for its next update.

    Parameters
    ----------
    location : str
        Path or URL of the Parquet file.

    Returns
    -------
    bytes
        As it was given to `write`; empty where nothing is noted.

    Raises
    ------
    ArchiveError
        It is no manifest.
    SourceError
        The file cannot be opened.
    """
    return bytes((_footer(location).metadata or {}).get(_ARCHIVES_KEY, b""))


def _table(location: str, metadata: Any) -> ManifestTable:
    said = metadata.metadata
    shards = msgspec.json.decode(said[_SHARDS_KEY], type=tuple[str, ...])
    left_out = msgspec.json.decode(said[_COUNTS_KEY], type=dict[str, int])
    groups = tuple(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups))
    rows = groups if said[_VERSION_KEY] == b"1" else msgspec.json.decode(said[_ROWS_KEY], type=tuple[int, ...])
    ends = {*accumulate(rows)}
    if not len(shards) == len(rows) == len(ends) or min(rows, default=1) < 1 or not {*accumulate(groups)} <= ends:
        raise ValueError("shards and rows do not fit")
    return ManifestTable(location, shards, rows, groups, left_out, int(said.get(_MEAN_KEY, ROWS_A_SHARD)))


def _require_file(location: str) -> None:
    path = locations.local_path(location)
    how = "build a manifest with  pneumoscope archive manifest SOURCES -o FILE"
    if path is not None and path.is_dir():
        raise ArchiveError(f"'{path}' is a folder, not a manifest; {how}")
    if path is not None and not path.exists():
        raise MissingSourceError(f"'{path}' is not there; {how}")


def _footer(location: str) -> Any:
    with sources.failures(location), sources.opened(location) as stream:
        try:
            return pq.ParquetFile(parquet_streams.of_stream(stream)).metadata
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ArchiveError(
                f"'{locations.shown(location)}' is no intact Parquet file; build one with  pneumoscope archive manifest SOURCES"
            ) from error


def digest(rows: Iterable[Row]) -> str:
    """Compute the digest of a shard: what decides its results, besides the model and the options.

    Parameters
    ----------
    rows : iterable of Row
        Its rows, in order.

    Returns
    -------
    str
        32 hexadecimal digits of the SHA-256 over names and sources.
    """
    sha256 = hashlib.sha256()
    for row in rows:
        sha256.update(msgspec.json.encode((row.name, row.source)))
    return sha256.hexdigest()[:32]


def write(
    rows: Iterable[Row],
    stream: BinaryIO,
    left_out: Mapping[str, int],
    rows_a_shard: int = ROWS_A_SHARD,
    archives: str = "",
) -> int:
    """Write a manifest, in flat memory.

    Parameters
    ----------
    rows : iterable of Row
        The files, in the order of their names.
    stream : binary stream
        Where to write the Parquet file.
    left_out : mapping of str to int
        Number of other files by kind.
    rows_a_shard : int
        Mean number of rows of a shard, >= 1; no shard has more than twice as many.
    archives : str
        What is to be noted of archives (`noted_archives`).

    Returns
    -------
    int
        Number of rows.
    """
    digests, counts, group = [], [], SCHEMA.empty_table()
    with pq.ParquetWriter(stream, SCHEMA, compression="zstd", write_page_checksum=True, write_statistics=False) as writer:
        for shard in _shards(rows, rows_a_shard):
            group = pa.concat_tables([group, pa.Table.from_pylist([_record(row) for row in shard], SCHEMA)])
            digests.append(digest(shard))
            counts.append(len(shard))
            if group.num_rows >= _ROWS_A_GROUP:
                writer.write_table(group, row_group_size=group.num_rows)
                group = SCHEMA.empty_table()
        if group.num_rows:
            writer.write_table(group, row_group_size=group.num_rows)
        writer.add_key_value_metadata(
            {
                _VERSION_KEY: VERSION,
                _SHARDS_KEY: json.dumps(digests),
                _ROWS_KEY: json.dumps(counts),
                _COUNTS_KEY: json.dumps(dict(left_out)),
                _MEAN_KEY: str(rows_a_shard),
                _ARCHIVES_KEY: archives,
            }
        )
    return sum(counts)


def _shards(rows: Iterable[Row], mean: int) -> Iterator[Sequence[Row]]:
    shard: list[Row] = []
    fewest = max(1, mean // 2)
    chance = mean - fewest + 1  # of one in so many, from the fewest rows on, which gives the mean
    for row in rows:
        shard.append(row)
        at_boundary = len(shard) >= fewest and zlib.crc32(row.name.encode()) % chance == 0
        if at_boundary or len(shard) >= 2 * mean:
            yield shard
            shard = []
    if shard:
        yield shard


def _record(row: Row) -> dict[str, Any]:
    modified = None if row.modified is None else datetime.fromtimestamp(row.modified, UTC)
    source = {name: getattr(row.source, name) for name in Source.__dataclass_fields__}
    return {"name": row.name, **source, "modified": modified, "status": row.status}


def _row(record: dict[str, Any]) -> Row:
    modified = record["modified"]
    source = Source(**{name: record[name] for name in Source.__dataclass_fields__})
    return Row(record["name"], source, None if modified is None else modified.timestamp(), record["status"])
