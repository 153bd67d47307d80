"""Describe what the node has done and what waits, in lines for people; no line holds an identifier of a patient or an image."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.drift_watch import last_seen
from pneumoscope.pacs.ledger import Delivery, Heartbeat, Instance, Ledger
from pneumoscope.pacs.ledger.search import DeliveryQuery, count_dead_letters, search_deliveries
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.quality_sample import sampled

SILENT_SECONDS = 30.0
"""Time after which a process that gave no sign of life is called silent."""
ROLES = ("receive", "work", "send")
"""Processes of a node."""
_DEAD_LETTERS = 10


def status(config: NodeConfig, ledger: Ledger) -> list[str]:
    """Describe the node.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.

    Returns
    -------
    list of str
        Lines: processes, instances by state, deliveries by state, ages, the reasons of dead letters, and drift.
    """
    counts, now = ledger.counts(), ledger.clock()
    lines = [*_processes(ledger, now)]
    lines += [f"images: {_numbers(counts.instances)}", f"deliveries: {_numbers(counts.deliveries)}"]
    if counts.oldest_received_at is not None:
        lines.append(f"oldest image that waits to be read: {age(now - counts.oldest_received_at)}")
    if counts.oldest_waiting_since is not None:
        lines.append(f"oldest result that waits to be sent: {age(now - counts.oldest_waiting_since)}")
    seen = last_seen(config.spool_folder)
    drift = [*seen.lines(), f"drift was looked for {age(now - seen.at)} ago"] if seen else []
    return [*lines, *_dead(ledger), *_without_destination(config, ledger), *drift, *_quality_sample(config)]


def _quality_sample(config: NodeConfig) -> Iterator[str]:
    if number := len(sampled(config)):
        yield f"quality sample: {number} radiographs are kept to be exported (pneumoscope node quality-sample)"


def _processes(ledger: Ledger, now: float) -> Iterator[str]:
    beats = {one.process: one for one in ledger.heartbeats()}
    for role in ROLES:
        beat = beats.get(role)
        if beat is None:
            yield f"{role}: never ran"
        else:
            yield f"{role}: {_sign_of_life(beat, now)}"


def _sign_of_life(beat: Heartbeat, now: float) -> str:
    passed = age(now - beat.at)
    if beat.stopped:
        return f"stopped {passed} ago"
    silent = now - beat.at > SILENT_SECONDS
    return f"silent for {passed}" if silent else f"runs, process {beat.pid}; last sign of life {passed} ago"


def _dead(ledger: Ledger) -> Iterator[str]:
    for destination, reason, number in count_dead_letters(ledger, _DEAD_LETTERS):
        yield f"{number} dead for '{destination}': {reason}"


def _without_destination(config: NodeConfig, ledger: Ledger) -> Iterator[str]:
    waiting = search_deliveries(ledger, DeliveryQuery(states=("waiting", "sending")))
    lost = Counter(one.destination for one in waiting if config.outlet(one.destination) is None)
    for destination, number in lost.items():
        yield f"{number} wait for '{destination}', which the configuration no longer names; name it again, or drop them"


def instance_line(config: NodeConfig, instance: Instance) -> str:
    """Describe an instance in one line.

    Parameters
    ----------
    config : NodeConfig
        The node, for its salt.
    instance : Instance
        The instance.

    Returns
    -------
    str
        Row, time, pseudonym, sender, state and reason.
    """
    shown = pseudonym(config.salt, instance.sop_instance_uid)
    reason = f": {instance.reason}" if instance.reason else ""
    return f"{instance.id:>8}  {_time(instance.received_at)}  {shown}  {instance.sender:<16}  {instance.state}{reason}"


def delivery_line(config: NodeConfig, delivery: Delivery) -> str:
    """Describe a delivery in one line.

    Parameters
    ----------
    config : NodeConfig
        The node, for its salt.
    delivery : Delivery
        The delivery.

    Returns
    -------
    str
        Row, pseudonym, kind, destination, attempts, state and reason.
    """
    shown = pseudonym(config.salt, delivery.sop_instance_uid)
    what = f"{delivery.kind} ({delivery.profile}) to {delivery.destination}"
    reason = f": {delivery.reason}" if delivery.reason else ""
    sent = f" {_time(delivery.sent_at)}" if delivery.sent_at else ""
    return f"{delivery.id:>8}  {shown}  image {delivery.instance_id}  {what}  {delivery.state}{sent}{reason}"


def details(config: NodeConfig, ledger: Ledger, instance: Instance) -> list[str]:
    """Describe an instance with its readings, results and deliveries.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    instance : Instance
        The instance.

    Returns
    -------
    list of str
        Lines.
    """
    lines = [instance_line(config, instance).strip(), f"received by {instance.route}, {instance.size:,} bytes, {instance.path}"]
    if removed_at := ledger.removed_at("source", instance.id):
        lines.append(f"the file was removed {_time(removed_at)}; to read the image again, the PACS has to send it again")
    if instance.device:
        lines.append(f"made by the device {instance.device}")
    for reading in ledger.readings_of(instance.id):
        answer: dict[str, Any] = json.loads(reading.line)
        shadow = ", in shadow" if reading.shadow else ""
        lines.append(
            f"read {_time(reading.created_at)} by {answer['model']['name']} ({reading.model_sha256[:12]}){shadow}: "
            f"{answer['target']} {answer['probability']:.3f}, {answer['decision']}{', abstains' if answer['abstains'] else ''}"
        )
        lines += [f"  {one.kind} ({one.profile}): {one.path}" for one in ledger.results_of(reading.id)]
    sent = search_deliveries(ledger, DeliveryQuery(instance_ids=(instance.id,)))
    return lines + [delivery_line(config, one) for one in reversed(sent)]


def find(config: NodeConfig, instances: Sequence[Instance], shown: str) -> Instance | None:
    """Find an instance by its pseudonym.

    Parameters
    ----------
    config : NodeConfig
        The node, for its salt.
    instances : sequence of Instance
        Where to look.
    shown : str
        The pseudonym, as lists and logs show it.

    Returns
    -------
    Instance or None
        The first that has it.
    """
    return next((one for one in instances if pseudonym(config.salt, one.sop_instance_uid) == shown), None)


def _numbers(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "none"


def age(seconds: float) -> str:
    """Write a time that has passed for people.

    Parameters
    ----------
    seconds : float
        Seconds; below 0 counts as 0.

    Returns
    -------
    str
        In seconds, minutes, hours or days.

    Examples
    --------
    >>> age(90.0)
    '1.5 min'
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
