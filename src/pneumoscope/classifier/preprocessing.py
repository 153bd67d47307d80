"""`Preprocessing`: how a radiograph becomes a model's input; the same for training, evaluation and reading."""

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

View = Literal["whole", "lungs"]


class Finds(Protocol):
    """What finds lung fields, as a `LungFinder` does, and which model it is."""

    @property
    def sha256(self) -> str: ...
    def find(self, radiograph: Radiograph) -> LungFields: ...


@dataclass(frozen=True)
class Preprocessing:
    """The square that a model looks at.

    Attributes
    ----------
    side_px: side of the square.
    view: ``whole``: the whole radiograph squashed to the square, as published; ``lungs``: the box around its lung fields,
        squashed to the square, nothing blanked.
    source_px: side of the square that the whole radiograph is brought to first, 0 for none: a model that was trained on small
        copies sees every radiograph at their resolution.
    lungs: SHA-256 of the lung-field model (`LungFinder.sha256`) that the input depends on; empty where it depends on none.
        Where there is one, the input has a second channel, what counts as lung.

    The network itself repeats grey to three channels and normalizes them, so no client can get that wrong.
    """

    side_px: int = 224
    view: View = "whole"
    source_px: int = 0
    lungs: str = ""

    def __post_init__(self) -> None:
        if self.view == "lungs" and not self.lungs:
            raise ValueError("the lungs view needs a lung-field model")
        if self.side_px < 1 or self.source_px < 0:
            raise ValueError(f"the input needs a size of at least 1 pixel, not {self.side_px} (source {self.source_px})")

    @property
    def seen_px(self) -> int:
        """Side of the square that a reader squashes the whole radiograph to."""
        return self.source_px or self.side_px

    @property
    def channels(self) -> int:
        """Of the input: grey, and what counts as lung."""
        return 2 if self.lungs else 1


@dataclass(frozen=True, eq=False)
class ModelInput:
    """Pixels for a model with the way back.

    Attributes
    ----------
    pixels: float32 (channels, side, side) in [0, 1]: grey, then what counts as lung where the model wants it.
    placement: where the square lies on the radiograph.
    lung_fields: of the radiograph, where a finder was at hand.
    """

    pixels: Grey
    placement: Placement
    lung_fields: LungFields | None = None


def seen(radiograph: Radiograph, preprocessing: Preprocessing) -> Radiograph:
    """The radiograph as everything that follows sees it: whole, squashed to `source_px` in the displayed order, or as it is."""
    if not preprocessing.source_px:
        return radiograph
    return Radiograph(on_whole(radiograph, preprocessing.source_px).pixels_to_square(radiograph))


def prepare(radiograph: Radiograph, preprocessing: Preprocessing, finder: Finds | None = None) -> ModelInput:
    """Resample a radiograph to the model's square.

    ClassifierError where the preprocessing wants another lung-field model than `finder`.
    """
    fields = find(radiograph, preprocessing, finder) if finder else None
    if preprocessing.lungs and (finder is None or fields is None or finder.sha256 != preprocessing.lungs):
        raise ClassifierError(
            f"the model looks through the lung-field model {preprocessing.lungs[:12]}, "
            f"found {finder.sha256[:12] if finder else 'none'}; give the one that it was trained with"
        )
    return place(radiograph, preprocessing, fields)


def find(radiograph: Radiograph, preprocessing: Preprocessing, finder: Finds) -> LungFields:
    """The lung fields as found in what is seen, lying on the radiograph itself."""
    found = finder.find(seen(radiograph, preprocessing))
    return dataclasses.replace(found, placement=on_whole(radiograph, found.placement.size_px))


def place(radiograph: Radiograph, preprocessing: Preprocessing, fields: LungFields | None) -> ModelInput:
    """`prepare` with lung fields that are known: those of the same radiograph before something was done to its pixels."""
    box = fields.box if fields and preprocessing.view == "lungs" else radiograph.whole
    placement = Placement.of(radiograph, box, preprocessing.side_px)
    channels = [_grey(radiograph, placement, preprocessing)]
    if preprocessing.lungs:
        assert fields is not None
        channels.append(_lungs(fields, placement))
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


def _lungs(fields: LungFields, placement: Placement) -> Grey:
    """What counts as lung, resampled to the square: float32 (side, side) in [0, 1]."""
    box = fields.placement.region_to_square(placement.rectangle)
    size_px = fields.placement.size_px
    edges = np.clip((box.left, box.top, box.right, box.bottom), 0, size_px).tolist()
    size = (placement.size_px, placement.size_px)
    resized = Image.fromarray(fields.looked_at).resize(size, Image.Resampling.BILINEAR, box=tuple(edges))
    return np.clip(np.asarray(resized, np.float32), 0, 1)
