"""Training leaves a checkpoint, and an interrupted run ends in the same weights as one that was not."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from pneumoscope import atomic_files
from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.checkpoint import load
from pneumoscope.cohort import CohortError
from pneumoscope.cohort.fingerprint import overlap
from pneumoscope.training import TrainingError, curves, resume_state
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.fit import fit
from pneumoscope.training.recipe import recipe

RECIPE = recipe("default", size_px=32, batch=8, epochs=4, head="mlp", rate=1e-3)


def train(cohort, out, cache, **options):
    torch.set_num_threads(1)
    return fit(cohort, BACKBONES["mobilenet_v2"], options.pop("recipe", RECIPE), out, init="scratch", cache=cache, **options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def whole(cohort, cache, tmp_path_factory):
    """The folder of a run that was never interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(cohort, out, cache)
    return out


def test_a_run_leaves_a_checkpoint_with_card_and_curves_and_nothing_else(whole):
    assert sorted(p.name for p in whole.iterdir()) == [
        "card.json",
        "curves.csv",
        "curves.png",
        "trained_on.json",
        "weights.safetensors",
    ]
    assert len((whole / "curves.csv").read_text().splitlines()) == 1 + RECIPE.epochs


def test_the_card_says_what_was_done(whole, cohort):
    card = load(whole).card
    assert card.recipe["epochs"] == 4
    assert card.split_sha256 == cohort.partition.sha256
    assert card.init == "scratch"
    assert [p.rule for p in card.operating_points] == ["youden", "sensitivity>=0.95", "specificity>=0.95"]
    assert {(p.split, p.split_sha256) for p in card.operating_points} == {("tune", cohort.partition.sha256)}
    assert card.calibration.method == "temperature"
    assert (card.calibration.split, card.calibration.split_sha256) == ("tune", cohort.partition.sha256)
    assert card.map_scale > 0


def test_the_checkpoint_recognises_its_training_cases_and_no_others(whole, cohort):
    """Every training case; no case of tune or test."""
    (known,) = load(whole).trained_on
    assert len(overlap(known, cohort.on("train")).cases) == len(cohort.on("train"))
    for name in ("tune", "test"):
        assert not overlap(known, cohort.on(name))


def test_a_checkpoint_that_was_trained_on_what_is_tested_is_no_start(whole, cohort, cache, tmp_path):
    """The same images under another split: the sides of train and test exchanged."""
    exchanged = {"train": "test", "test": "train", "tune": "tune"}
    cases = tuple(replace(c, split=exchanged[c.split]) for c in cohort.cases)
    with pytest.raises(TrainingError, match=r"the checkpoint to start from was trained on \d+ radiographs .* tune and test"):
        fit(
            replace(cohort, cases=cases), BACKBONES["mobilenet_v2"], RECIPE, tmp_path / "run",
            init=str(whole / "weights.safetensors"), cache=cache,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_training_learns_the_bright_spot(cohort, cache, tmp_path):
    longer = replace(RECIPE, epochs=12, augmentation="none", patience=0, head="linear")
    history = []
    train(cohort, tmp_path / "run", cache, recipe=longer, on_epoch=history.append)
    assert history[-1].loss < history[0].loss / 2


def script(cohort_file, out, cache, resume):
    arguments = [
        "train",
        str(cohort_file),
        "--backbone",
        "mobilenet_v2",
        "--init",
        "scratch",
        "-o",
        str(out),
        "--cache",
        str(cache),
    ]
    arguments += ["--side-px", "32", "--batch", "8", "--epochs", "4", "--head", "mlp", "--rate", "1e-3"]
    arguments += ["--resume"] if resume else []
    code = (
        f"import sys, torch; torch.set_num_threads(1); sys.argv[1:] = {arguments!r}\n"
        "from pneumoscope.cli.main import entry\nentry()"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_and_resumed_ends_in_the_same_weights_to_the_bit(cohort_file, whole, cache, tmp_path, how):
    out = tmp_path / "run"
    victim = script(cohort_file, out, cache, resume=False)
    deadline = time.monotonic() + 120
    while not (out / "state" / "last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    victim.send_signal(how)
    victim.communicate()
    assert victim.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert not (out / "weights.safetensors").exists(), "it ended before it was killed"
    again = script(cohort_file, out, cache, resume=True)
    output, errors = again.communicate(timeout=240)
    assert again.returncode == 0, errors
    assert "epoch 1/4" not in output
    assert (out / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


class StoppedError(Exception):
    pass


def stop_after(cohort, out, cache, epochs):
    def stop(epoch):
        if epoch.epoch == epochs:
            raise StoppedError

    with contextlib.suppress(StoppedError):
        train(cohort, out, cache, on_epoch=stop)


def test_a_full_disk_keeps_the_last_finished_epoch(cohort, whole, cache, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stop_after(cohort, out, cache, 1)
    kept = (out / "state" / "last.safetensors").read_bytes()
    real, full = atomic_files.binary, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def no_room(path):
        with real(path):
            raise full
        yield

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "binary", no_room)
        with pytest.raises(OSError, match="No space left"):
            train(cohort, out, cache, resume=True)
    assert (out / "state" / "last.safetensors").read_bytes() == kept
    train(cohort, out, cache, resume=True)
    assert (out / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_another_recipe_does_not_resume_a_run(cohort, cache, tmp_path):
    stop_after(cohort, tmp_path / "run", cache, 1)
    with pytest.raises(TrainingError, match="another recipe"):
        train(cohort, tmp_path / "run", cache, recipe=replace(RECIPE, rate=2e-3), resume=True)


def test_a_run_is_neither_overwritten_nor_resumed_after_its_end(cohort, whole, cache, tmp_path):
    with pytest.raises(TrainingError, match="already holds a run"):
        train(cohort, whole, cache)
    with pytest.raises(TrainingError, match="is finished"):
        train(cohort, whole, cache, resume=True)
    stop_after(cohort, tmp_path / "run", cache, 1)
    with pytest.raises(TrainingError, match="--resume"):
        train(cohort, tmp_path / "run", cache)


def test_a_damaged_state_is_refused_with_a_sentence(cohort, cache, tmp_path):
    stop_after(cohort, tmp_path / "run", cache, 1)
    file = tmp_path / "run" / "state" / "last.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="damaged"):
        train(cohort, tmp_path / "run", cache, resume=True)


def test_an_infinite_loss_is_refused_with_a_sentence(cohort, cache, tmp_path):
    with pytest.raises(TrainingError, match="lower the rate"):
        train(cohort, tmp_path / "run", cache, recipe=replace(RECIPE, rate=1e30, warmup_epochs=0))


def test_too_few_images_for_a_batch_are_refused(cohort, cache, tmp_path):
    with pytest.raises(TrainingError, match="do not fill one batch of 64"):
        train(cohort, tmp_path / "run", cache, recipe=replace(RECIPE, batch=64))


def test_a_side_with_one_class_is_refused(cohort, cache, tmp_path):
    cases = tuple(c for c in cohort.cases if c.split != "tune" or c.reference)
    with pytest.raises(CohortError, match="tune side has positive cases only"):
        train(replace(cohort, cases=cases), tmp_path / "run", cache)


def test_a_cohort_without_split_is_refused(cohort, cache, tmp_path):
    with pytest.raises(CohortError, match="pneumoscope cohort split"):
        train(replace(cohort, partition=None), tmp_path / "run", cache)


def test_early_stopping_counts_epochs_since_the_best():
    def epoch(number, auc):
        return Epoch(number, 1.0, 1.0, auc, 1e-3, 1.0, 1.0)

    progress = resume_state.Progress((epoch(1, 0.8), epoch(2, 0.9), epoch(3, 0.85), epoch(4, 0.9)), "run")
    assert progress.best.epoch == 2
    assert progress.epochs_since_best == 2


def test_curves_are_a_table_and_a_picture(tmp_path):
    rows = [Epoch(k, 1 / k, 1 / k, 0.5 + k / 10, 1e-3, 10.0, 1.0) for k in (1, 2, 3)]
    curves.write_table(tmp_path / "c.csv", rows)
    curves.plot(tmp_path / "c.png", rows)
    assert (tmp_path / "c.csv").read_text().splitlines()[2].startswith("2,0.5,0.5,0.7")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
