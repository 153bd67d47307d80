"""The noun `Pool`: what the images of a training are drawn by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pneumoscope.cohort import Case


@dataclass(frozen=True, eq=False)
class Pool:
    """Class, source and label of each of n training images.

    Parameters
    ----------
    reference
        int, shape (n,): 1 for cases with the target, else 0.
    sources
        Data set that each image comes from, n names; empty where they are not known.
    labels
        Label of each image as its source writes it, n words; empty where they are not known.
    """

    reference: NDArray[np.int64]
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, cases: Iterable[Case]) -> "Pool":
        """Collect class, source and label of cases.

        Parameters
        ----------
        cases
            The cases, in the order of their images.

        Returns
        -------
        Pool
            The pool.
        """
        cases = tuple(cases)
        reference = np.array([case.reference for case in cases])
        return cls(reference, tuple(case.source for case in cases), tuple(case.label for case in cases))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.reference)

    def shuffled(self, seed: int) -> "Pool":
        """Exchange classes and labels between images, each class with its label, whatever the source.

        Parameters
        ----------
        seed
            Seed of the exchange, ≥ 0.

        Returns
        -------
        Pool
            The pool of a control whose classes say nothing of the images.
        """
        order = np.random.default_rng(seed).permutation(len(self))
        labels = tuple(self.labels[k] for k in order) if self.labels else ()
        return replace(self, reference=self.reference[order], labels=labels)
