"""Refuse invalid outputs of a model before they become a decision."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.reader.bundle import ABSTAINS, DECISION, DISTANCE, INSIDE, PROBABILITY
from pneumoscope.reader.errors import ModelOutputError
from pneumoscope.reader.settings import settings_of

_ROUNDING = 1e-4
_RANGES = {FIELDS[1]: (0.0, 1.0 + _ROUNDING), FIELDS[2]: (0.0, 2.0), DISTANCE: (0.0, np.inf), PROBABILITY: (0.0, 1.0)}


def check_outputs(outputs: Mapping[str, NDArray[np.floating]]) -> None:
    """Check the outputs of the graph for one radiograph.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        Outputs for one radiograph without the batch axis, by name: those of `pneumoscope.reader.bundle` that a reading uses.

    Raises
    ------
    ModelOutputError
        If a value is NaN or infinite, or if a lung quality, the number of lungs, the distance or the probability lies outside its
        range.
    """
    for name, values in outputs.items():
        check_finite(name, values)
    for name, (low, high) in _RANGES.items():
        if (outputs[name] < low).any() or (outputs[name] > high).any():
            raise ModelOutputError(f"the model gave a {name} outside its range for this radiograph; the radiograph was not read")


def check_answers(card: Card, outputs: Mapping[str, NDArray[np.floating]]) -> None:
    """Check that a graph decides as its card prescribes.

    Parameters
    ----------
    card : Card
        Card of the model.
    outputs : mapping of str to ndarray
        As in `check_outputs`.

    Raises
    ------
    ModelOutputError
        If decision, abstention or domain is not the one that the card prescribes for the probability and the distance.
    """
    settings = settings_of(card).values()
    probabilities, distance = outputs[PROBABILITY].tolist(), float(outputs[DISTANCE])
    lungs_found = bool(outputs[FIELDS[2]] > 0)
    prescribed = {
        DECISION: [one.operating_point.decide(p) == "positive" for one, p in zip(settings, probabilities, strict=True)],
        ABSTAINS: [bool(one.grey_zone and one.grey_zone.holds(p)) for one, p in zip(settings, probabilities, strict=True)],
        INSIDE: [lungs_found and (one.domain is None or distance <= one.domain.distance) for one in settings],
    }
    if different := [name for name, expected in prescribed.items() if outputs[name].tolist() != expected]:
        raise ModelOutputError(
            f"the graph of the model gave another {different[0]} than its card prescribes; the radiograph was not read: export "
            "the model again"
        )


def check_finite(name: str, values: NDArray[np.floating]) -> None:
    """Check that no value is NaN or infinite.

    Parameters
    ----------
    name : str
        Name of the output in the error message.
    values : ndarray
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
