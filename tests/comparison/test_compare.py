"""``pneumoscope compare`` from a cohort to its report; killed in the middle, and run again."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pneumoscope.cohort import table
from pneumoscope.evaluation import prediction_files
from pneumoscope.experiment import budget, unit_training
from pneumoscope.experiment import run as experiment_run
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.workspace import Workspace
from pneumoscope.training import fit
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.pool import Pool
from pneumoscope.training.process_group import ALONE
from pneumoscope.training.recipe import recipe
from tests.cli.run import run

PROGRAM = (sys.executable, "-c", "from pneumoscope.cli.main import entry; entry()")
TINY = ("--init", "scratch", "--side-px", 32, "--batch", 8, "--epochs", 2, "--warmup-epochs", 0, "--draws", 100)
BOTH = ("--backbones", "mobilenet_v2,efficientnet_lite0", "--ensemble", "mobilenet_v2,efficientnet_lite0")


@pytest.fixture(scope="module")
def compared(cohort_file, tmp_path_factory):
    """A comparison that was killed twice in its second unit, in training and in measuring, and run again."""
    folder = tmp_path_factory.mktemp("compared")
    boxes = ["path,x,y,w,h", *(f"{case.path},8,12,12,12" for case in table.read(cohort_file).cases if case.reference)]
    (folder / "boxes.csv").write_text("\n".join(boxes), encoding="utf-8")
    measured = ("--intervene", 2, "--regions", folder / "boxes.csv", "--box-space", "file")
    command = ("compare", cohort_file, "-o", folder / "out", "--cache", folder / "cache", *measured, *TINY, *BOTH)
    whole, epochs = fit._epoch, []

    def killed(*arguments):
        epochs.append(arguments[-1])
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return whole(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "_epoch", killed)
        first = run(*command)
    assert (first.code, epochs) == (130, [0, 1, 0, 1]), first.err
    assert (folder / "out/units/mobilenet_v2-seed42/checkpoint/card.json").exists()
    assert not (folder / "out/units/efficientnet_lite0-seed42/checkpoint/card.json").exists()
    between = prediction_files.write

    def cut(rows, path):
        between(rows, path)
        if "lite0" in str(path):
            path.with_suffix(".json").unlink()
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_files, "write", cut)
        second = run(*command)
    assert second.code == 130
    assert (folder / "out/units/mobilenet_v2-seed42/unit.json").exists()
    again = run(*command)
    assert again.code == 0, again.err
    return folder, command, second, again


def test_it_goes_on_from_the_last_epoch_and_keeps_what_was_finished(compared):
    _, _, second, again = compared
    assert re.findall(r"^(\S+), epoch (\d/\d)", second.out, re.MULTILINE) == [("efficientnet_lite0-seed42", "2/2")]
    assert "epoch" not in again.out


def test_the_report_needs_nothing_beside_it_and_says_what_it_is(compared):
    folder, _, _, again = compared
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "not a medical device" in page
    assert set(re.findall(r'(?:src|href)="(\w+):', page)) == {"data"}
    for name in ("mobilenet_v2", "efficientnet_lite0", "mean probability of mobilenet_v2, efficientnet_lite0"):
        assert name in page
    assert "Published figures on the Kermany set" in page
    assert "Do the heat maps agree?" in page
    assert "best trade-off: " in again.out


def test_the_report_says_what_is_beside_the_figures(compared):
    folder, *_ = compared
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    for text in (
        "Does the score follow the heat map?",
        "Heat maps against reference regions",
        "uninformed baseline: mean region of others",
        "6 of the 12 radiographs of the test side",
        "Shortcut baselines: classifiers that never see a lung",
        "Subgroups",
        "ROC-AUC, virus",
        "global histogram",
        "<h2>Variance components</h2>",
        "the randomness of training is not known; use --seeds 3 or more",
        "<h2>Power of the paired tests</h2>",
        "patients for 80 % power at 0.005",
        "Items after CLAIM 2024",
        "blank: to be filled in by the authors",
    ):
        assert text in page
    told = json.loads((folder / "out/comparison.json").read_text(encoding="utf-8"))
    figures = told["members"]["mobilenet_v2"]
    assert {"hit against regions", "pixel AP against regions", "deletion AUC", "insertion AUC, minus a shuffled map's"} <= set(
        figures
    )
    assert told["shortcuts"]["global histogram"]["value"] > 0.9  # the spot is bright
    assert [one["power"]["tests"] <= len(told["pairs"]) == 6 for one in told["power"]] == [True] * 6
    assert 0 < told["costs"]["mobilenet_v2"]["bundle in int8, MB"] < told["costs"]["mobilenet_v2"]["bundle, MB"]
    card = (folder / "out/cards/mobilenet_v2.md").read_text(encoding="utf-8")
    assert f"| sensitivity, bacteria | {figures['sensitivity, bacteria']['value']:.4f}" in card
    assert figures["ROC-AUC"]["value"] == pytest.approx(float(re.search(r"\| ROC-AUC \| ([\d.]+)", card).group(1)), abs=1e-4)
    assert "not a medical device" in card


def test_pairs_are_told_for_programs_and_for_papers(compared):
    folder, *_ = compared
    pairs = json.loads((folder / "out/comparison.json").read_text(encoding="utf-8"))["pairs"]
    with (folder / "out/pairs.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["figure"] == "ROC-AUC"]
    assert [(row["first"], row["second"]) for row in rows] == [(pair["first"], pair["second"]) for pair in pairs]
    assert [float(row["difference"]) for row in rows] == pytest.approx([pair["roc_auc"]["value"] for pair in pairs], abs=1e-6)
    for name in ("pairs.tex", "power.tex", "components.tex", "agreement.tex"):
        assert (folder / "out" / name).read_text(encoding="utf-8").startswith(r"\begin{tabular}")


def test_radiographs_of_the_cohort_are_on_a_page_of_their_own(compared, cohort_file):
    folder, *_ = compared
    page = (folder / "out/cases.html").read_text(encoding="utf-8")
    assert "nearest to the threshold" in page
    assert "check who may see them before you share it" in page
    test = {case.path for case in table.read(cohort_file).on("test")}
    named = set(re.findall(r"<td>(\d+\.png)</td>", page))
    assert named
    assert named <= test
    assert not re.search(r">\d+\.png<", (folder / "out/report.html").read_text(encoding="utf-8"))


def test_what_was_measured_of_another_network_is_not_taken_for_this_ones(compared):
    """As after a kill between an export and its stamp, or of a checkpoint that was trained again: all of it is made again."""
    folder, command, *_ = compared
    units = [folder / f"out/units/{name}-seed42" for name in ("mobilenet_v2", "efficientnet_lite0")]
    before = [{name: (unit / name).read_bytes() for name in ("test.csv", "unit.json")} for unit in units]
    (units[0] / "measured.json").unlink()
    (units[1] / "measured.json").write_text('{"weights": "other", "graph": "other"}', encoding="utf-8")
    for unit in units:
        (unit / "test.csv").write_text("of another network", encoding="utf-8")
    ran = run(*command)
    assert ran.code == 0, ran.err
    assert "epoch" not in ran.out
    for unit, old in zip(units, before, strict=True):
        assert (unit / "test.csv").read_bytes() == old["test.csv"]
        assert json.loads((unit / "unit.json").read_text())["bytes"] == json.loads(old["unit.json"])["bytes"]


def test_a_backbone_that_cannot_be_finished_keeps_none_of_the_others(compared, monkeypatch, tmp_path):
    folder, command, *_ = compared
    shutil.copytree(folder / "out", tmp_path / "out")

    def train(one, *_):
        if one.backbone == "resnet18":
            raise TrainingError("the loss became infinite in epoch 1; lower the rate (0.1) and start again")

    monkeypatch.setattr(unit_training, "train", train)
    both, *rest = BOTH[1:]
    ran = run(*command[:2], "-o", tmp_path / "out", *command[4 : -len(BOTH)], BOTH[0], f"resnet18,{both}", *rest)
    assert (ran.code, "left out of the report: resnet18-seed42, the loss became infinite" in ran.err) == (2, True), ran.err
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "Left out: resnet18-seed42, the loss became infinite in epoch 1" in page
    assert set(json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))["costs"]) == set(both.split(","))


def test_of_several_processes_none_goes_on_alone():
    units, said = [Unit("resnet18", 1), Unit("resnet50", 1)], []

    def fails(_):
        raise TrainingError("the loss became infinite")

    with pytest.raises(TrainingError, match="infinite"):
        experiment_run._each(units, "training", dataclasses.replace(ALONE, size=2), said.append, fails)
    failed = experiment_run._each([Unit("resnet18", 1), Unit("resnet18", 2)], "training", ALONE, said.append, fails)
    assert failed == {"resnet18": "resnet18-seed1, the loss became infinite"}
    with pytest.raises(ComparisonError, match="no backbone could be finished; the first: resnet18-seed1, the loss became"):
        experiment_run._without(Plan(("resnet18",), (1, 2), recipe("default"), {}, {}, "5" * 64), failed)


def test_predictions_of_cases_that_are_named_otherwise_now_are_made_again(compared):
    """A split is the same from another root; reports and pairs take cases by their names."""
    folder, command, *_ = compared
    here = folder / "out/units/mobilenet_v2-seed42/test.csv"
    before = here.read_text(encoding="utf-8")
    here.write_text(before.replace("virus", "fungus").replace(".png", ".jpg"), encoding="utf-8")
    ran = run(*command)
    assert (ran.code, "epoch" in ran.out) == (0, False), ran.err
    assert here.read_text(encoding="utf-8") == before


def test_another_comparison_stands_beside_and_other_questions_are_asked_anew(compared):
    """What was measured for other cases is measured again; nothing is trained again."""
    folder, command, *_ = compared
    before = (folder / "out/comparison.json").read_bytes()
    file = folder / "out/units/mobilenet_v2-seed42/localization.json"
    first = file.read_bytes()
    ran = run(*command[:6], "--beside", f"earlier={folder / 'out'}", "--intervene", 1, *TINY, "--backbones", "mobilenet_v2")
    assert ran.code == 0, ran.err
    assert "epoch" not in ran.out
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "<h2>Other comparisons</h2>" in page
    assert page.count("<td>earlier</td>") == 2 + 1  # each network, and the one that both have against itself
    assert "no interval: the two rank the cases alike" in page
    assert "Heat maps against reference regions" not in page
    assert file.read_bytes() != first
    file.write_bytes(first)
    (folder / "out/comparison.json").write_bytes(before)


def test_the_figures_are_those_of_evaluate(compared):
    folder, command, *_ = compared
    told = json.loads((folder / "out/comparison.json").read_text(encoding="utf-8"))
    bundle = folder / "out/units/mobilenet_v2-seed42/bundle"
    assert run("evaluate", bundle, "--cohort", command[1], "-o", folder / "alone", "--draws", 100).code == 0
    alone = json.loads((folder / "alone/metrics.json").read_text(encoding="utf-8"))
    for name in ("ROC-AUC", "accuracy", "Brier"):
        assert told["members"]["mobilenet_v2"][name]["value"] == pytest.approx(alone["figures"][name]["value"])
        assert told["members"]["mobilenet_v2"][name]["low"] == pytest.approx(alone["figures"][name]["low"])
    assert (told["test"]["images"], told["test"]["patients"]) == (alone["n_images"], alone["n_patients"])
    assert told["costs"]["mobilenet_v2"]["parameters, million"] == pytest.approx(2.226434)  # torchvision's without its classifier


def test_other_conditions_in_the_same_folder_are_refused(compared):
    _, command, *_ = compared
    ran = run(*command, "--rate", 0.01)
    assert ran.code == 2
    assert "under other conditions (other: recipe); choose another folder" in ran.err
    assert "other: at most, budget, shared by" in run(*command, "--budget", 60).err


def test_what_is_named_twice_is_compared_once(compared):
    folder, command, *_ = compared
    before = (folder / "out/comparison.json").read_bytes()
    twice = ("--backbones", "efficientnet_lite0,mobilenet_v2,mobilenet_v2", "--ensemble", "efficientnet_lite0,mobilenet_v2")
    ran = run(*command[: -len(BOTH)], *twice, *BOTH[2:])
    assert ran.code == 0, ran.err
    again = json.loads((folder / "out/comparison.json").read_text(encoding="utf-8"))
    assert len(again["members"]) == 4
    (folder / "out/comparison.json").write_bytes(before)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backbones", "resnet19"), "resnet18"),
        (("--backbones", "resnet18", "--ensemble", "resnet18,vit_b_16"), "should name two or more of the compared backbones"),
        (("--init", "nowhere"), "neither imagenet, timm, scratch nor a folder"),
        (("--recipe", "missing.toml"), "could not be read"),
        (("--recipe", "evidence-taught"), "learns from a teacher; give its bundle"),
        (("--only", "a=b"), "say more about --regions"),
        (("--folds", 3, "--regions", "."), "with --folds every case of COHORT is trained on"),
        (("--beside", "x"), "should be NAME=DIR"),
        (("--beside", "x=nowhere"), "has no figures of a finished comparison"),
        (("--init", "scratch", "--folds", 2), "at least 3 folds are needed"),
        (("--init", "scratch", "--side-px", 100), "use --size-px 96"),
        (("--init", "scratch", "--batch", 4000, "--budget", 5), "do not fill one batch"),
        (("--init", "scratch", "--batch", 4000), "do not fill one batch"),
    ],
)
def test_a_mistake_is_said_before_anything_is_trained(cohort_file, tmp_path, options, said):
    ran = run("compare", cohort_file, "-o", tmp_path / "out", *options)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_weights_must_have_one_file_for_each_backbone(cohort_file, tmp_path):
    (tmp_path / "resnet18-f37.pth").touch()
    ran = run("compare", cohort_file, "-o", tmp_path / "out", "--init", tmp_path, "--backbones", "resnet18,resnet50")
    assert ran.code == 2
    assert "has 0 files of weights for resnet50" in ran.err


def test_weights_that_cannot_be_read_are_told_before_anything_is_kept(cohort_file, tmp_path):
    """Else the folder would hold to a start that never was, and the last backbone would fail after hours."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/resnet18.safetensors").write_bytes(b"not weights")
    command = ("compare", cohort_file, "-o", tmp_path / "out", "--backbones", "resnet18", "--init", tmp_path / "weights")
    ran = run(*command)
    assert (ran.code, "resnet18.safetensors" in ran.err) == (2, True), ran.err
    assert not (tmp_path / "out").exists()


def test_backbones_that_join_a_budget_get_its_epochs_and_other_epochs_are_refused(cohort_file, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "seconds_a_step", lambda *_: 0.1)
    monkeypatch.setattr(experiment_run, "_train", lambda *_: {})
    plans = []

    def measure(wanted, *_):
        plans.append(wanted)
        raise ComparisonError("measured")

    monkeypatch.setattr(experiment_run, "_measure", measure)
    command = ("compare", cohort_file, "-o", tmp_path / "out", *TINY, "--budget", 60)
    assert "measured" in run(*command, "--backbones", "mobilenet_v2").err
    joined = run(*command, "--backbones", "mobilenet_v2,resnet18,densenet121")
    assert "60 minutes, shared by 1 runs, are 2 epochs for each" in joined.err
    assert [(found.shared_by, found.recipe.epochs, found.at_most) for found in plans] == [(1, 2, 2)] * 2
    other = run(*command, "--backbones", "mobilenet_v2", "--epochs", 7)
    assert (other.code, "other: at most" in other.err) == (2, True), other.err


@pytest.mark.hosts
def test_two_processes_compare_as_one_does(cohort_file, tmp_path):
    """Two backbones one after the other, measured by the leading process when the other is done."""
    options = [*TINY, "--intervene", 0, "--rate", "1e-4", "--epochs", 1]  # more enlarge a rounding
    command = ["compare", cohort_file, "--cache", tmp_path / "cache", "--backbones", "resnet18,efficientnet_b0", *options]
    assert run(*command, "-o", tmp_path / "one").code == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", *PROGRAM]
    two = subprocess.run([*launch, *map(str, command), "-o", str(tmp_path / "two")], capture_output=True, text=True, timeout=600)
    assert two.returncode == 0, two.stderr[-3000:]
    one, other = (json.loads((tmp_path / name / "comparison.json").read_text(encoding="utf-8")) for name in ("one", "two"))
    assert {name: costs["training, processes"] for name, costs in other["costs"].items()} == {"resnet18": 2, "efficientnet_b0": 2}
    assert one["conditions"] == other["conditions"]
    for name in ("resnet18", "efficientnet_b0"):
        losses = []
        for folder in ("one", "two"):
            with (tmp_path / folder / f"units/{name}-seed42/checkpoint/curves.csv").open() as stream:
                losses.append([float(row["loss"]) for row in csv.DictReader(stream)])
        assert losses[1] == pytest.approx(losses[0], rel=2e-3)


def test_a_recipe_may_come_from_a_file(cohort_file, tmp_path):
    (tmp_path / "quick.toml").write_text('base = "published"\nepochs = 1\nside_px = 20\n', encoding="utf-8")
    ran = run("compare", cohort_file, "-o", tmp_path / "out", "--init", "scratch", "--recipe", tmp_path / "quick.toml")
    assert (ran.code, "size_px is 20; it must be at least 32" in ran.err) == (2, True)
    (tmp_path / "quick.toml").write_text('epochs = "one"\n', encoding="utf-8")
    ran = run("compare", cohort_file, "-o", tmp_path / "out", "--init", "scratch", "--recipe", tmp_path / "quick.toml")
    assert "the recipe's epochs is 'one'" in ran.err


def test_a_budget_gives_every_unit_the_same_number_of_epochs(monkeypatch):
    monkeypatch.setattr(budget, "seconds_a_step", lambda name, *_: {"resnet18": 1.0, "mobilenet_v2": 2.0}[name])

    def epochs(minutes):
        return budget.epochs(
            Plan(("resnet18", "mobilenet_v2"), (1, 2), recipe("default", batch=10), {}, {}, "", "", 0, minutes),
            Pool(np.zeros(100, int)),
        )

    # 100 images are 10 steps: 10 and 20 s an epoch, a minute for one epoch of all four units.
    assert epochs(3.5) == 3
    assert epochs(1000) == 12  # never more than the recipe's
    with pytest.raises(ComparisonError, match=r"takes about 1 minutes here, more than the budget of 0\.5"):
        epochs(0.5)


def test_a_step_takes_time():
    assert budget.seconds_a_step("mobilenet_v2", recipe("default", size_px=32, batch=2)) > 0


def test_a_unit_made_under_other_conditions_is_not_taken_for_finished(compared):
    folder, *_ = compared
    scratch = {"mobilenet_v2": "scratch"}
    plan = Plan(("mobilenet_v2",), (42,), recipe("default"), scratch, scratch, "")
    with pytest.raises(ComparisonError, match="was made under other conditions"):
        unit_training.finished(plan.units[0], plan, Workspace(folder / "out", folder))


def another_seed(units, seed):
    """Copy the units of seed 42 as those of another seed, with log-odds that differ as those of another training would."""
    for folder in sorted(units.glob("*-seed42-*")):
        other = folder.with_name(folder.name.replace("seed42", f"seed{seed}"))
        shutil.copytree(folder, other)
        predictions = prediction_files.read(other / "test.csv")
        rows = [dataclasses.replace(row, probability=(row.probability + 0.5) / 2) for row in predictions.rows[:3]]
        changed = dataclasses.replace(predictions, rows=(*rows, *predictions.rows[3:]))
        prediction_files.write(changed, other / "test.csv")


@pytest.mark.slow
def test_every_case_of_a_cohort_without_a_split_is_tested_once_in_folds_by_every_seed(tmp_path, cohort_file):
    split = table.read(cohort_file)
    cases = tuple(dataclasses.replace(case, split="") for case in split.cases)
    table.write(dataclasses.replace(split, partition=None, cases=cases), tmp_path / "c.parquet")
    command = (
        "compare", tmp_path / "c.parquet", "-o", tmp_path / "out", "--cache", tmp_path / "cache", *TINY, "--epochs", 1,
        "--backbones", "mobilenet_v2", "--intervene", 0, "--folds", 3,
    )  # fmt: skip
    ran = run(*command)
    assert ran.code == 0, ran.err
    once = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    assert once["test"] == {"images": 60, "patients": 30, "positive": 30}
    parts = once["variance components"]["mobilenet_v2"]["ROC-AUC"]
    assert (parts["seeds"]["reason"], parts["folds"]["n"]) == ("one seed", 2)  # degrees of freedom
    another_seed(tmp_path / "out/units", 43)
    ran = run(*command, "--seeds", 2)
    assert (ran.code, "epoch" in ran.out) == (0, False), ran.err
    told = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    figure = told["members"]["mobilenet_v2"]["ROC-AUC"]
    assert (figure["runs"], figure["n"]) == (6, 30)
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert figure["method"].endswith("within 3 folds, 2 seeds on the same draws")
    parts = told["variance components"]["mobilenet_v2"]["Brier"]
    assert (parts["observed_seeds"]["n"], parts["folds"]["n"]) == (3, 2)
    assert parts["observed_seeds"]["value"] > 0
    assert parts["error"] >= parts["error_of_patients"] > 0
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    for text in (
        "each tested once, in 3 folds by patient",
        "<h2>Variance components</h2>",
        "the standard deviation between seeds",
    ):
        assert text in page
    for name in ("components.csv", "components.tex"):
        assert (tmp_path / "out" / name).read_text(encoding="utf-8").count("ROC-AUC") >= 1
