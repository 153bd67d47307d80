"""Smaller graphs: weights in half precision, or weights and arithmetic in eight bits."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from pneumoscope.export.conversion import ExportError, exporter_silenced
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import IMAGE

MAX_AUC, MIN_AGREEMENT, MIN_CORRELATION = 0.003, 0.99, 0.97
WIDE_SHARES = (0.0, 0.2, 0.4, 0.6)
"""Shares of the classifier's convolutions that keep their precision, tried in this order until an int8 bundle is accepted."""
CALIBRATING = 96
"""Least number of radiographs that give the ranges of eight bits."""
_LEAST = 256  # least number of weights of a tensor to halve


def halved(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Keep the weights of convolutions and matrix products in half precision; they are widened when the graph is loaded.

    Parameters
    ----------
    graph
        The graph in single precision; not changed.

    Returns
    -------
    ModelProto
        The smaller graph.

    Raises
    ------
    ExportError
        If a weight is too large for half precision.
    """
    half = onnx.ModelProto()
    half.CopyFrom(graph)
    body, given = half.graph, {value.name for value in graph.graph.input}
    casts = []
    for tensor in body.initializer:
        wide = tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= _LEAST
        if not wide or tensor.name in given:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ExportError(f"the weights '{tensor.name}' are too large for half precision; export in fp32 or int8")
        casts.append(helper.make_node("Cast", [f"{tensor.name}/half"], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}/half"))
    nodes = [*casts, *body.node]
    del body.node[:]
    body.node.extend(nodes)
    return half


class _Images(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, images: Sequence[Grey]) -> None:
        self._left: Iterator[Grey] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._left, None)
        return None if image is None else {IMAGE: image[None, None]}


def quantized(graph: onnx.ModelProto, images: Sequence[Grey], wide_share: float) -> onnx.ModelProto:
    """Compute the later convolutions in eight bits, each channel on its own scale, and keep the other weights in half precision.

    The lungs, depthwise convolutions and the first convolutions of the classifier keep their precision: rounding there moves the
    map. Seven bits of the weights are used, since processors without VNNI saturate at eight.

    Parameters
    ----------
    graph
        The graph in single precision; not changed.
    images
        Whole radiographs, float32, shape (size_px, size_px), which give the ranges.
    wide_share
        Share in [0, 1] of the classifier's convolutions that keep their precision.

    Returns
    -------
    ModelProto
        The smaller graph.
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
    """Names of the convolutions that keep their precision."""
    convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
    classifying = [node for node in convolutions if node.name.startswith("scoring/")]
    first = {node.name for node in classifying[: max(1, round(wide_share * len(classifying)))]}
    return [n.name for n in convolutions if n not in classifying or n.name in first or _groups(n) > 1]


def _groups(node: onnx.NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "group"), 1)


@dataclass(frozen=True)
class Agreement:
    """How the answers of a smaller bundle compare with those in single precision, on tune.

    Parameters
    ----------
    images
        Number of radiographs.
    auc_difference
        ROC-AUC of the smaller bundle minus that of the other.
    decisions
        Share of equal decisions, in [0, 1].
    map_correlation
        Mean Pearson correlation of the heat maps; two flat maps count as 1, one flat map as 0.
    """

    images: int
    auc_difference: float
    decisions: float
    map_correlation: float

    @property
    def broken(self) -> list[str]:
        """Each bound that does not hold, in words."""
        bounds = {
            f"ROC-AUC moves by {self.auc_difference:+.4f} (allowed {MAX_AUC})": abs(self.auc_difference) <= MAX_AUC,
            f"{self.decisions:.2%} of the decisions agree (wanted {MIN_AGREEMENT:.0%})": self.decisions >= MIN_AGREEMENT,
            f"heat maps correlate by {self.map_correlation:.3f} (wanted {MIN_CORRELATION})": self.map_correlation
            >= MIN_CORRELATION,
        }
        return [text for text, holds in bounds.items() if not holds]

    @property
    def sound(self) -> bool:
        """Whether every bound holds."""
        return not self.broken


def agreement(wide: Reader, small: Reader, images: Sequence[Radiograph], reference: NDArray[np.int64]) -> Agreement:
    """Read radiographs with both bundles, and compare the answers.

    Parameters
    ----------
    wide, small
        Readers of the bundle in single precision and of the smaller one.
    images
        n radiographs.
    reference
        int64, shape (n,): 1 for cases with the target, else 0.

    Returns
    -------
    Agreement
        The comparison.
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
    """State an agreement for the card.

    Parameters
    ----------
    measured
        The agreement.
    precision
        Precision of the smaller bundle.

    Returns
    -------
    Mapping
        The fields of the agreement.

    Raises
    ------
    ExportError
        If a bound does not hold; the error names it.
    """
    if not measured.sound:
        raise ExportError(
            f"in {precision}, on {measured.images} tune radiographs, {'; '.join(measured.broken)}: nothing was written, "
            "export in another precision"
        )
    return asdict(measured)
