"""Prepared squares: every radiograph decoded and resampled once, then memory-mapped."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cache import Question, file_answer
from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.cohort import Case, Cohort
from pneumoscope.lung_fields import LungFinder
from pneumoscope.ordered_map import cores, ordered_map

Squares = NDArray[np.uint8]
_LIBRARIES = ("numpy", "pillow", "pydicom")  # they decode and resample


def default_cache() -> Path:
    """Return the folder of prepared images: ``$XDG_CACHE_HOME/pneumoscope``, or ``~/.cache/pneumoscope``."""
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
    """Prepare the radiographs of cases for a network, or read them from the cache.

    The file is keyed by the content of the images in their order, their number, the preprocessing, and the code and libraries
    that decode and resample.

    Parameters
    ----------
    cohort
        The cohort that the files of the cases belong to.
    cases
        n cases, in the order of the result.
    preprocessing
        How a radiograph becomes a square.
    cache
        Folder for the prepared squares; made if it does not exist.
    finder
        The lung-field model that `preprocessing` names; None if it names none.
    show_progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    ndarray of uint8
        Shape (n, channels, size_px, size_px), grey levels 0 to 255, memory-mapped and read-only.

    Raises
    ------
    RadiographError
        If a radiograph cannot be read.
    """
    question = Question(
        "prepared squares",
        {"preprocessing": dataclasses.asdict(preprocessing), "images": images_stated(cohort, cases)},
        code=(__name__,),
        libraries=_LIBRARIES,
    )

    def square(case: Case) -> bytes:
        pixels = prepare(radiograph.read(cohort.file(case)), preprocessing, finder).pixels
        return np.rint(pixels * 255).astype(np.uint8).tobytes()

    def write(stream: BinaryIO) -> None:
        shape = (len(cases), preprocessing.channels, preprocessing.size_px, preprocessing.size_px)
        np.lib.format.write_array_header_2_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        prepared = ordered_map(square, cases, cores())
        hidden = None if show_progress else True
        for content in tqdm(prepared, desc="preparing", unit="image", total=len(cases), disable=hidden):
            stream.write(content)

    file = file_answer(cache / f"squares-{question.sha256[:32]}.npy", question, write)
    return np.asarray(np.load(file, mmap_mode="r"))


def images_stated(cohort: Cohort, cases: Sequence[Case]) -> dict[str, Any]:
    """State which images the cases show, and in which order, for the key of a cache.

    An image is known by the hash of its grey levels or, in a table without them, by the hash of its file.

    Parameters
    ----------
    cohort
        The cohort that the files of the cases belong to.
    cases
        The cases in their order.

    Returns
    -------
    dict
        ``count``, and ``sha256`` of the list of hashes.
    """
    hashes = [case.pixel_sha256 or f"file {_file_sha256(cohort.file(case))}" for case in cases]
    return {"count": len(cases), "sha256": hashlib.sha256(json.dumps(hashes).encode()).hexdigest()}


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
