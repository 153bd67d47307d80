"""The noun `Table`: lines of text under a line of headings, written as Markdown, LaTeX or CSV."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pneumoscope import csv_cells

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "−": "$-$",
        "–": "--",
        "γ": r"$\gamma$",
        "α": r"$\alpha$",
    }
)


@dataclass(frozen=True)
class Table:
    """Lines of text under a line of headings.

    Parameters
    ----------
    head
        Headings of the columns.
    rows
        Lines, each with a cell for every column.

    Examples
    --------
    >>> print(Table.of(["", "ROC-AUC"], [["A & B", "0.9877"]]).markdown())
    | | ROC-AUC |
    |---|--:|
    | A & B | 0.9877 |
    <BLANKLINE>
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, head: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
        """Make a table of any sequences.

        Parameters
        ----------
        head
            Headings of the columns.
        rows
            Lines, each as long as `head`.

        Returns
        -------
        Table
            The table.
        """
        return cls(tuple(head), tuple(tuple(row) for row in rows))

    def __bool__(self) -> bool:
        """Whether the table has a line below its headings."""
        return bool(self.rows)

    def markdown(self) -> str:
        """Write the table as Markdown, the first column flush left and the others flush right.

        Returns
        -------
        str
            Lines that end in a line break.
        """
        rule = "|---|" + "--:|" * (len(self.head) - 1)
        head, *rows = [_markdown(row) for row in (self.head, *self.rows)]
        return "\n".join([head, rule, *rows]) + "\n"

    def latex(self) -> str:
        """Write the table as a LaTeX ``tabular`` with the rules of the package booktabs; every special character is escaped.

        Returns
        -------
        str
            Lines that end in a line break.
        """
        head, *rows = [" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in (self.head, *self.rows)]
        columns = "l" + "r" * (len(self.head) - 1)
        lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Write the table as CSV with line feeds.

        Returns
        -------
        str
            The headings and the lines.
        """
        stream = io.StringIO()
        csv_cells.write_rows(stream, (self.head, *self.rows))
        return stream.getvalue()


def _markdown(row: Sequence[str]) -> str:
    cells = [cell.replace("|", r"\|") for cell in row]
    return "".join(["|", *(f" {cell} |" if cell else " |" for cell in cells)])
