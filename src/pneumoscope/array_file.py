"""Write arrays in NumPy's format ``.npy``."""

from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray


def write_array(stream: BinaryIO, values: NDArray[Any]) -> None:
    """Write an array to an open file.

    Parameters
    ----------
    stream : binary file
        Where the array goes.
    values : ndarray
        The array.

    Raises
    ------
    OSError
        With its number: the disk is full. NumPy itself writes past Python to a file that it recognises, and loses the number.
    """
    np.lib.format.write_array(cast(BinaryIO, SimpleNamespace(write=stream.write)), values)
