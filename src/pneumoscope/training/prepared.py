"""Prepared squares: every radiograph decoded and resized once, then memory-mapped."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import atomic_files, radiograph
from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.cohort import Case, Cohort
from pneumoscope.lung_fields import LungFinder
from pneumoscope.ordered_map import cores
from pneumoscope.training.errors import TrainingError

Squares = NDArray[np.uint8]
_CHUNK = 256  # images decoded ahead of the disk


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/pneumoscope``, or ``~/.cache/pneumoscope``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pneumoscope"


def squares(
    cohort: Cohort,
    cases: Sequence[Case],
    preprocessing: Preprocessing,
    cache: Path,
    *,
    finder: LungFinder | None = None,
    show_progress: bool = False,
) -> Squares:
    """The prepared squares of cases, uint8 (n, channels, side, side), memory-mapped from `cache`.

    The file is keyed by the pixels of the cases in their order and by the preprocessing, and is written once. TrainingError where
    it is damaged.
    """
    path = cache / f"{_key(cases, preprocessing)}.npy"
    if not path.exists():
        _write(path, cohort, cases, preprocessing, finder, show_progress)
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except (ValueError, EOFError) as error:
        raise TrainingError(
            f"the prepared radiographs in '{path}' are damaged; delete the file, and they are prepared anew"
        ) from error


def _key(cases: Sequence[Case], preprocessing: Preprocessing) -> str:
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(preprocessing), sort_keys=True).encode())
    for case in cases:
        digest.update(case.pixel_sha256.encode())
    return digest.hexdigest()[:32]


def _write(
    path: Path,
    cohort: Cohort,
    cases: Sequence[Case],
    preprocessing: Preprocessing,
    finder: LungFinder | None,
    show_progress: bool,
) -> None:
    shape = (len(cases), preprocessing.channels, preprocessing.side_px, preprocessing.side_px)

    def square(case: Case) -> Squares:
        pixels = prepare(radiograph.read(cohort.file(case)), preprocessing, finder).pixels
        return np.rint(pixels * 255).astype(np.uint8)

    with atomic_files.binary(path) as stream, ThreadPoolExecutor(cores()) as pool:
        np.lib.format.write_array_header_2_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in tqdm(
            range(0, len(cases), _CHUNK),
            desc="preparing",
            unit=f"×{_CHUNK} images",
            disable=None if show_progress else True,
        ):
            for prepared in pool.map(square, cases[start : start + _CHUNK]):
                stream.write(prepared.tobytes())
