"""Reduce the precision of graphs: weights in half precision, or weights and arithmetic in 8 bits."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from pneumoscope.export.conversion import exporter_silenced
from pneumoscope.export.errors import ExportError
from pneumoscope.export.half_precision import halved
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import IMAGE

MAX_AUC, MIN_AGREEMENT, MIN_CORRELATION = 0.003, 0.99, 0.97
"""Bounds for accepting a bundle of lower precision: change of ROC-AUC, share of equal decisions, correlation of heat maps."""
WIDE_SHARES = (0.0, 0.2, 0.4, 0.6)
"""Shares of the classifier's convolutions that stay in single precision, tried in this order until an int8 bundle is accepted."""
CALIBRATING = 96
"""Smallest number of radiographs from which the ranges of 8-bit values are determined; all, if tune has fewer."""


class _Images(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, images: Sequence[Grey]) -> None:
        self._left: Iterator[Grey] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._left, None)
        return None if image is None else {IMAGE: image[None, None]}


def quantized(graph: onnx.ModelProto, images: Sequence[Grey], wide_share: float) -> onnx.ModelProto:
    """Quantize the later convolutions to 8 bits with a scale per channel, and store the other weights in half precision.

    The lung-field network, depthwise convolutions and the first convolutions of the classifier are not quantized, because
    rounding errors there change the heat maps. Weights use 7 bits: processors without VNNI saturate with 8.

    Parameters
    ----------
    graph
        Graph in single precision; not changed.
    images
        Whole radiographs as the graph receives them, float32, shape (seen_px, seen_px), in [0, 1], from which the ranges of the
        values are determined.
    wide_share
        Share of the classifier's convolutions that are not quantized, in [0, 1]; at least the first one never is.

    Returns
    -------
    ModelProto
        Quantized graph.
    """
    with tempfile.TemporaryDirectory() as scratch, exporter_silenced():
        wide, small = Path(scratch) / "wide.onnx", Path(scratch) / "small.onnx"
        onnx.save(graph, wide)
        quantize_static(
            wide, small, _Images(images), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
            op_types_to_quantize=["Conv"], weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            nodes_to_exclude=_kept(graph, wide_share),
        )  # fmt: skip
        return halved(onnx.load(small))


def _kept(graph: onnx.ModelProto, wide_share: float) -> list[str]:
    """List the names of the convolutions that are not quantized."""
    convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
    classifying = [node for node in convolutions if node.name.startswith("scoring/")]
    first = {node.name for node in classifying[: max(1, round(wide_share * len(classifying)))]}
    return [n.name for n in convolutions if n not in classifying or n.name in first or _groups(n) > 1]


def _groups(node: onnx.NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "group"), 1)


@dataclass(frozen=True)
class Agreement:
    """Agreement of a bundle of lower precision with the bundle in single precision, on tune.

    Attributes
    ----------
    images
        Number of radiographs.
    auc_difference
        ROC-AUC in lower precision minus ROC-AUC in single precision.
    decisions
        Share of equal decisions, in [0, 1].
    map_correlation
        Mean Pearson correlation of the heat maps, in [-1, 1]; two constant maps count as 1, one constant map as 0.
    """

    images: int
    auc_difference: float
    decisions: float
    map_correlation: float

    @property
    def broken(self) -> list[str]:
        """Descriptions of the bounds that are violated."""
        bounds = {
            f"ROC-AUC changes by {self.auc_difference:+.4f} (allowed {MAX_AUC})": abs(self.auc_difference) <= MAX_AUC,
            f"{self.decisions:.2%} of the decisions agree (required {MIN_AGREEMENT:.0%})": self.decisions >= MIN_AGREEMENT,
            f"heat maps correlate by {self.map_correlation:.3f} (required {MIN_CORRELATION})": self.map_correlation
            >= MIN_CORRELATION,
        }
        return [text for text, holds in bounds.items() if not holds]

    @property
    def sound(self) -> bool:
        """Whether every bound holds."""
        return not self.broken


def agreement(wide: Reader, small: Reader, images: Sequence[Radiograph], reference: NDArray[np.int64]) -> Agreement:
    """Read radiographs with two bundles and compare the readings.

    Parameters
    ----------
    wide, small
        Readers of the bundles in single and in lower precision.
    images
        The n radiographs, with and without the target.
    reference
        Labels, int64, shape (n,): 1 for cases with the target, else 0.

    Returns
    -------
    Agreement
        Agreement of the readings.
    """
    rows = []
    for image in tqdm(images, desc="comparing", unit="image", disable=None):
        a, b = wide.read(image), small.read(image)
        same = a.decision == b.decision
        rows.append((a.score.probability, b.score.probability, same, _correlation(a.heatmap.values, b.heatmap.values)))
    one, other, same, correlation = np.array(rows, np.float64).T
    difference = float(roc_auc_score(reference, other) - roc_auc_score(reference, one))
    return Agreement(len(rows), difference, float(same.mean()), float(correlation.mean()))


def _correlation(a: Grey, b: Grey) -> float:
    if not (np.ptp(a) and np.ptp(b)):
        return float(np.ptp(a) == np.ptp(b))
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def accepted(measured: Agreement, precision: str) -> Mapping[str, Any]:
    """Check that an agreement satisfies all bounds, and convert it for the card.

    Parameters
    ----------
    measured
        Agreement of a bundle of lower precision with the one in single precision.
    precision
        Lower precision, ``fp16`` or ``int8``.

    Returns
    -------
    Mapping
        Fields of the agreement by name.

    Raises
    ------
    ExportError
        If a bound is violated; the message names it.
    """
    if not measured.sound:
        raise ExportError(
            f"in {precision}, on {measured.images} tune radiographs, {'; '.join(measured.broken)}: nothing was written; "
            "export in another precision"
        )
    return asdict(measured)
