"""Devices are found by name, and what they lack is one sentence."""

import pytest
import torch

from pneumoscope.classifier import DeviceError
from pneumoscope.classifier import device as devices


@pytest.fixture
def two_gpus(monkeypatch):
    """A machine with two GPUs, as far as PyTorch's questions go."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Example GPU")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_is_the_gpu_where_there_is_one(two_gpus):
    assert devices.available()[:2] == ["cuda:0", "cuda:1"]
    assert devices.find("auto") == devices.find("cuda") == torch.device("cuda:0")
    assert devices.find("cuda:1") == torch.device("cuda:1")
    assert devices.find("cpu") == devices.CPU


def test_auto_is_apples_gpu_before_the_cpu(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.find("auto") == torch.device("mps")


def test_auto_is_the_cpu_where_there_is_nothing_else(no_gpu):
    assert devices.find("auto") == devices.CPU


@pytest.mark.parametrize("asked", ["cuda", "cuda:0", "mps", "tpu", ""])
def test_a_device_that_is_not_there_is_said_with_those_that_are(no_gpu, asked):
    with pytest.raises(DeviceError, match=rf"there is no device '{asked}'; PyTorch \S+ finds only cpu on this machine"):
        devices.find(asked)


def test_a_gpu_beyond_the_last_is_said(two_gpus):
    with pytest.raises(DeviceError, match=r"there is no device 'cuda:2'; .* finds only cuda:0, cuda:1, .*cpu on this machine"):
        devices.find("cuda:2")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.05 GB, other allocations: 4.01 GB, max allowed: 9.07 GB)."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["cuda", "mps", "cublas"],
)
def test_a_full_memory_is_one_sentence_with_what_to_do(error):
    with (
        pytest.raises(DeviceError, match=r"^the memory of cpu \(.+\) is not enough; choose a smaller --batch$"),
        devices.enough_memory(devices.CPU, "choose a smaller --batch"),
    ):
        raise error


def test_a_full_memory_of_a_cpu_is_the_same_sentence():
    """2^60 bytes are more than any machine lends."""
    with pytest.raises(DeviceError, match=r"the memory of cpu .* is not enough"), devices.measuring(devices.CPU):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_stay_what_they_are():
    for error in (ZeroDivisionError, RuntimeError):
        with pytest.raises(error), devices.measuring(devices.CPU):
            raise error("something else")


def test_a_processor_has_a_name():
    assert devices.name_of(devices.CPU)


def test_exactness_on_a_gpu_is_given_back_afterwards(two_gpus):
    """The settings are process-wide, so they can be looked at without a GPU."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    with devices.exact(torch.device("cuda:0")):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    after = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    assert before == after
