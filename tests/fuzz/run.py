"""Fuzz the parsers: ``python -m tests.fuzz.run --inputs 55000 [--seed 1] [--target dicom] [--keep FOLDER] [--jobs 2]``.

Inputs are valid files that are changed by seeded random numbers (`tests.fuzz.mutations`), so that a number names an input on
every machine. A plain mutator is used, not Hypothesis or Atheris: Hypothesis draws and shrinks structures, slowly for thousands
of bytes, and does not know DICOM's; Atheris follows the coverage of Python code, while much of what can break are decoders
written in C, and its runs are not repeated by a number. Each target runs in a process of its own, which may crash or hang.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import TARGETS

MOST_FAULTS = 20
"""After so many a target is given up."""


@dataclass
class Report:
    """What came of the inputs of one target: counts by kind, faults by the number of the input, and the most that one cost."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    mb: float = 0.0


def replay(name: str, folder: Path) -> Report:
    """Parse the files of a folder as inputs of one target."""
    return _run(name, folder, len(list(folder.iterdir())))


def fuzz(name: str, seed: int, n_inputs: int, keep: Path | None = None) -> Report:
    """Parse mutated inputs of one target.

    Parameters
    ----------
    name : str
        The target.
    seed : int
        Seed of the inputs.
    n_inputs : int
        How many inputs.
    keep : Path, optional
        A folder for the inputs with a fault.

    Returns
    -------
    Report
        What came of them.
    """
    report = _run(name, seed, n_inputs)
    if keep:
        _keep(report, name, seed, keep)
    return report


def _run(name: str, source: int | Path, n_inputs: int) -> Report:
    report, first = Report(), 0
    with tempfile.TemporaryDirectory() as folder:
        while first < n_inputs and len(report.faults) < MOST_FAULTS:
            first = _one_process(Path(folder), name, source, first, n_inputs, report)
    return report


def _one_process(place: Path, name: str, source: int | Path, first: int, end: int, report: Report) -> int:
    """Parse inputs until the end, or until the process ends in the middle of one; the number to go on with."""
    outcomes = place / "outcomes.jsonl"
    outcomes.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.worker", place, name, source, first, end]
    ended = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    lines = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()] if outcomes.exists() else []
    for line in lines:
        report.counts[line["kind"]] += 1
        report.seconds, report.mb = max(report.seconds, line["seconds"]), max(report.mb, line["mb"])
        if line["fault"]:
            report.faults[line["number"]] = line["fault"]
    last = first + len(lines)
    if ended.returncode == 0:
        return end
    if not (place / "input").exists():
        raise RuntimeError(f"the worker of {name} did not start: {ended.stderr.decode()} {(place / 'printed').read_text()}")
    stack = (place / "stack").read_text(encoding="utf-8")
    report.counts["FAULT"] += 1
    report.faults[last] = f"ended its process ({ended.returncode})\n{stack[-3000:]}"
    return last + 1


def _keep(report: Report, name: str, seed: int, keep: Path) -> None:
    from tests.fuzz.worker import input_of  # noqa: PLC0415 - takes the signal handlers of a worker

    for number in report.faults:
        content = input_of(name, seed, number)
        file = keep / name / hashlib.sha256(content).hexdigest()[:12]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def text_of(name: str, seed: int, report: Report) -> str:
    """What came of a target in words, with the inputs that have a fault: `tests.fuzz.worker.input_of` makes each again."""
    faults = [f"  seed {seed}, number {number}: {fault}" for number, fault in report.faults.items()]
    most = f"at most {report.seconds:.2f} s of the processor and {report.mb:.0f} MB for one"
    return "\n".join([f"{name}: {report.counts.total()} inputs, {most}, {dict(report.counts.most_common())}", *faults])


def shares(n_inputs: int, names: Sequence[str] = tuple(TARGETS)) -> dict[str, int]:
    """Divide inputs among targets by their shares, at least one each."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: max(1, -(-n_inputs * TARGETS[name].share // whole)) for name in names}


def main() -> int:
    """Fuzz all targets; 1 where one has a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", choices=list(TARGETS))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    counts = shares(options.inputs, options.target or tuple(TARGETS))
    n_inputs = n_faults = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        reports = pool.map(lambda one: fuzz(one[0], options.seed, one[1], options.keep), counts.items())
        for name, report in zip(counts, reports, strict=True):
            print(text_of(name, options.seed, report), flush=True)
            n_inputs, n_faults = n_inputs + report.counts.total(), n_faults + len(report.faults)
    print(f"{n_inputs} inputs, {n_faults} faults")
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
