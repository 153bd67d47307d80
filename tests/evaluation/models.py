"""A model that answers by a rule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pneumoscope.classifier import Card, ModelInput
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.radiograph import Radiograph


@dataclass(frozen=True)
class Answering:
    card: Card
    log_odds: Callable[[np.ndarray], np.ndarray]
    trained_on: tuple[Fingerprint, ...] = ()
    distance: Callable[[np.ndarray], np.ndarray] | None = None

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        return prepare(radiograph, self.card.preprocessing)
