"""Store a cohort as Parquet or CSV and read it back."""

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pneumoscope import MissingExtraError, atomic_files
from pneumoscope.cohort.case import Case, Cohort, Partition, split_sha256
from pneumoscope.cohort.errors import CohortError

try:
    import pyarrow
    import pyarrow.parquet as parquet
except ImportError:  # the extra is named when a Parquet file is asked for
    pyarrow = parquet = None

_KEY = b"pneumoscope"
_FORMAT = 1
_RENAMED = {"side": "split", "official_side": "official_split"}
"""Columns that tables of earlier versions name otherwise."""
_INTEGERS = ("reference", "rows", "cols", "file_bytes")


def write(cohort: Cohort, path: Path) -> None:
    """Write ``.parquet``, or ``.csv`` with a ``.json`` beside it for what a CSV cannot hold; atomically."""
    if path.suffix == ".csv":
        _write_csv(cohort, path)
    elif path.suffix == ".parquet":
        _write_parquet(cohort, path)
    else:
        raise CohortError(f"a cohort is written as .parquet or .csv, not as '{path.name}'")


def read(path: Path) -> Cohort:
    """Read a cohort; CohortError where the file is missing, foreign, or changed since its split was drawn."""
    if not path.is_file():
        raise CohortError(f"there is no cohort at '{path}': make one with  pneumoscope cohort build")
    try:
        rows, head = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        if head["format"] != _FORMAT:
            raise ValueError(f"its format is {head['format']}")
        rows = [{_RENAMED.get(name, name): value for name, value in row.items()} for row in rows]
        cases = tuple(Case(**{**row, **{k: int(row[k]) for k in _INTEGERS}}) for row in rows)
        split = head["split"] and Partition(**{**head["split"], "ratios": _ratios(head["split"]["ratios"])})
        root = Path(os.path.normpath(path.parent.resolve() / head["root"]))
        cohort = Cohort(root, cases, head["target"], head["source"], split or None, tuple(head["unreadable"]))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise CohortError(f"'{path}' is no cohort table of format {_FORMAT}: {error}") from error
    if cohort.partition and split_sha256(cases) != cohort.partition.sha256:
        raise CohortError(f"'{path}' was changed after its split was drawn; run  pneumoscope cohort split  again")
    return cohort


def _ratios(values: list[float] | None) -> tuple[float, float, float] | None:
    return (values[0], values[1], values[2]) if values else None


def _head(cohort: Cohort, path: Path) -> str:
    return json.dumps(
        {
            "format": _FORMAT,
            "root": Path(os.path.relpath(cohort.root.resolve(), path.parent.resolve())).as_posix(),
            "target": cohort.target,
            "source": cohort.source,
            "split": asdict(cohort.partition) if cohort.partition else None,
            "unreadable": list(cohort.unreadable),
        }
    )


def _write_csv(cohort: Cohort, path: Path) -> None:
    names = [f.name for f in fields(Case)]
    with atomic_files.text(path) as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(case) for case in cohort.cases)
    with atomic_files.text(path.with_suffix(".json")) as stream:
        stream.write(_head(cohort, path))


def _write_parquet(cohort: Cohort, path: Path) -> None:
    if parquet is None:
        raise MissingExtraError("a Parquet cohort", "evaluate")
    table = pyarrow.Table.from_pylist([asdict(case) for case in cohort.cases])
    table = table.replace_schema_metadata({_KEY: _head(cohort, path).encode()})
    with atomic_files.binary(path) as stream:
        parquet.write_table(table, stream)


def _read_parquet(path: Path) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    if parquet is None:
        raise MissingExtraError("a Parquet cohort", "evaluate")
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise CohortError(f"'{path}' is no intact Parquet file; build the cohort again") from error
    head = (table.schema.metadata or {}).get(_KEY)
    if head is None:
        raise CohortError(f"'{path}' is a Parquet file but no cohort: make one with  pneumoscope cohort build")
    return table.to_pylist(), json.loads(head)


def _read_csv(path: Path) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    beside = path.with_suffix(".json")
    if path.suffix != ".csv" or not beside.is_file():
        raise CohortError(f"'{path}' is no cohort (.parquet, or .csv with its .json): make one with  pneumoscope cohort build")
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream)), json.loads(beside.read_text(encoding="utf-8"))
