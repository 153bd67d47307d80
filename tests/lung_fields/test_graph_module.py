"""Lung fields as tensor arithmetic: by hand on drawn probabilities, and beside SciPy's connected components on radiographs."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields.finder import fields
from pneumoscope.lung_fields.graph_module import LungFieldModule, connected, filled
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.placement import on_whole
from tests.lung_fields.builders import LEFT, RIGHT, SIDE, drawn, lungs


class _Drawn(nn.Module):
    """A network whose probabilities are given."""

    def __init__(self, probability: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.logit(torch.from_numpy(probability.astype(np.float32)), 1e-6)[None]

    def forward(self, image):
        return self.logits.expand(len(image), -1, -1, -1)


def found(probability, threshold=0.9):
    with torch.no_grad():
        outputs = LungFieldModule(_Drawn(probability), SIDE, threshold)(torch.rand(1, 1, 80, 160))
    return [part[0].numpy() for part in outputs]


def probabilities(right=RIGHT, left=LEFT, inside=1.0):
    return np.stack([drawn(right), drawn(left)]) * inside


@pytest.mark.parametrize(
    ("given_", "state"),
    [(probabilities(), "found"), (probabilities(left=None), "partly found"), (probabilities(None, None), "not found"),
     (probabilities(left=(0, 20, 3, 25)), "partly found")],
    ids=["both", "one", "none", "one and a speck of 15 of 1600 cells"],
)  # fmt: skip
def test_the_state_counts_the_lungs_that_are_sure_and_large_enough(given_, state):
    assert fields(found(given_), 80, 160).state == state


def test_an_unsure_lung_is_not_found():
    """A lung of probability 0.6 throughout agrees with its own mask to 2 · 0.6 / 1.6 = 0.75."""
    p = probabilities()
    p[1] *= 0.6
    f = fields(found(p, 0.76), 80, 160)
    assert (f.right_quality, f.left_quality) == pytest.approx((1, 0.75), abs=1e-4)
    assert f.state == "partly found"
    assert fields(found(p, 0.74), 80, 160).state == "found"


def test_what_is_apart_is_no_lung_and_holes_are_filled():
    p = probabilities()
    p[0, 20:22, 8:10] = 0
    p[0, 0:2, 0:2] = 1
    f = fields(found(p, 0.5), 80, 160)
    assert np.array_equal(f.right_cells, drawn(RIGHT))
    assert f.right_quality == pytest.approx(2 * (288 - 4) / (288 - 4 + 4 + 288), abs=1e-4)


@pytest.mark.parametrize("left", [LEFT, None], ids=["found", "partly found"])
def test_the_box_of_the_graph_is_that_of_the_lung_fields(left):
    box = found(probabilities(left=left))[3]
    expected = lungs(left=left, state="found" if left else "partly found").box
    assert box * (80, 160, 80, 160) == pytest.approx(dataclasses.astuple(expected), abs=1e-4)


def test_a_batch_is_its_images_one_by_one():
    with sample() as cohort:
        read = [radiograph.read(cohort.file(case)) for case in cohort.cases[::5]]
    images = [on_whole(image, 300).pixels_to_square(image) for image in read]
    finder = LungFinder.load(threads=1)
    together = finder._session.run(None, {"image": np.stack(images)[:, None]})
    for k, image in enumerate(images):
        alone = finder._session.run(None, {"image": image[None, None]})
        for a, b in zip(together, alone, strict=True):
            assert a[k] == pytest.approx(b[0], abs=1e-5)


def _largest(mask):
    labels, count = ndimage.label(mask)
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])) if count else mask


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_the_part_kept_is_a_union_of_parts_and_holds_its_densest_place(seed, blur):
    """Random blobs: SciPy labels them; what is kept are whole parts, except where two touch within four cells."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((80, 80)), blur)
    mask = noise > np.quantile(noise, 0.8)
    kept = connected(torch.from_numpy(mask.astype(np.float32))[None, None])[0, 0].numpy() > 0
    assert kept.any()
    assert not (kept & ~mask).any()
    grown, _ = ndimage.label(ndimage.binary_dilation(mask, np.ones((9, 9))))
    assert len(np.unique(grown[kept])) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_filling_keeps_the_mask_and_fills_every_hole(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 40)), 3)
    mask = noise > np.quantile(noise, 0.6)
    full = filled(torch.from_numpy(mask.astype(np.float32))[None, None])[0, 0].numpy() > 0
    assert (full | ~ndimage.binary_fill_holes(mask)).all()
    for axis in (0, 1):  # nothing outside of the mask's own extent in its row and column
        inside = np.logical_or.accumulate(mask, axis) & np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis), axis)
        assert not (full & ~inside).any()


def test_on_the_shipped_radiographs_the_lungs_are_the_largest_parts():
    """Every cell that SciPy's largest component has is kept, and hardly another."""
    finder = LungFinder.load(threads=1)
    with sample() as cohort:
        for case in cohort.cases[::4]:
            f = finder.find(Radiograph(radiograph.read(cohort.file(case)).pixels))
            for cells in (f.right_cells, f.left_cells):
                part = ndimage.binary_fill_holes(_largest(cells))
                assert 2 * (part & cells).sum() / (part.sum() + cells.sum()) > 0.99
