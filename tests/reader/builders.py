"""A bundle made of glass: a graph of pooling and means, so that score, map and findings follow by hand.

With m the mean of the prepared square, the log-odds of pneumonia are 8 m − 1 and the distance from the domain is m.
Its heat map is the square averaged over 2 × 2 pixels; the map of normal is one minus that.
"""

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from pneumoscope.classifier import Calibration, Card, OperatingPoint, Preprocessing
from pneumoscope.classifier import card as cards

SIDE = 8
CELLS = 4
"""Of the lung fields, which glass never finds."""


def graph(
    side: int = SIDE,
    image: str = "image",
    made_by: str = "2",
    maps: str = "grad-cam",
    lungs: float = 0,
    temperature: float = 1,
) -> bytes:
    """The graph as an ONNX file; with `lungs` 1 both are found, everywhere."""

    def constant(name, values, kind=np.float32):
        return numpy_helper.from_array(np.array(values, kind), name)

    def for_each(values, name):
        """A constant repeated for each image."""
        return [
            helper.make_node("Expand", [values, f"{values}_shape"], [name]),
            helper.make_node("Concat", ["batch_axis", f"{values}_rest"], [f"{values}_shape"], axis=0),
        ][::-1]

    nodes = [
        helper.make_node("Shape", [image], ["batch_axis"], start=0, end=1),
        *for_each("no_lungs", "lungs"),
        *for_each("no_quality", "lung_quality"),
        helper.make_node("Expand", ["none", "batch_axis"], ["lungs_found"]),
        *for_each("middle", "lung_box"),
        helper.make_node("Where", ["square_given", "square", image], ["looked_at"]),
        helper.make_node("AveragePool", ["looked_at"], ["bright"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], [maps], axis=1),
        helper.make_node("GlobalAveragePool", [maps], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Mul", ["flat", "slope"], ["steep"]),
        helper.make_node("Add", ["steep", "offset"], ["logits"]),
        helper.make_node("MatMul", ["logits", "difference"], ["log_odds"]),
        helper.make_node("Div", ["log_odds", "temperature"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["probability"]),
        helper.make_node("MatMul", ["flat", "of_bright"], ["distance"]),
    ]
    value = helper.make_tensor_value_info
    outputs = {
        "lungs": ["batch", 2, CELLS, CELLS], "lung_quality": ["batch", 2], "lungs_found": ["batch"], "lung_box": ["batch", 4],
        "looked_at": ["readings", 1, side, side], "logits": ["readings", 2], "probability": ["readings"],
        "distance": ["readings"], maps: ["readings", 2, side // 2, side // 2],
    }  # fmt: skip
    body = helper.make_graph(
        nodes,
        "glass",
        [
            value(image, TensorProto.FLOAT, ["batch", 1, "rows", "cols"]),
            value("square", TensorProto.FLOAT, ["squares", 1, "square_rows", "square_cols"]),
            value("square_given", TensorProto.BOOL, []),
        ],
        [value(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [
            constant("one", 1), constant("slope", [0, 8]), constant("offset", [1, 0]), constant("difference", [-1, 1]),
            constant("of_bright", [0, 1]), constant("temperature", temperature),
            constant("none", [2 * lungs]), constant("no_quality", [[lungs, lungs]]),
            constant("no_lungs", np.full((1, 2, CELLS, CELLS), lungs)), constant("middle", [[0.1, 0.1, 0.9, 0.9]]),
            constant("no_lungs_rest", [2, CELLS, CELLS], np.int64), constant("no_quality_rest", [2], np.int64),
            constant("middle_rest", [4], np.int64), constant("square", np.zeros((1, 1, 1, 1))),
            constant("square_given", False, bool),
        ],
    )  # fmt: skip
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"pneumoscope": made_by})
    return model.SerializeToString()


def glass_bundle(folder: Path, content: bytes | None = None, **card) -> Path:
    """Write the bundle; `content` replaces its graph, `card` fields of its card. The card's hash is the graph's."""
    folder.mkdir()
    if content is None:
        content = graph(maps=card.get("map_method", "grad-cam"), temperature=card.get("calibration", Calibration()).temperature)
    (folder / "model.onnx").write_bytes(content)
    told = {
        "name": "glass",
        "backbone": "mobilenet_v2",
        "head": "linear",
        "classes": ("normal", "pneumonia"),
        "preprocessing": Preprocessing(SIDE),
        "init": "scratch",
        "opset": 18,
        "operating_points": (OperatingPoint(0.5, "youden", "tune", "0" * 64),),
        "files": {"model.onnx": hashlib.sha256(content).hexdigest()},
    }
    cards.write(Card(**(told | card)), folder)
    return folder


def quadrant(rows: int = 80, cols: int = 160) -> np.ndarray:
    """Black, with a white upper left quarter: for glass m = ¼, log-odds 1, one finding that fills the quarter."""
    pixels = np.zeros((rows, cols), np.uint8)
    pixels[: rows // 2, : cols // 2] = 255
    return pixels


def spot(rows: int = 80, cols: int = 160) -> np.ndarray:
    """Black, with a white 64th away from the edges: for glass m = 1/64, log-odds −⅞, negative."""
    pixels = np.zeros((rows, cols), np.uint8)
    pixels[rows // 2 : rows * 5 // 8, cols // 2 : cols * 5 // 8] = 255
    return pixels
