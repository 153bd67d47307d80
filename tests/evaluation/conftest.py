"""Predictions with two images for some patients."""

import numpy as np
import pytest

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation.predictions import FittedOn, Prediction, Predictions


def predictions(n: int = 80, seed: int = 0, split: str = "test", single: bool = False) -> Predictions:
    """Overlapping classes; patients have one image (`single`) or two."""
    rng = np.random.default_rng(seed)
    reference = np.arange(n) % 2
    if not single:
        reference = np.repeat(np.arange(n // 2) % 2, 2)
    z = rng.normal(1.5 * (2 * reference - 1), 2.0)
    rows = tuple(
        Prediction(
            path=f"{k}.png", patient_id=f"p{k if single else k // 2}", label="PNEUMONIA" if r else "NORMAL",
            subtype=("bacteria", "virus")[k // 4 % 2] if r else "normal", reference=int(r), log_odds=float(v),
            probability=float(1 / (1 + np.exp(-v))),
        )
        for k, (r, v) in enumerate(zip(reference, z, strict=True))
    )  # fmt: skip
    point = OperatingPoint(0.5, "youden", "tune", "abc")
    return Predictions(rows, split, "abc", "model", (point,), FittedOn("tune", "abc"))


@pytest.fixture
def clustered():
    return predictions()


@pytest.fixture
def single():
    return predictions(single=True)
