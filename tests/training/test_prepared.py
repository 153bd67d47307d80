"""The cache of prepared squares."""

import dataclasses

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.classifier import Preprocessing
from pneumoscope.training.prepared import squares


def test_squares_are_prepared_once_and_then_read_back(cohort, tmp_path, monkeypatch):
    first = squares(cohort, cohort.cases, Preprocessing(32), tmp_path)
    assert first.shape == (60, 1, 32, 32)
    assert first.dtype == np.uint8
    monkeypatch.setattr(radiograph, "read", lambda _: pytest.fail("decoded again"))
    assert (squares(cohort, cohort.cases, Preprocessing(32), tmp_path) == first).all()


def test_another_preprocessing_or_other_content_is_another_file(cohort, tmp_path):
    squares(cohort, cohort.cases, Preprocessing(32), tmp_path)
    squares(cohort, cohort.cases, Preprocessing(48), tmp_path)
    changed = (dataclasses.replace(cohort.cases[0], pixel_sha256="other"), *cohort.cases[1:])
    squares(cohort, changed, Preprocessing(32), tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_a_preparation_that_fails_leaves_no_file(cohort, tmp_path, monkeypatch):
    def broken(_):
        raise radiograph.UnreadableFileError("damaged meanwhile")

    monkeypatch.setattr(radiograph, "read", broken)
    with pytest.raises(radiograph.UnreadableFileError):
        squares(cohort, cohort.cases, Preprocessing(32), tmp_path)
    assert list(tmp_path.iterdir()) == []
