"""Prepared squares and published augmentations of them, made ahead by all cores and mapped from files."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from full_comparison.archive import SOURCE_PX, Archive, Entry, pieces, read
from pneumoscope.classifier import Preprocessing
from pneumoscope.classifier.preprocessing import place
from pneumoscope.training import augmentation

Squares = NDArray[np.uint8]
_WHOLE, _LUNGS, _POOL, _HEAD = "whole.npy", "lungs.npy", "pool.npy", "prepared.json"
_CHUNK = 64


@dataclass(frozen=True)
class Prepared:
    """The prepared squares of an archive.

    Attributes
    ----------
    folder: of the files.
    size_px: side of the squares.
    pool_epochs: augmented copies of each training image of the whole crop.
    archive: the entries, without files, lungs and regions.
    """

    folder: Path
    size_px: int
    pool_epochs: int
    archive: Archive

    def whole(self) -> Squares:
        """Return the whole radiographs, uint8 (n, side, side)."""
        return np.asarray(np.load(self.folder / _WHOLE, mmap_mode="r"))

    def lungs(self) -> Squares:
        """Return the box around the lungs with what counts as lung, uint8 (n, 2, side, side)."""
        return np.asarray(np.load(self.folder / _LUNGS, mmap_mode="r"))

    def pool(self) -> Squares:
        """Return the augmented training images, uint8 (epochs, n_train, side, side)."""
        return np.asarray(np.load(self.folder / _POOL, mmap_mode="r"))


def prepare(packed: Path, folder: Path, *, size_px: int, pool_epochs: int, seed: int, processes: int) -> Prepared:
    """Prepare all squares and the pool of augmentations; what the folder holds already is kept."""
    told = {"size_px": size_px, "pool_epochs": pool_epochs, "seed": seed, "packed": [p.stat().st_size for p in pieces(packed)]}
    head = folder / _HEAD
    if head.exists() and {k: json.loads(head.read_text())[k] for k in told} == told:
        return prepared(folder)
    archive = read(packed)
    folder.mkdir(parents=True, exist_ok=True)
    n, train = len(archive.entries), archive.of("kermany", "train")
    _create(folder / _WHOLE, (n, size_px, size_px))
    _create(folder / _LUNGS, (n, 2, size_px, size_px))
    _create(folder / _POOL, (pool_epochs, len(train), size_px, size_px))
    made = Prepared(folder, size_px, pool_epochs, archive)
    _spread(_Squares(made), range(0, n, _CHUNK), processes)
    chunks = [(epoch, start) for epoch in range(pool_epochs) for start in range(0, len(train), _CHUNK)]
    _spread(_Pool(made, train, seed), chunks, processes)
    entries = [list(vars(e).values()) for e in archive.entries]
    head.write_text(json.dumps({**told, "entries": entries, "lungs": archive.lungs_sha256, "splits": dict(archive.split_sha256)}))
    return prepared(folder)


def prepared(folder: Path) -> Prepared:
    """Return what `prepare` left in a folder."""
    head = json.loads((folder / _HEAD).read_text())
    entries = tuple(Entry(*row) for row in head["entries"])
    archive = Archive(entries, (), np.zeros((len(entries), 2, 0, 0), bool), {}, head["lungs"], head["splits"])
    return Prepared(folder, head["size_px"], head["pool_epochs"], archive)


def _create(path: Path, shape: tuple[int, ...]) -> None:
    np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()


_task: Callable[[object], None]  # what a forked process runs; inherited, so that no archive is copied


def _spread(task: Callable[[object], None], parts: Iterable[object], processes: int) -> None:
    global _task
    _task = task
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        for _ in pool.map(_run, parts):
            pass


def _run(part: object) -> None:
    _task(part)


@dataclass(frozen=True, eq=False)
class _Squares:
    prepared: Prepared

    def __call__(self, start: object) -> None:
        assert isinstance(start, int)
        side = self.prepared.size_px
        whole = np.load(self.prepared.folder / _WHOLE, mmap_mode="r+")
        lungs = np.load(self.prepared.folder / _LUNGS, mmap_mode="r+")
        for k in range(start, min(start + _CHUNK, len(whole))):
            image = self.prepared.archive.radiograph(k)
            fields = self.prepared.archive.lung_fields(k, image)
            whole[k] = _bytes(place(image, Preprocessing(side), None).pixels)[0]
            seen_as = Preprocessing(side, "lungs", source_px=SOURCE_PX, lungs=self.prepared.archive.lungs_sha256)
            lungs[k] = _bytes(place(image, seen_as, fields).pixels)


def _bytes(pixels: NDArray[np.float32]) -> Squares:
    return np.rint(pixels * 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Pool:
    prepared: Prepared
    train: NDArray[np.intp]
    seed: int

    def __call__(self, part: object) -> None:
        assert isinstance(part, tuple)
        epoch, start = part
        pool = np.load(self.prepared.folder / _POOL, mmap_mode="r+")
        whole = self.prepared.whole()
        for k in range(start, min(start + _CHUNK, len(self.train))):
            rng = np.random.default_rng((self.seed, epoch, k))
            pool[epoch, k] = augmentation.apply(whole[self.train[k]], augmentation.draw(rng))


def cores() -> int:
    return len(os.sched_getaffinity(0))
