"""Measure one radiograph from a cold start: wall time and peak memory of a new process, next to those of its imports alone.

    python benchmarks/coldstart.py [--rounds 9] [--json FILE]

Each round starts one process of each kind in turn. Prints medians and medians of the rounds' ratios. The processes are new, but
the files are in the disk cache, and modules are compiled: an additional first round does both. (pip compiles the modules that it
installs, Python those of a checkout when they are first imported, unless PYTHONDONTWRITEBYTECODE is set.) Processor time depends
little on what else the machine does; where it is far below the wall time, the machine was busy.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import Run, machine, median_ratio, parser, run, script, table, write
from PIL import Image

from pneumoscope.cohort.sample import sample

READ, HELP, IMPORTS, BARE = "pneumoscope read", "pneumoscope --help", "import numpy, onnxruntime", "pass"
RATIOS = ((READ, IMPORTS), (READ, BARE), (HELP, BARE))


def one_radiograph(folder: Path) -> Path:
    """Write the first shipped radiograph as a PNG file."""
    file = folder / "one.png"
    with sample() as cohort:
        Image.open(cohort.file(cohort.cases[0])).convert("L").save(file)
    return file


def commands(scratch: Path) -> dict[str, Callable[[int], list[str]]]:
    """Make the command of each kind by the number of the round; each round has its own output folder."""
    file = str(one_radiograph(scratch))
    return {
        BARE: lambda k: [sys.executable, "-c", "pass"],
        IMPORTS: lambda k: [sys.executable, "-c", "import numpy, onnxruntime"],
        HELP: lambda k: [script("pneumoscope"), "--help"],
        READ: lambda k: [script("pneumoscope"), "read", file, "-o", str(scratch / f"out{k}")],
    }


def keep_bytecode(folder: Path) -> None:
    """Let the processes that are started from now on keep compiled modules in a folder, whatever the environment says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(rounds: int) -> dict[str, list[Run]]:
    with tempfile.TemporaryDirectory() as scratch:
        keep_bytecode(Path(scratch) / "bytecode")
        kinds = commands(Path(scratch))
        runs: dict[str, list[Run]] = {name: [] for name in kinds}
        for k in range(rounds + 1):
            for name, command in kinds.items():
                runs[name].append(run(command(k)))
    return {name: rounds_of[1:] for name, rounds_of in runs.items()}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    asked = arguments.parse_args()
    about = {"machine": machine("onnxruntime", "numpy"), "rounds": asked.rounds}
    runs = measure(asked.rounds)
    rows: list[dict[str, Any]] = [
        {
            "process": name,
            "seconds": statistics.median(run.seconds for run in measured),
            "processor seconds": statistics.median(run.processor_seconds for run in measured),
            "peak MiB": statistics.median(run.peak_mib for run in measured),
        }
        for name, measured in runs.items()
    ]
    seconds = {name: [run.seconds for run in measured] for name, measured in runs.items()}
    ratios = {f"{a} / {b}": median_ratio(seconds[a], seconds[b]) for a, b in RATIOS}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()) + f"; {asked.rounds} rounds")
    print(table(rows))
    print("\n".join(f"{name}: {value:.2f}" for name, value in ratios.items()))
    write(asked.json, {**about, "rows": rows, "ratios": ratios})


if __name__ == "__main__":
    main()
