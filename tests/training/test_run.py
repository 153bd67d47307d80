"""A run keeps its best epoch, ends early when told, survives a kill at any place, and refuses what is not its own."""

import csv
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from pneumoscope.classifier import BACKBONES, Preprocessing
from pneumoscope.classifier.checkpoint import load
from pneumoscope.classifier.network import build
from pneumoscope.cohort import split
from pneumoscope.heatmap.gradcam import METHODS, explain
from pneumoscope.training import TrainingError, loss, resume_state
from pneumoscope.training import fit as loop
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.fixed_on_tune import map_scales
from pneumoscope.training.prepared import squares
from pneumoscope.training.recipe import recipe

# In `repr` for the process that is killed too: 36 images, hence four steps an epoch.
CHANGES = {"size_px": 32, "batch": 8, "epochs": 3, "rate": 2e-3, "patience": 0, "head": "mlp"}
RECIPE = recipe("default", **CHANGES)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Equal to the bit is promised for one thread count, of the fixtures too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def train(cohort, cache):
    def run(out, changes=RECIPE, **options):
        cases, backbone = options.pop("cohort", cohort), options.pop("backbone", "mobilenet_v2")
        return loop.fit(cases, BACKBONES[backbone], changes, out, init=options.pop("init", "scratch"), cache=cache, **options)

    return run


@pytest.fixture(scope="module")
def whole(cohort, cache, tmp_path_factory):
    """The folder of a run that was never interrupted, and its card."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return out, loop.fit(cohort, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache)


@pytest.fixture(scope="module")
def _stopped(cohort, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("stopped") / "run"

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.fit(cohort, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache, on_epoch=stop)
    return out


@pytest.fixture
def stopped(_stopped, tmp_path):
    """A run that was interrupted after its first epoch."""
    return shutil.copytree(_stopped, tmp_path / "stopped")


def tune_side(cohort, cache):
    cases = cohort.on("tune")
    pixels = squares(cohort, cases, Preprocessing(32), cache).astype(np.float32) / np.float32(255)
    return pixels, np.array([c.reference for c in cases])


def table(out):
    with (out / "curves.csv").open() as stream:
        return list(csv.DictReader(stream))


def assert_same(out, whole):
    for name in ("weights.safetensors", "card.json"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes()
    measured = {"images_per_s", "seconds"}
    assert [{k: v for k, v in row.items() if k not in measured} for row in table(out)] == [
        {k: v for k, v in row.items() if k not in measured} for row in table(whole[0])
    ]


def test_the_card_is_the_one_on_disk_and_holds_the_whole_recipe(whole):
    out, card = whole

    assert load(out).card == card
    assert {k: card.recipe[k] for k in CHANGES} == CHANGES
    assert recipe("default", **{k: v for k, v in card.recipe.items() if k != "name"}) == RECIPE


def test_a_run_killed_before_its_last_line_of_curves_still_has_it(whole, train, tmp_path, monkeypatch):
    written = loop.curves.write_table

    def killed(path, history):
        if len(history) == 3:
            raise KeyboardInterrupt
        written(path, history)

    with monkeypatch.context() as patch:
        patch.setattr(loop.curves, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run")
    train(tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_the_weights_are_those_of_the_best_epoch_on_tune(whole, cohort, cache):
    pixels, reference = tune_side(cohort, cache)

    kept = roc_auc_score(reference, load(whole[0]).log_odds(pixels))

    aucs = [float(row["tune_auc"]) for row in table(whole[0])]
    assert len(set(aucs)) > 1, "equal epochs prove nothing"
    assert kept == pytest.approx(max(aucs), abs=1e-9)


@pytest.mark.parametrize("count", [4, 5])
def test_the_scale_of_the_maps_is_the_median_of_their_maxima_one_by_one(count):
    torch.manual_seed(0)
    network = build(BACKBONES["mobilenet_v2"], "linear")
    with torch.no_grad():
        network.model.classifier[-1].weight.abs_()  # activations are not negative, hence neither is a map
    positives = np.random.default_rng(0).integers(0, 256, (count, 1, 64, 64)).astype(np.uint8)
    positives //= np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]
    inputs = torch.from_numpy(positives).float() / 255
    scales = map_scales(network, positives)

    assert set(scales) == set(METHODS)
    for name, method in METHODS.items():
        peaks = sorted(float(explain(network, one[None], 1, method)[1].max()) for one in inputs)
        assert 0 < peaks[0] < peaks[-1]
        assert scales[name] == pytest.approx((peaks[(count - 1) // 2] + peaks[count // 2]) / 2, rel=1e-4)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 2), (2, 3), (0, 3)])
def test_a_run_stops_after_so_many_epochs_without_a_better_one(train, tmp_path, monkeypatch, patience, epochs):
    falling = iter([0.9, 0.8, 0.7])
    monkeypatch.setattr(loop, "roc_auc_score", lambda *_: next(falling))

    train(tmp_path / "run", replace(RECIPE, patience=patience))

    assert [row["epoch"] for row in table(tmp_path / "run")] == [str(k + 1) for k in range(epochs)]


def test_a_run_that_was_interrupted_goes_on_to_the_same_end(train, stopped, whole):
    train(stopped, resume=True)

    assert_same(stopped, whole)
    assert not (stopped / "state").exists()


def test_there_may_be_nothing_to_resume_yet(train, tmp_path, whole):
    train(tmp_path / "run", resume=True)

    assert_same(tmp_path / "run", whole)


KILLED = """
import contextlib, os, signal, sys
from pathlib import Path
import torch
from pneumoscope import atomic_files
from pneumoscope.classifier import BACKBONES
from pneumoscope.cohort import table
from pneumoscope.training.fit import fit
from pneumoscope.training.recipe import recipe

cohort, out, cache, place, number = sys.argv[1:]
left = [int(number)]
torch.set_num_threads(1)


def count(name):
    left[0] -= name == place
    return name == place and left[0] == 0


def die():
    os.kill(os.getpid(), signal.SIGKILL)


step, binary = torch.optim.AdamW.step, atomic_files.binary


def stepping(self, *given):
    return die() if count("step") else step(self, *given)


@contextlib.contextmanager
def writing(path):
    with binary(path) as stream:
        if count(path.name):
            stream.write(b"half of it")
            stream.flush()
            die()
        yield stream


torch.optim.AdamW.step, atomic_files.binary = stepping, writing
changes = recipe("default", **{changes})
fit(table.read(Path(cohort)), BACKBONES["mobilenet_v2"], changes, Path(out), init="scratch", cache=Path(cache))
""".replace("{changes}", repr(CHANGES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "number"),
    [("step", 6), ("last.safetensors", 2), ("card.json", 1)],
)
def test_a_kill_in_the_middle_of_a_step_or_of_a_file_changes_nothing(place, number, train, cohort_file, cache, tmp_path, whole):
    out = tmp_path / "run"
    arguments = [str(cohort_file), str(out), str(cache), place, str(number)]
    victim = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert victim.returncode == -signal.SIGKILL, victim.stderr
    assert not (out / "card.json").exists()

    train(out, resume=True)

    assert_same(out, whole)


def test_a_run_interrupted_while_it_tidies_up_is_finished(train, tmp_path, whole, monkeypatch):
    out, unlink, cleared = tmp_path / "run", Path.unlink, []

    def once(path, missing_ok=False):
        if path.parent.name == "state" and path.suffix == ".safetensors":
            if cleared:
                raise KeyboardInterrupt
            cleared.append(path)
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", once)
        with pytest.raises(KeyboardInterrupt):
            train(out)

    assert_same(out, whole)
    with pytest.raises(TrainingError, match="is finished; nothing is left to resume"):
        train(out, resume=True)


def test_a_loss_that_becomes_infinite_in_the_last_step_is_refused_too(train, tmp_path):
    one_step = replace(RECIPE, batch=32, rate=1e30, warmup_epochs=0.0)

    with pytest.raises(TrainingError, match=r"no longer finite numbers in epoch 1; lower the rate \(1e\+30\)"):
        train(tmp_path / "run", one_step)

    train(tmp_path / "run", replace(one_step, rate=1e-3, epochs=1))
    assert len(table(tmp_path / "run")) == 1


def test_an_infinite_loss_keeps_the_epochs_before_it(train, stopped, monkeypatch):
    before = (stopped / "state" / "last.safetensors").read_bytes()
    monkeypatch.setattr(loss, "focal", lambda logits, *_: logits.sum() * float("inf"))

    with pytest.raises(TrainingError, match="no longer finite numbers in epoch 2"):
        train(stopped, resume=True)

    assert (stopped / "state" / "last.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        lambda cohort: {"changes": replace(RECIPE, seed=43)},
        lambda cohort: {"changes": replace(RECIPE, epochs=4)},
        lambda cohort: {"backbone": "mobilenet_v3_large"},
        lambda cohort: {"cohort": split.by_ratio(cohort, ratios=(0.6, 0.2, 0.2), seed=43)},
    ],
    ids=["seed", "epochs", "backbone", "split"],
)
def test_only_the_same_run_is_resumed(train, stopped, cohort, other):
    kept = (stopped / "state" / "last.safetensors").read_bytes()

    with pytest.raises(TrainingError, match=r"another recipe, backbone, start or split.*choose another folder"):
        train(stopped, resume=True, **other(cohort))

    assert (stopped / "state" / "last.safetensors").read_bytes() == kept


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[: len(c) // 2], lambda c: b"\0" * 100 + c[100:]])
def test_a_damaged_state_is_refused_with_a_sentence(train, stopped, monkeypatch, name, damage):
    path = stopped / "state" / name
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(loop, "_stopped", lambda *_: True)  # straight to the end, where the best epoch is read

    with pytest.raises(TrainingError, match=f"{name}' is damaged; start again in another folder"):
        train(stopped, resume=True)


def small():
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def test_no_changed_byte_of_a_state_ends_in_anything_but_a_sentence(tmp_path):
    path = tmp_path / "run" / "state" / "last.safetensors"
    progress = resume_state.Progress((Epoch(1, 0.5, 0.5, 0.9, 0.1, 1.0, 1.0),), "abc")
    resume_state.save(path, *small(), progress)
    intact = path.read_bytes()
    assert resume_state.load(path, *small(), "abc", Epoch) == progress
    for place in range(0, len(intact), 11):
        path.write_bytes(intact[:place] + bytes([intact[place] ^ 1]) + intact[place + 1 :])
        with pytest.raises(TrainingError, match=r"is damaged|another recipe"):
            resume_state.load(path, *small(), "abc", Epoch)


def test_weights_moments_and_steps_come_back_to_the_bit(tmp_path):
    network, optimizer = small()
    resume_state.save(tmp_path / "s" / "last.safetensors", network, optimizer, resume_state.Progress((), "abc"))
    fresh = nn.Linear(3, 2)
    other = torch.optim.AdamW(fresh.parameters(), lr=0.1)

    resume_state.load(tmp_path / "s" / "last.safetensors", fresh, other, "abc", Epoch)

    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), fresh.parameters(), strict=True))
    expected, restored = (o.state_dict()["state"] for o in (optimizer, other))
    assert expected[0].keys() == restored[0].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(torch.equal(value, restored[k][name]) for k in expected for name, value in expected[k].items())
