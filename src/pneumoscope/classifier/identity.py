"""Name a model by everything that decides its answers."""

import dataclasses
import hashlib
import json

from pneumoscope.classifier.card import Card


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
    fitted, zone = card.calibration, card.grey_zone
    decisive = {
        "graph": graph_sha256,
        "backbone": card.backbone,
        "head": card.head,
        "classes": card.classes,
        "preprocessing": dataclasses.asdict(card.preprocessing),
        "calibration": (fitted.method, fitted.temperature, fitted.knots),
        "thresholds": [(point.rule, point.threshold) for point in card.operating_points],
        "grey zone": zone and (zone.low, zone.high),
        "domain": card.domain and card.domain.distance,
        "maps": [card.map_method, sorted(card.map_scales.items())],
        "finding threshold": card.finding_threshold,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
