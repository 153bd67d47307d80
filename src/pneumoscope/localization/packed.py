"""The noun `Packed`: a small integer or bool array, compressed, so that one can be kept for each of many cases."""

import zlib
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

_FAST = 1  # zlib's level: masks and histograms compress well at any


@dataclass(frozen=True)
class Packed(Generic[Value]):
    """A compressed array.

    A mask of 320 × 320 pixels takes a few hundred bytes instead of 100 kB.

    Parameters
    ----------
    data
        The zlib-compressed values in C order.
    shape
        Shape of the array.
    dtype
        Type of its values.

    Examples
    --------
    >>> mask = np.eye(3, dtype=bool)
    >>> bool((Packed.of(mask).array() == mask).all())
    True
    """

    data: bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Value]

    @classmethod
    def of(cls, array: NDArray[Value]) -> Self:
        """Compress an array.

        Parameters
        ----------
        array
            Values of any shape and type.

        Returns
        -------
        Packed
            The same values without loss.
        """
        return cls(zlib.compress(np.ascontiguousarray(array).tobytes(), _FAST), array.shape, array.dtype)

    def array(self) -> NDArray[Value]:
        """Decompress the array.

        Returns
        -------
        ndarray
            The values that were given, read-only.
        """
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)
