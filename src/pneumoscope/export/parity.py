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
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.export.conversion import ExportError
from pneumoscope.heatmap.gradcam import METHODS
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader

MAX_SCORE = 1e-5
"""Of a probability."""
MAX_MAP = 1e-4
"""Of the largest absolute value of all classes' maps, or of the full scale where that is larger.

In the map of a class that is nearly nothing rounding decides, and what is rounded is as large as the other class's.
"""
MAX_SQUARE = 1e-3
"""Of a pixel in [0, 1]."""


@dataclass(frozen=True)
class Differences:
    """The largest differences between a bundle and eager PyTorch over some radiographs.

    Attributes
    ----------
    score: of the probability, on the same square.
    map: of any class and method, in shares of the maximum of all classes' maps, on the same square.
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
    given = prepare(radiograph, card.preprocessing, classifier.finder).pixels
    log_odds, maps = _exactly(classifier.network, torch.from_numpy(given).double()[None], len(card.classes))
    expected = float(card.calibration(np.array([log_odds]))[0])
    probability = float(card.calibration(reader.log_odds(given[None]))[0])
    return (
        abs(probability - expected),
        max(_map_difference(reader, given, method, maps[method]) for method in card.map_scales),
        float(np.abs(reader.square(radiograph) - given).max()),
        abs(reader.read(radiograph).score.probability - expected),
    )


def _map_difference(reader: Reader, square: Grey, method: str, expected: NDArray[np.float64]) -> float:
    found, scale = reader.raw_maps(square[None], method)[0], reader.card.map_scales[method]
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), scale))


def _exactly(network: Network | EvidenceNetwork, square: Tensor, classes: int) -> tuple[float, dict[str, NDArray[np.float64]]]:
    """Log-odds, and by method the maps of all classes (classes, h, w), of one square; the backward pass is PyTorch's own."""
    if isinstance(network, EvidenceNetwork):
        with torch.no_grad():
            logits, cells = network.explain(square)
        return float(logits[0, -1] - logits[0, 0]), {EVIDENCE: torch.cat([-cells, cells]).numpy()}
    with torch.no_grad():
        explained = network.features(square)
    maps = explained.maps.requires_grad_()
    logits = network.head(maps, *explained.carried)
    gradients = [torch.autograd.grad(logits[0, k], maps, retain_graph=True)[0] for k in range(classes)]
    with torch.no_grad():
        found = {name: torch.cat([combine(maps, g) for g in gradients]).numpy() for name, combine in METHODS.items()}
    return float((logits[0, -1] - logits[0, 0]).detach()), found
