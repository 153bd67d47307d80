"""Every export ends with a proof: the bundle's answers against eager PyTorch's, on radiographs.

PyTorch computes in double precision, so that what it rounds itself is not held against the graph.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.evidence import EvidenceNetwork
from pneumoscope.classifier.preprocessing import ModelInput, prepare
from pneumoscope.export.conversion import ExportError
from pneumoscope.heatmap import gradcam
from pneumoscope.heatmap.explain import explain
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader

MAX_SCORE = 1e-5
"""Of a probability."""
MAX_MAP = 1e-4
"""Of the map's largest absolute value, or of its full scale where that is larger: in a map of nothing rounding decides."""
MAX_SQUARE = 1e-3
"""Of a pixel in [0, 1]."""


@dataclass(frozen=True)
class Differences:
    """The largest differences between a bundle and eager PyTorch over some radiographs.

    Attributes
    ----------
    score: of the probability, on the same square.
    map: of any class and method, in shares of the map's maximum, on the same square.
    square: of the square that the graph makes of a radiograph and its lung fields, from what `prepare` makes of them.
    whole: of the probability, each by its own way from the radiograph.
    """

    images: int
    score: float
    map: float
    square: float
    whole: float


def prove(classifier: Classifier, bundle: Path, radiographs: Sequence[Radiograph]) -> dict[str, float]:
    """What `Differences` holds; ExportError beyond the bounds."""
    reader = Reader.load(bundle)
    exact = dataclasses.replace(classifier, network=copy.deepcopy(classifier.network).double().eval())
    rows = [_differences(exact, reader, radiograph) for radiograph in radiographs]
    found = Differences(len(radiographs), *(float(v) for v in np.max(rows, 0)))
    for name, limit in (("score", MAX_SCORE), ("map", MAX_MAP), ("square", MAX_SQUARE)):
        if not getattr(found, name) <= limit:
            raise ExportError(
                f"the graph differs from PyTorch by {getattr(found, name):.1e} in its {name} (allowed {limit:.0e}); "
                "nothing was written"
            )
    return asdict(found)


def _differences(classifier: Classifier, reader: Reader, radiograph: Radiograph) -> tuple[float, float, float, float]:
    card = classifier.card
    given = prepare(radiograph, card.preprocessing, classifier.finder)
    expected = float(card.calibration(classifier.log_odds(given.pixels[None].astype(np.float64)))[0])
    probability = float(card.calibration(reader.log_odds(given.pixels[None]))[0])
    made = reader.square(radiograph)
    return (
        abs(probability - expected),
        max(_map_difference(classifier, reader, given, method) for method in card.map_scales),
        float(np.abs(made - given.pixels).max()),
        abs(reader.read(radiograph).score.probability - expected),
    )


def _map_difference(classifier: Classifier, reader: Reader, given: ModelInput, method: str) -> float:
    found = reader.raw_maps(given.pixels[None], method)[0]
    largest = 0.0
    for index in range(len(classifier.card.classes)):
        expected = _eager(classifier, given.pixels, method, index)
        top = max(float(np.abs(expected).max()), classifier.card.map_scales[method])
        largest = max(largest, float(np.abs(found[index] - expected).max()) / top)
    return largest


def _eager(classifier: Classifier, square: Grey, method: str, index: int) -> Grey:
    network, squares = classifier.network, torch.from_numpy(square).double()[None]
    if isinstance(network, EvidenceNetwork):
        return np.asarray(explain(network, squares, index)[1][0])
    return np.asarray(gradcam.explain(network, squares, index, gradcam.METHODS[method])[1][0])
