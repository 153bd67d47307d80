"""Smaller graphs: weights in half precision, or weights and arithmetic in eight bits, accepted only if the answers survive."""

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

from pneumoscope.export.conversion import ExportError, quiet
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import IMAGE

MAX_AUC, MIN_AGREEMENT, MIN_CORRELATION = 0.003, 0.99, 0.97
WIDE_SHARES = (0.0, 0.2, 0.4, 0.6)
"""Shares of the classifier's convolutions that keep their precision; the first with which an int8 bundle is accepted is taken."""
CALIBRATING = 96
"""Radiographs that the ranges of eight bits are taken from."""
_LEAST = 256  # weights of a tensor that is worth halving


def halved(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A graph whose weights of convolutions and products are kept in half precision and widened when it is loaded."""
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
    """A graph whose later convolutions compute in eight bits, each channel on its own scale; all other weights are halved.

    `images`, whole radiographs (side, side), give the ranges. The lungs, the convolutions of one channel a group and the first
    `wide_share` of the classifier's convolutions keep their precision: rounding there moves the map. Seven bits of the weights
    are used, since processors without VNNI saturate at eight.
    """
    with tempfile.TemporaryDirectory() as scratch, quiet():
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
    """How a smaller bundle answers beside the one in single precision, on the tune side.

    Attributes
    ----------
    auc_difference: smaller minus wide.
    decisions: share of equal decisions.
    map_correlation: mean Pearson correlation of the heat maps; maps that are flat in both count as equal.
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
        return not self.broken


def agreement(wide: Reader, small: Reader, images: Sequence[Radiograph], reference: NDArray[np.int64]) -> Agreement:
    """Read images by both, in the order of `reference`."""
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


def accepted(found: Agreement, precision: str) -> Mapping[str, Any]:
    """What goes into the card; ExportError that names the bound that broke."""
    if not found.sound:
        raise ExportError(
            f"in {precision}, on {found.images} tune radiographs, {'; '.join(found.broken)}: nothing was written, "
            "export in another precision"
        )
    return asdict(found)
