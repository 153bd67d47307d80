"""Read the shards of a run by threads of this process."""

from collections.abc import Iterator

from pneumoscope.archive.decoding import Decode
from pneumoscope.archive.shards import Plan, ShardCount, pending, read_shard
from pneumoscope.reader import Reader


def read_shards(plan: Plan, reader: Reader, decode: Decode, workers: int = 0) -> Iterator[ShardCount]:
    """Read all shards that have no results yet. The caller holds ``plan.store.only_writer()``.

    Parameters
    ----------
    plan : Plan
        The run.
    reader : Reader
        Its model.
    decode : callable
        Decodes the content of a file; called from several threads.
    workers : int
        Files that are read at the same time; 0 for `Reader.workers`.

    Yields
    ------
    ShardCount
        The counts of each shard, in order.

    Raises
    ------
    ArchiveError
        As `read_shard`.
    OSError
        The results cannot be written.
    """
    for index in pending(plan):
        yield read_shard(plan, index, reader, decode, workers or reader.workers)
