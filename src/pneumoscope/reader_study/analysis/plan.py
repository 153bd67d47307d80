"""What is computed from a table, and when the study is a success."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pneumoscope.reader_study.definition import AnalysisPlan
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.statistics.multireader.obuchowski_rockette import Population

FigureName = Literal[
    "AUC", "binormal AUC", "proper binormal AUC", "sensitivity", "specificity",
    "sensitivity at specificity", "specificity at sensitivity", "partial AUC of specificity", "partial AUC of sensitivity",
    "expected utility", "PCL", "ALROC",
    "wAFROC", "AFROC", "HrAuc", "wAFROC1", "AFROC1", "MaxLLF", "MaxNLF", "HrSe", "HrSp",
]  # fmt: skip
Method = Literal["Obuchowski-Rockette", "U-statistics"]
Covariance = Literal["jackknife", "DeLong", "unbiased"]
OF_RATINGS: tuple[FigureName, ...] = (
    "AUC", "binormal AUC", "proper binormal AUC", "sensitivity", "specificity", "sensitivity at specificity",
    "specificity at sensitivity", "partial AUC of specificity", "partial AUC of sensitivity", "expected utility",
)  # fmt: skip
OF_LOCATIONS: tuple[FigureName, ...] = ("PCL", "ALROC")
AT: Mapping[FigureName, float | None] = {
    "sensitivity at specificity": None,
    "specificity at sensitivity": None,
    "partial AUC of specificity": None,
    "partial AUC of sensitivity": None,
    "expected utility": 1.0,
    "PCL": None,
    "ALROC": 1.0,
}
"""Figures with a parameter, and its default where there is one."""
POPULATIONS = {
    "readers and cases": Population.READERS_AND_CASES,
    "cases": Population.CASES,
    "readers": Population.READERS,
}


@dataclass(frozen=True)
class Plan:
    """What is asked of a table.

    Parameters
    ----------
    figure : str, optional
        Figure of merit; None for AUC of ratings, ALROC of ratings with a location, and wAFROC of marks.
    method : {"Obuchowski-Rockette", "U-statistics"}, optional
        None for Obuchowski–Rockette, or U-statistics for the AUC of a design that is not fully crossed.
    covariance : {"jackknife", "DeLong", "unbiased"}
        Of Obuchowski–Rockette; the last two for AUC only.
    first, second : str
        Modalities to compare; empty for ``aided`` and ``unaided`` if these are the modalities, else the first two of the table.
    population : {"readers and cases", "cases", "readers"}
        What is random.
    hypothesis : {"difference", "superiority", "non-inferiority", "equivalence"}
        What is to be shown of first − second.
    margin : float
        Margin of the hypothesis, at least 0.
    alpha : float
        Significance level, two-sided for a difference, else one-sided.
    threshold : float, optional
        Lowest rating that is called positive, for sensitivity and specificity.
    at : float, optional
        Parameter of the figure: the specificity or sensitivity that another is read at; the lower end of a partial area, which
        ends at 1; the slope of the lines of equal utility; the false-positive fraction of PCL, or where ALROC ends.
    null : float, optional
        Value that the mean figure of a single modality is tested against.
    model : str
        Reader that is a model, to be compared with the mean of the others in a table of one modality; empty for none.
    """

    figure: FigureName | None = None
    method: Method | None = None
    covariance: Covariance = "jackknife"
    first: str = ""
    second: str = ""
    population: Literal["readers and cases", "cases", "readers"] = "readers and cases"
    hypothesis: Literal["difference", "superiority", "non-inferiority", "equivalence"] = "difference"
    margin: float = 0.0
    alpha: float = 0.05
    threshold: float | None = None
    at: float | None = None
    null: float | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if self.at is not None and self.figure in AT and self.figure != "expected utility" and not 0 <= self.at <= 1:
            raise ReaderStudyError(f"{self.figure} at {self.at:g}: give a share between 0 and 1")
        if self.figure == "MaxNLF" and self.hypothesis in ("superiority", "non-inferiority"):
            raise ReaderStudyError(
                "MaxNLF is better the smaller it is, so that neither superiority nor non-inferiority of the first "
                "is what it would say; ask for the difference or equivalence"
            )
        needs_margin = self.hypothesis in ("non-inferiority", "equivalence")
        if not self.margin >= 0 or needs_margin != (self.margin > 0):
            raise ReaderStudyError(
                f"{self.hypothesis} with a margin of {self.margin:g}: non-inferiority and equivalence have one, above 0"
            )
        if not 0 < self.alpha < (1 if self.hypothesis == "difference" else 0.5):
            raise ReaderStudyError(f"a significance level of {self.alpha}: give one between 0 and 1, below 0.5 if one-sided")
        if (self.threshold is None) == (self.figure in ("sensitivity", "specificity")):
            raise ReaderStudyError(
                "sensitivity and specificity need the lowest rating that is called positive, other figures do not"
            )
        if self.at is not None and self.figure not in AT:
            raise ReaderStudyError(f"{self.figure or 'the default figure'} has no parameter; leave 'at' out")
        if self.at is None and self.figure and AT.get(self.figure, 0.0) is None:
            raise ReaderStudyError(f"{self.figure} needs a value 'at', between 0 and 1")

    @property
    def level(self) -> float:
        """Confidence level of the intervals: 1 − α, or 1 − 2α for a one-sided hypothesis, whose decision it shows."""
        return 1 - self.alpha if self.hypothesis == "difference" else 1 - 2 * self.alpha


def of_study(fixed: AnalysisPlan) -> Plan:
    """Make the plan that a frozen study has fixed.

    Parameters
    ----------
    fixed : AnalysisPlan
        From the protocol.

    Returns
    -------
    Plan
        The same.
    """
    return Plan(
        figure=fixed.figure,  # type: ignore[arg-type]  # the protocol checked the name
        first=fixed.first,
        second=fixed.second,
        population=fixed.population,
        hypothesis=fixed.hypothesis,
        margin=fixed.margin,
        alpha=fixed.alpha,
        threshold=fixed.threshold if fixed.figure in ("sensitivity", "specificity") else None,
    )
