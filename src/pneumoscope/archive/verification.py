"""Check that a data set holds exactly one intact result of each file of its manifest."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pneumoscope.archive import parquet_streams, result_columns, result_table, row_reading, shards
from pneumoscope.archive.data_set import record_of
from pneumoscope.archive.decoding import DecodeEach
from pneumoscope.archive.errors import ArchiveError, QuarantinedError, SourceError, UnavailableSourceError
from pneumoscope.archive.manifest_table import ManifestTable, Row, open_manifest
from pneumoscope.archive.reading import Content
from pneumoscope.archive.row_reading import Records, fetch
from pneumoscope.archive.run_record import RunRecord
from pneumoscope.archive.store import Store
from pneumoscope.ordered_map import ordered_map
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader

_TOGETHER = 4
_MAP = "heat_map"
"""Compared by its values: the same values may be compressed to other bytes on another machine."""
_NOT_REPEATABLE = (UnavailableSourceError.__name__, QuarantinedError.__name__)
"""Errors that say something of the moment; reading the file again need not give them again."""


@dataclass(frozen=True)
class Verified:
    """What a check found.

    Parameters
    ----------
    shards, rows : int
        Shards and rows that were checked.
    read_again : int
        Files that were read again with the model.
    problems : tuple of str
        What is wrong, in one sentence each; empty for a data set that is complete and intact.
    """

    shards: int
    rows: int
    read_again: int
    problems: tuple[str, ...]


def verify(
    out: str, manifest: str, reader: Reader | None, decode: DecodeEach, *, sample: int = 0, seed: int = 0, site_key: str = ""
) -> Verified:
    """Check a data set against its manifest, and a random sample of it against the model.

    Parameters
    ----------
    out : str
        Path or URL of the data set.
    manifest : str
        Path or URL of the manifest; empty for the one that the data set names.
    reader : Reader, optional
        The model; None where `sample` is 0.
    decode : callable
        Decodes the contents of files.
    sample : int
        Number of files that are read again, >= 0.
    seed : int
        Seed by which they are chosen.
    site_key : str
        Secret by which institutions were hashed.

    Returns
    -------
    Verified
        Counts and problems.

    Raises
    ------
    ArchiveError
        There is no data set, or the model or the secret is not the one that its results are of.
    """
    store = Store(out)
    record = record_of(store)
    table = open_manifest(manifest) if manifest else _named_manifest(record)
    if reader and reader.model != record.run.model:
        raise ArchiveError("the results are of another model; name the one that read them with --model")
    if reader and row_reading.site_key_sha256(site_key) != record.site_key:
        how = "name its file with --site-key" if record.site_key else "leave out --site-key"
        raise ArchiveError(f"the results were written with {'another' if record.site_key else 'no'} secret of the sites; {how}")
    problems = [*_listing_problems(store, table, record)]
    chosen = _chosen(table, min(sample, table.n_rows), seed) if reader else {}
    rows = read_again = n_shards = 0
    committed = shards.committed(store)
    indices = [index for index, shard in enumerate(table.shards) if shard in committed]
    for index, checked in zip(indices, ordered_map(lambda i: _checked(store, table, record, i), indices, _TOGETHER), strict=True):
        n_shards, rows = n_shards + 1, rows + len(checked.records)
        problems += checked.problems
        for place in chosen.get(index, ()) if not checked.problems else ():
            assert reader is not None  # else nothing is chosen
            read_again += 1
            file = shards.file_of(table.shards[index])
            problems += _differences(checked.rows[place], file, checked.records[place], record, reader, decode, site_key)
    return Verified(n_shards, rows, read_again, tuple(problems))


def _named_manifest(record: RunRecord) -> ManifestTable:
    try:
        return open_manifest(record.manifest)
    except SourceError as error:
        raise ArchiveError(
            f"the manifest of these results, '{record.manifest}', cannot be opened; name it with --manifest if it was moved"
        ) from error


@dataclass(frozen=True)
class _Checked:
    """The rows of a shard in the manifest and in the data set, and what is wrong with them."""

    rows: list[Row]
    records: list[dict[str, Any]]
    problems: list[str]


def _listing_problems(store: Store, table: ManifestTable, record: RunRecord) -> Iterator[str]:
    if record.manifest_sha256 != table.sha256:
        yield "the manifest is not the one of the last run; run  pneumoscope archive read  again"
    committed = shards.committed(store)
    for index, shard in enumerate(table.shards):
        if shard not in committed:
            yield f"shard {index} ({table.rows_of_shard[index]} files) has no results; run  pneumoscope archive read  again"
    for shard in committed.keys() - set(table.shards):
        yield f"shard {shard} has results, but is not in the manifest; run  pneumoscope archive read  again"
    expected = {shards.file_of(shard) for shard in committed}
    for name, _ in store.files(shards.READINGS):
        if name not in expected:
            yield f"'{name}' is no file of this data set; remove it"


def _checked(store: Store, table: ManifestTable, record: RunRecord, index: int) -> _Checked:
    name = shards.file_of(table.shards[index])
    again = result_columns.READ_AGAIN
    content = store.read(name) or b""
    try:
        file = pq.ParquetFile(parquet_streams.of_bytes(content), page_checksum_verification=True)
        found = file.read(use_threads=False)
        records = found.to_pylist()
    except (pa.ArrowException, OSError, ValueError):
        return _Checked([], [], [f"'{name}' is damaged; {again}"])
    said = file.schema_arrow.metadata or {}
    rows, problems = table.shard(index), []
    if not found.schema.equals(result_table.SCHEMA):
        return _Checked(rows, records, [f"'{name}' has other columns than this version writes; {again}"])
    if said.get(result_table.RUN_KEY) != result_table.run_text(record.run).encode():
        problems.append(f"'{name}' holds results of another model or of other options; {again}")
    elif said.get(result_table.SHA256_KEY) != result_table.rows_sha256(records).encode():
        problems.append(f"the rows of '{name}' are not those that were written; {again}")
    elif _by_this_version(file) and content != result_table.encode(records, record.run):
        problems.append(f"'{name}' is not the file that was written; {again}")
    if [one["path"] for one in records] != [row.name for row in rows]:
        problems.append(f"'{name}' does not have exactly one row of each file of its shard; {again}")
    return _Checked(rows, records, problems)


def _by_this_version(file: pq.ParquetFile) -> bool:
    """Whether the installed pyarrow wrote a file, so that it would write the same bytes again; another may not."""
    return str(file.metadata.created_by) == f"parquet-cpp-arrow version {pa.__version__}"


def _chosen(table: ManifestTable, count: int, seed: int) -> Mapping[int, list[int]]:
    """Places of a random sample of rows, by shard."""
    wanted = sorted(random.Random(seed).sample(range(table.n_rows), count))
    places: dict[int, list[int]] = {}
    index, before = 0, 0
    for number in wanted:
        while number >= before + table.rows_of_shard[index]:
            before += table.rows_of_shard[index]
            index += 1
        places.setdefault(index, []).append(number - before)
    return places


def _differences(
    row: Row, file: str, kept: Mapping[str, Any], record: RunRecord, reader: Reader, decode: DecodeEach, site_key: str
) -> Iterator[str]:
    if kept["error_kind"] in _NOT_REPEATABLE:
        return
    content = fetch(row)
    records = Records(reader, record.run, decode, site_key)([(row, content)])
    (again,) = pa.Table.from_pylist(records, result_table.SCHEMA).to_pylist()
    different = [name for name in result_table.SCHEMA.names if name != _MAP and again[name] != kept[name]]
    if not _same_map(result_table.heat_map_of(again), result_table.heat_map_of(kept)):
        different.append(_MAP)
    if different:
        yield _difference(row.name, file, content, kept, again, different)


def _difference(
    name: str, file: str, content: Content, kept: Mapping[str, Any], again: Mapping[str, Any], different: Sequence[str]
) -> str:
    """Say why a result differs: the file, or what was made of it."""
    if not isinstance(content, bytes):
        return f"'{name}' cannot be read again: {again['error']}"
    if kept["file_sha256"] is None:
        return (
            f"'{name}' could not be read then ({kept['error_kind']}), and can be now; run  pneumoscope archive read  with "
            f"--again {kept['error_kind']}"
        )
    if kept["file_sha256"] != again["file_sha256"]:
        again_from = f"remove '{file}', and run  pneumoscope archive read  again"
        return f"'{name}' has another content than when it was read; restore it, or {again_from}"
    return f"'{name}' was read again with another result ({', '.join(different)})"


def _same_map(first: Grey | None, second: Grey | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)
