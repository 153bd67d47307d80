"""Define `ZoneScores`: the scores that readers gave to the six lung zones of radiographs, and read them from a CSV table.

The table has one row for each image and reader: an image column (`pneumoscope.reference.box_tables.IMAGE_COLUMNS`, matched as the
tables of boxes are), a column ``reader`` (left out where there is one reader), and six columns of zones, named by laterality and
height (``right_upper``, ``right_mid``, ``right_lower``, ``left_upper``, ``left_mid``, ``left_lower``) or by the letters of the
Brixia score (Borghesi & Maroldi 2020, doi 10.1007/s11547-020-01200-3): A, B, C for the right lung from above and D, E, F for the
left. A score is a whole number from 0 to the highest one, 3 by default; an empty cell or ``NaN`` is a missing score.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.quoted_cell import quoted
from pneumoscope.reference.annotation import CaseNames
from pneumoscope.reference.box_tables import IMAGE_COLUMNS, READER_COLUMNS, numbered_rows
from pneumoscope.reference.errors import RegionsError

BRIXIA = "ABCDEF"
"""Names of the six zones in the Brixia score, in the order of `pneumoscope.lung_fields.lung_fields.ZONES`."""
DEFAULT_HIGHEST = 3
"""Highest score of a zone, as in the Brixia score."""
_MISSING = ("", "nan")
_SPELLINGS = {"middle": "mid"}

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ZoneScores:
    """The zone scores of readers.

    Parameters
    ----------
    readers : tuple of str
        The readers, sorted; one without a name is ``""``.
    scores : mapping of str to ndarray of float64, shape (readers, 6)
        Whole numbers in [0, `highest`] by path of the case; zones in the order of `pneumoscope.lung_fields.lung_fields.ZONES`.
        NaN for a missing score.
    highest : int
        Highest score of a zone, >= 1.
    n_unmatched : int
        Number of rows whose image is no case of the cohort.
    """

    readers: tuple[str, ...]
    scores: Mapping[str, Scores]
    highest: int
    n_unmatched: int = 0

    @property
    def n_missing(self) -> int:
        """Number of scores that a reader of an image did not give; images that a reader did not see do not count."""
        return sum(int(np.isnan(given[~np.isnan(given).all(1)]).sum()) for given in self.scores.values())

    def median(self, path: str) -> Scores:
        """Compute the median of the readers' scores of each zone, a half rounded up.

        Parameters
        ----------
        path : str
            Path of a case with scores.

        Returns
        -------
        ndarray of float64, shape (6,)
            Whole numbers; NaN where no reader gave a score.
        """
        return np.array([math.floor(np.median(given) + 0.5) if given.size else math.nan for given in self._of_zones(path)])

    def mean(self, path: str) -> Scores:
        """Compute the mean of the readers' scores of each zone.

        Parameters
        ----------
        path : str
            Path of a case with scores.

        Returns
        -------
        ndarray of float64, shape (6,)
            In [0, `highest`]; NaN where no reader gave a score.
        """
        return np.array([given.mean() if given.size else math.nan for given in self._of_zones(path)])

    def _of_zones(self, path: str) -> list[Scores]:
        return [zone[~np.isnan(zone)] for zone in self.scores[path].T]

    def summary(self) -> str:
        """Say in one line what was read.

        Returns
        -------
        str
            Numbers of images, readers, missing scores, and rows without a case.
        """
        readers = "1 reader" if len(self.readers) == 1 else f"{len(self.readers)} readers ({', '.join(self.readers)})"
        unmatched = f", {self.n_unmatched} rows of images outside the cohort" if self.n_unmatched else ""
        return (
            f"zone scores 0 to {self.highest}: {len(self.scores)} images, {readers}, {self.n_missing} scores missing{unmatched}"
        )


def read(source: Path, paths: Sequence[str], highest: int = DEFAULT_HIGHEST) -> ZoneScores:
    """Read the zone scores of the cases of a cohort.

    Parameters
    ----------
    source : Path
        A CSV table in UTF-8, as the module describes it.
    paths : sequence of str
        The paths of all cases of the cohort.
    highest : int
        Highest score of a zone, >= 1.

    Returns
    -------
    ZoneScores
        The scores of every image that is a case.

    Raises
    ------
    RegionsError
        If the table cannot be read, a column is missing or occurs twice, a score is no whole number from 0 to `highest`, a reader
        has two rows for one image, or no row belongs to a case.
    """
    rows = numbered_rows(_text(source), source)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    image, reader, zones = _columns(header, source)
    names, given, unmatched = CaseNames(paths), dict[tuple[str, str], Scores](), 0
    for number, cells in rows:
        cells = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
        if not any(cells):
            continue
        where = f"line {number} of '{source}'"
        scores = np.array([_score(cells[place], header[place], highest, where) for place in zones])
        name = "" if reader is None else cells[reader]
        cases = names.named(cells[image], where) if cells[image] else ()
        if not cells[image]:
            raise RegionsError(f"{where} names no image; fill the column {header[image]}, or leave the row out")
        unmatched += not cases
        for path in cases:
            if (path, name) in given:
                raise RegionsError(f"{where} is the second of one reader for one image; keep one, or name the readers apart")
            given[path, name] = scores
    if not given:
        raise RegionsError(
            f"none of the {unmatched} rows of '{source}' belongs to one of the cohort's {len(paths)} radiographs; "
            "give the scores of this cohort, with images called as its files are"
        )
    readers = tuple(sorted({name for _, name in given}))
    missing = np.full(len(ZONES), math.nan)
    scored = dict.fromkeys(path for path, _ in given)
    by_case = {path: np.array([given.get((path, name), missing) for name in readers]) for path in scored}
    return ZoneScores(readers, by_case, highest, unmatched)


def _text(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RegionsError(f"'{source}' cannot be read as text ({type(error).__name__}); give a CSV of zone scores") from error


def _columns(header: Sequence[str], source: Path) -> tuple[int, int | None, list[int]]:
    """Find the image column, the reader column and the six zone columns."""
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise RegionsError(f"'{source}' has the column {twice[0]} twice; keep one of them")
    at = {name: place for place, name in enumerate(header)}
    image = next((at[name] for name in IMAGE_COLUMNS if name in at), None)
    zone_of = {place: zone for place, name in enumerate(header) if (zone := _zone(name)) is not None}
    places = [next((place for place, zone in zone_of.items() if zone == k), None) for k in range(len(ZONES))]
    if image is None or any(place is None for place in places):
        raise RegionsError(
            f"'{source}' is no table of zone scores: it needs one of the columns {', '.join(IMAGE_COLUMNS)}, and the six columns "
            f"{', '.join('_'.join(zone) for zone in ZONES)}, or A to F as in the Brixia score"
        )
    if len(zone_of) > len(ZONES):
        raise RegionsError(f"'{source}' has {len(zone_of)} columns of zones; keep one column for each of the six zones")
    return image, next((at[name] for name in READER_COLUMNS if name in at), None), [p for p in places if p is not None]


def _zone(column: str) -> int | None:
    """Number the zone that a column names, in the order of `ZONES`; None for another column."""
    if len(column) == 1 and column in BRIXIA:
        return BRIXIA.index(column)
    laterality, _, height = column.lower().replace(" ", "_").partition("_")
    zone = (laterality, _SPELLINGS.get(height, height))
    return next((k for k, name in enumerate(ZONES) if name == zone), None)


def _score(cell: str, column: str, highest: int, where: str) -> float:
    if cell.lower() in _MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not value.is_integer() or not 0 <= value <= highest:
        raise RegionsError(
            f"{where} has the score {quoted(cell)} in the column {column}; scores are whole numbers from 0 to {highest}: "
            "correct it, or state the highest score with --zone-max"
        )
    return value
