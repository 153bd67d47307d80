"""Compute the answers of a graph of the earlier format, which gives only logits, distance and raw heat maps, by its card."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.reader.bundle import ABSTAINS, DECISION, DISTANCE, INSIDE, LOGITS, PROBABILITY, scaled_name
from pneumoscope.reader.settings import calibrated, decided, settings_of


def answered(outputs: Mapping[str, NDArray[np.floating]], card: Card, method: str) -> dict[str, NDArray[np.floating]]:
    """Add the answers and the scaled heat maps to the outputs of a graph of the earlier format.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        Outputs for n radiographs by name: lung fields, logits, distance and the raw maps of the method.
    card : Card
        Card of the bundle.
    method : str
        Method of the heat maps, one of the card's.

    Returns
    -------
    dict of str to ndarray
        The outputs that a graph of the present format gives; an output that is not a number stays one.
    """
    logits, settings = outputs[LOGITS].astype(np.float64), settings_of(card)
    with np.errstate(invalid="ignore", over="ignore"):  # such values are refused later, with a sentence
        probability = calibrated(settings, logits[:, -1] - logits[:, 0])
        answers = decided(settings, probability, outputs[DISTANCE], outputs[FIELDS[2]])
        maps = [scaled(outputs[method][:, k], card, method, name) for k, name in enumerate(card.classes)]
    return {
        **outputs,
        PROBABILITY: answers.probability,
        DECISION: answers.decision,
        ABSTAINS: answers.abstains,
        INSIDE: answers.inside,
        scaled_name(method): np.stack(maps, 1),
    }
