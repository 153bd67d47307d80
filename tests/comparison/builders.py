"""Members of a comparison without a network behind them."""

from dataclasses import replace

import numpy as np

from pneumoscope.evaluation.predictions import FittedOn, Prediction, Predictions
from pneumoscope.experiment import compared_model

SPLIT = "5" * 64


def side(name, probability, reference, side="test", subtypes=(), fold=0):
    given = subtypes or [""] * len(reference)
    rows = tuple(
        Prediction(
            f"{k}.png",
            f"p{k}" + (f"-fold{fold}" if fold else ""),
            "PNEUMONIA" if r else "NORMAL",
            subtype,
            int(r),
            float(np.log(p / (1 - p))),
            float(p),
        )
        for k, (p, r, subtype) in enumerate(zip(probability, reference, given, strict=True))
    )
    return Predictions(rows, side, SPLIT, name, (), FittedOn("tune", SPLIT))


def made(name, tune, test, reference, seed=0, fold=0, subtypes=(), **told):
    """A member with the same reference on both sides; `subtypes` of its test cases."""
    parts = side(name, tune, reference, "tune", fold=fold), side(name, test, reference, subtypes=subtypes, fold=fold)
    return replace(compared_model.of_predictions(name, seed, fold, *parts, 50), size_and_time=told)
