"""Verify an exported graph: compare all of its outputs with PyTorch on radiographs.

The reference is PyTorch in double precision, with the reader's calibration and domain. The graph may differ from the reference
by at most `FACTOR` times the difference of PyTorch in single precision.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.classifier.score import OTHER, TARGET
from pneumoscope.export.deciding import Deciding
from pneumoscope.export.errors import ExportError
from pneumoscope.export.scored_network import ScoredNetwork
from pneumoscope.heatmap.gradcam import METHODS
from pneumoscope.heatmap.heatmap import EVIDENCE, scaled
from pneumoscope.lung_fields import finder
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import bundle
from pneumoscope.reader.settings import calibrated, decided

FACTOR = 10.0
"""Allowed difference of the graph from double precision, as a multiple of the difference of PyTorch in single precision."""
ROUNDING = 2e-6
"""Lower limit of the difference of single precision, relative to the size of the output: 16 units in the last place."""
SENSITIVE = 1e-2
"""Error of the probability in single precision from which a network is refused as too sensitive to rounding."""
FORMULA = 1e-6
"""Largest relative difference between the formulas of the graph and of the reader, both in double precision."""
MAX_SQUARE = 1e-3
"""Allowed difference of a pixel in [0, 1], a quarter of a grey level: Pillow and the graph resample by different algorithms."""
MAX_FIELDS, MAX_CELLS = 1e-4, 1e-4
"""Allowed difference of a lung quality or of an edge of the box, as shares; and allowed share of mask cells that differ."""

Answers = Mapping[str, NDArray[np.float64]]
"""Outputs of the graph for one square, by name."""
WHOLE = f"{bundle.PROBABILITY} of the whole radiograph"


@dataclass(frozen=True)
class Difference:
    """Largest difference of one output of the graph from PyTorch over all radiographs.

    Attributes
    ----------
    graph
        Difference of the graph from the reference; for logits, distance and maps, relative to the size of the output.
    allowed
        Largest allowed difference.
    """

    graph: float
    allowed: float


def prove(classifier: Classifier, folder: Path, radiographs: Sequence[Radiograph]) -> dict[str, Any]:
    """Compare every output of a bundle with PyTorch.

    Logits, distance, probability and all maps of all classes are compared on squares that `prepare` made. Decision, abstention
    and domain are compared with those that the card prescribes for the graph's own probability and distance. The square and the
    lung fields of the graph are compared with those of `prepare` and of the lung finder. The probability of a whole radiograph
    is compared with that of PyTorch for the square that the graph prepared.

    Parameters
    ----------
    classifier
        Classifier that was exported.
    folder
        Folder of the bundle.
    radiographs
        Radiographs on which the outputs are compared, at least one.

    Returns
    -------
    dict
        Number of ``images``, ``factor``, and ``outputs``: the largest and the allowed difference of each output.

    Raises
    ------
    ExportError
        If an output differs by more than allowed, or if the network is too sensitive to rounding in single precision.
    """
    proof = _Proof(classifier, open_session((folder / bundle.GRAPH_NAME).read_bytes(), 0))
    rows = [proof.of(radiograph) for radiograph in radiographs]
    outputs = {name: _largest([row[name] for row in rows]) for name in rows[0]}
    missing = set(proof.names) - outputs.keys()
    assert not missing, f"outputs without a proof: {missing}"
    for name, largest in outputs.items():
        if not largest.graph <= largest.allowed:
            raise ExportError(
                f"the graph differs from PyTorch by {largest.graph:.1e} in its output '{name}' (allowed {largest.allowed:.1e}); "
                "nothing was written"
            )
    stated = {name: dataclasses.asdict(largest) for name, largest in outputs.items()}
    return {"images": len(radiographs), "factor": FACTOR, "outputs": stated}


@dataclass(frozen=True)
class _Row:
    """Differences of one output for one radiograph: of the graph and of single precision from the reference."""

    graph: float
    single: float = 0.0
    bound: float | None = None
    """Allowed difference; None if it is derived from the difference of single precision."""


def _largest(rows: Sequence[_Row]) -> Difference:
    graph, single = (float(np.max([getattr(row, name) for row in rows])) for name in ("graph", "single"))
    allowed = rows[0].bound if rows[0].bound is not None else FACTOR * max(single, ROUNDING)
    return Difference(graph, allowed)


class _Proof:
    """A classifier in single and in double precision, and its graph."""

    def __init__(self, classifier: Classifier, session: onnxruntime.InferenceSession) -> None:
        self.classifier = classifier
        self.card = classifier.card
        self.session = session
        self.names = bundle.outputs(classifier.card)
        self.single = copy.deepcopy(classifier.network).float().eval().requires_grad_(False)
        self.double = copy.deepcopy(classifier.network).double().eval().requires_grad_(False)
        self.scored = ScoredNetwork(nn.Identity(), classifier.domain)
        self.deciding = Deciding(self.card)
        self.formulas = copy.deepcopy(self.scored).double()

    def of(self, radiograph: Radiograph) -> dict[str, _Row]:
        """Compare all outputs for one radiograph."""
        seen = on_whole(radiograph, self.card.preprocessing.seen_px).pixels_to_square(radiograph)
        given = prepare(radiograph, self.card.preprocessing, self.classifier.finder).pixels
        whole = self.run(seen)
        made = np.asarray(whole[bundle.LOOKED_AT], np.float32)
        rows = self.of_square(given, self.run(seen, given))
        again = self.of_square(made, whole)[bundle.PROBABILITY]
        square = _Row(float(np.abs(made - given).max()), bound=MAX_SQUARE)
        decisions = self.of_decisions(whole)
        return {**self.of_fields(seen, whole), bundle.LOOKED_AT: square, **rows, **decisions, WHOLE: again}

    def run(self, seen: Grey, square: Grey | None = None) -> dict[str, NDArray[np.float64]]:
        """Compute all outputs of the graph for an image, or for a prepared square."""
        inputs: dict[str, NDArray[np.generic]] = {bundle.IMAGE: seen[None, None]}
        if square is not None:
            inputs |= {bundle.SQUARE: square[None], bundle.GIVEN: np.array(True)}
        values = self.session.run(list(self.names), inputs)
        return {name: value[0].astype(np.float64) for name, value in zip(self.names, values, strict=True)}

    def of_square(self, square: Grey, graph: Answers) -> dict[str, _Row]:
        """Compare logits, distance, probability and maps for one square."""
        exact, single = self.exact(square), self.rounded(square)
        rows = {}
        for name, expected in exact.items():
            size = self.size(name, exact)
            off = [float(np.abs(answers[name] - expected).max() / size) for answers in (graph, single)]
            if name == bundle.PROBABILITY and not off[1] < SENSITIVE:
                raise ExportError(
                    f"PyTorch in single precision differs by {off[1]:.1e} from double precision in '{name}': the network is too "
                    "sensitive to rounding to be exported; train it again, with weight decay or a lower rate"
                )
            rows[name] = _Row(*off)
        return rows

    def size(self, name: str, exact: Answers) -> float:
        """Compute the size of an output, by which its differences are divided.

        The size of a map is the largest value in the maps of all classes, or the full scale of the method if that is larger,
        because rounding errors in the map of one class are as large as in those of the other classes.
        """
        if name == bundle.PROBABILITY:
            return 1.0
        return float(max(np.abs(exact[name]).max(), self.card.map_scales.get(name, 1.0)))

    def exact(self, square: Grey) -> Answers:
        """Compute the outputs in double precision, with the reader's calibration, domain and scales."""
        logits, features, maps = _eager(self.double, torch.from_numpy(square).double()[None])
        log_odds = logits[:, TARGET] - logits[:, OTHER]
        domain = self.classifier.domain
        distance = domain.distance(features.numpy()) if domain else np.zeros(1)
        probability = calibrated(self.deciding.settings, log_odds.numpy())
        for name, expected, formula in (
            (bundle.DISTANCE, distance, self.formulas.distance(features)),
            (bundle.PROBABILITY, probability, self.deciding.probability(log_odds)),
        ):
            if not np.allclose(formula.numpy(), expected, rtol=FORMULA, atol=FORMULA):
                raise ExportError(f"the graph computes another '{name}' than the reader; report this as an error of the export")
        scores = {bundle.LOGITS: logits[0].numpy(), bundle.DISTANCE: distance[0], bundle.PROBABILITY: probability[0]}
        return {**scores, **maps, **{bundle.scaled_name(method): self.scaled(raw, method) for method, raw in maps.items()}}

    def scaled(self, raw: NDArray[np.float64], method: str) -> NDArray[np.float64]:
        """Scale the raw maps of all classes (classes, h, w) as the reader does."""
        by_class = zip(raw, self.card.classes, strict=True)
        return np.stack([scaled(one, self.card, method, name) for one, name in by_class]).astype(np.float64)

    def rounded(self, square: Grey) -> Answers:
        """Compute the outputs in single precision throughout."""
        logits, features, maps = _eager(self.single, torch.from_numpy(square)[None])
        probability = self.deciding.probability(logits[:, TARGET] - logits[:, OTHER])
        scores = {bundle.LOGITS: logits, bundle.DISTANCE: self.scored.distance(features), bundle.PROBABILITY: probability}
        shown = {bundle.scaled_name(m): self.deciding.scaled(torch.from_numpy(raw).float()[None], m) for m, raw in maps.items()}
        return {**{name: value[0].double().numpy() for name, value in (scores | shown).items()}, **maps}

    def of_decisions(self, graph: Answers) -> dict[str, _Row]:
        """Compare decision, abstention and domain with those that the card prescribes for the graph's own probability."""
        probability, distance, lungs_found = (graph[name][None] for name in (bundle.PROBABILITY, bundle.DISTANCE, FIELDS[2]))
        expected = decided(self.deciding.settings, probability, distance, lungs_found)
        pairs = ((bundle.DECISION, expected.decision), (bundle.ABSTAINS, expected.abstains), (bundle.INSIDE, expected.inside))
        return {name: _Row(float(np.abs(graph[name] - one[0]).max()), bound=0.0) for name, one in pairs}

    def of_fields(self, seen: Grey, graph: Answers) -> dict[str, _Row]:
        """Compare the lung fields with those of the finder for the same image."""
        assert self.classifier.finder is not None
        expected = self.classifier.finder.find(Radiograph(seen))
        lungs, quality, state, box = FIELDS
        own = finder.fields([graph[name].astype(np.float32) for name in FIELDS], *seen.shape)
        cells = [one ^ other for one, other in ((own.right_cells, expected.right_cells), (own.left_cells, expected.left_cells))]
        edges = np.array([expected.box.top, expected.box.left, expected.box.bottom, expected.box.right]) / seen.shape[0]
        qualities = graph[quality] - [expected.right_quality, expected.left_quality]
        return {
            lungs: _Row(float(np.mean(cells)), bound=MAX_CELLS),
            quality: _Row(float(np.abs(qualities).max()), bound=MAX_FIELDS),
            state: _Row(float(own.state != expected.state), bound=0.0),
            box: _Row(float(np.abs(graph[box] - edges).max()), bound=MAX_FIELDS),
        }


def _eager(network: Network | EvidenceNetwork, square: Tensor) -> tuple[Tensor, Tensor, Answers]:
    """Compute logits (1, classes), features (1, features), and the maps of all classes (classes, h, w) by method for one square.

    The maps are computed with PyTorch's automatic differentiation.
    """
    if isinstance(network, EvidenceNetwork):
        with torch.no_grad():
            logits, cells = network.explain(square)
            return logits, network.embed(square), {EVIDENCE: torch.cat([-cells, cells]).double().numpy()}
    with torch.no_grad():
        explained, features = network.features(square), network.embed(square)
    maps = explained.maps.requires_grad_()
    logits = network.head(maps, *explained.carried)
    gradients = [torch.autograd.grad(logits[0, k], maps, retain_graph=True)[0] for k in range(logits.shape[1])]
    with torch.no_grad():
        combined = {name: torch.cat([combine(maps, g) for g in gradients]) for name, combine in METHODS.items()}
    return logits.detach(), features, {name: value.double().numpy() for name, value in combined.items()}
