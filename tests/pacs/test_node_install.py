"""What the node imports is what ``pip install 'pneumoscope[node]'`` brings."""

import ast
import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOAD = """
import importlib, json, pkgutil, sys
import pneumoscope.cli.node, pneumoscope.pacs
for module in pkgutil.walk_packages(pneumoscope.pacs.__path__, "pneumoscope.pacs."):
    importlib.import_module(module.name)
files = {getattr(module, "__file__", None) for name, module in sys.modules.items() if name.startswith("pneumoscope")}
print(json.dumps(sorted(filter(None, files))))
"""


def own_requirements(extra):
    """Requirements of this project with an extra, and with the extras that this one names."""
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]:
        requirement = Requirement(text)
        if requirement.name == "pneumoscope":
            for other in requirement.extras:
                yield from own_requirements(other)
        else:
            yield requirement


def brought(requirements):
    """Names of the distributions that requirements bring, as far as they are installed here."""
    known, waiting = set(), list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in known:
            continue
        known.add(name)
        extras = requirement.extras or {""}
        try:
            texts = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed = map(Requirement, texts)
        waiting += [one for one in needed if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in extras)]
    return known


def imported(file):
    """Top-level names that a module imports wherever it is loaded; what is tried and may fail is left out."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module.partition(".")[0]


def test_the_node_imports_nothing_that_its_extra_does_not_bring():
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    names = {name for file in json.loads(done.stdout) if file.endswith(".py") for name in imported(Path(file))}
    third_party = names - set(sys.stdlib_module_names) - {"pneumoscope"}
    assert {"pydicom", "sqlalchemy", "cryptography"} <= third_party
    distributions, there = metadata.packages_distributions(), brought(own_requirements("node"))
    missing = {name for name in third_party if not {canonicalize_name(one) for one in distributions.get(name, ())} & there}
    assert missing == set()


def test_a_module_that_is_tried_is_no_requirement(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import json\nfrom scipy import stats\ntry:\n    import torch\nexcept ImportError:\n    pass\n", "utf-8")
    assert list(imported(file)) == ["json", "scipy"]
