"""Tables of reader studies as files, each format written and read: CSV, ``.imrmc``, JAFROC workbooks."""

from pathlib import Path

from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import csv_tables, imrmc, jafroc
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.multireader.ratings import ReaderRatings


def read(path: Path) -> ReaderRatings | FreeResponseTable:
    """Read the table of a reader study; the format is recognised by the ending and the columns.

    Parameters
    ----------
    path : Path
        ``.imrmc``; ``.xlsx`` in the JAFROC format; a CSV of ratings; or, for free response, the CSV of marks (``…marks.csv``,
        with ``…cases.csv`` and ``…lesions.csv`` beside it) or a folder that holds one such set.

    Returns
    -------
    ReaderRatings or FreeResponseTable
        Ratings of cases, or marks with ratings.

    Raises
    ------
    ReaderStudyError
        If the file is none of these, or lacks a column.
    """
    if path.is_dir():
        return csv_tables.read_marks(csv_tables.marks_in(path))
    if path.suffix == ".imrmc":
        return imrmc.read(path)
    if path.suffix == ".xlsx":
        return jafroc.read(path)
    if path.suffix not in (".csv", ".tsv", ".txt"):
        raise ReaderStudyError(f"'{path.name}' is no table of a reader study; give a .csv, .imrmc or .xlsx (JAFROC) file")
    return csv_tables.read_marks(path) if path.stem.endswith("marks") else csv_tables.read_ratings(path)
