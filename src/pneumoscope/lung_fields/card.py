"""The noun `LungCard`: what travels beside a lung-field graph and says what it is."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.lung_fields.errors import LungFieldsError

FORMAT = 1
CARD_NAME = "card.json"


@dataclass(frozen=True)
class LungCard:
    """The record of a lung-field model.

    Attributes
    ----------
    side_px: side of the square that the graph takes.
    quality_threshold: a lung whose quality is below it counts as not found; fixed on tune images.
    recipe: the whole training recipe.
    data: what it was trained on, one line a set.
    data_licences, limits: for the reader of a result.
    results: Dice and boundary distance on held-back images, by set.
    files: name of each file beside the card and its SHA-256.
    """

    name: str
    side_px: int
    quality_threshold: float
    format: int = FORMAT
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    data_licences: tuple[str, ...] = ()
    limits: str = "not stated"
    results: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def write(card: LungCard, folder: Path) -> None:
    """Write ``card.json`` atomically."""
    with atomic_files.text(folder / CARD_NAME) as stream:
        stream.write(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> LungCard:
    """Read ``card.json`` of a lung-field model; LungFieldsError that says what is wrong."""
    path = folder / CARD_NAME
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise LungFieldsError(f"'{path}' has format {value['format']}, this version reads {FORMAT}; train it again")
        lists = {name: tuple(value[name]) for name in ("data", "data_licences")}
        card = LungCard(**{**value, **lists})
        sound = isinstance(card.side_px, int) and card.side_px > 0 and 0 <= card.quality_threshold <= 1
    except OSError as error:
        raise LungFieldsError(f"there is no lung-field model in '{folder}': make one with  pneumoscope train-lungs") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LungFieldsError(f"'{path}' is no intact card of a lung-field model; copy the model again") from error
    if not sound or not isinstance(card.files, dict):
        raise LungFieldsError(f"'{path}' is damaged (size, threshold or files); copy the model again")
    return card
