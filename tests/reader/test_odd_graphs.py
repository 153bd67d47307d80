"""A graph that lacks a tensor, or has another one, or one of another shape or type, is refused by a sentence or reads the same.

Its card names the changed graph by its hash: the check is that of the graph, not that of the hash.
"""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pneumoscope.reader import BundleError, Reader
from tests.radiograph.builders import png
from tests.reader.builders import glass_bundle, graph, quadrant


def changed(change) -> bytes:
    model = onnx.load_from_string(graph())
    change(model.graph)
    return model.SerializeToString()


def replaced(name, values):
    def change(of):
        (tensor,) = (one for one in of.initializer if one.name == name)
        tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


def without(name):
    return lambda of: of.initializer.remove(next(one for one in of.initializer if one.name == name))


@pytest.mark.parametrize(
    "change",
    [
        without("slope"),
        without("square"),
        replaced("slope", np.zeros(3, np.float32)),
        replaced("slope", np.zeros((2, 5), np.float32)),
        replaced("slope", np.array([0, 8], np.float64)),
        replaced("slope", np.array([0, 8], np.int64)),
        replaced("offset", np.full(2, np.nan, np.float32)),
        replaced("temperature", np.float32(2)),
        lambda of: of.node.pop(),
        lambda of: of.output.pop(),
    ],
    ids=["missing", "missing input", "longer", "wider", "float64", "int64", "NaN", "another value", "no node", "no output"],
)
def test_a_graph_with_odd_tensors_is_refused_in_silence(tmp_path, change, capfd):
    glass_bundle(tmp_path / "glass", changed(change))
    with pytest.raises(BundleError, match=r"the graph in '.*' .*; export the checkpoint again"):
        Reader.load(tmp_path / "glass", threads=1)
    assert capfd.readouterr() == ("", "")


def test_a_graph_with_one_more_tensor_reads_the_same_in_silence(tmp_path, glass, capfd):
    more = numpy_helper.from_array(np.zeros(5, np.float32), "unused")
    glass_bundle(tmp_path / "glass", changed(lambda of: of.initializer.append(more)))
    content = png(quadrant())
    assert Reader.load(tmp_path / "glass", threads=1).read(content).score == Reader.load(glass, threads=1).read(content).score
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_graph_is_refused(tmp_path, capfd):
    glass_bundle(tmp_path / "glass", b"\x08\x09 no graph")
    with pytest.raises(BundleError, match="cannot be run by ONNX Runtime"):
        Reader.load(tmp_path / "glass", threads=1)
    assert capfd.readouterr() == ("", "")
