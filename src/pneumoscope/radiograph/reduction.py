"""The noun `Reduction`: how the samples of a picture that was decoded at a reduced scale stand for the pixels of its file.

JPEG 2000 keeps a picture as low and high frequencies. A decoder that leaves the high ones out gives a smaller picture and does
less work. The pixels that this smaller picture stands for are those that the inverse wavelet transform gives where the high
frequencies are zero: linear in its samples. A weight of a pixel is thus a weight of samples, and `Axis.of_samples` converts the
weights of a resampling; the resampling itself stays that of the pixels, on the grid of the file.

JPEG could be decoded at a reduced scale, too, but its samples then have 8 bits, and the probability of the default model
changes by up to 0.01 even with six samples along each axis for each pixel that it sees. It would save little, since every
coefficient has to be decoded.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Decoding = Literal["full", "reduced"]
"""Whether every pixel of a file is decoded, or a smaller picture where a model sees no more."""
Wavelet = Literal["5/3", "9/7"]
"""Wavelet of a JPEG 2000 codestream: 5/3 without loss, 9/7 with loss."""
Weights = NDArray[np.float64]

MOST_HALVINGS = 3
"""Of each axis: the smallest scale is 1/8."""
LEAST_SAMPLES = 4
"""Fewest samples along each axis for each pixel of the square on which a model sees the radiograph: with these the
probability of the shipped model changes by less than 0.005 on tune (``benchmarks/reduced_decoding.py``)."""
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
    wavelet : {"5/3", "9/7"}
        Wavelet of the file.
    """

    pixels: int
    halvings: int
    wavelet: Wavelet

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
        for _ in range(self.halvings):
            weights = _of_low_band(weights, np.array(_SYNTHESIS[self.wavelet]))
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
    wavelet : {"5/3", "9/7"}
        Wavelet of the file.
    """

    rows: int
    cols: int
    halvings: int
    wavelet: Wavelet

    @classmethod
    def choose(cls, rows: int, cols: int, seen_px: int, wavelet: Wavelet, most: int = MOST_HALVINGS) -> "Reduction | None":
        """Choose the smallest scale at which a model's square still has enough samples.

        Parameters
        ----------
        rows, cols : int
            Grid of the file, in pixels.
        seen_px : int
            Edge of the square on which a model sees the whole radiograph, >= 1.
        wavelet : {"5/3", "9/7"}
            Wavelet of the file.
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
        least = LEAST_SAMPLES * seen_px
        for halvings in range(min(most, MOST_HALVINGS), 0, -1):
            reduction = cls(rows, cols, halvings, wavelet)
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
        return Axis(self.rows, self.halvings, self.wavelet), Axis(self.cols, self.halvings, self.wavelet)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the reduced picture."""
        rows, cols = self.axes
        return rows.samples, cols.samples


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
