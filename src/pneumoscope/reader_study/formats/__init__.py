"""Tables of reader studies as files, each format written and read: CSV, ``.imrmc``, JAFROC workbooks."""

from pathlib import Path

from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import csv_tables, imrmc, jafroc, located_table
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.ratings import ReaderRatings

ReadingTable = ReaderRatings | LocatedRatings | FreeResponseTable
"""What a file of a reader study holds: ratings of cases, ratings with one location a case, or marks with ratings."""


def read(path: Path) -> ReadingTable:
    """Read the table of a reader study; the format is recognised by the ending and the columns.

    Parameters
    ----------
    path : Path
        ``.imrmc``; ``.xlsx`` in the JAFROC format; a CSV of ratings, or of ratings with a location (LROC); or, for free
        response, the CSV of marks (``…marks.csv``, with ``…cases.csv`` and ``…lesions.csv`` in the same folder) or a folder
        that holds one such set.

    Returns
    -------
    ReaderRatings, LocatedRatings or FreeResponseTable
        Ratings of cases, ratings with one location a case, or marks with ratings.

    Raises
    ------
    ReaderStudyError
        If the file is none of these, or lacks a column.
    """
    if path.is_dir():
        return csv_tables.read_marks(csv_tables.marks_in(path))
    ending = path.suffix.lower()
    if ending == ".imrmc":
        return imrmc.read(path)
    if ending == ".xlsx":
        return jafroc.read(path)
    if ending not in (".csv", ".tsv", ".txt"):
        raise ReaderStudyError(f"'{path.name}' is no table of a reader study; give a .csv, .imrmc or .xlsx (JAFROC) file")
    if path.stem.endswith("marks"):
        return csv_tables.read_marks(path)
    table = csv_tables.rows(path)
    of_rows = located_table.located_of if located_table.is_located(table) else csv_tables.ratings_of
    return of_rows(table, path.name)
