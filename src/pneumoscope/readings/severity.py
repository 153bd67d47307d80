"""Define the opacity severity of a reading: how opaque each lung zone is by the heat map, and the graded sum."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier.severity_scale import HIGHEST_SCORE, SeverityScale
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.lung_fields.lung_fields import Laterality, LungZone, Zone

SEVERITY_NAME = "opacity severity by the heat map, not a radiologist's score"
"""What the score is called wherever it is shown."""
NO_SCALE = "the model has no severity scale; fix one with pneumoscope calibrate-severity"
OUTSIDE = "no interval: the image lies outside the model's domain"
_NO_AREA = "a third of a lung has no area"
_OTHER_MAP = "the heat map explains another class or was made by another method than the severity scale is for"


@dataclass(frozen=True)
class ZoneOpacity:
    """The opacity of one lung zone by the heat map.

    Parameters
    ----------
    laterality : {"right", "left"}
        The patient's side.
    zone : {"upper", "mid", "lower"}
        Third of that lung's own height (`LungFields.where`).
    share_opaque : float
        Share of the zone's lung area, in [0, 1], where the heat map reaches the threshold of findings.
    density : float
        Mean of the heat map, cut at full scale, over the zone's lung area, in [0, 1].
    grade : float, optional
        The density on the model's severity scale, in [0, 3]; None for a model without one.
    """

    laterality: Laterality
    zone: Zone
    share_opaque: float
    density: float
    grade: float | None = None


@dataclass(frozen=True)
class Severity:
    """The opacity severity of a radiograph by the heat map; it is not a radiologist's score (`SEVERITY_NAME`).

    A radiograph with a negative decision has a severity too. An image outside the model's domain has a score without an interval,
    since the interval holds for images like those that it was fixed on.

    Parameters
    ----------
    zones : tuple of ZoneOpacity
        The six zones in the order of `pneumoscope.lung_fields.lung_fields.ZONES`; empty unless both lungs were found.
    score : float, optional
        Sum of the six grades, in [0, 18]; None where it is undefined.
    low, high : float, optional
        Prediction interval of the score (`SeverityScale`), in [0, 18]; None where there is none.
    scale : SeverityScale, optional
        What the grades, the interval and its coverage rest on; None for a model without one.
    reason : str
        Why the score or its interval is undefined; else empty.
    """

    zones: tuple[ZoneOpacity, ...] = ()
    score: float | None = None
    low: float | None = None
    high: float | None = None
    scale: SeverityScale | None = None
    reason: str = ""

    def __str__(self) -> str:
        """The score with its interval in a few words, or why there is none."""
        coverage = self.scale.coverage if self.scale else None
        return severity_text(self.score, self.low, self.high, coverage) or f"severity undefined ({self.reason})"


def severity_text(score: float | None, low: float | None, high: float | None, coverage: float | None) -> str:
    """Say a score with its interval in a few words.

    Parameters
    ----------
    score, low, high, coverage : float or None
        As in `Severity` and `SeverityScale`.

    Returns
    -------
    str
        Such as ``severity 5.2 of 18 (90% interval 3.2 to 7.2)``; empty for an undefined score.
    """
    if score is None:
        return ""
    has_interval = low is not None and high is not None and coverage is not None
    return f"severity {score:.1f} of {HIGHEST_SCORE}" + (
        f" ({coverage:.0%} interval {low:.1f} to {high:.1f})" if has_interval else ""
    )


def severity_of(
    heatmap: Heatmap, lung_fields: LungFields, scale: SeverityScale | None, *, inside: bool = True, scale_fits: bool = True
) -> Severity:
    """Measure the opacity severity of a radiograph.

    Parameters
    ----------
    heatmap : Heatmap
        The evidence for the target.
    lung_fields : LungFields
        The lungs of the same radiograph; their square must lie on the whole radiograph, as `LungFinder` places it.
    scale : SeverityScale or None
        The severity scale of the model's card; None for a model without one, whose zones have no grade.
    inside : bool
        Whether the image lies inside the model's domain.
    scale_fits : bool
        Whether `heatmap` explains the class, by the method, that `scale` was fixed for.

    Returns
    -------
    Severity
        The six zones, the score and its interval, or the reason why something of it is undefined.

    Raises
    ------
    ValueError
        If the square of the lung fields does not lie on the whole radiograph.
    """
    if lung_fields.state != "found":
        return Severity(reason=f"lungs {lung_fields.state}")
    values = _in_zones(heatmap, lung_fields)
    if not all(zone.size for zone in values.values()):
        return Severity(reason=_NO_AREA)
    if not scale_fits:
        return Severity(reason=_OTHER_MAP)
    shares = [int(np.count_nonzero(zone >= heatmap.threshold)) / zone.size for zone in values.values()]
    densities = [float(np.minimum(zone, 1, dtype=np.float64).mean()) for zone in values.values()]
    grades = scale.grade(np.array(densities)).tolist() if scale else [None] * len(densities)
    measured = zip(values, shares, densities, grades, strict=True)
    zones = tuple(ZoneOpacity(*name, share, density, grade) for name, share, density, grade in measured)
    if scale is None:
        return Severity(zones, reason=NO_SCALE)
    score = float(sum(grades))
    if not inside:
        return Severity(zones, score, scale=scale, reason=OUTSIDE)
    low, high = scale.interval(score)
    return Severity(zones, score, low, high, scale)


def _in_zones(heatmap: Heatmap, lung_fields: LungFields) -> Mapping[LungZone, NDArray[np.float32]]:
    """The heat map at the centres of the cells of the finder's square, by zone."""
    placement = lung_fields.placement
    box = placement.rectangle
    if (box.top, box.left, box.bottom, box.right) != (0, 0, placement.rows, placement.cols):
        raise ValueError(f"the square of the lung fields covers {box}, not the whole radiograph")
    values = placement.orientation.to_display(heatmap.on_grid(placement.size_px, placement.size_px))
    return lung_fields.in_zones(values) or {}
