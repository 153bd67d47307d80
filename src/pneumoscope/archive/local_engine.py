"""Read the shards of a run on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack

from pneumoscope.archive.decoding import Decode, decoder, one_by_one, seen_px
from pneumoscope.archive.row_reading import Records
from pneumoscope.archive.shards import Plan, ShardCount, pending, read_shard
from pneumoscope.reader import Reader


def read_shards(
    plan: Plan, reader: Reader, decode: Decode | None = None, workers: int = 0, isolate: bool = True
) -> Iterator[ShardCount]:
    """Read all shards that have no results yet. The caller holds ``plan.store.only_writer()``.

    Parameters
    ----------
    plan : Plan
        The run.
    reader : Reader
        Its model.
    decode : callable, optional
        Decodes the content of a file in place of what `isolate` says; called from several threads.
    workers : int
        Groups of files that are read at the same time; 0 for `Reader.workers`.
    isolate : bool
        Decode in worker processes with limits (`pneumoscope.archive.decoding.decoder`).

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
    workers = workers or reader.workers
    with ExitStack() as processes:
        decoding = decoder(isolate, workers, seen_px(reader, plan.run.options))
        each = one_by_one(decode) if decode else processes.enter_context(decoding)
        read = Records(reader, plan.run, each, plan.site_key)
        for index in pending(plan):
            yield read_shard(plan, index, read, reader.batch, workers, abandon=processes.close)
