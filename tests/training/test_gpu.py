"""Training on a real GPU: it takes the CPU's steps, repeats itself to the bit, and keeps its data where it computes."""

import pytest
import torch

from pneumoscope.classifier import BACKBONES, DeviceError
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.checkpoint import load
from pneumoscope.training.compute import Compute
from pneumoscope.training.fit import fit
from pneumoscope.training.recipe import recipe
from tests.training.test_compute import CASES, check_compiled, losses, trainer

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda:0")
RECIPE = recipe("default", size_px=64, batch=8, epochs=3)
PRECISIONS = ["fp32", "bf16", "fp16"]


class StoppedError(Exception):
    """Stands for a killed process."""


def train(cohort, out, cache, compute, **options):
    return fit(cohort, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache, compute=compute, **options)


@pytest.mark.parametrize("case", CASES)
def test_the_first_ten_losses_are_those_of_the_cpu(case):
    with Compute(GPU).running():
        own, other = (losses(trainer(case, compute)) for compute in (Compute(), Compute(GPU)))
    assert other[0] == pytest.approx(own[0], rel=1e-4)
    assert other == pytest.approx(own, rel=1e-2)


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_bits(case):
    with Compute(GPU).running():
        first, second = (losses(trainer(case, Compute(GPU, "bf16"))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_resumed_run_ends_in_the_same_weights(cohort, tmp_path, precision):
    compute = Compute(GPU, precision)
    card = train(cohort, tmp_path / "whole", tmp_path / "cache", compute)
    assert card.trained_with["device_name"] == torch.cuda.get_device_name(GPU)

    def stop(_):
        raise StoppedError

    with pytest.raises(StoppedError):
        train(cohort, tmp_path / "stopped", tmp_path / "cache", compute, on_epoch=stop)
    train(cohort, tmp_path / "stopped", tmp_path / "cache", compute, resume=True)
    whole, stopped = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert whole == stopped
    assert devices.of(load(tmp_path / "whole").network) == devices.CPU


@pytest.mark.parametrize("case", CASES)
def test_no_step_waits_for_the_gpu(case):
    with Compute(GPU).running():
        steps = trainer(case, Compute(GPU)).epoch(0)
        next(steps)
        torch.cuda.set_sync_debug_mode("error")
        try:
            next(steps)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("case", CASES)
def test_batches_that_are_copied_ahead_are_those_that_lie_on_the_device(case, monkeypatch):
    with Compute(GPU).running():
        kept = trainer(case, Compute(GPU))
        assert kept.store.resident
        expected = losses(kept)
        monkeypatch.setattr(Compute, "holds", lambda self, squares: False)
        copied = trainer(case, Compute(GPU))
        assert not copied.store.resident
        assert losses(copied) == expected


def test_a_batch_that_does_not_fit_is_a_sentence():
    free, _ = torch.cuda.mem_get_info(GPU)
    said = r"the memory of \d+ GiB of cuda:0 .* is not enough; choose a smaller --batch"
    with pytest.raises(DeviceError, match=said), Compute(GPU).running():
        torch.empty(free + 2**30, dtype=torch.uint8, device=GPU)


def test_a_compiled_network_takes_the_steps_of_the_network_as_it_is():
    with Compute(GPU).running():
        check_compiled(GPU)
