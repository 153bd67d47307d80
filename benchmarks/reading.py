"""Speed and peak memory of ``pneumoscope read`` on many files.

    python benchmarks/reading.py [--files 5000] [--out FOLDER]

Links the sixteen shipped radiographs over and over into a folder, reads it with and without overlays in a process of its own, and
prints files per second and that process's peak resident memory; flat memory means that the peak does not grow with the number.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from pneumoscope.cli.main import main as pneumoscope
from pneumoscope.cohort.sample import sample


def read(folder: Path, out: Path, overlays: str, answer: "multiprocessing.Queue[tuple[float, float]]") -> None:
    start = time.perf_counter()
    pneumoscope(["read", str(folder), "-o", str(out), overlays])
    answer.put((time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=int, nargs="+", default=[100, 5000])
    arguments.add_argument("--overlays", action="store_true")
    asked = arguments.parse_args()
    flag = "--overlays" if asked.overlays else "--no-overlays"
    context = multiprocessing.get_context("spawn")
    for count in asked.files:
        with tempfile.TemporaryDirectory() as scratch, sample() as cohort:
            folder = Path(scratch) / "in"
            folder.mkdir()
            for k in range(count):
                case = cohort.cases[k % len(cohort.cases)]
                (folder / f"{k:05d}.jpeg").symlink_to(cohort.file(case).resolve())
            queue: multiprocessing.Queue[tuple[float, float]] = context.Queue()
            process = context.Process(target=read, args=(folder, Path(scratch) / "out", flag, queue))
            process.start()
            seconds, peak = queue.get()
            process.join()
            print(f"{count} files, {flag}: {count / seconds:.1f} files/s, peak memory {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
