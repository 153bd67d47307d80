"""The shipped sample: sixteen full-resolution radiographs of fifteen patients (CC BY 4.0, see NOTICE)."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from pneumoscope.cohort.case import Case, Cohort


@contextmanager
def sample() -> Iterator[Cohort]:
    """Give the shipped radiographs as a cohort, with their files on disk until the context ends.

    The cohort is like a built one: its cases have sizes and pixel hashes, so that it can be split, trained on and evaluated.

    Yields
    ------
    Cohort
        Eight normal and eight pneumonia radiographs, not split.

    Examples
    --------
    >>> from pneumoscope.cohort.split import by_ratio
    >>> with sample() as shipped:
    ...     divided = by_ratio(shipped)
    >>> len(divided.on("train")), len(divided.on("tune")), len(divided.on("test"))
    (12, 2, 2)
    """
    with resources.as_file(resources.files("pneumoscope.cohort") / "sample_files") as root:
        yield _read(root)


def _read(root: Path) -> Cohort:
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    cases = tuple(
        Case(
            path=row["path"],
            label=row["label"],
            reference=int(row["label"] == "PNEUMONIA"),
            patient_id=row["patient_id"],
            subtype=row["subtype"],
            rows=int(row["rows"]),
            cols=int(row["columns"]),
            file_bytes=(root / row["path"]).stat().st_size,
            pixel_sha256=row["pixel_sha256"],
            source="kermany",
            population="child",
        )
        for row in rows
    )
    return Cohort(root, cases, source="the official validation folder of the Kermany pediatric set")
