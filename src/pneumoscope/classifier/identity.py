"""Name a model by everything that decides its answers."""

import dataclasses
import hashlib
import json
from typing import Any

from pneumoscope.classifier.card import Card
from pneumoscope.classifier.population_settings import PopulationSettings
from pneumoscope.classifier.score import Calibration


def identity_sha256(card: Card, graph_sha256: str) -> str:
    """Hash a model's graph or weights together with the fields of its card that decide an answer.

    Two models with the same hash give the same reading of every radiograph. Descriptions in the card (name, recipe, results,
    licences, which split a value was fixed on) do not enter.

    Parameters
    ----------
    card : Card
        Card of the model.
    graph_sha256 : str
        SHA-256 of its graph or weights, hexadecimal.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    zone = card.grey_zone
    decisive: dict[str, Any] = {
        "graph": graph_sha256,
        "backbone": card.backbone,
        "head": card.head,
        "classes": card.classes,
        "preprocessing": dataclasses.asdict(card.preprocessing),
        "calibration": _of_calibration(card.calibration),
        "thresholds": [(point.rule, point.threshold) for point in card.operating_points],
        "grey zone": zone and (zone.low, zone.high),
        "domain": card.domain and card.domain.distance,
        "maps": [card.map_method, sorted(card.map_scales.items())],
        "finding threshold": card.finding_threshold,
    }
    if card.populations:
        decisive["populations"] = {name: _of_settings(settings) for name, settings in card.populations.items()}
    if card.severity:  # a model without a severity scale has the hash that earlier versions gave it
        decisive["severity"] = (card.severity.knots, card.severity.half_width)
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _of_calibration(fitted: Calibration) -> tuple[Any, ...]:
    """What decides an answer; the intercept only where there is one, so that models of earlier versions keep their hash."""
    return (fitted.method, fitted.temperature, fitted.knots, *([fitted.intercept] if fitted.intercept else []))


def _of_settings(settings: PopulationSettings) -> dict[str, Any]:
    zone = settings.grey_zone
    return {
        "calibration": _of_calibration(settings.calibration),
        "thresholds": [(point.rule, point.threshold) for point in settings.operating_points],
        "grey zone": zone and (zone.low, zone.high),
        "domain": settings.domain and settings.domain.distance,
        "finding threshold": settings.finding_threshold,
    }
