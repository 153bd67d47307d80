"""From a folder of radiographs to a bundle that reads, through the command alone, on the shipped sample."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import load
from pneumoscope.cohort import Case, Cohort, Partition, split, table
from pneumoscope.cohort.case import split_sha256
from pneumoscope.cohort.sample import sample
from pneumoscope.evaluation import evaluate, predict
from pneumoscope.lung_fields import LungFinder
from pneumoscope.training import recipe as training
from pneumoscope.training.fit import fit
from tests.cli.run import by_path, run

TRAINING = ("--backbone", "mobilenet_v2", "--init", "scratch", "--epochs", 2, "--side-px", 32, "--batch", 4)
DRAWS = ("--draws", 200)
NEED_NO_THRESHOLD = {"ROC-AUC", "PR-AUC"}


def done(*arguments) -> str:
    ran = run(*arguments)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the sample as a Kermany tree, its cohort split in halves and quarters, and a model trained on it."""
    folder = tmp_path_factory.mktemp("work")
    with sample() as shipped:
        for case in shipped.cases:
            (folder / "tree" / case.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shipped.file(case), folder / "tree" / case.path)
    cohort = folder / "cohort.parquet"
    assert "16 images of 15 patients, 8 positive" in done("cohort", "build", folder / "tree", "-o", cohort)
    done("cohort", "split", cohort, "--ratios", "50/25/25")
    said = done("train", cohort, "-o", folder / "run", "--cache", folder / "cache", *TRAINING)
    assert "next: pneumoscope evaluate" in said
    done("evaluate", folder / "run", "--cohort", cohort, "-o", folder / "test", *DRAWS)
    return folder


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def predictions(folder):
    with (folder / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_no_patient_is_on_two_sides_and_every_side_has_both_classes(work):
    cases = table.read(work / "cohort.parquet").cases
    sides = {side: [c for c in cases if c.split == side] for side in ("train", "tune", "test")}
    assert sum(map(len, sides.values())) == 16
    assert all({c.reference for c in members} == {0, 1} for members in sides.values())
    assert len({(c.patient_id, c.split) for c in cases}) == 15


@pytest.mark.slow
def test_evaluating_the_test_side_gives_figures_that_follow_from_the_predictions(work):
    rows, found = predictions(work / "test"), metrics(work / "test")
    expected = {c.path: c.reference for c in table.read(work / "cohort.parquet").cases if c.split == "test"}
    assert {row["path"]: int(row["reference"]) for row in rows} == expected
    positive, negative = ([float(r["probability"]) for r in rows if r["reference"] == label] for label in ("1", "0"))
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found["figures"]["ROC-AUC"]["value"] == pytest.approx(sum(pairs) / len(pairs))
    threshold = found["operating_point"]["threshold"]
    hits = sum(p >= threshold for p in positive) / len(positive)
    assert found["figures"]["sensitivity"]["value"] == pytest.approx(hits)
    assert found["operating_point"]["split"] == "tune"
    assert "not a medical device" in (work / "test" / "metrics.md").read_text()
    assert (work / "test" / "plots.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_stored_predictions_give_the_same_figures_without_the_model(work, tmp_path):
    done("evaluate", "--predictions", work / "test" / "predictions.csv", "-o", tmp_path, *DRAWS)
    assert (tmp_path / "metrics.json").read_bytes() == (work / "test" / "metrics.json").read_bytes()


@pytest.mark.slow
def test_the_side_of_the_threshold_gets_only_figures_that_need_none(work, tmp_path):
    said = done("evaluate", work / "run", "--cohort", work / "cohort.parquet", "--side", "tune", "-o", tmp_path, *DRAWS)
    found = metrics(tmp_path)
    assert set(found["figures"]) == NEED_NO_THRESHOLD
    assert set(metrics(work / "test")["figures"]) > NEED_NO_THRESHOLD
    assert (found["operating_point"], found["confusion"], found["subgroups"]) == (None, None, {})
    assert "left out" in said


def test_the_shipped_sample_itself_trains_and_evaluates(tmp_path):
    """Without building a table from copies of its files: each split has the squares of its own images."""
    with sample() as shipped:
        cohort = split.by_ratio(shipped, ratios=(0.5, 0.25, 0.25))
        recipe = training.recipe("default", size_px=32, batch=4, epochs=1)
        fit(cohort, BACKBONES["mobilenet_v2"], recipe, tmp_path / "run", init="scratch", cache=tmp_path / "cache")
        rows = predict(cohort, "test", load(tmp_path / "run"))
        assert [row.path for row in rows.rows] == [case.path for case in cohort.on("test")]
        assert 0 <= evaluate(rows, draws=200).figures["ROC-AUC"].value <= 1
        prepared = {array.tobytes() for array in map(np.load, (tmp_path / "cache").glob("squares-*.npy"))}
    assert len(prepared) == 2


@pytest.mark.slow
def test_a_finished_run_is_not_trained_over(work):
    ran = run("train", work / "cohort.parquet", "-o", work / "run", "--cache", work / "cache", *TRAINING)
    assert ran.code == 2
    assert ran.err.count("\n") == 1


@pytest.mark.slow
def test_the_exported_bundle_reads_and_evaluates_as_the_checkpoint_does(work, tmp_path):
    bundle, cohort = tmp_path / "bundle", work / "cohort.parquet"
    assert str(bundle) in done("export", work / "run", "-o", bundle)

    done("read", work / "tree", "-o", tmp_path / "read", "--model", bundle)
    done("evaluate", bundle, "--cohort", cohort, "-o", tmp_path / "test", *DRAWS)

    read, evaluated = by_path(tmp_path / "read"), predictions(tmp_path / "test")
    assert len(read) == 16
    for row, checkpoint in zip(evaluated, predictions(work / "test"), strict=True):
        assert row["path"] == checkpoint["path"]
        assert float(row["log_odds"]) == pytest.approx(float(checkpoint["log_odds"]), abs=2e-4)
        assert read[row["path"]]["log_odds"] == pytest.approx(float(checkpoint["log_odds"]), abs=2e-4)
        assert read[row["path"]]["probability"] == pytest.approx(float(row["probability"]), abs=1e-5)


@pytest.mark.slow
def test_the_severity_scale_of_a_checkpoint_is_written_into_its_card_and_exported(work, tmp_path):
    """A mask for each of twenty tune radiographs: the shipped ones, some twice under the name of another patient."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with sample() as shipped:
        files = [shipped.file(case) for case in shipped.cases]
        for k in range(20):
            name = f"p{k}{files[k % 16].suffix}"
            shutil.copy(files[k % 16], tmp_path / "images" / name)
            with Image.open(files[k % 16]) as image:
                Image.new("L", image.size, 255 * (k % 2)).save(tmp_path / "masks" / f"p{k}.png")
    cases = tuple(Case(f.name, "x", 1, f.stem, split="tune") for f in sorted((tmp_path / "images").iterdir()))
    partition = Partition("by hand", None, None, split_sha256(cases))
    table.write(Cohort(tmp_path / "images", cases, partition=partition), tmp_path / "tune.csv")
    checkpoint = tmp_path / "run"
    recipe = training.recipe("evidence", size_px=64, batch=4, epochs=1, painted_negatives=2, painted_positives=1)
    cohort = table.read(work / "cohort.parquet")
    fit(
        cohort,
        BACKBONES["mobilenet_v2"],
        recipe,
        checkpoint,
        init="scratch",
        cache=work / "cache",
        finder=LungFinder.load(threads=1),
    )
    weights = (checkpoint / "weights.safetensors").read_bytes()

    said = done("calibrate-severity", checkpoint, "--cohort", tmp_path / "tune.csv", "--regions", tmp_path / "masks")
    done("export", checkpoint, "-o", tmp_path / "bundle")

    assert "interval of 10 other patients" in said
    scale = cards.read(tmp_path / "bundle").severity
    assert scale == cards.read(checkpoint).severity
    assert (scale.n_fitted, scale.n_patients) == (10, 10)
    assert (checkpoint / "weights.safetensors").read_bytes() == weights
    done("read", tmp_path / "images", "-o", tmp_path / "read", "--model", tmp_path / "bundle", "--no-overlays")
    scores = [line["severity"]["score"] for line in by_path(tmp_path / "read").values()]
    assert all(0 <= score <= 18 for score in scores)
