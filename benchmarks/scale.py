"""Measure archives on Ray: the rate next to that of one process, the memory of the driver, and the time to go on after a stop.

    python benchmarks/scale.py [--files 320] [--workers 1 2 4] [--rounds 2] [--rows 100000 1000000] [--json FILE]

Rates: the sixteen shipped radiographs under many names are read by ``pneumoscope archive read`` with ``--engine local`` and with
``--engine ray`` on this machine, in turns, with the same number of readers; more readers than cores share the cores. The rate is
that of the time in which all readers work: from the moment at which each has a shard to the last such moment. What a shard that
began or ended outside counts for is its share of time inside. Starting and ending either engine is the rest of the wall time.
Decoding is isolated in both, as it is by default.

Memory and going on: manifests of many rows whose files are missing, so that each row is an error and nothing is decoded: what
remains is the work of the engine. The peak is the resident memory of the driver alone. The same command is then run again on the
finished data set.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from measuring import CORES, machine, median_ratio, parser, table, write

from pneumoscope.archive import attempts, manifest_table, sources
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source
from pneumoscope.archive.store import Store
from pneumoscope.cohort.sample import sample

LOCAL, RAY = "local", "ray"
ROWS_A_SHARD = 16
"""Of the archive whose rate is measured: small, so that the readers end at about the same time."""
_DRIVER = """
import json, sys, time
from pneumoscope.cli.main import main
start = time.perf_counter()
code = main(sys.argv[1:])
seconds = time.perf_counter() - start
with open("/proc/self/status", encoding="ascii") as stream:
    peak = next(int(line.split()[1]) for line in stream if line.startswith("VmHWM"))
print(json.dumps([code, seconds, peak / 1024, time.process_time()]))
"""


def archive_read(manifest: Path, out: Path, *options: str) -> tuple[float, float, float]:
    """Run the command in a process of its own; returns wall time in s, its own peak memory in MiB and processor time in s."""
    command = [sys.executable, "-c", _DRIVER, "archive", "read", str(manifest), "-o", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    code, seconds, peak, own = json.loads((done.stdout.splitlines() or ["[null, 0, 0, 0]"])[-1])
    if code not in (0, 1):  # 1: files could not be read, which is so on purpose in one part
        raise RuntimeError(f"the command ended with {code}:\n{done.stderr[-2000:]}")
    return seconds, peak, own


def write_manifest(file: Path, rows: Iterator[Row], rows_a_shard: int) -> None:
    with file.open("wb") as stream:
        manifest_table.write(rows, stream, {}, rows_a_shard)


def shipped(count: int) -> Iterator[Row]:
    """The shipped radiographs under many names."""
    with sample() as cohort:
        files = [str(cohort.file(case)) for case in cohort.cases]
    stored = {file: sources.stored(file) for file in files}
    for k, file in zip(range(count), cycle(files), strict=False):
        yield Row(f"{k:09d}.jpeg", Source(file, size=stored[file].size, etag=stored[file].etag))


def missing(count: int) -> Iterator[Row]:
    return (Row(f"{k:09d}.dcm", Source(f"/no-such-folder/{k:09d}.dcm", size=1_000_000)) for k in range(count))


def rate(out: Path, readers: int) -> tuple[float, float]:
    """Radiographs a second while all readers work, and the seconds from the first start to the last commit."""
    shards = []
    for file in out.rglob("*.parquet"):
        *_, start = attempts.attempts_of(Store(str(out)), file.stem).starts
        shards.append((start, file.stat().st_mtime, pq.ParquetFile(file).metadata.num_rows))
    return steady_rate(shards, readers), max(end for _, end, _ in shards) - min(start for start, *_ in shards)


def steady_rate(shards: list[tuple[float, float, int]], readers: int) -> float:
    """Radiographs a second from the first to the last moment at which as many shards are being read as there are readers.

    A shard is its start and end, in s, and its radiographs, which are spread evenly between them.
    """
    changes = sorted([(start, 1) for start, _, _ in shards] + [(end, -1) for _, end, _ in shards])
    busy, full = 0, []
    for moment, change in changes:
        before, busy = busy, busy + change
        if readers in (before, busy):
            full.append(moment)
    if not full:
        raise RuntimeError(f"at no moment did {readers} readers work; read more files with --files")
    first, last = full[0], full[-1]
    inside = (rows * max(0.0, min(end, last) - max(start, first)) / (end - start) for start, end, rows in shards)
    return sum(inside) / (last - first)


def measure_rates(count: int, workers: list[int], rounds: int, scratch: Path) -> list[dict[str, Any]]:
    """One row for each number of readers."""
    manifest = scratch / "shipped.parquet"
    write_manifest(manifest, shipped(count), ROWS_A_SHARD)
    measured = []
    for number in workers:
        rates: dict[str, list[float]] = {LOCAL: [], RAY: []}
        rests: dict[str, list[float]] = {LOCAL: [], RAY: []}
        for turn in range(rounds):
            for engine, options, at_a_time in (
                (LOCAL, [], 1),  # one shard after the other, its files at the same time
                (RAY, ["--cpus-a-reader", str(min(1.0, CORES / number))], number),
            ):
                out = scratch / f"{engine}{number}-{turn}"
                seconds, *_ = archive_read(manifest, out, "--engine", engine, "--workers", str(number), *options)
                own, between = rate(out, at_a_time)
                rates[engine].append(own)
                rests[engine].append(seconds - between)
        measured.append(
            {
                "workers": number,
                "oversubscribed": number > CORES,
                "one process, radiographs/s": statistics.median(rates[LOCAL]),
                "Ray, radiographs/s": statistics.median(rates[RAY]),
                "Ray/one process": median_ratio(rates[RAY], rates[LOCAL]),
                "one process, rest s": statistics.median(rests[LOCAL]),
                "Ray, rest s": statistics.median(rests[RAY]),
            }
        )
        print(table(measured[-1:]), flush=True)
    return measured


def measure_rows(count: int, scratch: Path) -> dict[str, Any]:
    """The driver over a manifest of many rows, and over the finished data set."""
    manifest, out = scratch / f"{count}.parquet", scratch / f"out{count}"
    write_manifest(manifest, missing(count), manifest_table.ROWS_A_SHARD)
    seconds, peak, own = archive_read(manifest, out, "--engine", RAY)
    again, peak_again, _ = archive_read(manifest, out, "--engine", RAY)
    files = list(out.rglob("*.parquet"))
    return {
        "rows": count,
        "shards": len(files),
        "manifest MB": manifest.stat().st_size / 1e6,
        "results MB": sum(file.stat().st_size for file in files) / 1e6,
        "driver peak MiB": peak,
        "driver processor s": own,
        "rows/s": count / seconds,
        "resume s": again,
        "resume peak MiB": peak_again,
    }


def bytes_a_row(scratch: Path) -> float:
    """Bytes of a row of results of the shipped radiographs, in shards of the default size."""
    manifest, out = scratch / "bytes.parquet", scratch / "bytes"
    count = manifest_table.ROWS_A_SHARD
    write_manifest(manifest, shipped(count), count)
    archive_read(manifest, out, "--engine", LOCAL)
    return sum(file.stat().st_size for file in out.rglob("*.parquet")) / count


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--files", type=int, default=320, help="radiographs of a run whose rate is measured")
    arguments.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    asked = arguments.parse_args()
    about = {"machine": machine("ray", "onnxruntime", "numpy", "pyarrow"), "files": asked.files, "rounds": asked.rounds}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows: list[dict[str, Any]] = []
        rates, size = measure_rates(asked.files, asked.workers, asked.rounds, scratch), bytes_a_row(scratch)
        for count in asked.rows:
            rows.append(measure_rows(count, scratch))
            print(table(rows[-1:]), flush=True)
            write(asked.json, {**about, "rates": rates, "result_bytes_a_radiograph": size, "rows": rows})
    print("\n" + table(rates) + "\n\n" + table(rows))


if __name__ == "__main__":
    main()
