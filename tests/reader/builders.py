"""A bundle made of glass: a graph of pooling and means, so that score, map and findings follow by hand.

With m the mean of the prepared square, the log-odds of pneumonia are 8 m − 1. Its heat map is the square averaged over
2 × 2 pixels; the map of normal is one minus that.
"""

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from pneumoscope.classifier import Card, OperatingPoint, Preprocessing
from pneumoscope.classifier import card as cards

SIDE = 8
NAMES = ("image", "logits", "maps")


def graph(side: int = SIDE, names: tuple[str, str, str] = NAMES) -> bytes:
    """The graph as an ONNX file."""
    image, logits, maps = names

    def constant(name, values):
        return numpy_helper.from_array(np.array(values, np.float32), name)

    nodes = [
        helper.make_node("AveragePool", [image], ["bright"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], [maps], axis=1),
        helper.make_node("GlobalAveragePool", [maps], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Mul", ["flat", "slope"], ["steep"]),
        helper.make_node("Add", ["steep", "offset"], [logits]),
    ]
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        nodes,
        "glass",
        [value(image, TensorProto.FLOAT, ["batch", 1, side, side])],
        [
            value(logits, TensorProto.FLOAT, ["batch", 2]),
            value(maps, TensorProto.FLOAT, ["batch", 2, side // 2, side // 2]),
        ],
        [constant("one", 1), constant("slope", [0, 8]), constant("offset", [1, 0])],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def glass_bundle(folder: Path, content: bytes | None = None, **card) -> Path:
    """Write the bundle; `content` replaces its graph, `card` fields of its card. The card's hash is the graph's."""
    folder.mkdir()
    content = graph() if content is None else content
    (folder / "model.onnx").write_bytes(content)
    told = {
        "name": "glass",
        "backbone": "mobilenet_v2",
        "head": "linear",
        "classes": ("normal", "pneumonia"),
        "preprocessing": Preprocessing(SIDE),
        "init": "scratch",
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
