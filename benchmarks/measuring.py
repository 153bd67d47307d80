"""Shared by the benchmarks: interleaved timing, running processes, a table and a JSON file."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

CORES = os.cpu_count() or 1
Times = Mapping[str, Sequence[float]]
_LONG = 1.0
_WRAPPER = """
import json, os, resource, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
code = os.waitstatus_to_exitcode(os.wait4(process.pid, 0)[1])
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([code, seconds, peak, used.ru_utime + used.ru_stime]))
"""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser with the option that all benchmarks have."""
    arguments = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    return arguments


def once(way: Callable[[], object]) -> float:
    """Time one call, in seconds; a short call is repeated, because the method before has filled the caches."""
    for last in (False, True):
        start = time.perf_counter()
        way()
        taken = time.perf_counter() - start
        if last or taken > _LONG:
            break
    return taken


def interleaved(ways: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Time each method in each round, in turn, in seconds; an additional first round warms up."""
    for way in ways.values() if warm_up else ():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(once(way))
    return times


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Compute the median of the rounds' ratios, so that a slow moment of the machine affects both or neither."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


@dataclass(frozen=True)
class Run:
    """A finished process: its wall time in seconds, its peak resident memory in MiB, its processor time and that of its own
    processes that it has waited for, in seconds."""

    seconds: float
    peak_mib: float
    processor_seconds: float


def run(command: Sequence[str]) -> Run:
    """Run a process to its end; raises RuntimeError with its error output if it fails.

    A small wrapper process starts it, because Linux counts the memory of the parent in the peak of a new process.
    """
    wrapper = [sys.executable, "-I", "-S", "-c", _WRAPPER, *command]
    done = subprocess.run(wrapper, capture_output=True, text=True, check=False)
    code, *used = json.loads(done.stdout or '["no answer", 0, 0, 0]')
    if code != 0:
        raise RuntimeError(f"{' '.join(command[:3])} … exited with code {code}:\n{done.stderr[-2000:]}")
    return Run(*used)


def script(name: str) -> str:
    """Return the path of a command in the current environment."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def machine(*packages: str) -> dict[str, Any]:
    """Describe the machine and the versions of the packages."""
    return {
        "cores": CORES,
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format rows as a text table, the first column left-aligned; a dash stands for a missing figure."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    return "\n".join(
        "  ".join(cell.rjust(width) if k else cell.ljust(width) for k, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in cells
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 0.005 else f"{value:.2f}"
    return "–" if value is None else str(value)


def write(file: Path | None, figures: Mapping[str, Any]) -> None:
    if file:
        file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
