"""Choose the rows of a table by the values of its columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pneumoscope.cohort.errors import CohortError


@dataclass(frozen=True)
class RowFilter:
    """The values that columns must have for a row to be taken.

    Several values of one column are alternatives (OR); several columns must all agree (AND).

    Parameters
    ----------
    accepted
        The accepted values of each named column; empty to take every row.

    Examples
    --------
    >>> chosen = RowFilter.parse(["source=RSNA", "rsna_class=Normal", "rsna_class=Lung Opacity"])
    >>> print(chosen)
    source = RSNA and rsna_class = Lung Opacity or Normal
    >>> chosen.keeps({"source": "RSNA", "rsna_class": "Normal"}), chosen.keeps({"source": "NIH", "rsna_class": "Normal"})
    (True, False)
    """

    accepted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "RowFilter":
        """Read ``COLUMN=VALUE`` texts, as ``--only`` takes them.

        Parameters
        ----------
        texts
            Each ``COLUMN=VALUE``; a column may occur several times.

        Returns
        -------
        RowFilter
            The filter; without a text, one that takes every row.

        Raises
        ------
        CohortError
            If a text has no equals sign or no column.
        """
        accepted: dict[str, frozenset[str]] = {}
        for text in texts:
            column, equals, value = text.partition("=")
            if not equals or not column:
                raise CohortError(f"--only '{text}' should be COLUMN=VALUE")
            accepted[column] = accepted.get(column, frozenset()) | {value}
        return cls(accepted)

    def __bool__(self) -> bool:
        """Whether the filter can leave out a row."""
        return bool(self.accepted)

    def __str__(self) -> str:
        """The condition in words."""
        return " and ".join(f"{column} = {' or '.join(sorted(values))}" for column, values in self.accepted.items())

    def keeps(self, row: Mapping[str, str]) -> bool:
        """Whether a row has an accepted value in every named column.

        Parameters
        ----------
        row
            The cells of the row by the name of their column; a missing column has no accepted value.

        Returns
        -------
        bool
            True to take the row.
        """
        return all(row.get(column) in values for column, values in self.accepted.items())
