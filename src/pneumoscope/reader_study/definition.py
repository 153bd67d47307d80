"""The definition of a study: what ``study.toml`` holds."""

import json
import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from pneumoscope import strict_json
from pneumoscope.reader_study.errors import InvalidStudyError

Mode = Literal["sequential", "concurrent", "independent", "crossover", "split-plot"]
Hypothesis = Literal["superiority", "non-inferiority", "equivalence", "difference"]
PopulationName = Literal["readers and cases", "cases", "readers"]
FIGURES: tuple[str, ...] = ("AUC", "wAFROC", "AFROC", "HrAuc", "sensitivity", "specificity")
WASHOUT_DAYS = 28
_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")


def _named(what: str, name: str) -> None:
    if not _PSEUDONYM.fullmatch(name):
        raise ValueError(f"the name of {what} must be 1 to 40 letters, digits, spaces, '.', '_' or '-', not '{name}'")


@dataclass(frozen=True)
class PixelCheck:
    """A person's confirmation that no radiograph shows a name, a date or another identifier.

    Parameters
    ----------
    by : str
        Who looked through the contact sheets, by name or initials.
    code : str
        Code at the end of the contact sheets, which stands for exactly these files.
    """

    by: str
    code: str

    def __post_init__(self) -> None:
        if not self.by.strip():
            raise ValueError("pixel_check needs the name or the initials of who looked through the contact sheets")


@dataclass(frozen=True)
class CaseSelection:
    """Which radiographs are read.

    Parameters
    ----------
    cohort : str
        Path of the cohort table (``pneumoscope cohort build``), relative to the study file.
    split : {"all", "train", "tune", "test"}
        Which split of the cohort is read.
    one_per_patient : bool
        Whether one radiograph is taken of each patient, the first in the order of the SHA-256 of its image.
    training : tuple of str
        Paths, as in the cohort, of cases for practice with feedback; their patients are not read in the study.
    regions : str
        Path of the reference regions (a CSV of boxes); needed for figures of merit of marks. Empty without.
    box_space : str
        Pixel grid of boxes in a table that does not state image sizes: ``file``, or WIDTHxHEIGHT. Empty otherwise.
    pixel_check : PixelCheck, optional
        Confirmation that the pixels show no identifier (``pneumoscope study check --contact-sheets``).
    """

    cohort: str
    split: Literal["all", "train", "tune", "test"] = "test"
    one_per_patient: bool = True
    training: tuple[str, ...] = ()
    regions: str = ""
    box_space: str = ""
    pixel_check: PixelCheck | None = None


@dataclass(frozen=True)
class Reader:
    """A reader of the study.

    Parameters
    ----------
    name : str
        Pseudonym.
    years : float
        Years of experience in reading chest radiographs.
    role : str
        Such as resident, radiologist, paediatric radiologist.
    group : str
        Group of a split-plot study; empty otherwise.
    """

    name: str
    years: float
    role: str
    group: str = ""

    def __post_init__(self) -> None:
        _named("a reader", self.name)
        if self.group:
            _named("a group", self.group)
        if not 0 <= self.years < math.inf:
            raise ValueError(f"the years of experience of a reader must be at least 0, not {self.years}")


@dataclass(frozen=True)
class Aid:
    """What an aided arm shows over the radiograph.

    Parameters
    ----------
    folder : str
        Folder of overlays, relative to the study file: for each case a picture ``CASE.png`` (as ``pneumoscope read`` writes it),
        or the case's path with the ending ``.png``, ``.jpg`` or ``.jpeg``; else a heat map ``CASE.npy`` (``read --maps``).
    source : str
        What made the overlays, in words.
    bundle_sha256 : str
        Identity of the model bundle that made the overlays; empty for an aid that is no model, and for overlays of
        ``pneumoscope read``, whose files beside the overlays state it.
    threshold : float, optional
        Operating point of the model; None as for `bundle_sha256`.
    """

    folder: str
    source: str
    bundle_sha256: str = ""
    threshold: float | None = None


@dataclass(frozen=True)
class Arm:
    """A condition under which cases are read.

    Parameters
    ----------
    name : str
        Name; the modality of the analysis.
    aid : Aid, optional
        None for the unaided arm.
    """

    name: str
    aid: Aid | None = None

    def __post_init__(self) -> None:
        _named("an arm", self.name)


@dataclass(frozen=True)
class Scale:
    """A rating scale.

    Parameters
    ----------
    low, high : float
        Ends, both allowed.
    step : float
        Distance of neighbouring ratings.
    labels : tuple of str
        A word for each rating of an ordinal scale; empty without.
    """

    low: float = 0.0
    high: float = 100.0
    step: float = 1.0
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high and self.step > 0):
            raise ValueError(f"a scale needs low < high and a step above 0, not {self.low}, {self.high}, {self.step}")
        if self.labels and len(self.labels) != self.values:
            raise ValueError(f"a scale of {self.values} ratings has {len(self.labels)} labels")

    @property
    def values(self) -> int:
        """Number of ratings."""
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def allows(self, rating: float) -> bool:
        """Whether a rating is on the scale.

        Parameters
        ----------
        rating : float
            The rating.

        Returns
        -------
        bool
            False for what lies between two steps, outside of the ends, or is not finite.

        Examples
        --------
        >>> [Scale(1, 5).allows(rating) for rating in (1, 5, 2.5, 6)]
        [True, True, False, False]
        """
        if not (math.isfinite(rating) and self.low <= rating <= self.high):
            return False
        steps = (rating - self.low) / self.step
        return abs(steps - round(steps)) < 1e-6


@dataclass(frozen=True)
class Item:
    """A free question of the form.

    Parameters
    ----------
    name : str
        Column of the export.
    text : str
        The question.
    choices : tuple of str
        Answers to choose from; empty for free text.
    required : bool
        Whether a case is locked only with an answer.
    """

    name: str
    text: str
    choices: tuple[str, ...] = ()
    required: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.name):
            raise ValueError(f"the name of an item is a column: lower-case letters, digits and '_', not '{self.name}'")


@dataclass(frozen=True)
class Questions:
    """What is asked of each case.

    Parameters
    ----------
    rating : Scale
        Confidence that the target is present.
    decision : bool
        Whether positive or negative is asked as well.
    marks : Scale, optional
        Scale of the confidence in each mark; None where readers do not mark.
    items : tuple of Item
        Further questions.
    """

    rating: Scale = Scale()
    decision: bool = True
    marks: Scale | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class AnalysisPlan:
    """The analysis that is fixed before the first case is read.

    Parameters
    ----------
    figure : str
        Figure of merit, one of `FIGURES`.
    first, second : str
        Arms; the difference is first − second.
    population : {"readers and cases", "cases", "readers"}
        What is random.
    hypothesis : {"superiority", "non-inferiority", "equivalence", "difference"}
        What is to be shown; ``difference`` is two-sided.
    margin : float
        Margin of the hypothesis, on the scale of the figure; 0 for superiority and difference.
    alpha : float
        Significance level: two-sided for ``difference``, else one-sided.
    threshold : float, optional
        Lowest rating that is called positive, for sensitivity and specificity.
    """

    figure: str = "AUC"
    first: str = "aided"
    second: str = "unaided"
    population: PopulationName = "readers and cases"
    hypothesis: Hypothesis = "difference"
    margin: float = 0.0
    alpha: float = 0.05
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.figure not in FIGURES:
            raise ValueError(f"the figure of merit is one of {', '.join(FIGURES)}, not '{self.figure}'")
        if not (0 < self.alpha < 1 and 0 <= self.margin < math.inf):
            raise ValueError(f"alpha must be in (0, 1) and the margin at least 0, not {self.alpha} and {self.margin}")

    @property
    def criterion(self) -> str:
        """When the study is a success, in words."""
        difference = f"{self.figure} of '{self.first}' − '{self.second}'"
        if self.hypothesis == "difference":
            return f"{difference}: two-sided p ≤ {self.alpha:g} that it is not 0"
        bound = {"superiority": f"above {self.margin:g}", "non-inferiority": f"above −{self.margin:g}"}
        claim = bound.get(self.hypothesis, f"within ±{self.margin:g}")
        return f"{difference}: one-sided p ≤ {self.alpha:g} that it is {claim} ({self.hypothesis})"


@dataclass(frozen=True)
class Definition:
    """A reader study as ``study.toml`` describes it.

    Parameters
    ----------
    title : str
        Title.
    target : str
        What readers look for, such as ``pneumonia``.
    mode : str
        ``sequential``: each case is answered unaided, the answer is locked, the aid appears, the case is answered again.
        ``concurrent``: one session; each reader reads each case once, in one arm, the aid on the screen from the start.
        ``independent``: one session for each arm, the same order of arms for every reader. ``crossover``: as many sessions as
        arms; in each session some cases are read in each arm, balanced by Williams squares. ``split-plot``: crossover within
        groups of readers, each with its own share of the cases.
    seed : int
        Decides every order, with the definition.
    cases : CaseSelection
        What is read.
    readers : tuple of Reader
        Who reads.
    arms : tuple of Arm
        Under which conditions.
    questions : Questions
        What is asked.
    analysis : AnalysisPlan
        What is computed in the end.
    washout_days : float
        Days between two sessions in which a reader sees the same case.
    going_back : bool
        Whether a reader may correct a locked answer of the same session, as a new revision; never an unaided answer of a case
        whose aid was shown.
    """

    title: str
    target: str
    mode: Mode
    seed: int
    cases: CaseSelection
    readers: tuple[Reader, ...]
    arms: tuple[Arm, ...]
    questions: Questions = field(default_factory=Questions)
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)
    washout_days: float = WASHOUT_DAYS
    going_back: bool = False

    def arm(self, name: str) -> Arm:
        """Look up an arm.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Arm
            The arm.
        """
        return next(arm for arm in self.arms if arm.name == name)


def parse(text: str) -> Definition:
    """Parse a study file.

    Parameters
    ----------
    text : str
        TOML.

    Returns
    -------
    Definition
        The study; whether it is a valid design is for `check`.

    Raises
    ------
    InvalidStudyError
        With the path of the field that is missing, unknown or wrong.
    """
    try:
        return strict_json.convert(tomllib.loads(text), Definition)
    except tomllib.TOMLDecodeError as error:
        raise InvalidStudyError(f"the study file is no valid TOML: {error}") from error
    except strict_json.StrictJsonError as error:
        raise InvalidStudyError(f"the study file does not describe a study: {error}; see study.schema.json") from error


def read(file: Path) -> Definition:
    """Read a study file.

    Parameters
    ----------
    file : Path
        ``study.toml``.

    Returns
    -------
    Definition
        As `parse`.

    Raises
    ------
    InvalidStudyError
        As `parse`, or if there is no such file or it is no UTF-8 text.
    """
    if not file.is_file():
        raise InvalidStudyError(f"there is no study file '{file}'; make one:  pneumoscope study init {file.parent}")
    try:
        return parse(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidStudyError(f"the study file '{file}' is no UTF-8 text; save it as UTF-8") from error


def schema() -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of a study file.

    Returns
    -------
    dict
        The schema, made from `Definition`.
    """
    value: dict[str, Any] = msgspec.json.schema(Definition)
    value["title"], value["$schema"] = "A reader study of Pneumoscope", "https://json-schema.org/draft/2020-12/schema"
    for part in value["$defs"].values():
        part.pop("description", None)
    return value


def schema_text() -> str:
    """Write the JSON Schema of a study file.

    Returns
    -------
    str
        Indented JSON.
    """
    return json.dumps(schema(), indent=2) + "\n"
