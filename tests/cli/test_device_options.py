"""``--device`` and ``--precision``: a device that is not there, or cannot be used, is one sentence and exit code 2."""

import pytest

from pneumoscope.cohort import split, table
from pneumoscope.cohort.sample import sample
from pneumoscope.reader.shipped import SHIPPED
from tests.cli.run import run


@pytest.fixture(scope="module")
def cohort_file(tmp_path_factory):
    """The shipped radiographs, split."""
    file = tmp_path_factory.mktemp("cohort") / "cohort.parquet"
    with sample() as cohort:
        table.write(split.by_ratio(cohort, ratios=(0.6, 0.2, 0.2)), file)
    return file


@pytest.mark.parametrize(
    "command",
    [
        ["train", "{cohort}", "--backbone", "mobilenet_v2", "--init", "scratch"],
        ["compare", "{cohort}", "--backbones", "mobilenet_v2", "--init", "scratch"],
        ["train-lungs", "{cohort}:{folder}:train"],
    ],
    ids=lambda command: command[0],
)
def test_a_device_that_is_not_there_ends_with_a_sentence(cohort_file, tmp_path, command):
    arguments = [text.format(cohort=cohort_file, folder=tmp_path) for text in command]
    ran = run(*arguments, "--device", "cuda:99", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "there is no device 'cuda:99'; PyTorch" in ran.err
    assert "Traceback" not in ran.err + ran.out
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_a_bundle_stays_on_the_cpu(cohort_file, tmp_path):
    ran = run(
        "evaluate", SHIPPED["default"], "--cohort", cohort_file, "--device", "cuda", "--draws", "10", "-o", tmp_path / "out"
    )
    assert ran.code == 2
    assert "is a bundle, which runs on the CPU only, not on 'cuda'" in ran.err


def test_an_unknown_precision_is_refused(cohort_file, tmp_path):
    ran = run("train", cohort_file, "--backbone", "mobilenet_v2", "--precision", "fp8", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "'fp8' is not one of 'fp32', 'bf16', 'fp16'" in ran.err
