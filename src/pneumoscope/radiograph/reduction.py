"""The noun `Reduction`: how the samples of a picture that was decoded at a reduced scale stand for the pixels of its file.

JPEG and JPEG 2000 keep a picture as low and high frequencies. A decoder that leaves the high ones out gives a smaller picture and
does less work. The pixels that this smaller picture stands for are those that the decoder's own inverse transform gives where the
high frequencies are zero: linear in its samples. A weight of a pixel is thus a weight of samples, and `Axis.of_samples` converts
the weights of a resampling; the resampling itself stays that of the pixels, on the grid of the file.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Decoding = Literal["full", "reduced"]
"""Whether every pixel of a file is decoded, or a smaller picture where a model sees no more."""
Transform = Literal["DCT", "5/3", "9/7"]
"""Transform of a compressed picture: cosines in JPEG, wavelets in JPEG 2000 without loss (5/3) and with loss (9/7)."""
Weights = NDArray[np.float64]

MOST_HALVINGS = 3
"""Of each axis: 1/8 is the smallest scale that libjpeg decodes at."""
LEAST_SAMPLES = {"DCT": 6, "5/3": 3, "9/7": 3}
"""Fewest samples along each axis for each pixel of the square on which a model sees the radiograph. With fewer the probability of
a model changes by more than 0.005 (``benchmarks/reduced_decoding.py``); JPEG needs most, since its samples have 8 bits."""
_BLOCK = 8
"""Pixels of a block of JPEG along each axis."""
_SYNTHESIS = {
    "5/3": (0.5, 1.0, 0.5),
    "9/7": (
        *(-0.091271763114, -0.057543526229, 0.591271763114, 1.115087052457),
        *(0.591271763114, -0.057543526229, -0.091271763114),
    ),
}
"""Weights of the low-pass synthesis filters of ITU-T T.800 annex F, from the lowest to the highest offset."""


@dataclass(frozen=True)
class Axis:
    """Rows or columns of a reduced picture.

    Parameters
    ----------
    pixels : int
        Number of pixels in the file.
    halvings : int
        How often the number was halved, 1 to 3.
    transform : {"DCT", "5/3", "9/7"}
        Transform that the high frequencies were left out of.
    """

    pixels: int
    halvings: int
    transform: Transform

    @property
    def samples(self) -> int:
        """Number of samples of the reduced picture."""
        return -(-self.pixels >> self.halvings)

    def of_samples(self, weights: Weights) -> Weights:
        """Convert weights of pixels to weights of samples.

        Parameters
        ----------
        weights : ndarray of float64, shape (n, pixels)
            Weights of the pixels in each of n sums.

        Returns
        -------
        ndarray of float64, shape (n, samples)
            Weights of the samples: the sums are those of the pixels that the inverse transform gives without high frequencies.
        """
        if self.transform == "DCT":
            return _of_blocks(weights, self.samples, _BLOCK >> self.halvings)
        for _ in range(self.halvings):
            weights = _of_low_band(weights, np.array(_SYNTHESIS[self.transform]))
        return weights


@dataclass(frozen=True)
class Reduction:
    """A reduced picture and the grid of its file.

    Parameters
    ----------
    rows, cols : int
        Grid of the file, in pixels.
    halvings : int
        How often each side was halved, 1 to 3.
    transform : {"DCT", "5/3", "9/7"}
        Transform that the high frequencies were left out of.
    """

    rows: int
    cols: int
    halvings: int
    transform: Transform

    @classmethod
    def choose(cls, rows: int, cols: int, seen_px: int, transform: Transform, most: int = MOST_HALVINGS) -> "Reduction | None":
        """Choose the smallest scale at which a model's square still has enough samples.

        Parameters
        ----------
        rows, cols : int
            Grid of the file, in pixels.
        seen_px : int
            Edge of the square on which a model sees the whole radiograph, >= 1.
        transform : {"DCT", "5/3", "9/7"}
            Transform of the file.
        most : int
            Most halvings that the file allows.

        Returns
        -------
        Reduction or None
            None where the picture is too small to be reduced.

        Examples
        --------
        >>> Reduction.choose(2800, 2320, 224, "5/3").scale
        0.5
        >>> Reduction.choose(1200, 1000, 224, "5/3") is None
        True
        """
        least = LEAST_SAMPLES[transform] * seen_px
        for halvings in range(min(most, MOST_HALVINGS), 0, -1):
            reduction = cls(rows, cols, halvings, transform)
            if min(reduction.shape) >= least:
                return reduction
        return None

    @property
    def scale(self) -> float:
        """Samples over pixels along each axis: 1/2, 1/4 or 1/8."""
        return 1 / (1 << self.halvings)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns."""
        return Axis(self.rows, self.halvings, self.transform), Axis(self.cols, self.halvings, self.transform)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the reduced picture."""
        rows, cols = self.axes
        return rows.samples, cols.samples


def _of_blocks(weights: Weights, n_samples: int, block_samples: int) -> Weights:
    """Weights of the samples of scaled cosine transforms, each of the low frequencies of a block of eight pixels."""
    n_sums, n_pixels = weights.shape
    blocks = np.pad(weights, ((0, 0), (0, -n_pixels % _BLOCK))).reshape(n_sums, -1, _BLOCK)
    pixels, samples = _cosines(_BLOCK)[:block_samples], _cosines(block_samples)
    spread = pixels.T @ samples * np.sqrt(_BLOCK / block_samples)
    all_samples = (blocks @ spread).reshape(n_sums, -1)
    # libjpeg gives no samples that lie wholly beyond the picture; the last one stands for them.
    kept = np.ascontiguousarray(all_samples[:, :n_samples])
    kept[:, -1] += all_samples[:, n_samples:].sum(1)
    return kept


def _cosines(size: int) -> Weights:
    """The orthonormal discrete cosine transform (DCT-II), shape (frequencies, size)."""
    angles = np.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5)
    return np.cos(angles) * np.sqrt(np.where(np.arange(size) == 0, 1, 2) / size)[:, None]


def _of_low_band(weights: Weights, synthesis: Weights) -> Weights:
    """Weights of the low-pass samples of one wavelet decomposition, which lie at the even pixels (ITU-T T.800 F.3)."""
    (n_sums, n_pixels), half = weights.shape, len(synthesis) // 2
    n_samples, beyond = -(-n_pixels // 2), (half + 1) // 2
    padded = np.pad(weights, ((0, 0), (2 * beyond + half, 2 * beyond + half + 1)))
    extended = np.zeros((n_sums, n_samples + 2 * beyond))
    for offset, weight in enumerate(synthesis):
        extended += weight * padded[:, offset::2][:, : extended.shape[1]]
    samples = extended[:, beyond : beyond + n_samples]
    # Samples beyond an end are those within it, mirrored at the first and at the last pixel (F.3.7).
    last = n_samples - 1 - n_pixels % 2
    for k in range(1, beyond + 1):
        samples[:, k] += extended[:, beyond - k]
        samples[:, last + 1 - k] += extended[:, beyond + n_samples - 1 + k]
    return samples
