"""Reference regions of the open films, where a cohort has them; they need the extra ``evaluate``."""

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope import MissingExtraError
from pneumoscope.web.films import OpenFilm
from pneumoscope.web.sources import FileSource

if TYPE_CHECKING:
    from pneumoscope.reference.regions import ReferenceRegions, ReferenceSet


@dataclass(frozen=True)
class References:
    """Reference regions by the file of a film.

    Parameters
    ----------
    case_of : mapping of str to str
        From the real path of a file to the path of its case.
    regions : ReferenceSet, optional
        The regions of the cases; None where the server has none.
    """

    case_of: Mapping[str, str] = field(default_factory=dict, repr=False)
    regions: "ReferenceSet | None" = None

    @property
    def any(self) -> bool:
        """Whether the server has reference regions."""
        return self.regions is not None

    def has(self, film: OpenFilm) -> bool:
        """Tell whether something is drawn on a film, without drawing it.

        Parameters
        ----------
        film : OpenFilm
            The film.

        Returns
        -------
        bool
            True where an annotation belongs to its file; an annotation of a file that was replaced since belongs to none.
        """
        return self.regions is not None and not film.replacements and self._case(film) in self.regions.grids

    def of(self, film: OpenFilm, rows: int, cols: int) -> "ReferenceRegions | None":
        """Draw the annotations of a film on its grid.

        Parameters
        ----------
        film : OpenFilm
            The film.
        rows, cols : int
            Its stored grid.

        Returns
        -------
        ReferenceRegions or None
            None where nothing is drawn.

        Raises
        ------
        RegionsError
            If a mask is damaged or of another aspect ratio.
        """
        return self.regions.drawn(self._case(film), (rows, cols)) if self.regions is not None and self.has(film) else None

    def _case(self, film: OpenFilm) -> str:
        if not isinstance(film.source, FileSource):
            return ""
        return self.case_of.get(os.path.realpath(film.source.path), "")


@dataclass(frozen=True)
class CohortFilms:
    """The files of a cohort, and its reference regions.

    Parameters
    ----------
    sources : tuple of FileSource
        One for each case.
    references : References
        Its regions.
    summary : tuple of str
        What was read and assumed, in lines for a person.
    """

    sources: tuple[FileSource, ...] = ()
    references: References = field(default_factory=References)
    summary: tuple[str, ...] = ()


def read_cohort(table: Path, source: Path | None, only: Sequence[str] = (), box_space: str | None = None) -> CohortFilms:
    """Open a cohort with its reference regions.

    Parameters
    ----------
    table : Path
        The cohort.
    source : Path, optional
        Its reference regions (`pneumoscope.reference.regions.read`); None for a cohort without.
    only : sequence of str
        ``COLUMN=VALUE``: the rows of a table, or annotations of JSON, to take.
    box_space : str, optional
        Pixel grid of boxes, ``file`` or ``WxH``.

    Returns
    -------
    CohortFilms
        Files and regions.

    Raises
    ------
    MissingExtraError
        If the packages of the extra ``evaluate`` are not installed.
    CohortError, RegionsError
        If the cohort or the regions cannot be read, or do not fit each other.
    """
    try:
        tables = importlib.import_module("pneumoscope.cohort.table")
        filters = importlib.import_module("pneumoscope.cohort.row_filter")
        spaces = importlib.import_module("pneumoscope.reference.box_space")
        regions = importlib.import_module("pneumoscope.reference.regions")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pneumoscope"):
            raise
        raise MissingExtraError("reference regions of a cohort", "evaluate") from error
    cohort = tables.read(table)
    sources = tuple(FileSource(cohort.file(case), case.path) for case in cohort.cases)
    if source is None:
        return CohortFilms(sources, References())
    space = spaces.BoxSpace.parse(box_space) if box_space else None
    drawn = regions.read(source, cohort, cohort.cases, only=filters.RowFilter.parse(tuple(only)), box_space=space)
    case_of = {os.path.realpath(one.path): one.label for one in sources}
    return CohortFilms(sources, References(case_of, drawn), tuple(drawn.summary()))
