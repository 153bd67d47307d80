"""`Radiograph`: which pixels it refuses, and the examples of the folder."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import pneumoscope.radiograph
from pneumoscope.radiograph import Radiograph, Spacing

GREY = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
MODULES = [f"pneumoscope.radiograph.{module.name}" for module in pkgutil.iter_modules(pneumoscope.radiograph.__path__)]
WITH_EXAMPLES = {"acceptance", "files", "orientation", "radiograph", "reduction", "region"}


def changed(value: float) -> np.ndarray:
    pixels = GREY.copy()
    pixels[1, 2] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (changed(np.nan), "some are NaN or infinite"),
        (np.full((3, 4), np.nan, np.float32), "some are NaN or infinite"),
        (changed(np.inf), "some are NaN or infinite"),
        (changed(-np.inf), "some are NaN or infinite"),
        (changed(-0.001), r"must lie in \[0, 1\], not in \[-0.001, 1\]"),
        (changed(1.001), r"must lie in \[0, 1\], not in \[0, 1.001\]"),
        (GREY * 255, r"not in \[0, 255\]; divide them by the value of white"),
        (GREY.astype(np.float64), r"float32 \(rows, cols\), not float64 \(3, 4\)"),
        ((GREY * 255).astype(np.uint8), "not uint8"),
        (GREY[None], r"not float32 \(1, 3, 4\)"),
        (GREY.ravel(), r"not float32 \(12,\)"),
        (GREY[:0], "must not be empty"),
        (GREY.tolist(), "not list"),
        ("chest.png", "not str"),
    ],
)
def test_pixels_that_are_no_grey_levels_are_refused(pixels, says):
    with pytest.raises(ValueError, match=says):
        Radiograph(pixels)


@pytest.mark.parametrize(
    "pixels", [GREY, np.zeros((1, 1), np.float32), np.ones((2, 5), np.float32), changed(1 + 5e-7), changed(-5e-7)]
)
def test_grey_levels_within_the_rounding_of_resampling_are_taken(pixels):
    assert Radiograph(pixels).pixels is pixels


def test_the_representation_of_a_radiograph_is_short_and_holds_no_pixels():
    assert len(repr(Radiograph(np.zeros((500, 500), np.float32)))) < 400


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)

    assert result.failed == 0
    assert bool(result.attempted) == (name.rpartition(".")[2] in WITH_EXAMPLES)


@pytest.mark.parametrize("aspect", [0, -1, float("nan"), float("inf")])
def test_a_number_that_is_no_aspect_is_refused(aspect):
    with pytest.raises(ValueError, match="an aspect must be a finite number above 0"):
        Radiograph(np.zeros((1, 1), np.float32), stated_aspect=aspect)


def test_the_spacing_decides_over_a_stated_aspect():
    assert Radiograph(np.zeros((1, 1), np.float32), stated_aspect=3).aspect == 3
    assert Radiograph(np.zeros((1, 1), np.float32), Spacing(0.2, 0.1, "detector"), stated_aspect=3).aspect == 2
