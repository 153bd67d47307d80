"""Docstrings of public functions: a first sentence, every parameter, what comes back, what is raised; and plain words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pneumoscope

SOURCE = Path(pneumoscope.__file__).parent
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "cli" not in path.relative_to(SOURCE).parts)
Function = ast.FunctionDef | ast.AsyncFunctionDef
DEFINES = re.compile(r"^[A-Z`\d(*].*?[.:?!](\s|$)", re.DOTALL)
ODD = re.compile(
    r"\b(anew|so manieth|hangs? together|to be had|by its making|who is where|whereof|thereof|therein|betwixt|be parted|"
    r"for all that|whatever it likes|of a kind that|so many (threads|cases)|is told (apart|by)|told apart|looks at nothing)\b",
    re.IGNORECASE,
)
PROPERTIES = {"property", "cached_property", "overload", "setter"}


def decorators(function: Function) -> set[str]:
    return {ast.unparse(one).split("(")[0].split(".")[-1] for one in function.decorator_list}


def public(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, Function]]:
    """Public functions and methods of a module, by their qualified name."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            if not protocol:
                yield from public(node, f"{inside}{node.name}.")
        elif isinstance(node, Function) and not node.name.startswith("_") and not decorators(node) & PROPERTIES:
            yield f"{inside}{node.name}", node


def parameters(function: Function) -> list[str]:
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [one.arg for one in (arguments.vararg, arguments.kwarg) if one]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def raises(function: Function) -> bool:
    """Whether the function itself raises an error, other than one that it had caught as it is."""
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in own_nodes(function))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            yield node
            waiting += ast.iter_child_nodes(node)


def section(text: str, name: str) -> str:
    match = re.search(rf"^{name}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def faults(function: Function) -> list[str]:
    """What a docstring lacks."""
    text = ast.get_docstring(function)
    if text is None:
        return ["no docstring"]
    found = [] if DEFINES.match(text) else ["no first sentence"]
    described = section(text, "Parameters")
    named = re.findall(r"^\*{0,2}(\w[\w, *]*?)(?: :.*)?$", described, re.MULTILINE)
    names = {name.strip().lstrip("*") for line in named for name in line.split(",")}
    if missing := [name for name in parameters(function) if name not in names]:
        found.append(f"parameters {', '.join(missing)}")
    if extra := names - set(parameters(function)):
        found.append(f"no such parameters {', '.join(sorted(extra))}")
    returned = ast.unparse(function.returns) if function.returns else "None"
    returns = returned not in ("None", "NoReturn", "Never", "Iterator[None]")
    if returns and not (section(text, "Returns") or section(text, "Yields")) and parameters(function):
        found.append("Returns")
    if raises(function) and not section(text, "Raises"):
        found.append("Raises")
    return found


def all_faults(path: Path) -> dict[str, list[str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name: lacks for name, function in public(tree) if (lacks := faults(function))}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_public_functions_document_their_parameters_results_and_errors(path):
    assert all_faults(path) == {}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_words_are_present_day_english(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, start=1) if ODD.search(line)] == []


def test_an_incomplete_docstring_is_found_out():
    source = '''
def measure(values, scale, *, floor=0.0) -> float:
    """Divide values by a scale.

    Parameters
    ----------
    values
        float64 (n,).
    other
        Not there.
    """
    if not scale:
        raise ValueError("no scale")
    return values / scale
'''
    ((name, function),) = public(ast.parse(source))
    assert name == "measure"
    assert faults(function) == ["parameters scale, floor", "no such parameters other", "Returns", "Raises"]
