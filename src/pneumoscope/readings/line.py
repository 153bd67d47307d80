"""Define one line of ``readings.jsonl``: a model's reading without its arrays."""

from dataclasses import dataclass
from typing import Literal

from pneumoscope.classifier import Population, PopulationChoice
from pneumoscope.classifier.population import PopulationSource
from pneumoscope.classifier.score import Decision
from pneumoscope.lung_fields.lung_fields import Laterality, State, Zone
from pneumoscope.radiograph import Region
from pneumoscope.readings.case_key import CaseKey
from pneumoscope.readings.mark import Mark
from pneumoscope.readings.model_reading import ModelIdentity
from pneumoscope.readings.reading import Reading
from pneumoscope.readings.severity import severity_text


@dataclass(frozen=True)
class Pixel:
    """A pixel of the radiograph by its indices, from 0."""

    row: int
    col: int


@dataclass(frozen=True)
class FindingLine:
    """A marked opacity: `Finding` with a rating of four decimals; laterality and zone are None where no lungs were found."""

    box: Region
    peak: Pixel
    area_px: int
    rating: float
    laterality: Laterality | None
    zone: Zone | None


@dataclass(frozen=True)
class OperatingPointLine:
    """The threshold that decided, in [0, 1], and how it was chosen."""

    threshold: float
    rule: str


@dataclass(frozen=True)
class PopulationLine:
    """The population that the radiograph was read as, how it was known, and whose settings decided."""

    value: Population | None
    source: PopulationSource
    settings: Population
    cautious: bool

    def __post_init__(self) -> None:
        if self.cautious != self.choice.cautious:
            raise ValueError("the settings are the cautious ones if and only if the population is unknown")

    @property
    def choice(self) -> PopulationChoice:
        """The same as in a `ModelReading`."""
        return PopulationChoice(self.value, self.source, self.settings)


@dataclass(frozen=True)
class DomainLine:
    """Whether the image resembles the training images, and the reason where it does not."""

    inside: bool
    distance: float
    limit: float
    reason: str | None


@dataclass(frozen=True)
class ZoneLine:
    """The opacity of one lung zone: `ZoneOpacity` with four decimals."""

    laterality: Laterality
    zone: Zone
    share_opaque: float
    density: float
    grade: float | None


@dataclass(frozen=True)
class SeverityLine:
    """The opacity severity by the heat map: `Severity` with two decimals, and what its interval rests on."""

    name: str
    score: float | None
    low: float | None
    high: float | None
    coverage: float | None
    n_patients: int | None
    reference: str | None
    reason: str | None
    zones: tuple[ZoneLine, ...]

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise ValueError("a severity without a score needs a reason")

    def __str__(self) -> str:
        """The score with its interval in a few words; empty for an undefined score."""
        return severity_text(self.score, self.low, self.high, self.coverage)


@dataclass(frozen=True)
class LungFieldsLine:
    """The lungs that were found, and the rectangle that a model of the lungs sees."""

    state: State
    quality: float
    area_share: float
    box: Region


@dataclass(frozen=True)
class MapLine:
    """What the heat map explains, by which method, and its scale and threshold (None in lines of form 1)."""

    target: str
    method: str
    scale: float
    threshold: float | None


@dataclass(frozen=True)
class ErrorLine:
    """Why a file could not be read: the class of the error and its sentence."""

    kind: str
    message: str


@dataclass(frozen=True)
class Line:
    """One line of ``readings.jsonl``: the answer of a model for one file, or the error that says why there is none.

    The fields are those of the JSON form (``form.schema.json``), which describes each; of a file that could not be read all
    answers are None, as is `decoded_scale` of one that was decoded in full.
    """

    schema: Literal[5]
    path: str
    file_sha256: str | None
    target: str
    probability: float | None
    log_odds: float | None
    decision: Decision | None
    abstains: bool | None
    population: PopulationLine | None
    operating_point: OperatingPointLine | None
    domain: DomainLine | None
    cautions: tuple[str, ...]
    findings: tuple[FindingLine, ...]
    severity: SeverityLine | None
    lung_fields: LungFieldsLine | None
    map: MapLine | None
    rows: int | None
    cols: int | None
    model: ModelIdentity
    error: ErrorLine | None
    decoded_scale: float | None = None

    def __post_init__(self) -> None:
        if (self.error is None) == (self.probability is None or self.decision is None):
            raise ValueError("a line needs either probability and decision, or an error")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"a probability must lie in [0, 1], not at {self.probability}")
        if self.decoded_scale is not None and not 0 < self.decoded_scale < 1:
            raise ValueError(f"a reduced scale must lie between 0 and 1, not at {self.decoded_scale}")

    @property
    def case(self) -> CaseKey:
        """The image that was read."""
        return CaseKey(self.path, self.file_sha256 or "")

    @property
    def outside_domain(self) -> str:
        """Why the image lies outside the model's domain; empty if it lies inside, or where the model cannot tell."""
        return "" if self.domain is None or self.domain.inside else self.domain.reason or "outside"

    @property
    def reading(self) -> Reading | None:
        """The answer in the form that human readers' answers have; None of a file that could not be read."""
        if self.probability is None:
            return None
        marks = tuple(Mark(f.peak.row + 0.5, f.peak.col + 0.5, f.rating, f.box) for f in self.findings)
        return Reading(self.model.name, self.case, self.target, self.probability, self.decision, marks)
