"""The noun `Reading`: one reader's answer for one radiograph."""

from dataclasses import dataclass
from typing import Literal

from pneumoscope.classifier import GreyZone, OperatingPoint, Score
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Caution
from pneumoscope.readings.finding import Finding


@dataclass(frozen=True)
class ModelIdentity:
    """Which model answered: its name and the SHA-256 of its graph or weights."""

    name: str
    sha256: str


@dataclass(frozen=True)
class DomainCheck:
    """Whether an image is one that the model may be asked about.

    Attributes
    ----------
    distance: of the image's features from those of the training images (`pneumoscope.classifier.Domain`), ≥ 0.
    limit: 99 in 100 tune images lie nearer.
    lungs: whether at least one lung was found.

    Does not show: that the answer is right. An image may lie inside and be read wrongly.
    """

    distance: float
    limit: float
    lungs: bool

    @property
    def inside(self) -> bool:
        return self.lungs and self.distance <= self.limit

    @property
    def reason(self) -> str:
        """Why the image lies outside; empty where it does not."""
        far = f"unlike the training images (distance {self.distance:.2f}, limit {self.limit:.2f})"
        return "; ".join(text for text, told in (("no lungs found", not self.lungs), (far, self.distance > self.limit)) if told)


@dataclass(frozen=True, eq=False)
class Reading:
    """Score, decision, heat map, findings and lung fields for one target in one radiograph.

    `grey_zone` and `domain` are None where the model knows none. `cautions` say why the reading should be
    taken with care. Findings are reported with a positive decision only: a finding
    is an opacity that speaks for the target.
    """

    score: Score
    decision: Literal["positive", "negative"]
    operating_point: OperatingPoint
    heatmap: Heatmap
    findings: tuple[Finding, ...]
    lung_fields: LungFields
    model: ModelIdentity
    grey_zone: GreyZone | None = None
    domain: DomainCheck | None = None
    cautions: tuple[Caution, ...] = ()

    @property
    def abstains(self) -> bool:
        """Whether nothing should rest on the decision: the probability is in the grey zone, or few grey levels."""
        unsure = self.grey_zone is not None and self.grey_zone.holds(self.score.probability)
        return unsure or Caution.FEW_GREY_LEVELS in self.cautions
