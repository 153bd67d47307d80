"""COVIDx (Wang, Lin and Wong, Scientific Reports 2020): text files with patient, file, class and source, separated by spaces."""

import re
from pathlib import Path

from pneumoscope.cohort.case import SplitName
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, root_of, tables_in

# A file name may hold spaces, so that only its suffix says where it ends.
_LINE = re.compile(r"(?P<patient>\S+) +(?P<file>.+\.(?:png|jpe?g|dcm)) +(?P<label>\S+)(?: +(?P<source>\S+))?", re.IGNORECASE)
_TABLES = ("train*.txt", "test*.txt", "val*.txt")


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the lists; ``pneumonia`` and ``COVID-19`` are positive, ``normal`` is negative.

    The lists of the variants B say ``positive`` and ``negative`` for COVID-19; their ``negative`` holds other pneumonias, so
    that neither word has a meaning for pneumonia until the user gives it one.

    Parameters
    ----------
    source
        The folder of the set with one list a split, or one list.
    options
        `root` and `only` (on the columns ``patient``, ``file``, ``label`` and ``source``) are used.

    Returns
    -------
    LabelTable
        One row a line; the official split is that of the list.

    Raises
    ------
    CohortError
        If no list is there, a split has several, or a line is of another form.
    """
    lists = tables_in(source, *_TABLES)
    if not lists:
        raise CohortError(f"'{source}' holds no train*.txt, test*.txt or val*.txt of COVIDx")
    splits = [_split(path) for path in lists]
    if len(set(splits)) < len(splits):
        raise CohortError(
            f"'{source}' holds several lists of one split ({', '.join(p.name for p in lists[:4])}); give one of them"
        )
    files = Files(root_of(source, options.root))
    rows: list[LabelRow] = []
    n_lines = 0
    for path, split in zip(lists, splits, strict=True):
        lines = _lines(path)
        n_lines += len(lines)
        rows += [
            LabelRow(files.named(cells["file"]), (cells["label"],), cells["patient"], number, official_split=split)
            for number, cells in lines
            if options.only.keeps(cells)
        ]
    return LabelTable(
        root=files.root,
        rows=tuple(rows),
        words=LabelWords(("pneumonia", "COVID-19"), ("normal",)),
        source="COVIDx",
        notes=("the set joins several sources whose classes differ: a model may learn the source. Compare with  cohort audit",),
        filtered_out=n_lines - len(rows),
    )


def _split(path: Path) -> SplitName:
    name = path.name.lower()
    return "train" if name.startswith("train") else "test" if name.startswith("test") else "tune"


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CohortError(f"'{path}' could not be read as text") from error
    return [(number, _cells(path, number, line)) for number, line in enumerate(lines, start=1) if line.strip()]


def _cells(path: Path, number: int, line: str) -> dict[str, str]:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise CohortError(f"line {number} of {path.name} is not: patient, file, class and source, separated by spaces")
    return {name: value or "" for name, value in match.groupdict().items()}


def _recognises(source: Path) -> bool:
    lists = tables_in(source, *_TABLES)
    return any(_LINE.fullmatch(_first_line(path)) for path in lists)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline().strip()
    except UnicodeDecodeError:
        return ""


LAYOUT = Layout("covidx", "COVIDx", _recognises, read)
