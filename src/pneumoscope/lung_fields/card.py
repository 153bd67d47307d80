"""Define the card of a lung-field model: the record, in the same folder as its graph, that describes the model."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files, strict_json
from pneumoscope.lung_fields.errors import LungFieldsError

FORMAT = 2
_READ_FORMATS = (1, FORMAT)
CARD_NAME = "card.json"


@dataclass(frozen=True)
class LungCard:
    """The record of a lung-field model.

    Attributes
    ----------
    name : str
        Short name of the model.
    size_px : int
        Edge of the square input of the network in pixels, >= 1.
    quality_threshold : float
        Lowest quality, in [0, 1], at which a lung counts as found; fixed on tune images.
    format : int
        Version of the card's format.
    recipe : mapping
        The complete training recipe.
    trained_with : mapping of str to str
        Device of the training, name of the hardware, precision and versions of the libraries; empty if unknown.
    data : tuple of str
        Description of the training data, one line per data set.
    data_licences : tuple of str
        Licences of the training data.
    limits : str
        Known limits of the model, to be shown with its results.
    results : mapping
        Dice coefficient and boundary distance on held-out images, by data set.
    files : mapping of str to str
        SHA-256 of each file of the model other than the card, by file name.

    Raises
    ------
    ValueError
        If `size_px` or `quality_threshold` lies outside its range.
    """

    name: str
    size_px: int
    quality_threshold: float
    format: int = FORMAT
    recipe: Mapping[str, Any] = field(default_factory=dict)
    trained_with: Mapping[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    data_licences: tuple[str, ...] = ()
    limits: str = "not stated"
    results: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size_px < 1:
            raise ValueError(f"size_px must be at least 1, not {self.size_px}")
        if not 0 <= self.quality_threshold <= 1:
            raise ValueError(f"quality_threshold must lie in [0, 1], not {self.quality_threshold}")


def write(card: LungCard, folder: Path) -> None:
    """Write ``card.json`` atomically.

    Parameters
    ----------
    card : LungCard
        The card to write.
    folder : Path
        Folder of the model.
    """
    with atomic_files.text(folder / CARD_NAME) as stream:
        stream.write(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> LungCard:
    """Read and check ``card.json`` of a lung-field model.

    Parameters
    ----------
    folder : Path
        Folder of the model.

    Returns
    -------
    LungCard
        The checked card.

    Raises
    ------
    LungFieldsError
        If the card is missing, damaged, or has an unknown format.
    """
    path = folder / CARD_NAME

    def checked(tree: Any) -> Any:
        if not isinstance(tree, dict) or "format" not in tree:
            raise LungFieldsError(f"'{path}' is not an intact card of a lung-field model; copy the model again")
        if tree["format"] not in _READ_FORMATS or isinstance(tree["format"], bool):
            known = " and ".join(map(str, _READ_FORMATS))
            raise LungFieldsError(f"'{path}' has format {tree['format']}, but this version reads {known}; train the model again")
        if missing := [name for name in ("data", "data_licences") if name not in tree]:  # may be empty, but must be present
            raise ValueError(f"missing field {missing[0]}")
        if tree["format"] == FORMAT:
            return tree
        return {"size_px" if name == "side_px" else name: part for name, part in tree.items()} | {"format": FORMAT}

    try:
        return strict_json.decode(path.read_bytes(), LungCard, upgrade=checked)
    except OSError as error:
        raise LungFieldsError(f"there is no lung-field model in '{folder}': train one with  pneumoscope train-lungs") from error
    except strict_json.StrictJsonError as error:
        raise LungFieldsError(f"'{path}' is damaged ({error}); copy the model again") from error
