"""Say what a data set of results holds: how far a run is, and what came of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pneumoscope import PneumoscopeError
from pneumoscope.archive import attempts, counting, locations, result_columns, run_record, shards
from pneumoscope.archive.counting import columns_of
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.manifest_table import ManifestTable, open_manifest
from pneumoscope.archive.run_record import RunRecord
from pneumoscope.archive.sources import Stored
from pneumoscope.archive.store import Store
from pneumoscope.ordered_map import ordered_map

_TOGETHER = 8
_RECENT = 100
"""Shards by which the present rate is measured."""
BINS = 1000
"""Bins of the distribution of probabilities; its quantiles are exact to 1/1000."""
_SUMMARY_COLUMNS = (
    "probability", "decision", "abstains", "domain_inside", "manufacturer", "device_model", "site", "error_kind",
)  # fmt: skip


@dataclass(frozen=True)
class _Time:
    """When a shard was begun, None where that is unknown, and committed; seconds since 1970."""

    start: float | None
    end: float


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Parameters
    ----------
    shards, n_shards : int
        Shards that are committed, and all shards.
    rows, n_rows : int
        Files that have a result, and all files.
    failed : mapping of str to int
        Files that were not read, by kind of error, most frequent first.
    rows_a_second : float, optional
        By the last 100 commits, without the time in which none of their shards was being read, as after an interruption;
        None where fewer than two shards are committed.
    last_commit : float, optional
        When the last shard was committed, seconds since 1970.
    manifest_note : str
        That the manifest was replaced since the last run, or cannot be opened; empty where it is the one of the last run.
    problems : tuple of str
        Where the results are not exactly one row of each file, in one sentence each.
    """

    shards: int
    n_shards: int
    rows: int
    n_rows: int
    failed: Mapping[str, int]
    rows_a_second: float | None
    last_commit: float | None
    manifest_note: str
    problems: tuple[str, ...]

    @property
    def seconds_left(self) -> float | None:
        """Time that the rest takes at this rate; None where the rate is unknown."""
        return (self.n_rows - self.rows) / self.rows_a_second if self.rows_a_second else None


@dataclass(frozen=True)
class Group:
    """The radiographs of one site and device.

    Parameters
    ----------
    site, manufacturer, device_model : str
        As the results hold them; empty where they are unknown.
    read : int
        Radiographs that were read.
    outside : int
        Of these, ones outside the model's domain.
    """

    site: str
    manufacturer: str
    device_model: str
    read: int
    outside: int


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Parameters
    ----------
    run : RunRecord
        Whose results these are.
    rows, read, positive, unsure, outside : int
        Files that have a result; of these, those that were read; of these, positive ones, ones for which the model abstains, and
        ones outside its domain.
    failed : mapping of str to int
        Files that were not read, by kind of error, most frequent first.
    histogram : sequence of int
        Number of probabilities in each of `BINS` equal bins of [0, 1].
    groups : sequence of Group
        By site and device, largest first.
    reader_seconds : float
        Sum over the shards of the time from the last start to the commit. Ray's readers read shards at the same time; the local
        engine reads one after the other, so that there it is the time of the machine.
    """

    run: RunRecord
    rows: int
    read: int
    positive: int
    unsure: int
    outside: int
    failed: Mapping[str, int]
    histogram: Sequence[int]
    groups: Sequence[Group]
    reader_seconds: float

    def quantile(self, share: float) -> float:
        """Compute a quantile of the probabilities.

        Parameters
        ----------
        share : float
            Share of the radiographs that lie at or below it, in [0, 1].

        Returns
        -------
        float
            The centre of the bin that it lies in; NaN where no radiograph was read.
        """
        total = np.cumsum(self.histogram)
        if not self.read:
            return float("nan")
        return (int(np.searchsorted(total, max(share * total[-1], 1))) + 0.5) / BINS

    @property
    def rows_a_reader_hour(self) -> float:
        """Files that one reader reads in an hour; NaN where the time is not known."""
        return self.rows / self.reader_seconds * 3600 if self.reader_seconds else float("nan")


def record_of(store: Store) -> RunRecord:
    """Read whose results a data set holds.

    Parameters
    ----------
    store : Store
        The data set.

    Returns
    -------
    RunRecord
        The record.

    Raises
    ------
    ArchiveError
        There is none, or it is damaged.
    """
    record = run_record.read_run(store)
    if record is None:
        raise ArchiveError(f"'{locations.shown(store.root)}' is no data set; name the OUT of  pneumoscope archive read")
    return record


def status(out: str) -> Status:
    """Say how far a run is.

    Parameters
    ----------
    out : str
        Path or URL of the data set.

    Returns
    -------
    Status
        Counts and rate.

    Raises
    ------
    ArchiveError
        There is no data set, or a file of it is damaged.
    """
    store = Store(out)
    record, committed = record_of(store), shards.committed(store)
    table, note = _manifest_of(record, committed)
    found = counting.count(store, committed, table)
    times = _times(store, _most_recent(committed))
    return Status(
        len(committed),
        record.n_shards,
        found.rows,
        record.n_rows,
        found.failed,
        _rate(times, found.rows_of_shard),
        max((time.end for time in times.values()), default=None),
        note,
        found.problems or _wrong_sum(record, len(committed), found.rows, table),
    )


def _manifest_of(record: RunRecord, committed: Collection[str]) -> tuple[ManifestTable | None, str]:
    """The manifest of a data set, where it can be opened, and what a user should know of it."""
    try:
        table = open_manifest(record.manifest)
    except PneumoscopeError:
        return None, f"the manifest '{record.manifest}' cannot be opened, so that the results are not compared with it"
    if table.sha256 == record.manifest_sha256:
        return table, ""
    done = sum(shard in committed for shard in table.shards)
    return table, (
        f"the manifest '{record.manifest}' was replaced since the last run: {done} of its {len(table.shards)} shards have "
        "results;  pneumoscope archive read  goes on with it"
    )


def _wrong_sum(record: RunRecord, n_shards: int, rows: int, table: ManifestTable | None) -> tuple[str, ...]:
    """What can be said of the number of rows without the manifest of the run."""
    compared = table is not None and table.sha256 == record.manifest_sha256
    wrong = rows > record.n_rows or (n_shards == record.n_shards and rows != record.n_rows)
    if compared or not wrong:
        return ()
    return (
        f"there are results of {rows} files, but the manifest of the last run had {record.n_rows}; find the file of results that "
        "is wrong with  pneumoscope archive verify",
    )


def _most_recent(committed: Mapping[str, Stored]) -> dict[str, Stored]:
    """The shards whose files were written last: the times of all are too many files to open for a status."""
    return dict(sorted(committed.items(), key=lambda item: item[1].modified or 0.0)[-_RECENT:])


def _times(store: Store, committed: Mapping[str, Stored]) -> dict[str, _Time]:
    """When each shard was begun and committed."""

    def time(shard: str) -> _Time:
        noted, stored = attempts.attempts_of(store, shard), committed[shard]
        end = stored.modified or 0.0 if noted.end is None else noted.end
        start = noted.starts[-1] if noted.starts and noted.starts[-1] <= end else None  # after the end: by another clock
        return _Time(start, end)

    return dict(zip(committed, ordered_map(time, committed, _TOGETHER), strict=True))


def _rate(times: Mapping[str, _Time], rows: Mapping[str, int]) -> float | None:
    """Rows of all shards but the first, by the time from its commit to the last one in which a shard was being read."""
    commits = sorted((time.end, name) for name, time in times.items())
    if not commits:
        return None
    (begin, _), *recent = commits
    seconds, until = 0.0, begin
    for start, end in sorted((begin if (start := times[name].start) is None else start, end) for end, name in recent):
        seconds += max(0.0, end - max(start, until))
        until = max(until, end)
    return sum(rows[name] for _, name in recent) / seconds if seconds else None


def summarize(out: str) -> Summary:
    """Say what came of a run, in flat memory.

    Parameters
    ----------
    out : str
        Path or URL of the data set.

    Returns
    -------
    Summary
        Counts, distribution of the probabilities, domain by site and device, and time.

    Raises
    ------
    ArchiveError
        There is no data set, or a file of it is damaged.
    """
    store = Store(out)
    record, committed = record_of(store), shards.committed(store)
    counts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    read: Counter[tuple[str, str, str]] = Counter()
    outside: Counter[tuple[str, str, str]] = Counter()
    histogram = np.zeros(BINS, np.int64)
    for name, table in zip(committed, columns_of(store, _SUMMARY_COLUMNS, [*committed]), strict=True):
        rows = table.to_pylist()
        good = [row for row in rows if not row["error_kind"]]
        if any(row["probability"] is None for row in good):
            raise result_columns.damaged(store, shards.file_of(name), "has a radiograph with neither a probability nor an error")
        failed.update(row["error_kind"] for row in rows if row["error_kind"])
        read.update(map(_group, good))
        outside.update(_group(row) for row in good if row["domain_inside"] is False)
        histogram += np.histogram([row["probability"] for row in good], BINS, (0, 1))[0]
        counts["rows"] += len(rows)
        counts["positive"] += sum(row["decision"] == "positive" for row in good)
        counts["unsure"] += sum(bool(row["abstains"]) for row in good)
    return Summary(
        record,
        counts["rows"],
        read.total(),
        counts["positive"],
        counts["unsure"],
        outside.total(),
        dict(failed.most_common()),
        histogram.tolist(),
        tuple(Group(*group, count, outside[group]) for group, count in read.most_common()),
        sum(time.end - time.start for time in _times(store, committed).values() if time.start is not None),
    )


def _group(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["site"] or "", row["manufacturer"] or "", row["device_model"] or ""
