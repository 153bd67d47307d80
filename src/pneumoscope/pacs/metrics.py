"""Describe the node in metrics that Prometheus reads; no label holds an identifier of a patient, an image or a device."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pneumoscope.pacs.drift import DeviceWeek, Difference, compare, newest_judged
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.tables import DeliveryState, InstanceState
from pneumoscope.pacs.reading_totals import BOUNDS, ModelKey, ReadingTotals, Scores, Week, WeekKey
from pneumoscope.pacs.settings import Drift

CONTENT_TYPE: str = CONTENT_TYPE_LATEST
"""Content type of `exposition`."""
_PREFIX = "pneumoscope_node"
_OF_MODEL = ("model", "bundle")
_IN_WEEK = {
    "readings": "Readings of the week (UTC, ISO 8601), by the pseudonym of the device, or of the sender.",
    "abstentions": "Readings of the week in which the model abstains.",
    "checked": "Readings of the week whose domain was checked.",
    "outside": "Readings of the week whose image lies outside of the model's domain.",
}


@dataclass(frozen=True, eq=False)  # a registry needs collectors that can be hashed
class NodeMetrics(Collector):
    """Collects the metrics of a node from its ledger, at the moment at which they are asked for.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    totals : ReadingTotals
        Totals over its readings.
    drift : Drift
        Reference and thresholds.
    """

    ledger: Ledger
    totals: ReadingTotals
    drift: Drift = field(default_factory=Drift)

    def collect(self) -> Iterator[Metric]:
        """Collect the metrics.

        Yields
        ------
        Metric
            Each metric with its samples.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        yield from self._queues()
        yield self._processes()
        scores, weeks = self.totals.count()
        yield from _of_models(scores)
        shown = self.totals.shown_weeks()
        yield from _of_weeks({key: week for key, week in weeks.items() if key[2] in shown})
        yield from _of_drift(newest_judged(compare(weeks, self.drift, shown), shown))

    def _queues(self) -> Iterator[Metric]:
        counts, now = self.ledger.counts(), self.ledger.clock()
        of_images, of_deliveries = "Received images by state.", "Results for destinations by state."
        yield _by_state("images", of_images, get_args(InstanceState), counts.instances)
        yield _by_state("deliveries", of_deliveries, get_args(DeliveryState), counts.deliveries)
        for name, since in {"image": counts.oldest_received_at, "delivery": counts.oldest_waiting_since}.items():
            age = 0.0 if since is None else max(now - since, 0.0)
            help_text = f"Age of the oldest {name} that waits; 0 where none waits."
            yield GaugeMetricFamily(f"{_PREFIX}_oldest_{name}_age_seconds", help_text, age)

    def _processes(self) -> Metric:
        help_text = "Time since the last sign of life of a process of the node."
        family = GaugeMetricFamily(f"{_PREFIX}_heartbeat_age_seconds", help_text, labels=["process"])
        now = self.ledger.clock()
        for beat in self.ledger.heartbeats():
            family.add_metric([beat.process], max(now - beat.at, 0.0))
        return family


def exposition(collector: Collector) -> bytes:
    """Write metrics in the text format of Prometheus.

    Parameters
    ----------
    collector : Collector
        The metrics.

    Returns
    -------
    bytes
        Text of the type `CONTENT_TYPE`.

    Raises
    ------
    LedgerError
        If the ledger cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _by_state(what: str, help_text: str, states: Iterable[str], counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{what}", help_text, labels=["state"])
    for state in states:
        family.add_metric([state], counts.get(state, 0))
    return family


def _of_models(scores: Mapping[ModelKey, Scores]) -> Iterator[Metric]:
    histogram = HistogramMetricFamily(f"{_PREFIX}_score", "Probability that the model gave.", labels=_OF_MODEL)
    abstentions = CounterMetricFamily(f"{_PREFIX}_abstentions", "Readings in which the model abstains.", labels=_OF_MODEL)
    for model, of_model in scores.items():
        labels, up_to = [model.name, model.bundle], list(accumulate(of_model.counts))
        bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
        buckets = list(zip(bounds, [*(float(number) for number in up_to), float(up_to[-1])], strict=True))
        histogram.add_metric(labels, buckets, of_model.total)
        abstentions.add_metric(labels, of_model.abstentions)
    yield histogram
    yield abstentions


def _of_weeks(weeks: Mapping[WeekKey, Week]) -> Iterator[Metric]:
    for name, help_text in _IN_WEEK.items():
        family = GaugeMetricFamily(f"{_PREFIX}_week_{name}", help_text, labels=[*_OF_MODEL, "device", "week"])
        for (model, device, week), numbers in weeks.items():
            family.add_metric([model.name, model.bundle, device, week], getattr(numbers, name))
        yield family


def _of_drift(judged: Sequence[tuple[DeviceWeek, Difference]]) -> Iterator[Metric]:
    labels = [*_OF_MODEL, "device", "measure"]
    differences = GaugeMetricFamily(f"{_PREFIX}_drift", "Difference of the newest judged week from the reference.", labels=labels)
    alerts = GaugeMetricFamily(f"{_PREFIX}_drift_alert", "1 where the difference alerts, 0 where it does not.", labels=labels)
    for week, difference in judged:
        of_week = [week.model.name, week.model.bundle, week.device, difference.measure]
        differences.add_metric(of_week, difference.value)
        alerts.add_metric(of_week, float(difference.is_alert))
    yield differences
    yield alerts
