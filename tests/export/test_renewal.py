"""A bundle of the earlier format becomes one of the present format with the same answers, or is not written."""

import numpy as np
import onnx
import pytest

from pneumoscope.export import renewal
from pneumoscope.export.errors import ExportError
from pneumoscope.export.renewal import renew
from pneumoscope.reader import Reader, bundle
from pneumoscope.reader.shipped import SHIPPED
from tests.cli.run import run
from tests.reader.builders import glass_bundle


def test_the_shipped_bundles_answer_the_same_in_the_present_format(shown, tmp_path):
    card = renew(SHIPPED["whole"], tmp_path / "bundle", shown)
    assert card.results["renewal"]["images"] == 2
    assert max(card.results["renewal"]["differences"].values()) <= 1e-6
    before, now = Reader.load(SHIPPED["whole"]), Reader.load(tmp_path / "bundle")
    for image in shown:
        a, b = before.read(image), now.read(image)
        assert b.score.probability == pytest.approx(a.score.probability, abs=1e-6)
        assert (a.score.log_odds, a.decision, a.abstains, a.domain) == (b.score.log_odds, b.decision, b.abstains, b.domain)
        assert np.abs(a.heatmap.cells - b.heatmap.cells).max() <= 1e-6


def test_a_graph_that_disagrees_is_not_written(bundled_evidence, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(renewal, "MAX_DIFFERENCE", -1.0)
    with pytest.raises(ExportError, match=r"differs by .* in its output 'lung_quality'; nothing was written"):
        renew(bundled_evidence[1], tmp_path / "bundle", shown)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_another_operator_set_needs_its_checkpoint(shown, tmp_path):
    with pytest.raises(ExportError, match="has ONNX operator set 18, not 20; export its checkpoint"):
        renew(glass_bundle(tmp_path / "glass"), tmp_path / "bundle", shown)


def test_an_existing_folder_is_not_overwritten(bundled, shown, tmp_path):
    with pytest.raises(ExportError, match="exists already"):
        renew(bundled[1], tmp_path, shown)


@pytest.mark.slow
def test_the_command_rewrites_a_bundle_in_its_own_precision(bundled_evidence, tmp_path):
    ran = run("export", bundled_evidence[1], "-o", tmp_path / "bundle")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("on 16 radiographs both graphs agree; the largest difference is ")
    assert "decision" in {value.name for value in onnx.load(tmp_path / "bundle" / bundle.GRAPH_NAME).graph.output}
    ran = run("export", bundled_evidence[1], "-o", tmp_path / "half", "--precision", "fp16")
    assert ran.code == 2
    assert "is a bundle, which keeps its precision" in ran.err
