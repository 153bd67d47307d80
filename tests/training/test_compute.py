"""Training on another device takes the same steps: what stands in for it here is double precision, and the device ``meta``."""

from itertools import chain, islice

import numpy as np
import pytest
import torch

from pneumoscope.classifier import BACKBONES, DeviceError
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.network import build
from pneumoscope.training import TrainingError, batches, curves
from pneumoscope.training.compute import Compute
from pneumoscope.training.fit import fit
from pneumoscope.training.prepared_split import PreparedSplit
from pneumoscope.training.process_group import Group, Spread
from pneumoscope.training.random_images import Draws
from pneumoscope.training.recipe import recipe
from pneumoscope.training.square_store import SquareStore
from pneumoscope.training.trainer import Trainer

SIDE, IMAGES, STEPS = 64, 48, 10
RATE = 1e-5  # Adam's first steps have the sign of the gradient, so at a high rate a rounded zero makes another network
META = torch.device("meta")


def lungs():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[16:48, 8:26] = mask[16:48, 38:56] = 255
    return mask


def side():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (IMAGES, SIDE, SIDE)).astype(np.uint8)
    squares = np.stack([grey, np.broadcast_to(lungs(), grey.shape), np.roll(grey, 5, 1)], 1)
    taught = rng.normal(size=IMAGES).astype(np.float32)
    return PreparedSplit(squares, np.arange(IMAGES) % 2, tuple(map(str, range(IMAGES))), taught)


def whole(name, **settings):
    """A recipe of the whole radiograph, whose input has one channel."""
    return name, recipe("default", **{"size_px": SIDE, "batch": 8, "epochs": 2, "rate": RATE, **settings}), 1


CASES = {
    "linear head, published augmentation": whole("mobilenet_v2"),
    "dropout of the hidden layer, weighted focal loss": whole("resnet18", head="mlp", alpha="inverse-frequency"),
    "stochastic depth, weighted cross-entropy": whole("efficientnet_b0", loss="weighted-cross-entropy"),
    "a teacher's probabilities": whole("mobilenet_v2", distillation_weight=1.0),
    "evidence, views, painted opacities, a teacher's maps": (
        "mobilenet_v2",
        recipe("evidence-taught", size_px=SIDE, batch=8, epochs=2, rate=RATE, painted_negatives=2, painted_positives=1),
        3,
    ),
}


def trainer(case, compute, seed=1):
    name, chosen, channels = CASES[case]
    prepared = side()
    prepared = PreparedSplit(prepared.squares[:, :channels], prepared.reference, prepared.patients, prepared.taught)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(BACKBONES[name], chosen.head, 2, SIDE)
    return Trainer(network.to(compute.device, compute.dtype), BACKBONES[name], chosen, prepared, compute)


def losses(taught, first_epoch=0, steps=STEPS):
    taken = chain.from_iterable(taught.epoch(first_epoch + epoch) for epoch in range(2))
    return [float(step.loss) for step in islice(taken, steps)]


@pytest.fixture(autouse=True)
def _global_generator():
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize("case", CASES)
def test_the_first_ten_losses_agree_across_devices(case):
    """Double precision draws and sends as another device does; what is left is the rounding of single precision.

    It is 1e-5 of the first loss, by the batch norms of 50 layers, and grows with each step; other draws change losses by tenths.
    """
    own, other = (losses(trainer(case, compute)) for compute in (Compute(), Compute(dtype=torch.float64)))
    assert other[0] == pytest.approx(own[0], rel=1e-4)
    assert other == pytest.approx(own, rel=1e-2)
    assert losses(trainer(case, Compute()), first_epoch=1, steps=3) != pytest.approx(own[:3], rel=1e-2)


@pytest.mark.parametrize("case", CASES)
def test_no_tensor_of_a_step_is_made_on_another_device(case):
    """An operation with tensors of ``meta`` and of the CPU is an error, but for indices and numbers of the CPU, as on CUDA."""
    step = next(trainer(case, Compute(META)).epoch(0))
    assert step.loss.device == META


def test_no_tensor_of_averages_and_limited_gradients_is_made_on_another_device():
    (name, _, channels), changes = whole("mobilenet_v2"), {"size_px": SIDE, "batch": 8, "label_smoothing": 0.1}
    prepared = PreparedSplit(side().squares[:, :channels], side().reference, side().patients)
    network = build(BACKBONES[name], "linear", 2, SIDE).to(META)
    taught = Trainer(network, BACKBONES[name], recipe("full-224", **changes), prepared, Compute(META))
    assert [step.loss.device for step in islice(taught.epoch(0), 2)] == [META] * 2
    assert {value.device for value in taught.weights.evaluated.state_dict().values()} == {META}


def test_squares_that_fit_are_kept_on_the_device_and_are_the_same(monkeypatch):
    chosen = CASES["evidence, views, painted opacities, a teacher's maps"][1]
    pool = side().pool
    read = SquareStore(side().squares, Compute())
    monkeypatch.setattr(devices, "free_bytes", lambda device: 4 * side().squares.nbytes)
    kept = SquareStore(side().squares, Compute())
    assert (read.resident, kept.resident) == (False, True)
    for a, b in zip(*(batches.batches(chosen, store, pool, 1) for store in (read, kept)), strict=True):
        assert torch.equal(a.squares, b.squares)
        assert torch.equal(a.target, b.target)
    a, b = (batches.canvas(chosen, store, pool, 1, 2) for store in (read, kept))
    assert torch.equal(a[0], b[0])


def test_half_of_the_free_memory_is_for_squares(monkeypatch):
    squares = np.zeros((2, 1, 8, 8), np.uint8)
    for free, fits in ((2 * squares.nbytes, True), (2 * squares.nbytes - 1, False)):
        monkeypatch.setattr(devices, "free_bytes", lambda device, free=free: free)
        assert Compute().holds(squares) is fits


def test_any_number_of_threads_prepares_the_same_batches(monkeypatch):
    chosen, pool = CASES["linear head, published augmentation"][1], side().pool
    one = list(batches.batches(chosen, SquareStore(side().squares[:, :1], Compute()), pool, 1))
    monkeypatch.setattr(batches, "cores", lambda: 5)
    many = list(batches.batches(chosen, SquareStore(side().squares[:, :1], Compute(META)), pool, 1))
    assert [b.drawn.tolist() for b in many] == [b.drawn.tolist() for b in one]
    sent = []
    monkeypatch.setattr(Compute, "send_ahead", lambda self, squares: lambda: sent.append(squares) or torch.empty(0))
    list(batches.batches(chosen, SquareStore(side().squares[:, :1], Compute(META)), pool, 1))
    assert all(np.array_equal(np.rint(b.squares.numpy() * 255), squares.numpy()) for b, squares in zip(one, sent, strict=True))


def test_an_index_is_the_one_that_multinomial_draws():
    weights = (torch.rand(40, 500) > 0.8).float()
    weights[3] = 0
    weights[3, 7] = 1
    torch.manual_seed(5)
    expected = torch.multinomial(weights, 1)[:, 0]
    torch.manual_seed(5)
    assert torch.equal(Draws.like(weights).index(weights), expected)
    assert expected[3] == 7


def test_draws_do_not_depend_on_the_type_of_the_images():
    draws = []
    for kind in (torch.float32, torch.float64):
        torch.manual_seed(3)
        draw = Draws.like(torch.empty(6, dtype=kind))
        draws.append([draw.uniform(-1, 2), draw.chance(0.5), draw.symmetric(0.3), draw.normal(2, 3)])
        assert all(drawn.dtype == kind for drawn in draws[-1])
    for single, double in zip(*draws, strict=True):
        assert torch.allclose(single.double(), double, atol=1e-6)


# Precision

RECIPE = recipe("default", size_px=32, batch=8, epochs=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


class StoppedError(Exception):
    """Stands for a killed process."""


def train(cohort, out, cache, **options):
    torch.set_num_threads(1)
    return fit(cohort, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache, **options)


@pytest.mark.parametrize("precision", ["bf16", pytest.param("fp16", marks=pytest.mark.slow)])
def test_a_run_in_lower_precision_is_recorded_and_resumed_to_the_bit(cohort, cache, tmp_path, precision):
    compute = Compute(precision=precision)
    card = train(cohort, tmp_path / "whole", cache, compute=compute)
    assert card.trained_with["precision"] == precision
    assert card.trained_with["device"] == "cpu"
    assert card.trained_with["device_name"] == devices.name_of(devices.CPU)
    assert f"torch {torch.__version__.partition('+')[0]}" in card.trained_with["libraries"]
    rows = curves.read_table(tmp_path / "whole" / "curves.csv")
    assert [(row.precision, row.device) for row in rows] == [(precision, "cpu")] * RECIPE.epochs

    def stop(_):
        raise StoppedError

    with pytest.raises(StoppedError):
        train(cohort, tmp_path / "stopped", cache, compute=compute, on_epoch=stop)
    with pytest.raises(TrainingError, match="holds a run with another"):
        train(cohort, tmp_path / "stopped", cache, resume=True)
    train(cohort, tmp_path / "stopped", cache, compute=compute, resume=True)
    ended = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert ended[0] == ended[1]


def test_a_run_that_is_resumed_elsewhere_names_both_places(cohort, cache, tmp_path, monkeypatch):
    def stop(_):
        raise StoppedError

    with pytest.raises(StoppedError):
        train(cohort, tmp_path / "run", cache, on_epoch=stop)
    monkeypatch.setattr(devices, "name_of", lambda device: "Example Processor")
    card = train(cohort, tmp_path / "run", cache, resume=True)
    first, second = card.trained_with["device_name"].split("; ")
    assert first != second == "Example Processor"
    assert card.trained_with["device"] == "cpu"


def test_recipes_with_views_are_not_trained_on_apples_gpu(cohort, cache, tmp_path):
    """Before anything is prepared."""
    with pytest.raises(TrainingError, match="uses operations that mps lacks; give --device cpu"):
        fit(
            cohort, BACKBONES["mobilenet_v2"], recipe("evidence"), tmp_path / "run", init="scratch", cache=cache,
            compute=Compute(torch.device("mps")),
        )  # fmt: skip


def test_a_device_that_is_not_cuda_is_sent_to_by_the_thread_that_computes():
    """Copies that are not waited for may read freed memory on MPS, and a second thread that uses MPS ends the process."""
    squares = np.full((2, 1, 8, 8), 51, np.uint8)
    sent = Compute(META).send_ahead(torch.from_numpy(squares))
    assert sent().device == META
    assert sent() is not sent()  # copied when it is asked for
    assert torch.equal(Compute().send_ahead(torch.from_numpy(squares))(), torch.full((2, 1, 8, 8), 0.2))


def test_processes_prepare_the_batches_that_threads_prepare():
    chosen, pool = CASES["linear head, published augmentation"][1], side().pool
    drawn = batches.order(chosen, pool, 1).reshape(-1, chosen.batch)
    prepared = batches.PreparedBatches(chosen, side().squares[:, :1], drawn, 1, slice(2, 6))
    before = torch.get_rng_state()
    by_processes = list(batches.by_processes(prepared, 2))
    assert torch.equal(torch.get_rng_state(), before), "dropout would be drawn otherwise"
    by_threads = batches.batches(chosen, SquareStore(side().squares[:, :1], Compute()), pool, 1, slice(2, 6))
    assert len(by_processes) == len(drawn)
    for squares, batch in zip(by_processes, by_threads, strict=True):
        assert np.array_equal(squares.numpy(), np.rint(batch.squares.numpy() * 255))


def test_squares_that_are_not_used_on_the_device_are_not_copied_to_it(monkeypatch):
    """The published augmentation reads them on the CPU, and its canvas is empty."""
    monkeypatch.setattr(Compute, "holds", lambda self, squares: True)
    made = trainer("linear head, published augmentation", Compute(META))
    next(made.epoch(0))
    assert made.store.resident
    assert "_on_device" not in vars(made.store)


def test_threads_of_several_processes_share_the_cores(monkeypatch):
    chosen, pool = CASES["linear head, published augmentation"][1], side().pool
    threads = []
    monkeypatch.setattr(batches, "cores", lambda: 17)
    monkeypatch.setattr(batches, "ordered_map", lambda make, steps, workers: threads.append(workers) or map(make, steps))
    for processes in (1, 4, 32):
        list(batches.batches(chosen, SquareStore(side().squares[:, :1], Compute(META)), pool, 0, processes=processes))
    assert threads == [8, 4, 1]


def test_the_loss_is_scaled_in_fp16_alone():
    assert trainer("linear head, published augmentation", Compute(precision="fp16")).scaler is not None
    assert trainer("linear head, published augmentation", Compute(precision="bf16")).scaler is None


def test_a_lower_precision_rounds_the_network_and_not_the_loss():
    exact, rounded = (
        next(trainer("linear head, published augmentation", Compute(precision=precision)).epoch(0)).loss
        for precision in ("fp32", "bf16")
    )
    assert rounded.dtype == torch.float32
    assert rounded != exact
    assert float(rounded) == pytest.approx(float(exact), rel=0.05)


def test_a_gpu_without_bf16_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Example GPU")
    with pytest.raises(DeviceError, match=r"cuda:0 \(Example GPU\) does not compute in bf16; choose --precision fp16 or fp32"):
        Compute(torch.device("cuda:0"), "bf16")
    assert Compute(torch.device("cuda:0"), "fp16").scales_loss


def test_a_full_memory_ends_a_training_with_a_sentence(cohort, cache, tmp_path, monkeypatch):
    def full(self, epoch):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Trainer, "epoch", full)
    with pytest.raises(DeviceError, match="choose a smaller --batch"):
        train(cohort, tmp_path / "run", cache)


def check_compiled(device):
    """A compiled network takes the steps of the network as it is, without dropout, which the device draws once it is compiled."""

    def taken(compiled):
        made = trainer("linear head, published augmentation", Compute(device, compiled=compiled))
        for module in made.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        return losses(made)

    as_it_is, compiled = taken(False), taken(True)
    assert compiled[0] == pytest.approx(as_it_is[0], rel=1e-3)
    assert compiled == pytest.approx(as_it_is, rel=2e-2)


@pytest.mark.slow
def test_a_compiled_network_learns(cohort, cache, tmp_path):
    card = train(cohort, tmp_path / "run", cache, compute=Compute(compiled=True))
    assert card.trained_with["precision"] == "fp32, compiled"


# Several processes


def test_each_process_of_a_host_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(Group, "agree", lambda self, value, what: None)
    monkeypatch.setattr(devices, "find", lambda asked: torch.device("cuda:0" if asked in ("auto", "cuda") else asked))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    second = Group(rank=5, size=8, local_rank=1, local_size=2, launched=True)
    assert second.device("auto") == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]
    assert second.device("cpu") == devices.CPU
    alone_on_its_host = Group(rank=1, size=2, launched=True)
    assert Group().device("cuda:1") == alone_on_its_host.device("cuda:1") == torch.device("cuda:1")
    crowded = Group(rank=0, size=3, local_rank=0, local_size=3, launched=True)
    for group, asked in ((crowded, "auto"), (second, "cuda:1")):
        with pytest.raises(TrainingError, match=r"processes on this host share the devices .* --nproc-per-node 2"):
            group.device(asked)


def test_a_compiled_network_is_not_shared():
    network = build(BACKBONES["resnet18"], "linear", 2, 64)
    with pytest.raises(TrainingError, match="leave out --compile"):
        Spread(network, Group(size=2), Compute(compiled=True))
