"""Read the shards of a run by threads of this process."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tqdm import tqdm

from pneumoscope.archive.row_reading import Decode
from pneumoscope.archive.shards import Plan, pending, read_shard
from pneumoscope.ordered_map import ordered_map
from pneumoscope.reader import Reader


@dataclass(frozen=True)
class Totals:
    """What a run did.

    Parameters
    ----------
    shards, rows : int
        Shards that were committed by this run, and their files.
    failed : mapping of str to int
        Of these files, those that were not read, by kind of error.
    """

    shards: int
    rows: int
    failed: Mapping[str, int]


def read_archive(plan: Plan, reader: Reader, decode: Decode, *, workers: int = 0, show_progress: bool = False) -> Totals:
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
        Threads, each of which reads a shard; 0 for `Reader.workers`.
    show_progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Totals
        Counts.

    Raises
    ------
    ArchiveError
        As `read_shard`.
    OSError
        The results cannot be written.
    """
    workers = workers or reader.workers
    shards = rows = 0
    failed: Counter[str] = Counter()
    with tqdm(total=plan.n_rows, unit="file", disable=None if show_progress else True) as progress:
        for count in ordered_map(lambda index: read_shard(plan, index, reader, decode), pending(plan), workers):
            shards += count.written
            rows += count.rows if count.written else 0
            failed.update(count.failed)
            progress.update(count.rows)
    return Totals(shards, rows, dict(failed))
