"""Measure how far the features of an image lie from those of the training images; no PyTorch."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 32
"""The most principal components; the residual counts as one more direction."""
ACCEPTED = 0.99
"""Share of the tune images that count as inside."""
_LEAST = 1e-6

Features = NDArray[np.float32]


@dataclass(frozen=True)
class DomainLimit:
    """The distance up to which an image counts as one that the model may be asked about.

    Parameters
    ----------
    distance : float
        The largest accepted distance, as `Domain.distance` gives it, finite and >= 0.
    rule : str
        How it was chosen.
    split, split_sha256 : str
        The part of the split that it was chosen on, and the SHA-256 of that split.

    Raises
    ------
    ValueError
        The distance is negative or not finite.
    """

    distance: float
    rule: str
    split: str
    split_sha256: str

    def __post_init__(self) -> None:
        if not 0 <= self.distance < math.inf:
            raise ValueError(f"the limit of a domain must be a finite distance of at least 0, not {self.distance}")


@dataclass(frozen=True, eq=False)
class Domain:
    """The distribution of the training images' features, without regard to the class.

    Its distance is a Mahalanobis distance (Lee et al. 2018, arXiv 1807.03888) over principal components, and the residual that
    these leave (Wang et al. 2022, arXiv 2203.10807), in equal parts.

    Parameters
    ----------
    mean, scale : ndarray of float32, shape (features,)
        Mean and standard deviation of each feature over the training images.
    axes : ndarray of float32, shape (features, components)
        Orthonormal principal components of the scaled features.
    spread : ndarray of float32, shape (components,)
        Standard deviation along each component.
    rest : float
        Mean squared length of the residual, > 0.

    Raises
    ------
    ValueError
        A part has another shape or type than the others, or is not finite; or a scale, a spread or the residual is not above 0.
    """

    mean: Features
    scale: Features
    axes: Features
    spread: Features
    rest: float

    def __post_init__(self) -> None:
        arrays = (self.mean, self.scale, self.axes, self.spread)
        if any(part.dtype != np.float32 or not np.isfinite(part).all() for part in arrays):
            raise ValueError("the parts of a domain must be finite float32")
        n_features, n_components = self.mean.size, self.spread.size
        shapes = ((n_features,), (n_features,), (n_features, n_components), (n_components,))
        if tuple(part.shape for part in arrays) != shapes:
            raise ValueError(f"the parts of a domain have shapes {', '.join(str(part.shape) for part in arrays)}")
        if not (self.scale > 0).all() or not (self.spread > 0).all() or not 0 < self.rest < math.inf:
            raise ValueError("a scale, a spread or the residual of a domain is not above 0")

    @classmethod
    def fit(cls, features: Features) -> Self:
        """Fit the distribution.

        Parameters
        ----------
        features : ndarray of float32, shape (n, features)
            Features of training images.

        Returns
        -------
        Domain
            With at most `COMPONENTS` components.
        """
        mean, scale = features.mean(0), features.std(0) + np.float32(_LEAST)
        scaled = (features - mean) / scale
        _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
        count = min(COMPONENTS, len(axes))
        along = scaled @ axes[:count].T
        residual = float((scaled**2).sum(1).mean() - (along**2).sum(1).mean())
        spread = np.maximum(lengths[:count] / np.sqrt(len(features)), _LEAST)
        return cls(mean, scale, np.ascontiguousarray(axes[:count].T), spread.astype(np.float32), max(residual, _LEAST))

    def distance(self, features: Features) -> NDArray[np.float64]:
        """Compute the distance of features from the distribution.

        Parameters
        ----------
        features : ndarray of float32, shape (n, features)
            Features of any images.

        Returns
        -------
        ndarray of float64, shape (n,)
            Distances >= 0; their root mean square over the training images is 1.
        """
        scaled = ((features - self.mean) / self.scale).astype(np.float64)
        along = scaled @ self.axes
        residual = (scaled**2).sum(1) - (along**2).sum(1)
        return np.asarray(np.sqrt((((along / self.spread) ** 2).mean(1) + np.maximum(residual, 0) / self.rest) / 2))

    def limit(self, features: Features, split: str, split_sha256: str) -> DomainLimit:
        """Fix the limit below which 99 in 100 images of a part of the split lie.

        Parameters
        ----------
        features : ndarray of float32, shape (n, features)
            Features of the images of that part.
        split, split_sha256 : str
            The name of that part, and the SHA-256 of the split.

        Returns
        -------
        DomainLimit
            The limit with the rule that it was fixed by.
        """
        distance = float(np.quantile(self.distance(features), ACCEPTED))
        return DomainLimit(distance, f"{ACCEPTED:.0%} of the {split} images lie nearer", split, split_sha256)
