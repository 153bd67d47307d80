"""Count the rows of a data set, and compare them with the files of its manifest."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

import pyarrow as pa

from pneumoscope.archive import locations, result_columns, shards
from pneumoscope.archive.manifest_table import ManifestTable
from pneumoscope.archive.result_columns import READ_AGAIN
from pneumoscope.archive.store import Store
from pneumoscope.ordered_map import ordered_map

_TOGETHER = 8


@dataclass(frozen=True)
class Counts:
    """The rows of some shards.

    Parameters
    ----------
    rows_of_shard : mapping of str to int
        Number of rows, by digest of the shard.
    failed : mapping of str to int
        Files that were not read, by kind of error, most frequent first.
    problems : tuple of str
        Where the results are not exactly one row of each file of a shard, in one sentence each.
    """

    rows_of_shard: Mapping[str, int]
    failed: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.rows_of_shard.values())


def count(store: Store, committed: Collection[str], table: ManifestTable | None) -> Counts:
    """Count the rows of shards, in flat memory.

    Parameters
    ----------
    store : Store
        The data set.
    committed : collection of str
        Digests of the shards.
    table : ManifestTable, optional
        The manifest; None where it cannot be opened, so that nothing is compared. Shards that it does not have are counted only.

    Returns
    -------
    Counts
        The counts.

    Raises
    ------
    ArchiveError
        The manifest or a file of results is damaged.
    """
    listed = [shard for shard in table.shards if shard in committed] if table else []
    known = frozenset(listed)
    order = [*listed, *(shard for shard in committed if shard not in known)]
    expected = chain(_names(table, known) if table else (), repeat(None))
    failed: Counter[str] = Counter()
    rows, problems = {}, []
    found = columns_of(store, ["path", "error_kind"], order)
    for shard, wanted, results in zip(order, expected, found, strict=False):  # what is expected has no end
        rows[shard] = results.num_rows
        failed.update(kind for kind in results["error_kind"].to_pylist() if kind)
        if wanted is not None and results["path"].to_pylist() != wanted:
            problems.append(_problem(store, shards.file_of(shard), results.num_rows, len(wanted)))
    return Counts(rows, dict(failed.most_common()), tuple(problems))


def _names(table: ManifestTable, wanted: Collection[str]) -> Iterator[list[str]]:
    """The names of the files of each shard that is wanted."""
    names = chain.from_iterable(table.names())
    for shard, count in zip(table.shards, table.rows_of_shard, strict=True):
        of_shard = [*islice(names, count)]
        if shard in wanted:
            yield of_shard


def _problem(store: Store, name: str, found: int, expected: int) -> str:
    place = locations.shown(store.location(name))
    what = "other files than those of its shard" if found == expected else f"{found} files instead of {expected}"
    return f"'{place}' holds the results of {what}; {READ_AGAIN}"


def columns_of(store: Store, columns: Sequence[str], names: Sequence[str]) -> Iterator[pa.Table]:
    """Read columns of shards, a few shards at the same time.

    Parameters
    ----------
    store : Store
        The data set.
    columns : sequence of str
        Names of the columns.
    names : sequence of str
        Digests of the shards.

    Yields
    ------
    pyarrow.Table
        The columns of each shard, in order.

    Raises
    ------
    ArchiveError
        A file is damaged, or cannot be read.
    """
    return ordered_map(lambda name: result_columns.read(store, shards.file_of(name), columns), names, _TOGETHER)
