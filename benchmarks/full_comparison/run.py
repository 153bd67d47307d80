"""Processes that train on one device, the order in which they get their trainings, and what is left for its user."""

import gc
import json
import multiprocessing
import platform
import queue
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import timm
import torch
import torchvision

from full_comparison import plan
from full_comparison.batches import Data
from full_comparison.fit import Training, fit
from full_comparison.plan import Job
from full_comparison.squares import Prepared, prepare, prepared

POOL_EPOCHS = 30
PIECE_BYTES = 15_500_000
RATES_NAME = "rates.json"
_RESERVE_S = 10.0  # between the end of the last training and that of the budget, for what is written last
_LEFT_EVERY_S = 60.0
_SHARED = 0.9  # of the device's time that is expected to go into steps
_FINISH_S = 15.0  # that a training may take from its last epoch to its files, with others beside it
_HALVES = (
    "mobilenet_v2-whole-imagenet",
    "efficientnet_lite0-whole-imagenet",
    "mobilenet_v2-lungs-imagenet-taught",
    "efficientnet_lite0-lungs-imagenet-taught",
    "resnet18-whole-scratch-taught",
    "mobilenet_v2-whole-imagenet-taught",
)


@dataclass(frozen=True)
class Asked:
    """What the user of `train` asked for.

    Attributes
    ----------
    archive: folder of what was packed, ImageNet weights included. prepared, work, out: folders.
    device: where to train. workers: processes that share it.
    minutes: budget, from the start of the command.
    size_px: of the squares. batch: of labelled images.
    few: train on so many images only; most_epochs: at most so many; only: backbones; each for a test of the script.
    benchmark: whether cuDNN tries its algorithms. graph: whether steps are captured.
    """

    archive: Path
    prepared: Path
    work: Path
    out: Path
    device: str
    workers: int
    minutes: float
    size_px: int = 224
    batch: int = plan.BATCH
    few: int = 0
    most_epochs: int = 0
    only: tuple[str, ...] = ()
    benchmark: bool = False
    graph: bool = True


def machine(device: str) -> dict[str, Any]:
    """Return the device's name and the versions of what runs on it."""
    cuda = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(device) if cuda else f"CPU ({platform.machine()})",
        "precision": "bf16 autocast in training, float32 in evaluation" if cuda else "float32",
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "python": platform.python_version(),
        "cores": multiprocessing.cpu_count(),
    }


def make_ready(asked: Asked) -> Prepared:
    """Prepare the archive's squares with all cores, unless they are there."""
    pool_epochs = min(POOL_EPOCHS, asked.most_epochs) if asked.most_epochs else POOL_EPOCHS
    cores = multiprocessing.cpu_count()
    return prepare(asked.archive, asked.prepared, size_px=asked.size_px, pool_epochs=pool_epochs, seed=42, processes=cores)


def _set_up(asked: Asked) -> Data:
    torch.backends.cudnn.benchmark = asked.benchmark
    torch.backends.cudnn.allow_tf32 = False
    return Data(prepared(asked.prepared), torch.device(asked.device), asked.few)


def _work(asked: Asked, tasks: Any, results: Any) -> None:
    """Train what comes until None comes; a training that fails is told, and the next one begins."""
    data: Data | None = None
    while (task := tasks.get()) is not None:
        job, epochs, deadline, teaches = task
        try:
            data = data or _set_up(asked)
            training = Training(job, epochs, data, asked.archive, asked.work, batch=asked.batch, graph=asked.graph)
            results.put((job.name, fit(training, deadline, _wanted(data, job), teaches), ""))
        except Exception:
            results.put((job.name, None, traceback.format_exc()))
        training = None  # type: ignore[assignment]  # its memory is for the next one
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _wanted(data: Data, job: Job) -> dict[str, Any]:
    """What is left of a training: maps of the first seed alone."""
    return {name: numbers for name, numbers in data.wanted.items() if job.seed == 42 or not name.endswith("maps")}


@dataclass(eq=False)
class _Worker:
    """A process and what it trains now."""

    asked: Asked
    results: Any
    job: Job | None = None
    since: float = 0.0
    estimate: float = 0.0
    tasks: Any = field(init=False)
    process: Any = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.tasks = context.Queue()
        self.process = context.Process(target=_work, args=(self.asked, self.tasks, self.results), daemon=True)
        self.process.start()


def train(asked: Asked) -> None:
    """Train all that the budget holds; what was finished in `work` before is kept."""
    began = time.time()
    deadline = began + 60 * asked.minutes - _RESERVE_S
    asked.work.mkdir(parents=True, exist_ok=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    ready = make_ready(asked)
    print(f"{time.time() - began:6.1f} s  squares are prepared", flush=True)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [_Worker(asked, results) for _ in range(asked.workers)]
    board = _Board(asked, deadline, asked.few or len(ready.archive.of("kermany", "train")))
    try:
        while time.time() < deadline:
            board.assign(workers)
            if not any(w.job for w in workers):
                break
            board.collect(workers, results)
            if board.changed and time.time() > board.left + _LEFT_EVERY_S:
                board.assign(workers)
                board.leave()
    finally:
        for worker in workers:
            worker.tasks.put(None)
        board.collect(workers, results)
        board.leave()
        for worker in workers:
            worker.process.join(0.1)
            if worker.process.is_alive():
                worker.process.kill()
    print(f"{time.time() - began:6.1f} s  done: {len(board.records)} trained, {len(board.failures)} failed", flush=True)


class _Board:
    """Which trainings wait, are finished or failed."""

    def __init__(self, asked: Asked, deadline: float, images: int) -> None:
        self.asked, self.deadline = asked, deadline
        self.began = self.left = time.time()
        self.changed = False
        wanted = [j for j in plan.jobs() if not asked.only or j.backbone in asked.only]
        self.records = {j.name: json.loads(p.read_text()) for j in wanted if (p := asked.work / f"{j.name}.json").exists()}
        self.failures: dict[str, str] = {}
        self.waiting = [j for j in wanted if j.name not in self.records]
        self.teachers = {name for j in wanted for name in j.after}
        missing = self.teachers - {j.name for j in wanted}
        self.failures |= dict.fromkeys(missing, "not asked for")
        path = asked.work.parent / RATES_NAME
        self.rates: Mapping[str, float] = json.loads(path.read_text()) if path.exists() else plan.RATES
        self.images = images

    def assign(self, workers: list[_Worker]) -> None:
        """Give idle workers what is next."""
        for worker in (w for w in workers if w.job is None):
            following = plan.ready(self.waiting, self.records, self.failures)
            left = self.deadline - time.time()
            if following is None:
                return
            place, job = following
            del self.waiting[place]
            shortest = plan.SHORTEST * self.images / plan.rate_of(job, self.rates)
            if left < _FINISH_S + shortest:
                continue
            running = sum(max(0.0, w.estimate - (time.time() - w.since) / len(workers)) for w in workers if w.job)
            epochs = plan.epochs(job, self._needed(), self.images, _SHARED * (left - _FINISH_S) - running, self.rates)
            epochs = min(epochs, self.asked.most_epochs or epochs)
            worker.job, worker.since = job, time.time()
            worker.estimate = plan.OVERHEAD_S + epochs * self.images / plan.rate_of(job, self.rates)
            worker.tasks.put((job, epochs, self.deadline - _FINISH_S, job.name in self.teachers))
            print(f"{time.time() - self.began:6.1f} s  {job.name}: {epochs} epochs", flush=True)

    def _needed(self) -> list[Job]:
        """What waits, without other seeds and controls: they take what is left over."""
        main = {j.name for j in plan.jobs()[: plan.MAIN]}
        return [j for j in self.waiting if j.name in main]

    def collect(self, workers: list[_Worker], results: Any) -> None:
        """Wait a moment for a training to end, and note it; a process that died is begun again."""
        try:
            name, record, failure = results.get(timeout=0.25)
        except queue.Empty:
            self._revive(workers)
            return
        for worker in workers:
            if worker.job and worker.job.name == name:
                worker.job = None
        if record is None:
            self.failures[name] = failure
            print(f"{time.time() - self.began:6.1f} s  {name} FAILED\n{failure[-1500:]}", flush=True)
            return
        self.records[name] = record
        speed, best = record["curve"][-1]["images_per_s"], max(row["tune_auc"] for row in record["curve"])
        print(
            f"{time.time() - self.began:6.1f} s  {name}: {record['epochs']} epochs in {record['seconds_training']:.1f} s, "
            f"tune ROC-AUC {best:.4f}, {speed:.0f} images/s, graph {record['captured']}",
            flush=True,
        )
        self.changed = True

    def leave(self) -> None:
        """Write what is finished so far."""
        leave(self.asked, self.records, self.failures, self.began)
        self.changed, self.left = False, time.time()

    def _revive(self, workers: list[_Worker]) -> None:
        for worker in workers:
            if not worker.process.is_alive():
                if worker.job:
                    self.failures[worker.job.name] = "its process died"
                    print(f"{worker.job.name}: its process died", flush=True)
                worker.job = None
                worker.begin()


def leave(asked: Asked, records: Mapping[str, Any], failures: Mapping[str, str], began: float) -> None:
    """Write what the user gets: predictions, maps, records, and some weights in half precision, each file at most 16 MB."""
    told = {
        "machine": machine(asked.device),
        "asked": {k: str(v) for k, v in vars(asked).items()},
        "seconds": time.time() - began,
        "failures": dict(failures),
        "trainings": dict(records),
    }
    _replace(asked.out / "records.json", json.dumps(told).encode())
    arrays: dict[str, dict[str, Any]] = {"whole": {}, "lungs": {}}
    for name, record in records.items():
        with np.load(asked.work / f"{name}.npz") as kept:
            arrays[record["job"]["crop"]] |= {f"{name} {key}": kept[key] for key in kept.files}
    for crop, found in arrays.items():
        np.savez_compressed(asked.work / f"predictions-{crop}.tmp.npz", **found)
        (asked.work / f"predictions-{crop}.tmp.npz").replace(asked.work / f"predictions-{crop}.npz")
        _replace(asked.out / f"predictions-{crop}.npz", (asked.work / f"predictions-{crop}.npz").read_bytes())
    halves: dict[str, Any] = {}
    for name in (n for n in _HALVES if n in records):
        state = safetensors.torch.load_file(asked.work / f"{name}.safetensors")
        halves |= {f"{name}/{k}": v.half() if v.is_floating_point() else v for k, v in state.items()}
    content = safetensors.torch.save(halves) if halves else b""
    for number, k in enumerate(range(0, len(content), PIECE_BYTES)):
        _replace(asked.out / f"weights.{number:02d}", content[k : k + PIECE_BYTES])


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a killed command leaves no half of one."""
    aside = Path("/tmp") / f"{path.name}.{id(content)}"
    aside.write_bytes(content)
    try:
        aside.replace(path)
    except OSError:  # another file system
        path.write_bytes(content)
        aside.unlink()


# Does it work there, and how fast?


def probe(asked: Asked) -> None:
    """Take a few steps of every backbone in both crops, alone on the device: time and memory of a step, and what fails."""
    began = time.time()
    make_ready(asked)
    print(f"{time.time() - began:6.1f} s  squares are prepared", flush=True)
    data = _set_up(asked)
    print(json.dumps(machine(asked.device)), flush=True)
    asked.work.mkdir(parents=True, exist_ok=True)
    rates, rows = {}, []
    for job in (j for j in plan.jobs()[: plan.MAIN] if not asked.only or j.backbone in asked.only):
        key = f"{job.backbone}-{job.crop}"
        if key in rates or time.time() - began > 60 * asked.minutes:
            continue
        try:
            row = _probed(Job(job.backbone, job.crop, job.init, 1, job.rate), data, asked)
            rates[key] = row["pipeline images/s"]
            rows.append({"training": key, **row})
            print(f"{time.time() - began:6.1f} s  {key}: {json.dumps(row)}", flush=True)
        except Exception:
            print(f"{time.time() - began:6.1f} s  {key} FAILED\n{traceback.format_exc()[-1500:]}", flush=True)
    (asked.work.parent / RATES_NAME).write_text(json.dumps(rates))
    asked.out.mkdir(parents=True, exist_ok=True)
    _replace(asked.out / "probe.json", json.dumps({"machine": machine(asked.device), "rows": rows}).encode())
    sys.stdout.flush()


def _probed(job: Job, data: Data, asked: Asked, steps: int = 12) -> dict[str, Any]:
    start = time.perf_counter()
    _forget_peak(data)
    training = Training(job, 1, data, asked.archive, asked.work, batch=asked.batch, graph=asked.graph)
    training.network.train()
    batches = training.batches(0)
    for _ in range(4):
        batch = next(batches)
        training.step(batch, 1e-4)
    _synchronize(data)
    ready = time.perf_counter() - start
    alone = _timed(lambda: [training.step(batch, 1e-4) for _ in range(steps)], data) / steps
    pipeline = _timed(lambda: [training.step(b, 1e-4) for b, _ in zip(batches, range(2 * steps), strict=False)], data)
    taken = min(2 * steps, training.steps - 4)
    few = data.numbers["tune"][:64]
    evaluated = time.perf_counter()
    found = training.log_odds(few), training.maps(few)
    finite = all(bool(np.isfinite(x).all()) for x in found)
    return {
        "ready s": round(ready, 2),
        "graph": training.step.graph is not None,
        "model alone images/s": round(asked.batch / alone, 1),
        "pipeline images/s": round(asked.batch * taken / pipeline, 1),
        "evaluated s": round(time.perf_counter() - evaluated, 2),
        "peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 2) if data.device.type == "cuda" else None,
        "finite": finite,
        "map": found[1].shape[1:],
    }


def _timed(do: Any, data: Data) -> float:
    _synchronize(data)
    start = time.perf_counter()
    do()
    _synchronize(data)
    return time.perf_counter() - start


def _synchronize(data: Data) -> None:
    if data.device.type == "cuda":
        torch.cuda.synchronize()


def _forget_peak(data: Data) -> None:
    gc.collect()
    if data.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
