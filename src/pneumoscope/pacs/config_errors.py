"""Say in plain words what is wrong in ``node.toml``."""

import difflib
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "int": "a whole number",
        "float": "a number",
        "str": "a text in quotes",
        "bool": "true or false",
        "array": "a list in [ ]",
        "object": "a table",
        "null": "nothing",
    }
)
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<there>[^`]+)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_ENUM = re.compile(r"Invalid enum value (?P<value>.+)")
_UNKNOWN = re.compile(r"unknown field (?P<path>\$\S+)")
_PLACE = re.compile(r"(?P<text>.*) - at `(?P<path>[^`]+)`")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")


def plain(sentence: str, schema: Mapping[str, Any]) -> str:
    """Turn a message about a wrong configuration into plain words.

    Parameters
    ----------
    sentence : str
        Message of `pneumoscope.strict_json`.
    schema : mapping
        JSON Schema of the configuration, which says what is allowed where.

    Returns
    -------
    str
        What is wrong, and where in the file.

    Examples
    --------
    >>> plain("Expected `int`, got `str` - at `$.work.readers`", {})
    "'readers' in [work] must be a whole number, not a text in quotes"
    """
    placed = _PLACE.fullmatch(sentence)
    text, path = (placed["text"], placed["path"]) if placed else (sentence, "$")
    if unknown := _UNKNOWN.fullmatch(text):
        return _unknown(unknown["path"], schema)
    if wrong := _TYPE.fullmatch(text):
        there = "a number with decimals" if wrong["there"] == "float" else _words(wrong["there"])
        return f"{_name(path)} must be {_words(wrong['wanted'])}, not {there}"
    if missing := _MISSING.fullmatch(text):
        return f"'{missing['name']}' is missing{_table(path) or ' at the top of the file'}"
    if value := _ENUM.fullmatch(text):
        allowed = ", ".join(f"'{one}'" for one in _schema_at(path, schema).get("enum", ()))
        return f"{_name(path)} cannot be {value['value']}" + (f"; it is one of {allowed}" if allowed else "")
    return text + (f" ({table.strip()})" if (table := _table(path)) else "")


def not_finite(tree: Any, path: str = "$") -> str:
    """Look for a number that is infinite or no number: TOML allows ``inf`` and ``nan``, and no setting does.

    Parameters
    ----------
    tree : object
        Parsed TOML.
    path : str
        Where it is in the file.

    Returns
    -------
    str
        What is wrong with the first such number and where, for `plain`; empty where there is none.

    Examples
    --------
    >>> not_finite({"retention": {"source_days": math.inf}})
    "'source_days' must be a finite number, not inf - at `$.retention`"
    """
    if isinstance(tree, list):
        return next(filter(None, (not_finite(part, f"{path}[{k}]") for k, part in enumerate(tree))), "")
    if not isinstance(tree, dict):
        return ""
    for name, part in tree.items():
        if isinstance(part, float) and not math.isfinite(part):
            return f"'{name}' must be a finite number, not {part} - at `{path}`"
    return next(filter(None, (not_finite(part, f"{path}.{name}") for name, part in tree.items())), "")


def _words(types: str) -> str:
    """Types of JSON in words."""
    return " or ".join(_TYPES.get(one, f"'{one}'") for one in types.split(" | ") if one != "null" or types == "null")


def _name(path: str) -> str:
    """A setting and where it is: ``$.work.readers`` is 'readers' in [work], ``$.polls[1]`` an entry of 'polls'."""
    table, _, name = path.rpartition(".")
    if not table:
        return "the file"
    return (f"an entry of '{name.partition('[')[0]}'" if name.endswith("]") else f"'{name}'") + _table(table)


def _table(path: str) -> str:
    """The table of a path: ``$.polls[1].tls`` is in 'tls' of number 2 of [[polls]]."""
    steps = [step["name"] or step["index"] for step in _STEP.finditer(path)]
    if not steps:
        return ""
    if len(steps) == 1 or not steps[1].isdigit():
        return f" in [{'.'.join(steps)}]"
    inner = "".join(f"'{name}' of " for name in reversed(steps[2:]))
    return f" in {inner}number {int(steps[1]) + 1} of [[{steps[0]}]]"


def _unknown(path: str, schema: Mapping[str, Any]) -> str:
    head, _, name = path.rpartition(".")
    known = _schema_at(head, schema).get("properties", {})
    close = difflib.get_close_matches(name, known, 1)
    return f"there is no setting '{name}'{_table(head)}" + (f"; did you mean '{close[0]}'?" if close else "")


def _schema_at(path: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of the schema at a path; empty where there is none."""
    part = _resolved(schema, schema)
    for step in _STEP.finditer(path):
        inner = part.get("properties", {}).get(step["name"], {}) if step["name"] else part.get("items", {})
        part = _resolved(inner, schema)
    return part


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the schema with its reference followed; of several kinds, the one that is not null."""
    for one in part.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved(one, schema)
    reference = str(part.get("$ref", ""))
    return schema.get("$defs", {}).get(reference.rpartition("/")[2], {}) if reference else part
