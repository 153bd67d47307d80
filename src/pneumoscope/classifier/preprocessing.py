"""Turn a radiograph into a model's input, the same for training, evaluation and reading."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from pneumoscope.classifier.errors import ClassifierError
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Placement, Radiograph, Region
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.radiograph.radiograph import Grey

Crop = Literal["whole", "lungs"]


class Finds(Protocol):
    """What finds lung fields, as a `LungFinder` does, and which model it is."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the lung-field graph."""

    def find(self, radiograph: Radiograph) -> LungFields:
        """Find the lung fields of one radiograph."""


@dataclass(frozen=True)
class Preprocessing:
    """How a radiograph becomes the square that a model looks at.

    The network itself repeats grey to three channels and normalizes them, so that no client can get that wrong.

    Parameters
    ----------
    size_px : int
        Edge of the square, >= 1.
    crop : {"whole", "lungs"}
        ``whole``: the whole radiograph, squashed to the square, as published; ``lungs``: the box around its lung fields,
        squashed to the square, nothing blanked.
    source_px : int
        Edge of the square that the whole radiograph is resampled to first, 0 for none: a model that was trained on small copies
        sees every radiograph at their resolution.
    lungs : str
        SHA-256 of the lung-field model (`LungFinder.sha256`) that the input depends on; empty where it depends on none. Where
        there is one, the input has a second channel, what counts as lung.

    Raises
    ------
    ValueError
        A size lies outside its range, or the crop needs a lung-field model and none is named.
    """

    size_px: int = 224
    crop: Crop = "whole"
    source_px: int = 0
    lungs: str = ""

    def __post_init__(self) -> None:
        if self.crop == "lungs" and not self.lungs:
            raise ValueError("the crop to the lungs needs a lung-field model")
        if self.size_px < 1 or self.source_px < 0:
            raise ValueError(f"the input needs a size of at least 1 pixel, not {self.size_px} (source {self.source_px})")

    @property
    def seen_px(self) -> int:
        """Edge of the square that a reader resamples the whole radiograph to."""
        return self.source_px or self.size_px

    @property
    def channels(self) -> int:
        """Channels of the input: grey, and what counts as lung where a lung-field model is named."""
        return 2 if self.lungs else 1


@dataclass(frozen=True, eq=False)
class ModelInput:
    """The pixels for a model, with the way back to the radiograph.

    Parameters
    ----------
    pixels : ndarray of float32, shape (channels, size, size)
        In [0, 1]: grey, then what counts as lung where the model needs it.
    placement : Placement
        Where the square lies on the radiograph.
    lung_fields : LungFields, optional
        Of the radiograph; None where no lung-field model was given.
    """

    pixels: Grey
    placement: Placement
    lung_fields: LungFields | None = None


def seen(radiograph: Radiograph, preprocessing: Preprocessing) -> Radiograph:
    """Resample the whole radiograph to `source_px`, if the preprocessing says so.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    preprocessing : Preprocessing
        Of the model.

    Returns
    -------
    Radiograph
        The square in the displayed order, or the radiograph itself without a `source_px`.
    """
    if not preprocessing.source_px:
        return radiograph
    return Radiograph(on_whole(radiograph, preprocessing.source_px).pixels_to_square(radiograph))


def prepare(radiograph: Radiograph, preprocessing: Preprocessing, finder: Finds | None = None) -> ModelInput:
    """Resample a radiograph to the model's square.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    preprocessing : Preprocessing
        Of the model.
    finder : LungFinder, optional
        The lung-field model that the preprocessing names.

    Returns
    -------
    ModelInput
        Pixels with the way back.

    Raises
    ------
    ClassifierError
        The preprocessing names another lung-field model than `finder`.
    """
    fields = find(radiograph, preprocessing, finder) if finder else None
    if preprocessing.lungs and (finder is None or fields is None or finder.sha256 != preprocessing.lungs):
        raise ClassifierError(
            f"the model needs the lung-field model {preprocessing.lungs[:12]}, "
            f"not {finder.sha256[:12] if finder else 'none'}; give the one that it was trained with"
        )
    return place(radiograph, preprocessing, fields)


def find(radiograph: Radiograph, preprocessing: Preprocessing, finder: Finds) -> LungFields:
    """Find the lung fields in the resampled radiograph, and place them on the radiograph itself.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    preprocessing : Preprocessing
        Of the model.
    finder : LungFinder
        The lung-field model.

    Returns
    -------
    LungFields
        On the grid of the radiograph.
    """
    fields = finder.find(seen(radiograph, preprocessing))
    return dataclasses.replace(fields, placement=on_whole(radiograph, fields.placement.size_px))


def place(radiograph: Radiograph, preprocessing: Preprocessing, fields: LungFields | None) -> ModelInput:
    """Resample a radiograph whose lung fields are known, such as one whose pixels were changed after they were found.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    preprocessing : Preprocessing
        Of the model.
    fields : LungFields, optional
        Of the radiograph; needed if the preprocessing names a lung-field model.

    Returns
    -------
    ModelInput
        Pixels with the way back.
    """
    box = fields.box if fields and preprocessing.crop == "lungs" else radiograph.whole
    placement = Placement.of(radiograph, box, preprocessing.size_px)
    channels = [_grey(radiograph, placement, preprocessing)]
    if preprocessing.lungs:
        assert fields is not None
        channels.append(lung_channel(fields, placement))
    return ModelInput(np.stack(channels), placement, fields)


def _grey(radiograph: Radiograph, placement: Placement, preprocessing: Preprocessing) -> Grey:
    source_px = preprocessing.source_px
    if not source_px:
        return placement.pixels_to_square(radiograph)
    rectangle = on_whole(radiograph, source_px).region_to_square(placement.rectangle)
    inside = Region(
        max(rectangle.top, 0.0),
        max(rectangle.left, 0.0),
        min(rectangle.bottom, float(source_px)),
        min(rectangle.right, float(source_px)),
    )
    small = seen(radiograph, preprocessing)
    return Placement(source_px, source_px, inside, placement.size_px).pixels_to_square(small)


def lung_channel(fields: LungFields, placement: Placement) -> Grey:
    """Resample what counts as lung to the model's square.

    Parameters
    ----------
    fields : LungFields
        Of the radiograph.
    placement : Placement
        Where the square lies on the radiograph.

    Returns
    -------
    ndarray of float32, shape (size_px, size_px)
        In [0, 1]; 1 everywhere unless both lungs were found (`LungFields.looked_at`).
    """
    box = fields.placement.region_to_square(placement.rectangle)
    size_px = fields.placement.size_px
    edges = np.clip((box.left, box.top, box.right, box.bottom), 0, size_px).tolist()
    size = (placement.size_px, placement.size_px)
    resized = Image.fromarray(fields.looked_at).resize(size, Image.Resampling.BILINEAR, box=tuple(edges))
    return np.clip(np.asarray(resized, np.float32), 0, 1)
