"""A damaged file of a comparison is one sentence that names the file and says what to do."""

import json

import pytest

from pneumoscope.experiment import compared_model, plan, unit_measurement, unit_training
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.workspace import LOCALIZATION, STAMP, UNIT_NAME, Workspace
from pneumoscope.training import Recipe

UNIT = Unit("small", 1)
PLAN = Plan(("small",), (1,), Recipe("any"), {"small": "random"}, {"small": "random"}, "ab" * 32)
DAMAGED = pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no JSON"),
        (b'{"conditions": ', "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
        (b"{}", "is missing or of another type"),
        (b'{"conditions": 1, "weights": 1, "bytes": "x", "answer": []}', "is missing or of another type"),
    ],
    ids=["empty", "cut", "bytes", "deep", "list", "null", "no value", "other type"],
)


@DAMAGED
def test_a_plan(tmp_path, content, says):
    (tmp_path / plan.PLAN_NAME).write_bytes(content)
    for reads in (plan.read, lambda out: plan.write(PLAN, out)):
        with pytest.raises(ComparisonError, match=rf"plan\.json' is damaged: .*{says}; restore it from a copy"):
            reads(tmp_path)


@DAMAGED
def test_the_result_of_a_unit(tmp_path, content, says):
    workspace = Workspace(tmp_path, tmp_path / "cache")
    file = workspace.folder(UNIT) / UNIT_NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    for reads in (lambda: unit_training.finished(UNIT, PLAN, workspace), lambda: compared_model.size_and_time(file.parent)):
        with pytest.raises(
            ComparisonError, match=rf"unit\.json' is damaged: .*{says}; delete it, and run the same command again"
        ):
            reads()


@DAMAGED
def test_the_stamp_and_a_measurement_of_a_unit(tmp_path, content, says):
    for name, reads in ((STAMP, unit_measurement.stamp_of), (LOCALIZATION, compared_model.localization)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ComparisonError, match=rf"{name}' is damaged: .*{says}; delete it, and run the same"):
            reads(tmp_path)


def test_files_that_are_whole_are_read(tmp_path):
    assert (plan.read(tmp_path), unit_measurement.stamp_of(tmp_path)) == (None, {})
    plan.write(PLAN, tmp_path)
    assert plan.read(tmp_path)["starts"] == {"small": "random"}
    (tmp_path / STAMP).write_text(json.dumps({"weights": "a", "graph": "b"}))
    assert unit_measurement.stamp_of(tmp_path) == {"weights": "a", "graph": "b"}
