"""The command itself: help, mistakes, and what it says where an extra is missing."""

import signal

import pytest

from pneumoscope.cli.main import VERBS
from pneumoscope.cohort.sample import sample
from tests.cli.run import fresh, run
from tests.radiograph.builders import png
from tests.reader.builders import quadrant

COHORT = ("build", "split", "audit")

# An interpreter in which the packages named first cannot be imported.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from pneumoscope.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in VERBS), *(("cohort", verb) for verb in COHORT)])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_verb_has_help(verb, option):
    ran = run(*verb, option)
    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: {' '.join(('pneumoscope', *verb))} " in ran.out
    assert "--help" in ran.out


def test_help_names_every_verb_and_says_that_it_is_no_medical_device():
    said = run("--help").out
    assert "not a medical device" in said
    for verb in VERBS:
        assert f"\n  {verb} " in said


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["raed"], "'raed'. Did you mean read?"),
        (["evalaute"], "Did you mean evaluate?"),
        (["zzz"], f"The verbs are {', '.join(VERBS)}."),
        (["cohort", "biuld"], "Did you mean 'build'?"),
        (["read", "x", "--modle", "y"], "--model"),
        (["demo", "--uot", "x"], "--out"),
        (["train", "x", "--backbon", "y"], "--backbone"),
    ],
)
def test_an_unknown_verb_or_option_is_answered_with_the_near_ones(arguments, near):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert near in ran.err


@pytest.mark.parametrize("arguments", [[], ["read"], ["read", "x"], ["cohort"], ["evaluate", "-o", "x"], ["export", "nowhere"]])
def test_an_incomplete_command_is_a_mistake(arguments):
    ran = run(*arguments)
    assert ran.code == 2
    assert "Usage: pneumoscope" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--predictions", __file__, "-o", "out", "--draws", "0"],
        ["evaluate", "--predictions", __file__, "-o", "out", "--seed", "-1"],
        ["cohort", "audit", "cohort.parquet", "-o", "out", "--draws", "0"],
    ],
)
def test_a_number_out_of_range_is_a_mistake_and_is_named(arguments):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert f"{arguments[-2]}" in ran.err


@pytest.mark.parametrize(
    ("absent", "arguments", "extra"),
    [
        ("torch", ["train", "cohort.parquet", "--backbone", "resnet18", "-o", "run"], "train"),
        ("torch", ["export", "run", "-o", "bundle"], "train"),
        ("torch", ["evaluate", "{folder}", "--cohort", "cohort.parquet", "-o", "out"], "train"),
        ("pyarrow", ["cohort", "build", "{sample}", "-o", "{folder}/cohort.parquet"], "evaluate"),
        ("sklearn", ["cohort", "build", "{sample}", "-o", "{folder}/cohort.csv"], "evaluate"),
        ("matplotlib", ["evaluate", "{folder}", "--cohort", "cohort.parquet", "-o", "out"], "evaluate"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(absent, arguments, extra, tmp_path):
    with sample() as cohort:
        ran = fresh(WITHOUT, absent, *(a.format(folder=tmp_path, sample=cohort.root) for a in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pneumoscope: ")
    assert ran.err.count("\n") == 1
    assert f"pip install 'pneumoscope[{extra}]'" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_reading_needs_no_extra(tmp_path, glass):
    (tmp_path / "x.png").write_bytes(png(quadrant()))
    absent = "torch,torchvision,timm,onnx,onnxscript,safetensors,cv2,pyarrow,sklearn,matplotlib,imagehash"
    ran = fresh(WITHOUT, absent, "read", tmp_path / "x.png", "-o", tmp_path / "out", "--model", glass)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("1 radiographs read, 1 positive")


def test_running_the_command_from_python_leaves_the_signals_alone():
    before = signal.getsignal(signal.SIGTERM)
    assert run("--version").code == 0
    assert signal.getsignal(signal.SIGTERM) is before
