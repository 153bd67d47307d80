"""Store a cohort as Parquet or CSV and read it back."""

import csv
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pneumoscope import MissingExtraError, atomic_files, csv_cells
from pneumoscope.cohort.case import Case, Cohort, Partition, split_sha256
from pneumoscope.cohort.case_rows import RowError, case_of
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


def write(cohort: Cohort, path: Path) -> None:
    """Write a cohort, each file whole or not at all.

    Parameters
    ----------
    cohort
        The cohort.
    path
        A name that ends in ``.parquet``, or in ``.csv``: then what a CSV cannot hold lies in a second file, ``….csv.json``.

    Raises
    ------
    CohortError
        If the name has another ending.
    """
    if path.suffix == ".csv":
        _write_csv(cohort, path)
    elif path.suffix == ".parquet":
        _write_parquet(cohort, path)
    else:
        raise CohortError(f"a cohort is written as .parquet or .csv, not as '{path.name}'")


def head_path(path: Path) -> Path:
    """The file that holds what a CSV cannot: root, target, source and split.

    Parameters
    ----------
    path
        The CSV.

    Returns
    -------
    Path
        ``cohort.csv.json`` for ``cohort.csv``.
    """
    return path.with_name(f"{path.name}.json")


def not_the_cohort(out: Path, cohort: Path) -> None:
    """Refuse to write a report over the cohort that it is about.

    Parameters
    ----------
    out
        Where the report goes.
    cohort
        The cohort table.

    Raises
    ------
    CohortError
        If `out` is the table, or one of the files that it may consist of.
    """
    if out.resolve() in {part.resolve() for part in (cohort, head_path(cohort), _former_head(cohort))}:
        raise CohortError(f"'{out}' is part of the cohort itself; give another file")


def read(path: Path) -> Cohort:
    """Read a cohort.

    Parameters
    ----------
    path
        The ``.parquet`` or ``.csv`` file.

    Returns
    -------
    Cohort
        The cohort, its root relative to the folder of the table.

    Raises
    ------
    CohortError
        If the file is missing, is no cohort, or was changed since its split was drawn.
    """
    if not path.is_file():
        raise CohortError(f"there is no cohort at '{path}': make one with  pneumoscope cohort build")
    try:
        rows, head = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        if head["format"] != _FORMAT:
            raise RowError("its format is another one")
        rows = [{_RENAMED.get(name, name): value for name, value in row.items()} for row in rows]
        cases = tuple(case_of(number, row, path.name) for number, row in enumerate(rows, start=1))
        split = head["split"] and Partition(**{**head["split"], "ratios": _ratios(head["split"]["ratios"])})
        root = Path(os.path.normpath(path.parent.resolve() / head["root"]))
        cohort = Cohort(root, cases, head["target"], head["source"], split or None, tuple(head["unreadable"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, csv.Error) as error:
        why = error if isinstance(error, RowError) else "the table, or what describes it, is damaged"
        raise CohortError(f"'{path}' is no cohort table of format {_FORMAT}: {why}") from error
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
        csv_cells.write_rows(stream, itertools.chain([names], (asdict(case).values() for case in cohort.cases)))
    with atomic_files.text(head_path(path)) as stream:
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
    head = next((file for file in (head_path(path), _former_head(path)) if file.is_file()), None)
    if path.suffix != ".csv" or head is None:
        raise CohortError(
            f"'{path}' is no cohort (.parquet, or .csv with its .csv.json): make one with  pneumoscope cohort build"
        )
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv_cells.read_records(stream))
    if short := [number for number, row in enumerate(rows, start=1) if None in row.values()]:
        raise RowError(f"row {short[0]} of {path.name} has fewer cells than there are columns")
    return rows, json.loads(head.read_text(encoding="utf-8"))


def _former_head(path: Path) -> Path:
    """Where version 0.1 wrote what a CSV cannot hold; read, never written."""
    return path.with_suffix(".json")
