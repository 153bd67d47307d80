"""Change valid JSON, TOML and CSV within their structure, so that a change reaches the checks behind the parser."""

import copy
import csv
import io
import json
import random
import re
from typing import Any

from tests.fuzz.mutations import BYTES, changed
from tests.fuzz.samples import IDENTITY

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1.5, 1e308, -1e308, 2**31, 2**63, 2**64, 10**400, "", " ", "0", "x", "é\0\n",
    "NaN", "1e999", "../../etc", "/", "a" * 5000, [], {}, [[]], [None], [1, 2], {"": None}, {"x": {"y": []}}, *IDENTITY.values(),
)  # fmt: skip
"""Values of every JSON type, among them a patient's name, identifier, birth date and accession number."""
ODD_CELLS = (
    "", " ", "0", "-1", "1e308", "nan", "inf", "-inf", "1,5", "0x10", "1_000", "é", "\0", '"', "=1+1", "True", "a" * 5000,
    "10" * 3000, "../x", *IDENTITY.values(),
)  # fmt: skip
ODD_TOML = (
    "0",
    "-1",
    "1e308",
    "nan",
    "-inf",
    "true",
    '""',
    '"x"',
    "[]",
    "{}",
    "[[]]",
    "1979-05-27",
    '"\\u0000"',
    "0xffffffffffffffffff",
)


def changed_json(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change one to three values or names of a JSON document; one time in four its bytes."""
    if chance.random() < 0.25:
        return changed(content, other, chance, BYTES)
    if chance.random() < 0.002:
        return b"[" * 100_000
    tree, source = json.loads(content), json.loads(other)
    for _ in range(chance.choice((1, 1, 2, 3))):
        _change_node(tree, source, chance)
    return json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _nodes(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree, as a container and a key in it."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [node for key in keys for node in ((tree, key), *_nodes(tree[key]))]


def _change_node(tree: Any, source: Any, chance: random.Random) -> None:
    places, others = _nodes(tree), _nodes(source)
    if not places:
        return
    container, key = chance.choice(places)
    kind = chance.randrange(5)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[chance.choice(("", "x", "side", "schema", "format"))] = container.pop(key)
    elif kind == 2 and others:
        there, name = chance.choice(others)
        container[key] = copy.deepcopy(there[name])
    else:
        container[key] = copy.deepcopy(chance.choice(ODD))


def changed_toml(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change one to three lines of a TOML document; one time in four its bytes."""
    if chance.random() < 0.25:
        return changed(content, other, chance, BYTES)
    lines, source = content.decode().split("\n"), other.decode().split("\n")
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(lines))
        kind = chance.randrange(4)
        if kind == 0:
            lines[at] = chance.choice(source)
        elif kind == 1:
            lines.insert(at, chance.choice(source))
        else:
            odd = chance.choice(ODD_TOML)
            lines[at] = re.sub(r"= .*", lambda _, odd=odd: f"= {odd}", lines[at])
    return "\n".join(lines).encode()


def changed_csv(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change one to four cells, rows or columns of a CSV; one time in four its bytes."""
    if chance.random() < 0.25:
        return changed(content, other, chance, BYTES)
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    for _ in range(chance.choice((1, 1, 2, 4))):
        _change_rows(rows, chance)
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")


def _change_rows(rows: list[list[str]], chance: random.Random) -> None:
    row = chance.choice(rows)
    kind = chance.randrange(7)
    odd = chance.choice(ODD_CELLS if row is not rows[0] else ODD_CELLS[: -len(IDENTITY)])  # a header names no patient
    if not row:
        return
    at = chance.randrange(len(row))
    if kind == 0:
        del row[at]  # the rest of the row moves by a column
    elif kind == 1:
        row.insert(at, odd)
    elif kind == 2:
        rows.insert(0, list(row))
    elif kind == 3:
        row[at], row[-1] = row[-1], row[at]
    else:
        row[at] = odd
