"""Measure the installed size: a new environment after ``pip install .``, the wheel, and the graphs in it.

    python benchmarks/size.py [--offline] [--json FILE]

Sizes are those of files, in MB (10⁶ bytes), without pip's cache. A new environment contains pip, and until Python 3.11
setuptools; what the installation adds to them is given as well. pip compiles every module that it installs, used or not; a second
environment is installed with ``--no-compile`` and measured after a reading too, in which Python compiles the modules it imports.
Installing and building the wheel need the package index. With ``--offline`` nothing is installed or built: the sum is over the
package and all of its requirements in the current environment, and there is no wheel.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

from measuring import machine, parser, table, write
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields.finder import GRAPH_NAME as LUNGS_NAME
from pneumoscope.lung_fields.finder import SHIPPED as LUNGS
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.reader.shipped import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
NAME = "pneumoscope"
MB = 1e6


def of_folder(folder: Path) -> float:
    """Sum the sizes of all files below a folder, in MB; links are not followed."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) / MB


def of_distribution(package: Distribution, suffix: str = "") -> float:
    """Sum the sizes of the files of an installed package whose names have an ending, in MB."""
    files = [Path(str(package.locate_file(file))) for file in package.files or () if str(file).endswith(suffix)]
    return sum(file.stat().st_size for file in files if file.is_file()) / MB


def of_package() -> float:
    """Sum the sizes of the package's own sources, as a wheel installs them, in MB."""
    folder = ROOT / "src" / NAME
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and f.suffix != ".pyc") / MB


def required() -> dict[str, Distribution]:
    """Find the installed requirements of the package, and theirs, without its extras."""
    found: dict[str, Distribution] = {}
    waiting = [(NAME, "")]
    while waiting:
        name, extra = waiting.pop()
        try:
            held = distribution(name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(name)] = held
        for line in held.requires or ():
            wanted = Requirement(line)
            counts = wanted.marker is None or wanted.marker.evaluate({"extra": extra})
            if counts and canonicalize_name(wanted.name) not in found:
                waiting += [(wanted.name, e) for e in (wanted.extras or {""})]
    return found


def parts(held: Iterable[Distribution]) -> list[dict[str, Any]]:
    """List the installed packages, the largest first."""
    rows = [
        {
            "package": canonicalize_name(package.metadata["Name"]),
            "MB": of_distribution(package),
            "compiled MB": of_distribution(package, ".pyc"),
        }
        for package in held
    ]
    return sorted(rows, key=lambda row: -row["MB"])


def pip(python: str, *arguments: str) -> None:
    """Run pip; raises RuntimeError with its error output if it fails."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip failed; use --offline if there is no package index\n{done.stderr[-2000:]}")


def new_environment(folder: Path) -> str:
    """Make an environment; returns the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")


def installed(scratch: Path) -> dict[str, Any]:
    """Measure new environments before and after the installation, and the wheel."""
    environment = scratch / "environment"
    python = new_environment(environment)
    empty = of_folder(environment)
    cache = "--cache-dir", str(scratch / "cache")
    pip(python, "wheel", *cache, "--no-deps", "-w", str(scratch), str(ROOT))
    (wheel,) = scratch.glob("*.whl")
    pip(python, "install", *cache, str(wheel))
    whole = of_folder(environment)
    (packages,) = [folder for folder in environment.rglob("site-packages") if folder.is_dir() and folder.parent.name != "lib64"]
    sums = {"environment": whole, "added by the installation": whole - empty, **not_compiled(scratch, wheel, cache)}
    return {"sums": {**sums, "wheel": wheel.stat().st_size / MB}, "packages": parts(distributions(path=[str(packages)]))}


def not_compiled(scratch: Path, wheel: Path, cache: Iterable[str]) -> dict[str, float]:
    """Measure what an installation adds whose modules pip does not compile, after it and after a reading."""
    environment = scratch / "not compiled"
    python = new_environment(environment)
    empty = of_folder(environment)
    pip(python, "install", *cache, "--no-compile", str(wheel))
    bare = of_folder(environment)
    with sample() as cohort:
        read = [str(Path(python).with_name("pneumoscope")), "read", str(cohort.file(cohort.cases[0])), "-o", str(scratch / "out")]
        keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run(read, check=True, capture_output=True, env=keeping)
    return {"added with --no-compile": bare - empty, "added with --no-compile, after a reading": of_folder(environment) - empty}


def here() -> dict[str, Any]:
    """Measure the same packages in the current environment, where the package itself may be an editable installation."""
    held = required()
    own = of_package()
    held.pop(NAME, None)
    rows = sorted([{"package": NAME, "MB": own, "compiled MB": 0.0}, *parts(held.values())], key=lambda row: -row["MB"])
    return {"sums": {"added by the installation": sum(row["MB"] for row in rows), "wheel": None}, "packages": rows}


def graphs() -> dict[str, float]:
    files = {f"{name} bundle": folder / GRAPH_NAME for name, folder in SHIPPED.items()} | {"lung fields": LUNGS / LUNGS_NAME}
    return {name: file.stat().st_size / MB for name, file in files.items()}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--offline", action="store_true")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = here() if asked.offline else installed(Path(scratch))
    figures = {"machine": machine(), "offline": asked.offline, **found, "graphs": graphs()}
    sizes = [*figures["sums"].items(), *((f"graph: {name}", size) for name, size in figures["graphs"].items())]
    print(table([{"what": name, "MB": size} for name, size in sizes]))
    print("\n" + table(figures["packages"][:12]))
    write(asked.json, figures)


if __name__ == "__main__":
    main()
