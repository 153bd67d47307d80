"""What a member costs is measured on the parts that are named."""

import numpy as np
import onnx
import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.experiment.cost import _parts
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME, LOOKED_AT
from pneumoscope.reader.shipped import DEFAULT_BUNDLE


@pytest.mark.parametrize("name", ["default", "whole"])
def test_the_network_is_timed_alone_and_says_what_the_whole_graph_says(name):
    bundle = DEFAULT_BUNDLE.with_name(name)
    reader, graph = Reader.load(bundle), onnx.load(bundle / GRAPH_NAME)
    with sample() as cohort:
        square = reader.square(radiograph.read(cohort.file(cohort.cases[0])))[None]
    parts = _parts(graph, reader)
    assert [[i.name for i in part.get_inputs()] for part in parts.values()] == [[LOOKED_AT]] * 2
    (alone,), (logits, maps) = (part.run(None, {LOOKED_AT: square}) for part in parts.values())
    log_odds, raw = reader.explain(square)
    assert alone[:, 1] - alone[:, 0] == pytest.approx(log_odds, abs=1e-4)
    assert np.abs(alone - logits).max() < 1e-4
    assert np.abs(maps[:, 1] - raw).max() < 1e-4 * np.abs(raw).max()
