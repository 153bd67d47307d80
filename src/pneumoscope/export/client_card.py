"""Write the card for clients: what a browser or a phone needs to know to show the outputs of a graph."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pneumoscope.classifier import Card, PopulationSettings
from pneumoscope.classifier.identity import identity_sha256
from pneumoscope.classifier.population_settings import cautious_population
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.reader import bundle
from pneumoscope.reader.settings import settings_of

CLIENT_CARD_NAME = "client.json"
FORMAT = 1
_POOLS_EVERYWHERE = "evidence-everywhere"  # head of a network in which all cells count as lung


def client_card(card: Card, file: str, sha256: str, **about: Any) -> dict[str, Any]:
    """Build the card for clients of a model.

    Parameters
    ----------
    card
        Card of the model.
    file
        Name of the file with the graph.
    sha256
        SHA-256 of that file.
    about
        Further fields: the runtime that the file is for, and the measured parity.

    Returns
    -------
    dict
        ``format``, ``name``, ``target``, ``limits``, ``intended_population``; ``model`` (name and identity in a reading);
        ``file`` and ``sha256``; ``input`` (name and edge in pixels); ``outputs`` (names, in the order of the graph); ``map``
        (name of the output with the scaled heat maps, index of the target, method, scale, edge of the square in pixels, what it
        covers, and what the score is pooled over: ``lungs`` or ``whole``); ``settings`` (a list in the order of the columns of
        the answers); ``populations`` and the ``cautious_population``; ``severity`` (scale and interval, or null).
    """
    return {
        "format": FORMAT,
        "name": card.name,
        "target": card.target,
        "limits": card.limits,
        "intended_population": card.intended_population,
        "model": {"name": card.name, "sha256": identity_sha256(card, sha256)},
        "file": file,
        "sha256": sha256,
        "input": {"name": bundle.IMAGE, "size_px": card.preprocessing.seen_px},
        "outputs": list(bundle.outputs(card)),
        "map": {
            "output": bundle.scaled_name(card.map_method),
            "index": len(card.classes) - 1,
            "method": card.map_method,
            "scale": card.map_scales[card.map_method],
            "size_px": card.preprocessing.size_px,
            "covers": card.preprocessing.crop,
            "pooled": "lungs" if _pools_over_lungs(card) else "whole",
        },
        "settings": [_column(name, one) for name, one in settings_of(card).items()],
        "populations": sorted(card.populations),
        "cautious_population": cautious_population(card.populations) if card.populations else None,
        "severity": _severity(card),
        **about,
    }


def _pools_over_lungs(card: Card) -> bool:
    return card.map_method == EVIDENCE and card.head != _POOLS_EVERYWHERE and bool(card.preprocessing.lungs)


def _severity(card: Card) -> Mapping[str, Any] | None:
    scale = card.severity
    if scale is None:
        return None
    return {
        "knots": scale.knots,
        "half_width": scale.half_width,
        "coverage": scale.coverage,
        "n_patients": scale.n_patients,
        "reference": scale.reference,
    }


def _column(name: str, settings: PopulationSettings) -> Mapping[str, Any]:
    zone, domain = settings.grey_zone, settings.domain
    return {
        "name": name,
        "threshold": settings.operating_point.threshold,
        "rule": settings.operating_point.rule,
        "grey_zone": [zone.low, zone.high] if zone else None,
        "domain_limit": domain.distance if domain else None,
        "finding_threshold": settings.finding_threshold,
    }


def write(card: Mapping[str, Any], folder: Path) -> None:
    """Write ``client.json``.

    Parameters
    ----------
    card
        Card for clients.
    folder
        Existing folder.
    """
    (folder / CLIENT_CARD_NAME).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
