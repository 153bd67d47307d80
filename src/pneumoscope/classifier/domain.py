"""`Domain`: how far the features of an image lie from those that a model was trained on; no PyTorch."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 32
"""Principal components that are told apart; all that they leave is one more direction."""
ACCEPTED = 0.99
"""Share of the tune side that counts as inside."""
_LEAST = 1e-6

Features = NDArray[np.float32]


@dataclass(frozen=True)
class DomainLimit:
    """The distance up to which an image counts as one that the model may be asked about, and the side that it was fixed on."""

    distance: float
    rule: str
    split: str
    split_sha256: str


@dataclass(frozen=True, eq=False)
class Domain:
    """The distance of features from those of the training side, without regard to the class.

    A Mahalanobis distance (Lee et al. 2018, arXiv 1807.03888) over principal components, and what these leave (Wang et al. 2022,
    arXiv 2203.10807), in equal parts.

    Attributes
    ----------
    mean, scale: of each feature over the training side, float32 (features,).
    axes: principal components of the scaled features, float32 (features, components), orthonormal.
    spread: standard deviation along each, float32 (components,).
    rest: mean squared length of what the components leave.
    """

    mean: Features
    scale: Features
    axes: Features
    spread: Features
    rest: float

    @classmethod
    def fit(cls, features: Features) -> Self:
        """Fit on the features of training images, float32 (n, features)."""
        mean, scale = features.mean(0), features.std(0) + np.float32(_LEAST)
        scaled = (features - mean) / scale
        _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
        kept = min(COMPONENTS, len(axes))
        along = scaled @ axes[:kept].T
        left = float((scaled**2).sum(1).mean() - (along**2).sum(1).mean())
        spread = np.maximum(lengths[:kept] / np.sqrt(len(features)), _LEAST)
        return cls(mean, scale, np.ascontiguousarray(axes[:kept].T), spread.astype(np.float32), max(left, _LEAST))

    def distance(self, features: Features) -> NDArray[np.float64]:
        """Distances (n,) ≥ 0 of features (n, features); their root mean square over the training side is 1."""
        scaled = ((features - self.mean) / self.scale).astype(np.float64)
        along = scaled @ self.axes
        left = (scaled**2).sum(1) - (along**2).sum(1)
        return np.asarray(np.sqrt((((along / self.spread) ** 2).mean(1) + np.maximum(left, 0) / self.rest) / 2))

    def limit(self, features: Features, side: str, split_sha256: str) -> DomainLimit:
        """The limit that 99 in 100 images of a side, whose features are given, keep to."""
        distance = float(np.quantile(self.distance(features), ACCEPTED))
        return DomainLimit(distance, f"{ACCEPTED:.0%} of the side lie nearer", side, split_sha256)
