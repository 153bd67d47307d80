"""Read an archive shard by shard into a data set: what a run is, which shards are left, and how one is read and committed.

A shard is committed by the presence of its file. Its bytes are a function of its rows in the manifest and of the run, so that a
shard that is written twice is written once.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from pneumoscope import atomic_files
from pneumoscope.archive import (
    attempts,
    locations,
    removed_results,
    result_columns,
    result_table,
    row_reading,
    run_record,
    sources,
)
from pneumoscope.archive.careful import read_alone
from pneumoscope.archive.errors import (
    ArchiveError,
    DamagedResultsError,
    MissingSourceError,
    RefusedSourceError,
    UnavailableSourceError,
)
from pneumoscope.archive.journal import Options, Run
from pneumoscope.archive.manifest import LINES_NAME
from pneumoscope.archive.manifest_table import ManifestTable, Row, open_manifest
from pneumoscope.archive.reading import Content
from pneumoscope.archive.removed_results import Removed
from pneumoscope.archive.row_reading import fetch
from pneumoscope.archive.run_record import RUN_NAME, RunRecord, read_run
from pneumoscope.archive.store import Store
from pneumoscope.ordered_map import ordered_map
from pneumoscope.reader import Reader
from pneumoscope.reader.composition import check_asked

READINGS = "readings"
ReadRows = Callable[[Sequence[tuple[Row, Content]]], list[dict[str, Any]]]
"""Reads a group of files, each with its content or the error in its place; the results are values by column."""
_FETCHED_TOGETHER = 4
_MOST_BYTES = 2**24
"""Of a group, after which it is read."""


@dataclass(frozen=True)
class Plan:
    """A run over a manifest; small, and pickled to every worker.

    Parameters
    ----------
    manifest : str
        Path or URL of the manifest.
    manifest_sha256 : str
        Its digest.
    out : str
        Path or URL of the data set.
    n_rows, n_shards : int
        Size of the manifest.
    run : Run
        Model, options and policy.
    bundle : str
        Folder of the model, the same on every machine.
    site_key : str
        Secret by which institutions are hashed; empty so that none is kept.
    """

    manifest: str
    manifest_sha256: str
    out: str
    n_rows: int
    n_shards: int
    run: Run
    bundle: str
    site_key: str = field(default="", repr=False)

    @property
    def store(self) -> Store:
        """The data set's files."""
        return Store(self.out)

    def load_reader(self, threads: int = 1) -> Reader:
        """Load the model of the run.

        Parameters
        ----------
        threads : int
            Threads within one inference.

        Returns
        -------
        Reader
            The reader.

        Raises
        ------
        ArchiveError
            The folder of the model holds another one than that of the run.
        """
        reader = Reader.load(self.bundle, threads=threads, policy=self.run.policy)
        if reader.model != self.run.model:
            raise ArchiveError(f"'{self.bundle}' does not hold the model of this run; install the same model on every machine")
        return reader


@dataclass(frozen=True)
class ShardCount:
    """What became of the files of a shard.

    Parameters
    ----------
    index : int
        Index of the shard.
    rows : int
        Its files.
    failed : mapping of str to int
        Files that were not read, by kind of error.
    written : bool
        Whether this call committed the shard; False where it was committed before.
    """

    index: int
    rows: int
    failed: Mapping[str, int]
    written: bool


def make_plan(
    manifest: str,
    out: str,
    reader: Reader,
    options: Options | None = None,
    *,
    bundle: Path | str,
    site_key: str = "",
    remove_results: bool = False,
    on_removed: Callable[[Removed], object] = id,
) -> Plan:
    """Plan a run, and note it in the data set. The caller holds ``Store(out).only_writer()``.

    Where the manifest was updated since the last run, the results of shards that it no longer has are removed, and those of all
    others are kept. Files of these shards that are in the manifest are read again; the results of the others are lost, which is
    refused where they are many.

    Parameters
    ----------
    manifest : str
        Path or URL of a manifest (`manifest_table.write`).
    out : str
        Path or URL of the data set.
    reader : Reader
        The model.
    options : Options, optional
        What is asked of every file; overlays and further files are not written.
    bundle : Path or str
        Folder that the model was loaded from.
    site_key : str
        Secret by which institutions are hashed; empty so that none is kept.
    remove_results : bool
        Remove results also where more than `removed_results.MOST_GONE` of all radiographs with results left the manifest.
    on_removed : callable
        Called with the counts of the results that are removed, where there are any.

    Returns
    -------
    Plan
        The run.

    Raises
    ------
    ArchiveError
        The data set holds results of another model, of other options, of another manifest or of other files, or too many of its
        files are no longer in the manifest.
    CardError
        The model does not have this target or method, or no settings for the stated population.
    """
    run = check_place(manifest, out, reader, options, site_key)
    table, store = open_manifest(manifest), Store(out)
    record = RunRecord(
        result_table.VERSION,
        run,
        locations.shown(manifest),
        table.sha256,
        table.n_rows,
        len(table.shards),
        row_reading.site_key_sha256(site_key),
    )
    plan = Plan(manifest, table.sha256, out, table.n_rows, len(table.shards), run, str(bundle), site_key)
    stale, removed = _stale(store, table, remove_results)
    if read_run(store) != record:
        store.replace(RUN_NAME, msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    if stale:
        on_removed(removed)
    _remove(store, stale)
    return plan


def check_place(manifest: str, out: str, reader: Reader, options: Options | None = None, site_key: str = "") -> Run:
    """Check that a place holds no results of another run.

    Parameters
    ----------
    manifest, out, reader, options, site_key
        As `make_plan`; the manifest need not exist yet.

    Returns
    -------
    Run
        Model, options and policy of the run.

    Raises
    ------
    ArchiveError
        The data set holds results of another model, of other options or of another manifest.
    CardError
        The model does not have this target or method, or no settings for the stated population.
    """
    options = options or Options()
    card = reader.card
    check_asked(card, options.target, options.method, options.population)
    named = replace(options, target=options.target or card.target, method=options.method or card.map_method, overlays="none")
    run, store = Run(reader.model, named, reader.policy), Store(out)
    earlier = read_run(store)
    if earlier is None and store.exists(LINES_NAME):
        raise ArchiveError(f"'{locations.shown(out)}' holds lines of  pneumoscope read; choose another place with -o")
    if earlier is None and next(store.files(READINGS), None):
        raise ArchiveError(
            f"'{locations.shown(out)}' holds files in the folder {READINGS} and no {RUN_NAME} that says what they are; choose "
            "another place with -o"
        )
    reasons = (
        [*run_record.differences(earlier, run, locations.shown(manifest), row_reading.site_key_sha256(site_key))]
        if earlier
        else []
    )
    if reasons:
        raise ArchiveError(
            f"'{locations.shown(out)}' holds results of {' and of '.join(reasons)}; give the same, or choose another "
            "place with -o"
        )
    return run


def file_of(shard: str) -> str:
    """Name the file of a shard's results.

    Parameters
    ----------
    shard : str
        Digest of the shard.

    Returns
    -------
    str
        Name in the data set; the folders are a Hive partition, so that none holds too many files.
    """
    return f"{READINGS}/bucket=x{shard[:2]}/{shard}.parquet"


def committed(store: Store) -> dict[str, sources.Stored]:
    """List the shards that have results.

    Parameters
    ----------
    store : Store
        The data set.

    Returns
    -------
    dict of str to Stored
        Size and time of each file, by digest of the shard; files of other names are none.
    """
    named = ((name.rpartition("/")[2].removesuffix(".parquet"), name, stored) for name, stored in store.files(READINGS))
    return {shard: stored for shard, name, stored in named if name == file_of(shard)}


def pending(plan: Plan) -> Iterator[int]:
    """List the shards that have no results yet.

    Parameters
    ----------
    plan : Plan
        The run.

    Yields
    ------
    int
        Indices in order.
    """
    done = committed(plan.store)
    for index, shard in enumerate(_manifest(plan.manifest, plan.manifest_sha256).shards):
        if shard not in done:
            yield index


def _stale(store: Store, table: ManifestTable, remove_results: bool) -> tuple[list[str], Removed]:
    """The shards with results that a manifest does not have, and what is removed with them."""
    rows, done = dict(zip(table.shards, table.rows_of_shard, strict=True)), committed(store)
    stale = [shard for shard in done if shard not in rows]
    removed = removed_results.count(ordered_map(lambda shard: _names(store, shard), stale, _FETCHED_TOGETHER), table)
    total = removed.radiographs + sum(rows.get(shard, 0) for shard in done)
    if not remove_results or removed.gone == total:
        removed_results.refuse_many(removed, total, store.root, table)
    return stale, removed


def _remove(store: Store, stale: Iterable[str]) -> None:
    """Remove the results of shards, and what writers left that were killed."""
    for shard in stale:
        store.remove(file_of(shard))
    if store.folder:
        atomic_files.remove_partial(store.folder, below=True)


def _names(store: Store, shard: str) -> list[str]:
    """The files that a shard has results of; none of one that is damaged, whose results are lost already."""
    try:
        return _column(store, shard, "path")
    except DamagedResultsError:
        return []


def _column(store: Store, shard: str, name: str) -> list[Any]:
    return list(result_columns.read(store, file_of(shard), [name])[name].to_pylist())


def remove_failed(plan: Plan, kinds: Collection[str]) -> tuple[int, frozenset[str]]:
    """Remove the results of shards in which a file was not read, so that they are read again.

    Parameters
    ----------
    plan : Plan
        The run.
    kinds : collection of str
        Kinds of errors, such as ``UnavailableSourceError``.

    Returns
    -------
    n_removed : int
        Number of shards that were removed.
    found : frozenset of str
        The kinds among these that the results had.

    Raises
    ------
    ArchiveError
        A file of results is damaged; nothing was removed.
    """
    failed = {shard: frozenset(kinds) & {*_column(plan.store, shard, "error_kind")} for shard in committed(plan.store)}
    removed = [shard for shard, found in failed.items() if found]
    for shard in removed:
        plan.store.remove(file_of(shard))
        attempts.forget(plan.store, shard)
    return len(removed), frozenset().union(*failed.values())


@lru_cache(maxsize=4)
def _manifest(location: str, sha256: str) -> ManifestTable:
    table = open_manifest(location)
    if table.sha256 != sha256:
        raise ArchiveError(f"the manifest '{locations.shown(location)}' was replaced during the run; start the run again")
    return table


def read_shard(
    plan: Plan, index: int, read: ReadRows, batch: int = 1, threads: int = 1, *, abandon: Callable[[], None] = lambda: None
) -> ShardCount:
    """Read the files of a shard and commit their results.

    Parameters
    ----------
    plan : Plan
        The run.
    index : int
        Index of the shard.
    read : callable
        Reads a group of files whose content was fetched (`pneumoscope.archive.row_reading.Records`); called from as many threads.
    batch : int
        Files of a group, >= 1.
    threads : int
        Groups that are read at the same time, >= 1.
    abandon : callable
        Called where the run is interrupted, so that what the threads are doing is cut short.

    Returns
    -------
    ShardCount
        Counts; of a shard that was committed before, without reading it again.

    Raises
    ------
    CredentialsError
        The store does not accept the credentials; nothing was committed.
    UnavailableSourceError, RefusedSourceError, MissingSourceError
        The store did not answer for any file of the shard, refuses all of them, or has none of them any more, so that nothing was
        committed.
    ArchiveError
        The manifest was replaced.
    OSError
        The results cannot be written.
    """
    table, store = _manifest(plan.manifest, plan.manifest_sha256), plan.store
    shard = table.shards[index]
    if store.exists(file_of(shard)):
        return ShardCount(index, table.rows_of_shard[index], {}, written=False)
    rows = table.shard(index)
    with attempts.begun(store, shard) as dead:
        records = _carefully(plan, rows) if dead >= attempts.MOST_DEAD else _together(rows, read, batch, threads, abandon)
        failed = Counter(record["error_kind"] for record in records if record["error_kind"])
        _require_store(rows, records, failed)
        written = store.create(file_of(shard), result_table.encode(records, plan.run))
    return ShardCount(index, len(rows), dict(failed), written)


def _require_store(rows: Sequence[Row], records: Sequence[Mapping[str, Any]], failed: Mapping[str, int]) -> None:
    """Raise where every file of a shard failed by its store: that is no fault of the files, and no result of the run."""
    for kind in (UnavailableSourceError, RefusedSourceError):
        all_failed = failed.get(kind.__name__, 0) == len(records)
        if all_failed and (kind is UnavailableSourceError or len(records) > 1):
            raise kind(f"no file of a shard could be read; the run stops here: {records[0]['error']}")
    if failed.get(MissingSourceError.__name__, 0) == len(records) > 1 and any(map(_was_there, rows)):
        raise MissingSourceError(
            f"none of the {len(records)} files of a shard is there; the run stops here: mount the source, correct the table "
            "of URLs, or build the manifest again with --update, and run the same command again"
        )


def _was_there(row: Row) -> bool:
    """Whether a file was there when the manifest was built, which one that a DICOMDIR lists need not have been."""
    return row.source.size is not None and bool(row.source.etag)


def _together(rows: list[Row], read: ReadRows, batch: int, threads: int, abandon: Callable[[], None]) -> list[dict[str, Any]]:
    """Read files, while the next ones are on their way from where they lie."""
    fetched = zip(rows, ordered_map(fetch, rows, _FETCHED_TOGETHER), strict=True)
    return [*itertools.chain.from_iterable(ordered_map(read, _groups(fetched, batch), threads, abandon=abandon))]


def _groups(fetched: Iterable[tuple[Row, Content]], batch: int) -> Iterator[list[tuple[Row, Content]]]:
    """Group files, large ones alone: whoever reads a group holds the content of all of its files."""
    group: list[tuple[Row, Content]] = []
    for row, content in fetched:
        group.append((row, content))
        if len(group) == batch or sum(len(one) for _, one in group if isinstance(one, bytes)) > _MOST_BYTES:
            yield group
            group = []
    if group:
        yield group


def _carefully(plan: Plan, rows: list[Row]) -> list[dict[str, Any]]:
    with read_alone(plan.bundle, plan.run, plan.site_key) as read:
        return [read(row) for row in rows]
