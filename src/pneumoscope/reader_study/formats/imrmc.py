"""The format of iMRMC: a text with the size of the study, then ``BEGIN DATA:`` and rows of reader, case, modality, score.

Rows of the reader ``-1`` hold the truth of each case (Gallas, Food and Drug Administration, manual of iMRMC, "data format").
"""

import csv
from pathlib import Path

from pneumoscope import atomic_files, csv_cells
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import csv_tables
from pneumoscope.statistics.multireader.ratings import ReaderRatings

BEGIN = "BEGIN DATA"
_HEAD = ("reader", "case", "modality", "rating")


def read(path: Path) -> ReaderRatings:
    """Read a file of iMRMC.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ReaderRatings
        The ratings.

    Raises
    ------
    ReaderStudyError
        If there is no line ``BEGIN DATA``, a row is not of four cells, or the truth of a case is missing.
    """
    lines = csv_tables.text_of(path).splitlines()
    start = next((k for k, line in enumerate(lines) if line.strip().upper().startswith(BEGIN)), None)
    if start is None:
        raise ReaderStudyError(f"'{path.name}' has no line '{BEGIN}:'; it is no file of iMRMC")
    table = []
    for number, row in enumerate(csv.reader(lines[start + 1 :]), start=start + 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(_HEAD):
            raise ReaderStudyError(
                f"line {number} of '{path.name}' has {len(row)} cells; reader, case, modality and score are needed"
            )
        table.append(dict(zip(_HEAD, (csv_cells.original(cell.strip()) for cell in row), strict=False)))
    if not table:
        raise ReaderStudyError(f"'{path.name}' has no row below '{BEGIN}:'")
    return csv_tables.ratings_of(table, f"{path.name} (where '{BEGIN}:' is row 1)")


def write(path: Path, ratings: ReaderRatings, title: str) -> None:
    """Write ratings as a file of iMRMC.

    Parameters
    ----------
    path : Path
        The file.
    ratings : ReaderRatings
        The ratings.
    title : str
        First line of the file.
    """
    with atomic_files.text(path) as stream:
        sizes = {"N0": ratings.n_nondiseased, "N1": ratings.n_diseased, "NR": len(ratings.readers), "NM": len(ratings.modalities)}
        stream.write(
            " ".join(title.split()) + "\n" + "".join(f"{name}: {size}\n" for name, size in sizes.items()) + f"{BEGIN}:\n"
        )
        csv_cells.write_rows(
            stream, (("-1", case, "0", int(truth)) for case, truth in zip(ratings.cases, ratings.truth, strict=True))
        )
        for i, modality in enumerate(ratings.modalities):
            for j, reader in enumerate(ratings.readers):
                for k, case in enumerate(ratings.cases):
                    if ratings.read[i, j, k]:
                        csv_cells.write_rows(stream, [(reader, case, modality, f"{ratings.rating[i, j, k]:.17g}")])
