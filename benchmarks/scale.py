"""Measure archives on Ray: the rate next to that of one process, the memory of the driver, and the time to go on after a stop.

    python benchmarks/scale.py [--files 320] [--workers 1 2 4] [--rounds 3] [--rows 100000 1000000] [--json FILE]

Rates: the sixteen shipped radiographs under many names are read by ``pneumoscope archive read`` with ``--engine local`` and with
``--engine ray`` on this machine, in turns, with the same number of readers; more readers than cores share the cores. The rate is
taken between the commits of the first and of the last shard, so that starting either engine does not count; what starting costs
is the rest of the wall time. Decoding is isolated in both, as it is by default.

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

from pneumoscope.archive import manifest_table, sources
from pneumoscope.archive.manifest_table import Row
from pneumoscope.archive.sources import Source
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


def rate(out: Path) -> tuple[float, float]:
    """Radiographs a second between the first and the last commit, and the seconds between them."""
    commits = sorted((file.stat().st_mtime, pq.ParquetFile(file).metadata.num_rows) for file in out.rglob("*.parquet"))
    between = commits[-1][0] - commits[0][0]
    return sum(rows for _, rows in commits[1:]) / between, between


def measure_rates(count: int, workers: list[int], rounds: int, scratch: Path) -> list[dict[str, Any]]:
    """One row for each number of readers."""
    manifest = scratch / "shipped.parquet"
    write_manifest(manifest, shipped(count), ROWS_A_SHARD)
    measured = []
    for number in workers:
        rates: dict[str, list[float]] = {LOCAL: [], RAY: []}
        starts: dict[str, list[float]] = {LOCAL: [], RAY: []}
        for turn in range(rounds):
            for engine in (LOCAL, RAY):
                out = scratch / f"{engine}{number}-{turn}"
                cores = min(1.0, CORES / number)
                options = ["--engine", engine, "--workers", str(number), "--cpus-a-reader", str(cores)]
                seconds, *_ = archive_read(manifest, out, *options)
                own, between = rate(out)
                rates[engine].append(own)
                starts[engine].append(seconds - between)
        measured.append(
            {
                "workers": number,
                "oversubscribed": number > CORES,
                "one process, radiographs/s": statistics.median(rates[LOCAL]),
                "Ray, radiographs/s": statistics.median(rates[RAY]),
                "Ray/one process": median_ratio(rates[RAY], rates[LOCAL]),
                "one process, rest s": statistics.median(starts[LOCAL]),
                "Ray, rest s": statistics.median(starts[RAY]),
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
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    asked = arguments.parse_args()
    about = {"machine": machine("ray", "onnxruntime", "numpy", "pyarrow"), "files": asked.files, "rounds": asked.rounds}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()))
    with tempfile.TemporaryDirectory() as scratch:
        rates = measure_rates(asked.files, asked.workers, asked.rounds, Path(scratch))
        size = bytes_a_row(Path(scratch))
        rows = []
        for count in asked.rows:
            rows.append(measure_rows(count, Path(scratch)))
            print(table(rows[-1:]), flush=True)
    print("\n" + table(rates) + "\n\n" + table(rows))
    write(asked.json, {**about, "rates": rates, "result_bytes_a_radiograph": size, "rows": rows})


if __name__ == "__main__":
    main()
