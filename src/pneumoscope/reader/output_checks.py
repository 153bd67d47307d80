"""Refuse invalid outputs of a model before they become a decision."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.reader.errors import ModelOutputError

_ROUNDING = 1e-4


def check_outputs(outputs: Sequence[NDArray[np.float32]]) -> None:
    """Check the outputs of the graph for one radiograph.

    Parameters
    ----------
    outputs : sequence of ndarray
        Outputs for one radiograph without the batch axis: those of `pneumoscope.lung_fields.finder.OUTPUT_NAMES`, then logits,
        distance and heat maps.

    Raises
    ------
    ModelOutputError
        If a value is NaN or infinite, or if a lung quality, the number of lungs or the distance lies outside its range.
    """
    names = (*FIELDS, "logits", "distance", "heat map")
    for name, values in zip(names, outputs, strict=True):
        check_finite(name, values)
    ranges = ((1, 0.0, 1.0 + _ROUNDING), (2, 0.0, 2.0), (len(FIELDS) + 1, 0.0, np.inf))
    for index, low, high in ranges:
        if (outputs[index] < low).any() or (outputs[index] > high).any():
            raise ModelOutputError(
                f"the model gave a {names[index]} outside its range for this radiograph; the radiograph was not read"
            )


def check_finite(name: str, values: NDArray[np.float32]) -> None:
    """Check that no value is NaN or infinite.

    Parameters
    ----------
    name : str
        Name of the output in the error message.
    values : ndarray of float32
        Values of the output.

    Raises
    ------
    ModelOutputError
        If a value is not finite.
    """
    if not np.isfinite(values).all():
        value = "NaN" if np.isnan(values).any() else "an infinite value"
        raise ModelOutputError(
            f"the model gave {value} for this radiograph ({name}); the radiograph was not read: run the model on the CPU, or "
            "export it in fp32"
        )
