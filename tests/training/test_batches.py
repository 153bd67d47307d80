"""Batches follow from seed and epoch alone."""

import numpy as np
import torch
from scipy import stats

from pneumoscope.training import batches
from pneumoscope.training.compute import Compute
from pneumoscope.training.pool import Pool
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.square_store import SquareStore

REFERENCE = np.repeat([0, 1], [30, 70])
POOL = Pool(REFERENCE)
IMAGES = np.random.default_rng(0).integers(0, 256, (100, 1, 32, 32)).astype(np.uint8)
STORE = SquareStore(IMAGES, Compute())


def test_an_epoch_takes_each_image_once_but_for_the_last_batch_that_is_not_full():
    order = batches.order(Recipe("r", batch=16), REFERENCE, 0)
    assert len(order) == 96
    assert len(set(order.tolist())) == 96


def test_epochs_differ_and_repeat():
    r = Recipe("r", batch=16)
    assert (batches.order(r, POOL, 1) == batches.order(r, POOL, 1)).all()
    assert (batches.order(r, POOL, 1) != batches.order(r, POOL, 2)).any()


def test_balanced_sampling_draws_both_classes_equally_often():
    r = Recipe("r", batch=16, sampling="balanced")
    drawn = np.concatenate([REFERENCE[batches.order(r, POOL, k)] for k in range(40)])
    assert stats.binomtest(int(drawn.sum()), len(drawn), 0.5).pvalue > 1e-4


def test_batches_are_the_same_twice_and_pair_each_image_with_its_reference():
    r = Recipe("r", batch=20, augmentation="none")
    *_, (image, target, drawn) = batches.batches(r, STORE, POOL, 3)
    assert image.shape == (20, 1, 32, 32)
    assert image.max() <= 1
    first, second = (list(batches.batches(Recipe("r", batch=20), STORE, POOL, 3)) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    index = batches.order(r, POOL, 3)[-20:]
    assert torch.equal(target, torch.from_numpy(REFERENCE[index]))
    assert (drawn == index).all()
    assert np.allclose(image.numpy() * 255, IMAGES[index])


def test_some_rows_of_a_batch_are_those_of_the_whole_one_and_its_targets_are_all_there():
    r = Recipe("r", batch=20)
    whole, part = (next(batches.batches(r, STORE, POOL, 3, rows)) for rows in (batches.ALL, slice(5, 15)))
    assert torch.equal(part.squares, whole.squares[5:15])
    assert torch.equal(part.target, whole.target)
    assert (part.drawn == whole.drawn).all()


def test_a_recipe_that_mirrors_every_square_gives_the_mirror_images_of_one_that_does_not():
    plain, mirrored = (Recipe("r", batch=20, mirror_probability=p) for p in (0.0, 1.0))
    one, other = (next(batches.batches(r, STORE, POOL, 3)) for r in (plain, mirrored))
    assert torch.equal(other.squares, one.squares.flip(-1))
