"""Compare the readings of each device in the last weeks with those of its first weeks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pneumoscope.pacs import drift_statistics
from pneumoscope.pacs.drift_statistics import Interval
from pneumoscope.pacs.reading_totals import BOUNDS, ModelKey, Week, WeekKey
from pneumoscope.pacs.settings import Drift

Measure = Literal["scores", "abstentions", "outside"]
State = Literal["reference", "collecting", "too few", "as before", "alert"]
"""What a week is: part of the reference, before the reference is complete, too small to judge, or judged."""
_NAMES: Mapping[Measure, str] = {
    "scores": "scores",
    "abstentions": "abstentions",
    "outside": "images outside of the model's domain",
}


@dataclass(frozen=True)
class Difference:
    """How a week differs from the reference in one measure.

    Parameters
    ----------
    measure : {"scores", "abstentions", "outside"}
        Distance of the distributions of the score, or difference of the share of abstentions, or of images outside of the domain.
    value, low, high : float
        The difference and its 95 % interval; NaN where it is not defined.
    n, reference_n : int
        Number of readings of the week and of the reference.
    threshold : float
        From where on it alerts.
    least : int
        Least number of readings on both sides for a judgement.
    """

    measure: Measure
    value: float
    low: float
    high: float
    n: int
    reference_n: int
    threshold: float
    least: int

    @property
    def is_judged(self) -> bool:
        """Whether both sides have enough readings."""
        return min(self.n, self.reference_n) >= self.least and not math.isnan(self.value)

    @property
    def is_alert(self) -> bool:
        """Whether it reaches the threshold and is more than chance."""
        return self.is_judged and self.value >= self.threshold and self.low > 0

    @property
    def figure(self) -> str:
        """The difference with its interval."""
        value, low, high = (round(one, 2) + 0.0 for one in (self.value, self.low, self.high))  # no "-0.00"
        return f"{value:.2f} ({low:.2f} to {high:.2f})"

    def __str__(self) -> str:
        """A phrase with the interval and the numbers of readings."""
        what = "distance of the scores" if self.measure == "scores" else f"rise of {_NAMES[self.measure]}"
        return f"{what} {self.figure}, threshold {self.threshold:g}; {self.n} readings, {self.reference_n} in the reference"


@dataclass(frozen=True)
class DeviceWeek:
    """The readings of a model of one device in one week, compared with the reference.

    Parameters
    ----------
    model : ModelKey
        The model.
    device : str
        Pseudonym of the device.
    week : str
        ISO week.
    readings : Week
        What was counted.
    state : str
        What the week is.
    differences : tuple of Difference
        How it differs; empty for weeks of the reference and before it is complete.
    """

    model: ModelKey
    device: str
    week: str
    readings: Week
    state: State
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Series:
    """The weeks of a model of one device.

    Parameters
    ----------
    model : ModelKey
        The model.
    device : str
        Pseudonym of the device.
    reference : tuple of str
        ISO weeks of the reference, as far as there are any.
    is_whole : bool
        Whether the reference has as many weeks as it should.
    total : Week
        What was counted in the reference.
    weeks : tuple of DeviceWeek
        The weeks that are wanted, the newest first.
    """

    model: ModelKey
    device: str
    reference: tuple[str, ...]
    is_whole: bool
    total: Week
    weeks: tuple[DeviceWeek, ...]


def compare(weeks: Mapping[WeekKey, Week], settings: Drift, shown: Sequence[str]) -> list[Series]:
    """Compare weeks with the reference of their device and model.

    Parameters
    ----------
    weeks : mapping of WeekKey to Week
        All weeks.
    settings : Drift
        Reference and thresholds.
    shown : sequence of str
        ISO weeks that are wanted; the last one is the present week, which is never a part of a reference.

    Returns
    -------
    list of Series
        By model and device; those that have one of the wanted weeks.
    """
    series: dict[tuple[ModelKey, str], dict[str, Week]] = {}
    for (model, device, week), numbers in weeks.items():
        series.setdefault((model, device), {})[week] = numbers
    ordered = sorted(series, key=lambda key: (key[0].name, key[0].bundle, key[1]))
    return [_series(key, series[key], settings, shown) for key in ordered if set(shown) & set(series[key])]


def _series(key: tuple[ModelKey, str], weeks: Mapping[str, Week], settings: Drift, shown: Sequence[str]) -> Series:
    reference = tuple(reference_weeks(weeks, settings, shown[-1]))
    total, is_whole = _sum([weeks[one] for one in reference]), len(reference) == settings.reference_weeks
    bare = Series(*key, reference, is_whole, total, ())
    wanted = sorted(set(shown) & set(weeks), reverse=True)
    return replace(bare, weeks=tuple(_compared(bare, week, weeks[week], settings) for week in wanted))


def reference_weeks(weeks: Mapping[str, Week], settings: Drift, present: str) -> list[str]:
    """Choose the weeks of the reference.

    Parameters
    ----------
    weeks : mapping of str to Week
        The weeks of one model and device, by their names.
    settings : Drift
        How many, and from when on.
    present : str
        The present week, which is not over.

    Returns
    -------
    list of str
        The first weeks with readings that are over; fewer than wanted while the reference is collected.
    """
    first = "{}-W{:02d}".format(*date.fromisoformat(settings.reference_from).isocalendar()) if settings.reference_from else ""
    return sorted(week for week in weeks if first <= week < present)[: settings.reference_weeks]


def _compared(series: Series, name: str, week: Week, settings: Drift) -> DeviceWeek:
    made = DeviceWeek(series.model, series.device, name, week, "collecting")
    if name in series.reference:
        return replace(made, state="reference")
    if not series.is_whole or name < series.reference[0]:
        return made
    differences = tuple(_differences(week, series.total, settings))
    if any(one.is_alert for one in differences):
        return replace(made, state="alert", differences=differences)
    return replace(made, state="as before" if any(one.is_judged for one in differences) else "too few", differences=differences)


def _sum(weeks: Sequence[Week]) -> Week:
    made = Week()
    for week in weeks:
        made.readings += week.readings
        made.abstentions += week.abstentions
        made.checked += week.checked
        made.outside += week.outside
        made.total += week.total
        made.counts = [made.counts[k] + week.counts[k] for k in range(len(BOUNDS))]
    return made


def _differences(week: Week, reference: Week, settings: Drift) -> Iterator[Difference]:
    def difference(measure: Measure, interval: Interval, n: int, reference_n: int, threshold: float) -> Difference:
        return Difference(measure, *interval, n, reference_n, threshold, settings.least_readings)

    n, reference_n = week.readings, reference.readings
    distance = drift_statistics.distance(week.counts, reference.counts)
    yield difference("scores", distance, n, reference_n, settings.score_distance)
    abstentions = drift_statistics.share_difference(week.abstentions, n, reference.abstentions, reference_n)
    yield difference("abstentions", abstentions, n, reference_n, settings.abstention_rise)
    outside = drift_statistics.share_difference(week.outside, week.checked, reference.outside, reference.checked)
    yield difference("outside", outside, week.checked, reference.checked, settings.outside_rise)


def newest_judged(compared: Sequence[Series], shown: Sequence[str]) -> list[tuple[DeviceWeek, Difference]]:
    """Choose what counts now: of each model, device and measure the newest of the last two weeks that can be judged.

    Parameters
    ----------
    compared : sequence of Series
        As `compare` gives them.
    shown : sequence of str
        ISO weeks; the last one is the present week.

    Returns
    -------
    list of (DeviceWeek, Difference)
        At most one of each model, device and measure.
    """
    chosen: dict[tuple[ModelKey, str, Measure], tuple[DeviceWeek, Difference]] = {}
    for week in (one for series in compared for one in series.weeks):
        for one in week.differences if week.week in shown[-2:] else ():
            if one.is_judged:
                chosen.setdefault((week.model, week.device, one.measure), (week, one))
    return list(chosen.values())
