"""Answers kept on disk, each with the question that it answers and the code that gave it."""

import ast
import functools
import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pneumoscope
from pneumoscope import PneumoscopeError, atomic_files

FORMAT = 1
"""Format of the files written here; an answer in another format is computed again."""
_ROOT = Path(pneumoscope.__file__).parent
_LOG = logging.getLogger(__name__)


class CacheError(PneumoscopeError):
    """A cached file is not what was written."""


@dataclass(frozen=True)
class Question:
    """Everything that an answer depends on.

    Parameters
    ----------
    kind
        What is asked for, in a few words; it is shown in errors.
    inputs
        The values that the answer depends on, as JSON: hashes of images and models, settings, counts.
    code
        Dotted names of the modules that compute the answer. The modules of this package that they import count too.
    libraries
        Installed distributions whose version changes the answer, for example the one that resamples.
    """

    kind: str
    inputs: Mapping[str, Any]
    code: tuple[str, ...]
    libraries: tuple[str, ...] = ()

    @property
    def stated(self) -> dict[str, Any]:
        """The question as JSON: the inputs with the versions of format, code and libraries."""
        return {
            "kind": self.kind,
            "format": FORMAT,
            "code": code_sha256(*self.code),
            "libraries": {name: importlib.metadata.version(name) for name in self.libraries},
            "inputs": dict(self.inputs),
        }

    @property
    def sha256(self) -> str:
        """SHA-256 of the question: the same for the same question alone."""
        return hashlib.sha256(_canonical(self.stated)).hexdigest()


def json_answer(file: Path, question: Question, make: Callable[[], Any]) -> Any:
    """Return the answer to a question, from a JSON file if the file answers that question.

    Parameters
    ----------
    file
        The file that keeps question and answer; replaced whole if it answers another question.
    question
        What is asked.
    make
        Computes the answer as plain JSON values (no NaN), called only if the file does not hold it.

    Returns
    -------
    Any
        The answer as it is read back from JSON: tuples are lists.

    Raises
    ------
    CacheError
        If the file is no JSON, or the answer in it is not the one that was written.
    """
    asked = json.loads(_canonical(question.stated))
    if file.exists():
        kept = _read(file, question)
        if kept.get("question") == asked:
            if kept.get("sha256") != hashlib.sha256(_canonical(kept.get("answer"))).hexdigest():
                raise _damaged(file, question)
            return kept["answer"]
    text = _canonical(make())
    answer = json.loads(text)
    _write(file, {"question": asked, "sha256": hashlib.sha256(text).hexdigest(), "answer": answer})
    return answer


def file_answer(file: Path, question: Question, write: Callable[[BinaryIO], None]) -> Path:
    """Return the file that answers a question, written first if it is not there or not what was written.

    The question and the hash of the content are kept next to the file, under its name with ``.json`` appended. A file or a stamp
    that was damaged since is written again, with a warning in the log.

    Parameters
    ----------
    file
        The file that keeps the answer.
    question
        What is asked.
    write
        Writes the answer to a binary stream, in order; called only if the file does not hold it.

    Returns
    -------
    Path
        `file`, whose content was compared with its hash.
    """
    asked = json.loads(_canonical(question.stated))
    stamp = file.with_name(f"{file.name}.json")
    if stamp.exists() and file.exists():
        kept = _read_stamp(stamp)
        if kept.get("question") == asked and kept.get("sha256") == _file_sha256(file):
            return file
        if kept.get("question", asked) == asked:
            _LOG.warning("'%s' (%s) is damaged: its content is not what was written; it is made again", file, question.kind)
    with atomic_files.binary(file) as stream:
        hashed = _Hashed(stream)
        write(hashed)  # type: ignore[arg-type]  # of a stream, writers use `write` alone
    _write(stamp, {"question": asked, "sha256": hashed.digest.hexdigest()})
    return file


class _Hashed:
    """A stream that hashes what is written to it, so that the content need not be read again."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self._stream.write(content)


@functools.cache
def code_sha256(*modules: str) -> str:
    """Hash the code of modules and of all modules of this package that they import.

    Comments, docstrings and layout do not count, so that only a change of the code makes an answer out of date.

    Parameters
    ----------
    modules
        Dotted names of modules or packages below ``pneumoscope``.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    ValueError
        If a name is no module of this package.
    """
    waiting, code = list(modules), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in code:
            continue
        source = _source(name)
        if source is None:
            raise ValueError(f"'{name}' is no module of this package")
        tree = ast.parse(source.read_bytes())
        code[name] = _without_docstrings(tree)
        waiting += [imported for imported in _imported(tree) if _source(imported)]
    return hashlib.sha256(_canonical(code)).hexdigest()


def _source(module: str) -> Path | None:
    """The source file of a module of this package; None if there is none of this name."""
    first, *rest = module.split(".")
    base = _ROOT.joinpath(*rest)
    files = (base / "__init__.py", base.with_name(f"{base.name}.py")) if rest else ()
    return next((file for file in files if first == pneumoscope.__name__ and file.is_file()), None)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names that may be modules, of every import in a source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def _read_stamp(file: Path) -> dict[str, Any]:
    """The stamp of a file; empty where it is damaged."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _read(file: Path, question: Question) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, question) from error
    if not isinstance(kept, dict):
        raise _damaged(file, question)
    return kept


def _write(file: Path, value: Mapping[str, Any]) -> None:
    with atomic_files.text(file) as stream:
        stream.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _damaged(file: Path, question: Question) -> CacheError:
    return CacheError(
        f"'{file}' ({question.kind}) is damaged: its content is not what was written; delete the file and run again"
    )
