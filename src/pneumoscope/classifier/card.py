"""Define the card of a model: the record next to its weights or graph that says what the model is; no PyTorch, no pickle."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pneumoscope import atomic_files, strict_json
from pneumoscope.classifier.domain import DomainLimit
from pneumoscope.classifier.errors import CardError
from pneumoscope.classifier.population import Population
from pneumoscope.classifier.population_settings import PopulationSettings, cautious_settings, require_population
from pneumoscope.classifier.preprocessing import Preprocessing
from pneumoscope.classifier.score import Calibration, GreyZone, OperatingPoint
from pneumoscope.classifier.severity_scale import SeverityScale

FORMAT = 4
_READ_FORMATS = (2, 3, FORMAT)
_PREPROCESSING_NAMES = {"side_px": "size_px", "view": "crop"}
"""Names of format 2 and what they became."""
CARD_NAME = "card.json"


@dataclass(frozen=True)
class Card:
    """The record of a model.

    Parameters
    ----------
    name : str
        Short name, shown in every reading.
    backbone, head : str
        The architecture (`pneumoscope.classifier.backbone`) and its head (``mlp``, ``linear`` or ``evidence``).
    classes : tuple of str
        Names in the order of the logits; the last is the target.
    preprocessing : Preprocessing
        How a radiograph becomes the input.
    init : str
        What the weights started from.
    format : int
        Version of the form of the card.
    calibration : Calibration
        From log-odds to probability, fitted on tune.
    operating_points : tuple of OperatingPoint
        Fixed on tune; the first is the default. Empty while the model is being trained.
    grey_zone : GreyZone, optional
        The probabilities for which the model abstains, fixed on tune; None for a model that never abstains.
    domain : DomainLimit, optional
        How far from the training images an image may lie, fixed on tune; None where that is unknown.
    map_method : str
        ``grad-cam`` or ``evidence``: the method of the heat map unless another is asked for.
    map_scale : float
        > 0. ``grad-cam``: the raw value of full scale, the median of the map maxima over the tune positives; ``evidence``: the
        temperature of the calibration.
    other_map_scales : mapping of str to float
        The other methods that the graph gives, each with the raw value of full scale, > 0.
    finding_threshold : float
        Value of the heat map, in (0, 1], from which a pixel belongs to a finding.
    populations : mapping of {"child", "adult"} to PopulationSettings
        The settings of each population that the model knows. Where there is any, `settings` gives the ones that decide, and the
        fields of the same names on the card only scale the heat map. Empty for a model that has the same settings for all
        patients.
    severity : SeverityScale, optional
        From the density of the default heat map over a lung zone to a grade of opacity, fixed on tune; None for a model without.
    recipe : mapping
        The whole training recipe.
    trained_with : mapping of str to str
        Device of the training, name of the hardware, precision and versions of the libraries; empty if unknown.
    cohort, split_sha256 : str
        The data, and the SHA-256 of its split.
    data_licences : tuple of str
        Licences of the training data.
    intended_population, limits : str
        For the reader of a result.
    results : mapping
        Figures with intervals, as ``pneumoscope evaluate`` wrote them.
    precision : {"fp32", "fp16", "int8"}
        Of the weights and the arithmetic of a bundle (``fp16``: weights alone).
    opset : int
        Version of the ONNX operators of a bundle; 0 for a checkpoint.
    files : mapping of str to str
        Name of each file next to the card and its SHA-256.
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
    populations: Mapping[Population, PopulationSettings] = field(default_factory=dict)
    severity: SeverityScale | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    trained_with: Mapping[str, str] = field(default_factory=dict)
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
        """The class that scores and decisions are about."""
        return self.classes[-1]

    @property
    def map_scales(self) -> Mapping[str, float]:
        """Every method of heat maps that the model has, the default first, with its raw value of full scale."""
        return {self.map_method: self.map_scale, **self.other_map_scales}

    @property
    def operating_point(self) -> OperatingPoint:
        """The default operating point; CardError where the model has none yet."""
        if not self.operating_points:
            raise CardError(f"the model '{self.name}' has no operating point; train it to its end first")
        return self.operating_points[0]

    def settings(self, population: Population | None = None) -> PopulationSettings:
        """Return the settings that decide for a patient.

        Parameters
        ----------
        population
            Population of the patient; None where it is unknown.

        Returns
        -------
        PopulationSettings
            The settings of the population; for an unknown one those of the population with the more sensitive operating point,
            with the smallest domain limit. Of a model without populations, the fields of the card.

        Raises
        ------
        CardError
            The model has no settings of its own for the population, or no operating point yet.
        """
        require_population(self.populations, population)
        if population is not None:
            return self.populations[population]
        if self.populations:
            return self._cautious
        own = (self.operating_point, *self.operating_points[1:])
        return PopulationSettings(self.calibration, own, self.grey_zone, self.domain, self.finding_threshold)

    @cached_property
    def _cautious(self) -> PopulationSettings:
        return cautious_settings(self.populations)


def write(card: Card, folder: Path) -> None:
    """Write ``card.json`` atomically.

    Parameters
    ----------
    card : Card
        The card to write.
    folder : Path
        Folder of the checkpoint or bundle.
    """
    with atomic_files.text(folder / CARD_NAME) as stream:
        stream.write(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> Card:
    """Read ``card.json`` of a checkpoint or bundle.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoint or bundle.

    Returns
    -------
    Card
        The checked card.

    Raises
    ------
    CardError
        The card is missing, cannot be read, or is refused by `parse`.
    """
    path = folder / CARD_NAME
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CardError(f"there is no {CARD_NAME} in '{folder}': give the folder of a checkpoint or a bundle") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"'{path}' could not be read; copy the model again from its source") from error


def parse(text: str) -> Card:
    """Parse a card from JSON and check every value against its range.

    Parameters
    ----------
    text : str
        Content of a ``card.json``.

    Returns
    -------
    Card
        The checked card; fields that earlier versions named otherwise have their present names.

    Raises
    ------
    CardError
        The text is no JSON, is not a card, has another format, or a value is missing, unknown or out of its range.
    """
    try:
        card = strict_json.decode(text, Card, upgrade=_upgraded)
    except strict_json.StrictJsonError as error:
        raise CardError(f"the card is damaged ({error}); copy the model again from its source") from error
    if problem := _problem(card):
        raise CardError(f"the card is damaged ({problem}); copy the model again from its source")
    return card


def _problem(card: Card) -> str:
    """The first value that lies outside its range, in words; empty for a sound card."""
    if len(card.classes) != 2 or len(set(card.classes)) != 2:
        return f"a model needs two different classes, not {', '.join(card.classes) or 'none'}"
    if not all(0 < scale < math.inf for scale in card.map_scales.values()):
        return "the scale of a heat map must be a finite number above 0"
    if card.map_method in card.other_map_scales:
        return f"the heat map method {card.map_method} has two scales"
    if any((settings.domain is None) != (card.domain is None) for settings in card.populations.values()):
        return "each population needs a domain limit if the model has one, and none otherwise"
    if not 0 < card.finding_threshold <= 1:
        return f"the finding threshold must lie above 0 and not above 1, not at {card.finding_threshold}"
    return "" if card.opset >= 0 else f"the version of the ONNX operators must not be below 0, not {card.opset}"


def _upgraded(tree: Any) -> Any:
    """The JSON of a card with the present names of its fields; CardError for what is no card of a known format."""
    if not isinstance(tree, dict) or "format" not in tree or "backbone" not in tree:
        raise CardError("the card is not one of Pneumoscope's; give the folder of a checkpoint or a bundle")
    if tree["format"] not in _READ_FORMATS or isinstance(tree["format"], bool):
        raise CardError(
            f"the card has format {tree['format']}, this version reads {', '.join(map(str, _READ_FORMATS[:-1]))} and {FORMAT}; "
            "update pneumoscope or the model"
        )
    if empty := [name for name in ("preprocessing", "calibration") if tree.get(name) == {}]:
        raise CardError(f"the card is damaged (its {empty[0]} is empty); copy the model again from its source")
    if tree["format"] == FORMAT:
        return tree
    if "populations" in tree:
        raise ValueError(f"a card of format {tree['format']} has no populations")
    if tree["format"] == _READ_FORMATS[1]:
        return {**tree, "format": FORMAT}
    split = {"side": "split"}
    changes: dict[str, Any] = {name: _renamed(tree[name], split) for name in ("grey_zone", "domain") if name in tree}
    if "preprocessing" in tree:
        changes["preprocessing"] = _renamed(tree["preprocessing"], _PREPROCESSING_NAMES)
    if isinstance(tree.get("operating_points"), list):
        changes["operating_points"] = [_renamed(point, split) for point in tree["operating_points"]]
    if isinstance(tree.get("calibration"), dict):
        changes["calibration"] = _calibration(tree["calibration"])
    return {**tree, **changes, "format": FORMAT}


def _renamed(fields: Any, names: Mapping[str, str]) -> Any:
    """The fields of a value with the names of the present format."""
    return {names.get(name, name): part for name, part in fields.items()} if isinstance(fields, dict) else fields


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
