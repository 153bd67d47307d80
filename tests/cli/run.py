"""Run the command in this process or in a fresh one."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import jsonschema

from pneumoscope.cli.main import main
from pneumoscope.readings import form

ENTRY = "from pneumoscope.cli.main import entry; entry()"
_VALIDATOR = jsonschema.Draft202012Validator(form.schema())


@dataclass(frozen=True)
class Ran:
    """Exit code and what was said."""

    code: int
    out: str
    err: str


def run(*arguments) -> Ran:
    """Run ``pneumoscope`` with the arguments, here."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def fresh(code: str, *arguments) -> Ran:
    """Run Python code in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def lines_of(out: Path) -> list[dict]:
    """The lines of ``form.jsonl``, each held against the shipped schema."""
    lines = [json.loads(text) for text in (out / "readings.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    for line in lines:
        _VALIDATOR.validate(line)
    return lines


def by_path(out: Path) -> dict[str, dict]:
    """The same by the name of the file; no name comes twice."""
    lines = lines_of(out)
    named = {line["path"]: line for line in lines}
    assert len(named) == len(lines)
    return named
