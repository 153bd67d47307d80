"""The published augmentation policy on one grey channel: first drawn as values, then applied by OpenCV.

Shahi & Bagale 2025 use albumentations, whose last free release is no longer maintained; its operations are OpenCV's, so the
policy is built on OpenCV itself. Strengths that the paper does not state are those of albumentations 1.4; the median filter
has 3 or 5 pixels.
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
    """The changes of one square; the defaults change nothing.

    Parameters
    ----------
    turn_deg
        Rotation about the centre in degrees.
    scale
        Factor on the size, > 0.
    shift
        Translation (rows, cols) as a share of the edge.
    brightness
        Added to grey levels in [0, 1], after `contrast`.
    contrast
        Factor on grey levels, > 0.
    gamma
        Exponent of grey levels, > 0.
    clahe_clip
        Clip limit of contrast-limited adaptive histogram equalization on 8 × 8 tiles; None for none.
    noise
        Standard deviation of Gaussian noise, for grey levels in [0, 1].
    noise_seed
        Seed of the noise.
    motion_px, motion_deg
        Length of a motion blur in pixels (0 for none) and its direction in degrees.
    median_px
        Edge of a median filter in pixels, odd; 0 for none.
    holes
        Rectangles (row, col, rows, cols) as shares of the edge, which become black.
    mirrored
        Whether the result is mirrored left to right.
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
    mirrored: bool = False


def draw(rng: np.random.Generator, mirror_probability: float = 0.0) -> Augmentation:
    """Draw an augmentation from the published policy (probabilities and limits of the paper's code).

    Parameters
    ----------
    rng
        Source of the random numbers.
    mirror_probability
        Probability in [0, 1] of mirroring, which the published policy does not have; 0 draws no number for it. It is drawn last,
        so that the other values are the same for every probability.

    Returns
    -------
    Augmentation
        The values that were drawn.
    """

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
        rng.uniform(0, 180), median, holes, mirror_probability > 0 and happens(mirror_probability),
    )  # fmt: skip


def apply(square: Square, a: Augmentation) -> Square:
    """Apply an augmentation to a square; the input is not changed.

    Parameters
    ----------
    square
        uint8, shape (size_px, size_px).
    a
        What to change.

    Returns
    -------
    ndarray of uint8
        Same shape.
    """
    out: NDArray[Any] = _grey_levels(_geometry(square, a), a)
    if a.motion_px:
        out = cv2.filter2D(out, -1, motion_kernel(a.motion_px, a.motion_deg), borderType=cv2.BORDER_REPLICATE)
    if a.median_px:
        out = cv2.medianBlur(out, a.median_px)
    if a.noise:
        noise = np.random.default_rng(a.noise_seed).standard_normal(out.shape, np.float32) * (a.noise * 255)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    out = _holes(out, a)
    return np.ascontiguousarray(out[:, ::-1]) if a.mirrored else out


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
    """Make the kernel of a motion blur: a line through the centre.

    Parameters
    ----------
    length_px
        Length of the line in pixels, odd.
    direction_deg
        Direction of the line in degrees.

    Returns
    -------
    ndarray of float32
        Shape (length_px, length_px), sum 1.
    """
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
