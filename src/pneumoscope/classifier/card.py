"""The noun `Card`: what travels beside weights or a graph and says what they are; no PyTorch, no pickle."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pneumoscope import atomic_files
from pneumoscope.classifier.domain import DomainLimit
from pneumoscope.classifier.errors import CardError
from pneumoscope.classifier.preprocessing import Preprocessing
from pneumoscope.classifier.score import Calibration, GreyZone, OperatingPoint

FORMAT = 2
_RENAMED = {"side": "split"}
"""Fields that cards of earlier versions name otherwise."""
CARD_NAME = "card.json"


@dataclass(frozen=True)
class Card:
    """The record of a model.

    Attributes
    ----------
    name: short name, shown in every reading.
    backbone, head: which architecture (see `pneumoscope.classifier.backbone`) with which head (``mlp`` or ``linear``).
    classes: names in the order of the logits; the last is the target.
    preprocessing: how a radiograph becomes the input.
    calibration, operating_points: fitted on the tune side; the first point is the default.
    grey_zone: the probabilities that the model abstains from, fixed on tune; None where none was.
    domain: how far from the training images an image may lie, fixed on tune; None where none was.
    map_method: ``grad-cam`` or ``evidence``: the one that is shown unless another is asked for.
    map_scale: ``grad-cam``: the raw value that counts as full, the median of the map maxima over the tune side's positives;
        ``evidence``: the temperature of the calibration.
    other_map_scales: the other methods that the graph gives, each with the raw value that counts as full.
    finding_threshold: value of the heat map from which a pixel belongs to a finding.
    init: what the weights started from.
    recipe: the whole training recipe.
    cohort, split_sha256: the data, and who was on which side.
    data_licences, intended_population, limits: for the reader of a result.
    results: figures with intervals, as `pneumoscope evaluate` wrote them.
    precision: of the weights and the arithmetic of a bundle: ``fp32``, ``fp16`` (weights alone) or ``int8``.
    opset: version of the ONNX operators of a bundle; 0 for a checkpoint.
    files: name of each file beside the card and its SHA-256.
    """

    name: str
    backbone: str
    head: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    init: str
    format: int = FORMAT
    calibration: Calibration = field(default_factory=Calibration)
    operating_points: tuple[OperatingPoint, ...] = ()
    grey_zone: GreyZone | None = None
    domain: DomainLimit | None = None
    map_method: str = "grad-cam"
    map_scale: float = 1.0
    other_map_scales: Mapping[str, float] = field(default_factory=dict)
    finding_threshold: float = 0.5
    recipe: Mapping[str, Any] = field(default_factory=dict)
    cohort: str = ""
    split_sha256: str = ""
    data_licences: tuple[str, ...] = ()
    intended_population: str = "not stated"
    limits: str = "not stated"
    results: Mapping[str, Any] = field(default_factory=dict)
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    opset: int = 0
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return self.classes[-1]

    @property
    def map_scales(self) -> Mapping[str, float]:
        """Every method of heat maps that there is, the default first, with the scale of its raw values."""
        return {self.map_method: self.map_scale, **self.other_map_scales}

    @property
    def operating_point(self) -> OperatingPoint:
        """The default operating point; CardError where the model has none yet."""
        if not self.operating_points:
            raise CardError(f"the model '{self.name}' has no operating point; train it to its end first")
        return self.operating_points[0]


def write(card: Card, folder: Path) -> None:
    """Write ``card.json`` atomically."""
    with atomic_files.text(folder / CARD_NAME) as stream:
        stream.write(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> Card:
    """Read ``card.json`` of a checkpoint or bundle; CardError that says what is wrong."""
    path = folder / CARD_NAME
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CardError(f"there is no {CARD_NAME} in '{folder}': give the folder of a checkpoint or a bundle") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"'{path}' could not be read; copy the model again from its source") from error


def parse(text: str) -> Card:
    """Parse a card from JSON; CardError where it is damaged, foreign or of another format."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of too many digits, lists nested without end
        raise CardError("the card is damaged (no valid JSON); copy the model again from its source") from error
    if not isinstance(value, dict) or "format" not in value or "backbone" not in value:
        raise CardError("the card is not one of Pneumoscope's; give the folder of a checkpoint or a bundle")
    if value["format"] != FORMAT:
        raise CardError(f"the card has format {value['format']}, this version reads {FORMAT}; update pneumoscope or the model")
    try:
        card = _build(Card, value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CardError(f"the card is damaged ({error}); copy the model again from its source") from error
    assert isinstance(card, Card)
    fitted = card.calibration
    if (
        len(card.classes) != 2
        or not all(scale > 0 for scale in card.map_scales.values())
        or not card.finding_threshold > 0
        or not card.preprocessing.side_px > 0
        or not fitted.temperature > 0
        or (fitted.method == "isotonic" and not fitted.knots)
    ):
        raise CardError(
            "the card is damaged (classes, map scale, input size or calibration); copy the model again from its source"
        )
    return card


def _calibration(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a calibration; earlier versions said in one sentence what it was fitted on: "tune side of split abc"."""
    fields = dict(fields)
    sentence = fields.pop("fitted_on", None)
    if sentence is None:
        return fields
    split, between, sha256 = str(sentence).partition(" side of split ")
    if sentence and not between:
        raise ValueError(f"'{sentence}' does not say what the calibration was fitted on")
    return {**fields, "split": split, "split_sha256": sha256}


def _build(kind: Any, value: Any) -> Any:
    """A dataclass, tuple, mapping or scalar of type `kind` from JSON, checked all the way down."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no {kind.__name__}")
        fields = {_RENAMED.get(str(name), str(name)): part for name, part in value.items()}
        if kind is Calibration:
            fields = _calibration(fields)
        return kind(**{name: _build(hints[name], part) for name, part in fields.items()})
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is no list")
        kinds = parts[:1] * len(value) if parts[1:] == (Ellipsis,) else parts
        return tuple(_build(inner, part) for inner, part in zip(kinds, value, strict=True))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no mapping")
        return {key: _build(parts[1], part) for key, part in value.items()}
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _build(parts[0], value)
    if origin is typing.Literal:
        if value not in parts:
            raise ValueError(f"{value!r} is none of {parts}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(kind, type) and (not isinstance(value, kind) or isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value
