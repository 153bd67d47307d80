"""A run with averaged weights: what is evaluated and saved, and what an interruption changes."""

from itertools import pairwise

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.metrics import roc_auc_score

from pneumoscope.classifier import BACKBONES, Preprocessing
from pneumoscope.classifier.checkpoint import load
from pneumoscope.training import curves
from pneumoscope.training import fit as loop
from pneumoscope.training import trainer as steps
from pneumoscope.training.prepared import squares
from pneumoscope.training.recipe import recipe

RECIPE = recipe(
    "full-224", size_px=32, batch=8, epochs=2, rate=2e-3, ema_share=0.5, clip_norm=0.5, label_smoothing=0.1
)  # eight steps, so the average reaches back over four
TENSORS = ("model.features.0.0.weight", "model.features.0.1.running_mean")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Equal to the bit is promised for one thread count."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(cohort, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")

    def train(out, **options):
        return loop.fit(cohort, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache, **options)

    return train


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """A run that was never interrupted, with two of its tensors at the start and after each step, and the norms of gradients."""
    out, history, norms = tmp_path_factory.mktemp("whole") / "run", [], []
    averaged, take_step = steps.averaged, steps.take_step

    def watched(network, *given):
        history.append({name: network.state_dict()[name].clone() for name in TENSORS})

        def stepping(loss, optimizer, *more):
            take_step(loss, optimizer, *more)
            gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
            norms.append(float(torch.cat(gradients).norm()))
            history.append({name: network.state_dict()[name].clone() for name in TENSORS})

        patch.setattr(steps, "take_step", stepping)
        return averaged(network, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "averaged", watched)
        run(out)
    return out, history, norms


def test_the_weights_that_are_saved_are_the_average_up_to_the_best_epoch(whole):
    out, history, _ = whole
    best = max(curves.read_table(out / curves.CURVES_NAME), key=lambda row: (row.tune_auc, -row.tune_loss)).epoch
    saved = safetensors.torch.load_file(out / "weights.safetensors")
    for name in TENSORS:
        average = history[0][name].double()
        for weights in history[1 : 1 + 4 * best]:
            average = 0.75 * average + 0.25 * weights[name].double()
        torch.testing.assert_close(saved[name].double(), average, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(saved[name], history[4 * best][name], rtol=1e-3, atol=1e-5)


def test_the_figure_on_tune_is_that_of_the_average(whole, cohort, tmp_path):
    cases = cohort.on("tune")
    pixels = squares(cohort, cases, Preprocessing(32), tmp_path).astype(np.float32) / np.float32(255)
    own = roc_auc_score([case.reference for case in cases], load(whole[0]).log_odds(pixels))
    assert own == pytest.approx(max(row.tune_auc for row in curves.read_table(whole[0] / curves.CURVES_NAME)), abs=1e-9)


def test_no_gradient_is_longer_than_the_limit(whole):
    _, history, norms = whole
    assert len(norms) == 8
    assert max(norms) == pytest.approx(0.5, rel=1e-3)
    assert all((a[TENSORS[0]] != b[TENSORS[0]]).any() for a, b in pairwise(history))


def test_a_run_that_was_interrupted_goes_on_to_the_same_end(run, whole, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", on_epoch=stop)
    run(tmp_path / "run", resume=True)
    for name in ("weights.safetensors", "card.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole[0] / name).read_bytes()
