"""Define the reading of a model: score, decision, heat map, findings and lung fields for one radiograph."""

from collections.abc import Callable
from dataclasses import dataclass

from pneumoscope.classifier import GreyZone, OperatingPoint, PopulationChoice, Score
from pneumoscope.classifier.score import Decision
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Caution, Radiograph
from pneumoscope.readings.case_key import CaseKey
from pneumoscope.readings.figures import probability_text
from pneumoscope.readings.finding import Finding
from pneumoscope.readings.reading import Reading
from pneumoscope.readings.severity import Severity


@dataclass(frozen=True)
class ModelIdentity:
    """The model that answered.

    Parameters
    ----------
    name : str
        Short name of its card.
    sha256 : str
        Hash of its graph or weights and of every field of its card that decides an answer
        (`pneumoscope.classifier.identity.identity_sha256`).
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class DomainCheck:
    """Whether an image resembles those that the model was trained on.

    Does not show: that the answer is right. An image may lie inside and be read wrongly.

    Parameters
    ----------
    distance : float
        Distance of the image's features from those of the training images (`pneumoscope.classifier.Domain`), >= 0.
    limit : float
        99 in 100 tune images lie nearer.
    lungs : bool
        Whether at least one lung was found.
    photograph : bool
        Whether the image is a photograph of a film or of a screen (`Radiograph.photograph`); the distance alone misses most
        photographs of screens.
    """

    distance: float
    limit: float
    lungs: bool
    photograph: bool = False

    @property
    def inside(self) -> bool:
        """Whether a lung was found, the distance does not exceed the limit, and the image is no photograph."""
        return self.lungs and self.distance <= self.limit and not self.photograph

    @property
    def reason(self) -> str:
        """Why the image lies outside; empty if it lies inside."""
        reasons = (
            ("a photograph, not the radiograph's own file", self.photograph),
            ("no lungs found", not self.lungs),
            (f"unlike the training images (distance {self.distance:.2f}, limit {self.limit:.2f})", self.distance > self.limit),
        )
        return "; ".join(text for text, holds in reasons if holds)


@dataclass(frozen=True, eq=False, repr=False)
class ModelReading:
    """The answer of a model for one target in one radiograph.

    Parameters
    ----------
    score : Score
        Calibrated probability of the target.
    decision : {"positive", "negative"}
        By the operating point.
    operating_point : OperatingPoint
        The threshold, fixed on tune.
    heatmap : Heatmap
        Where the evidence lies, on the radiograph's grid.
    findings : tuple of Finding
        Marked opacities, highest rating first; only with a positive decision.
    lung_fields : LungFields
        The lungs that were found.
    model : ModelIdentity
        The model that answered.
    grey_zone : GreyZone, optional
        The probabilities for which the model abstains; None for a model that never abstains.
    domain : DomainCheck, optional
        Whether the image resembles the training images; None where the model cannot tell.
    cautions : tuple of Caution
        Why the reading should be taken with care (`pneumoscope.radiograph.review`); usually empty.
    population : PopulationChoice, optional
        The population that the radiograph was read as; None for a model that has the same settings for all patients.
    severity : Severity, optional
        How opaque each lung zone is by the heat map, and the graded sum; None where it was not measured.
    decoded_scale : float
        Scale at which the radiograph was decoded (`Radiograph.decoded_scale`); 1 in full.
    """

    score: Score
    decision: Decision
    operating_point: OperatingPoint
    heatmap: Heatmap
    findings: tuple[Finding, ...]
    lung_fields: LungFields
    model: ModelIdentity
    grey_zone: GreyZone | None = None
    domain: DomainCheck | None = None
    cautions: tuple[Caution, ...] = ()
    population: PopulationChoice | None = None
    severity: Severity | None = None
    decoded_scale: float = 1.0

    def __repr__(self) -> str:
        unsure = ", abstains" if self.abstains else ""
        outside = ", outside the domain" if self.domain and not self.domain.inside else ""
        return (
            f"<ModelReading {self.score.target} {probability_text(self.score.probability)}, {self.decision}{unsure}{outside}, "
            f"{len(self.findings)} findings, by {self.model.name}>"
        )

    @property
    def abstains(self) -> bool:
        """Whether the decision, although given, must not be relied on.

        The probability lies in the grey zone, or the radiograph uses few grey levels.
        """
        unsure = self.grey_zone is not None and self.grey_zone.holds(self.score.probability)
        return unsure or Caution.FEW_GREY_LEVELS in self.cautions

    def as_reading(self, case: CaseKey, seconds: float | None = None) -> Reading:
        """Give the answer in the form that human readers' answers have.

        Parameters
        ----------
        case : CaseKey
            The image that was read.
        seconds : float, optional
            Reading time, >= 0.

        Returns
        -------
        Reading
            The probability as rating, and one mark a finding, at its peak.
        """
        marks = tuple(finding.mark for finding in self.findings)
        return Reading(self.model.name, case, self.score.target, self.score.probability, self.decision, marks, "unaided", seconds)


ReadsRadiographs = Callable[[Radiograph], ModelReading]
"""Anything that reads: a `pneumoscope.reader.Reader`, or a function in its place."""
