"""The published augmentation policy on one grey channel: drawn as values first, applied by OpenCV second.

Shahi & Bagale 2025 use albumentations, whose last free release is no longer maintained; its operations are OpenCV's, so the
policy is built on OpenCV itself. Strengths that the paper leaves open are those of its release 1.4,
the median filter's side is 3 or 5 px.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Square = NDArray[np.uint8]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenCV use one thread within the context: the network needs the other cores, and an augmentation takes half a
    millisecond."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@dataclass(frozen=True)
class Augmentation:
    """What is done to one square; the defaults do nothing.

    Attributes
    ----------
    turn_deg, scale, shift: a similarity about the centre; shift (rows, cols) in shares of the side.
    brightness, contrast: x → contrast · x + brightness, grey in [0, 1].
    gamma: x → x^gamma.
    clahe_clip: clip limit of contrast-limited adaptive histogram equalization on 8 × 8 tiles.
    noise: standard deviation of Gaussian noise, grey in [0, 1], drawn with `noise_seed`.
    motion_px, motion_deg: length and direction of a motion blur; median_px: side of a median filter.
    holes: rectangles (row, col, rows, cols) in shares of the side, set to black.
    """

    turn_deg: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    clahe_clip: float | None = None
    noise: float = 0.0
    noise_seed: int = 0
    motion_px: int = 0
    motion_deg: float = 0.0
    median_px: int = 0
    holes: tuple[tuple[float, float, float, float], ...] = ()


def draw(rng: np.random.Generator) -> Augmentation:
    """Draw from the published policy (probabilities and limits of the paper's code)."""

    def happens(p: float) -> bool:
        return bool(rng.random() < p)

    turn = rng.uniform(-15, 15) if happens(0.5) else 0.0
    shift, scale = (0.0, 0.0), 1.0
    if happens(0.5):
        shift, scale = (rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)), rng.uniform(0.9, 1.1)
    brightness, contrast = (rng.uniform(-0.2, 0.2), rng.uniform(0.8, 1.2)) if happens(0.5) else (0.0, 1.0)
    clahe = rng.uniform(1, 4) if happens(0.3) else None
    gamma = rng.uniform(0.8, 1.2) if happens(0.3) else 1.0
    noise = float(np.sqrt(rng.uniform(10, 50))) / 255 if happens(0.2) else 0.0
    motion = int(rng.choice((3, 5, 7))) if happens(0.1) else 0
    median = int(rng.choice((3, 5))) if happens(0.1) else 0
    holes: tuple[tuple[float, float, float, float], ...] = ()
    if happens(0.1):
        holes = tuple(
            (*rng.uniform(0, 0.96, 2).tolist(), *rng.uniform(0.01, 0.04, 2).tolist()) for _ in range(rng.integers(1, 9))
        )
    return Augmentation(
        turn, scale, shift, brightness, contrast, gamma, clahe, noise, int(rng.integers(2**31)), motion,
        rng.uniform(0, 180), median, holes,
    )  # fmt: skip


def apply(square: Square, a: Augmentation) -> Square:
    """Apply an augmentation to a grey square, uint8 (side, side); the input is left as it was."""
    out: NDArray[Any] = _grey_levels(_geometry(square, a), a)
    if a.motion_px:
        out = cv2.filter2D(out, -1, motion_kernel(a.motion_px, a.motion_deg), borderType=cv2.BORDER_REPLICATE)
    if a.median_px:
        out = cv2.medianBlur(out, a.median_px)
    if a.noise:
        noise = np.random.default_rng(a.noise_seed).standard_normal(out.shape, np.float32) * (a.noise * 255)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    return _holes(out, a)


def _geometry(square: Square, a: Augmentation) -> Square:
    if a.turn_deg == 0 and a.scale == 1 and a.shift == (0, 0):
        return square.copy()
    rows, cols = square.shape
    matrix = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), a.turn_deg, a.scale)
    matrix[:, 2] += (a.shift[1] * cols, a.shift[0] * rows)
    return np.asarray(cv2.warpAffine(square, matrix, (cols, rows), flags=cv2.INTER_LINEAR), np.uint8)


def _grey_levels(square: Square, a: Augmentation) -> Square:
    """Contrast, brightness and gamma as one table of 256 levels, then CLAHE."""
    if a.brightness != 0 or a.contrast != 1 or a.gamma != 1:
        levels = np.clip(np.arange(256) / 255 * a.contrast + a.brightness, 0, 1) ** a.gamma
        square = np.asarray(cv2.LUT(square, np.rint(levels * 255).astype(np.uint8)), np.uint8)
    if a.clahe_clip is not None:
        square = np.asarray(cv2.createCLAHE(a.clahe_clip, (8, 8)).apply(square), np.uint8)
    return square


def motion_kernel(length_px: int, direction_deg: float) -> NDArray[np.float32]:
    """A line of `length_px` through the centre, sum 1, shape (length_px, length_px)."""
    kernel = np.zeros((length_px, length_px), np.float32)
    centre = (length_px - 1) / 2
    along = np.linspace(-centre, centre, 4 * length_px)
    angle = np.deg2rad(direction_deg)
    rows, cols = np.rint(centre + along * np.sin(angle)), np.rint(centre + along * np.cos(angle))
    kernel[rows.astype(int), cols.astype(int)] = 1
    return np.asarray(kernel / kernel.sum(), np.float32)


def _holes(square: Square, a: Augmentation) -> Square:
    side = square.shape[0]
    for row, col, rows, cols in a.holes:
        top, left = int(row * side), int(col * side)
        square[top : top + max(1, int(rows * side)), left : left + max(1, int(cols * side))] = 0
    return square
