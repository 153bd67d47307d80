"""Faithfulness of a map whose score is known: the mean over a region, so the region is the best map and its inverse the worst."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from scipy.ndimage import gaussian_filter
from torch import from_numpy

from pneumoscope.faithfulness.perturbation import (
    deletion_auc,
    faithfulness_correlation,
    impute,
    insertion_auc,
    random_ranking,
    replacement,
    road,
)

SIDE = 28


def region(side: int, first: int, last: int) -> np.ndarray:
    mask = np.zeros((side, side), np.float32)
    mask[first:last, first:last] = 1
    return mask


def mean_over(mask: np.ndarray):
    return lambda batch: batch[:, mask > 0].mean(1, dtype=np.float64)


HAND = region(4, 0, 2)
"""A 2 × 2 square of ones in a 4 × 4 image of zeros: map, image and region at once. The image's mean is 1/4."""
PLACE = region(SIDE, 8, 16)
BRIGHT = (0.2 + 0.7 * PLACE).astype(np.float32)


def noise(side: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side), np.float32)


@pytest.mark.parametrize(
    ("values", "deleted", "inserted"),
    [
        # Scores 1, 1/4, 1/4, 1/4, 1/4 and 1/4, 1, 1, 1, 1 after 0, 4, 8, 12, 16 pixels.
        (HAND, (1 / 2 + 3 / 4 + 1 / 8) / 4, (1 / 8 + 3 + 1 / 2) / 4),
        (1 - HAND, (1 / 2 + 3 + 1 / 8) / 4, (1 / 8 + 3 / 4 + 1 / 2) / 4),
    ],
)
def test_areas_by_hand(values, deleted, inserted):
    assert deletion_auc(HAND, values, mean_over(HAND), 4, "mean") == pytest.approx(deleted, abs=1e-7)
    assert insertion_auc(HAND, values, mean_over(HAND), 4, "mean") == pytest.approx(inserted, abs=1e-7)


def test_steps_that_do_not_divide_the_pixels_keep_their_own_fractions():
    """After 0, 5, 11 and 16 of 16 pixels the scores are 1, 1/4, 1/4, 1/4."""
    assert deletion_auc(HAND, HAND, mean_over(HAND), 3, "mean") == pytest.approx((5 / 8 * 5 + 11 / 4) / 16, abs=1e-7)


def test_the_mean_is_everywhere_and_the_blur_is_a_gaussian_of_a_twentieth_of_the_side():
    """One white pixel in 40 × 40: at sigma 2 its centre keeps 1 / (2π · 2²)."""
    dot = region(40, 20, 21)
    assert np.unique(replacement(dot, "mean")) == pytest.approx([1 / 1600])
    assert replacement(dot, "blur")[20, 20] == pytest.approx(1 / (8 * np.pi), rel=1e-3)
    assert replacement(dot, "blur").sum() == pytest.approx(1, abs=1e-5)
    assert deletion_auc(dot, dot, mean_over(dot), 1) == pytest.approx((1 + 1 / (8 * np.pi)) / 2, rel=1e-3)
    assert insertion_auc(dot, dot, mean_over(dot), 1) == pytest.approx((1 + 1 / (8 * np.pi)) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("figure", "count"), [(deletion_auc, 21), (insertion_auc, 21), (road, 7), (faithfulness_correlation, 51)]
)
def test_the_model_is_asked_once_with_prepared_squares(figure, count):
    seen = []

    def score(batch):
        seen.append(batch)
        return mean_over(PLACE)(batch)

    figure(noise(SIDE), noise(SIDE, 2), score)
    (batch,) = seen
    assert (batch.shape, batch.dtype) == ((count, SIDE, SIDE), np.float32)
    assert 0 <= batch.min() < batch.max() <= 1


def test_deletion_goes_from_the_image_to_the_baseline_and_insertion_back():
    seen = []

    def score(batch):
        seen.append(batch)
        return mean_over(PLACE)(batch)

    pixels, values = noise(SIDE), noise(SIDE, 2)
    deletion_auc(pixels, values, score, 4)
    insertion_auc(pixels, values, score, 4)
    blurred = gaussian_filter(pixels, SIDE / 20)
    for batch, start, end in ((seen[0], pixels, blurred), (seen[1], blurred, pixels)):
        np.testing.assert_array_equal(batch[0], start)
        np.testing.assert_array_equal(batch[-1], end)
        largest = values >= np.quantile(values, 0.75, method="higher")
        assert largest.sum() == SIDE**2 / 4
        np.testing.assert_array_equal(batch[1], np.where(largest, end, start))


FIGURES = {
    "deletion": (lambda values: -deletion_auc(BRIGHT, values, mean_over(PLACE)), 0.04),
    "deletion, mean": (lambda values: -deletion_auc(BRIGHT, values, mean_over(PLACE), baseline="mean"), 0.1),
    "insertion": (lambda values: insertion_auc(BRIGHT, values, mean_over(PLACE)), 0.04),
    "insertion, mean": (lambda values: insertion_auc(BRIGHT, values, mean_over(PLACE), baseline="mean"), 0.1),
    "road, morf": (lambda values: -road(BRIGHT, values, mean_over(PLACE)), 0.1),
    "road, lerf": (lambda values: road(BRIGHT, values, mean_over(PLACE), order="lerf"), 0.04),
    "road, cells": (lambda values: -road(BRIGHT, values, mean_over(PLACE), cells=14), 0.1),
}
"""Each so that more is better, and by how much the right map beats chance, and chance the wrong one, at least."""


@pytest.mark.parametrize("name", FIGURES)
def test_the_right_map_is_better_than_chance_and_its_inverse_worse(name):
    figure, margin = FIGURES[name]
    right = (gaussian_filter(PLACE, 1) + 1e-3 * noise(SIDE)).astype(np.float32)
    chance = [figure(random_ranking(right, np.random.default_rng(k))) for k in range(10)]
    assert figure(right) > max(chance)
    assert figure(-right) < min(chance)
    assert figure(right) > np.mean(chance) + margin
    assert figure(-right) < np.mean(chance) - margin / 4


@pytest.mark.parametrize("name", FIGURES)
def test_a_flat_map_is_a_random_ranking(name):
    figure, _ = FIGURES[name]
    flat = [figure(np.full((SIDE, SIDE), level, np.float32)) for level in (0, 0.7)]
    chance = [figure(noise(SIDE, seed)) for seed in range(20)]
    assert flat[0] == flat[1]
    assert abs(flat[0] - np.mean(chance)) < 4 * np.std(chance)
    assert np.std(chance) < 0.05
    assert figure(PLACE) > flat[0] + 0.02, "a flat map must not be as good as the region"


RANKED = {
    "deletion": lambda values: deletion_auc(noise(8), values, mean_over(region(8, 2, 5))),
    "insertion": lambda values: insertion_auc(noise(8), values, mean_over(region(8, 2, 5))),
    "road": lambda values: road(noise(8), values, mean_over(region(8, 2, 5)), (0.2, 0.5)),
}


@pytest.mark.parametrize("name", RANKED)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_only_the_ranking_counts(name, data):
    levels = np.array(data.draw(st.lists(st.integers(0, 9), min_size=64, max_size=64))).reshape(8, 8)
    rising = np.cumsum(data.draw(st.lists(st.integers(1, 1000), min_size=10, max_size=10)))
    assert RANKED[name](rising[levels].astype(np.float32)) == RANKED[name](levels.astype(np.float32))


@pytest.mark.parametrize("name", RANKED)
def test_another_ranking_counts_otherwise(name):
    assert RANKED[name](noise(8, 2)) != RANKED[name](noise(8, 3))


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")  # that package's own
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("smooth", [0, 3])
def test_imputation_is_that_of_pytorch_grad_cam(share, smooth):
    pixels, values = noise(SIDE), gaussian_filter(noise(SIDE, 2), smooth)
    removed = values >= np.quantile(values, 1 - share)
    expected = NoisyLinearImputer(noise=0)(from_numpy(pixels[None]), from_numpy(1 - removed.astype(np.float32)))[0].numpy()

    imputed = impute(pixels, removed, noise=0)

    assert np.abs(imputed - pixels)[removed].max() > 0.1
    np.testing.assert_allclose(imputed, expected, atol=1e-5)


def test_imputation_by_hand():
    """The centre of 3 × 3: four direct neighbours of 1/6, four diagonal ones of 1/12. A corner has 1/6, 1/6, 1/12 over 5/12."""
    pixels = np.array([[0.1, 0.6, 0.1], [0.6, 0.9, 0.6], [0.1, 0.6, 0.1]], np.float32)
    removed = np.zeros((3, 3), bool)
    removed[1, 1] = True
    expected = pixels.copy()
    expected[1, 1] = 4 * 0.6 / 6 + 4 * 0.1 / 12
    np.testing.assert_allclose(impute(pixels, removed, 0), expected, atol=1e-7)
    removed = np.zeros((3, 3), bool)
    removed[0, 0] = True
    expected = pixels.copy()
    expected[0, 0] = (2 * 0.6 / 6 + 0.9 / 12) / (5 / 12)
    np.testing.assert_allclose(impute(pixels, removed, 0), expected, atol=1e-7)


def test_the_noise_is_of_the_size_that_is_said_and_only_where_pixels_are_gone():
    grey = np.full((SIDE, SIDE), 0.5, np.float32)
    removed = noise(SIDE) < 0.5
    added = impute(grey, removed, 0.01) - grey
    assert np.std(added[removed]) == pytest.approx(0.01, rel=0.15)
    assert not added[~removed].any()
    np.testing.assert_array_equal(impute(grey, removed, 0.01), added + grey)
    assert impute(np.zeros_like(grey), removed, 0.01).min() == 0


def test_cells_are_imputed_by_their_means():
    pixels, removed = noise(SIDE), noise(7) < 0.4
    means = pixels.reshape(7, 4, 7, 4).mean((1, 3))
    gone = np.kron(removed, np.ones((4, 4), bool))
    expected = np.where(gone, np.kron(impute(means, removed, 0), np.ones((4, 4))), pixels)
    np.testing.assert_allclose(impute(pixels, removed, 0), expected, atol=1e-6)
    assert gone.any()


def test_nothing_removed_is_the_image_and_everything_is_refused():
    pixels = noise(SIDE)
    np.testing.assert_array_equal(impute(pixels, np.zeros((SIDE, SIDE), bool)), pixels)
    assert road(pixels, noise(SIDE, 2), mean_over(PLACE), (0.0,)) == mean_over(PLACE)(pixels[None])[0]
    with pytest.raises(ValueError, match="nothing is left"):
        impute(pixels, np.ones((SIDE, SIDE), bool))
    with pytest.raises(ValueError, match="nothing is left"):
        road(pixels, noise(SIDE, 2), mean_over(PLACE), (1.0,))


def test_road_removes_the_share_that_is_said_from_the_end_that_is_said():
    pixels, values = noise(SIDE), noise(SIDE, 2)
    for order, removed in (("morf", values > np.quantile(values, 0.75)), ("lerf", values < np.quantile(values, 0.25))):
        expected = mean_over(PLACE)(impute(pixels, removed)[None])[0]
        assert removed.sum() == SIDE**2 / 4
        assert road(pixels, values, mean_over(PLACE), (0.25,), order) == pytest.approx(expected, abs=1e-9)


def test_road_rounds_a_share_to_the_nearest_pixel():
    """Of 784 pixels 0.3 are 235.2 and 0.9 are 705.6."""
    seen = []

    def score(batch):
        seen.append(batch)
        return mean_over(PLACE)(batch)

    pixels = noise(SIDE)
    road(pixels, noise(SIDE, 2), score, (0.3, 0.9))
    assert (seen[0] != pixels).sum((1, 2)).tolist() == [235, 706]


@pytest.mark.parametrize("baseline", ["blur", "mean"])
def test_the_correlation_of_what_a_linear_score_loses_is_one(baseline):
    pixels = noise(SIDE)
    lost = (pixels - replacement(pixels, baseline)) * PLACE

    def figure(values):
        return faithfulness_correlation(pixels, values.astype(np.float32), mean_over(PLACE), baseline=baseline)

    assert figure(lost) == pytest.approx(1, abs=1e-5)
    assert figure(0.3 - 5 * lost) == pytest.approx(-1, abs=1e-5)
    chance = [figure(random_ranking(lost, np.random.default_rng(k))) for k in range(20)]
    assert abs(np.mean(chance)) < 0.3
    assert max(chance) < 0.9


def test_the_correlation_is_over_subsets_of_the_size_that_is_said():
    seen = []

    def score(batch):
        seen.append(batch)
        return mean_over(PLACE)(batch)

    pixels = noise(SIDE)
    faithfulness_correlation(pixels, noise(SIDE, 2), score, 9, 7, 0.5)
    changed = (seen[0] != pixels).reshape(10, 7, 4, 7, 4).any((2, 4))
    assert changed.sum((1, 2)).tolist() == [0, *[24] * 9]
    assert len(np.unique(changed[1:].reshape(9, -1), axis=0)) == 9


@pytest.mark.parametrize("level", [0, 0.1, 1e6])
def test_the_correlation_of_a_flat_map_is_undefined(level):
    flat = np.full((SIDE, SIDE), level, np.float32)
    assert np.isnan(faithfulness_correlation(noise(SIDE), flat, mean_over(PLACE)))


@pytest.mark.parametrize(
    "score", [lambda batch: np.full(len(batch), 0.3), lambda batch: np.r_[0.9, np.full(len(batch) - 1, 0.3)]]
)
def test_the_correlation_with_a_score_that_does_not_move_is_undefined(score):
    assert np.isnan(faithfulness_correlation(noise(SIDE), noise(SIDE, 2), score))


@pytest.mark.parametrize("figure", [deletion_auc, insertion_auc, road, faithfulness_correlation])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_not_finite_has_no_faithfulness(figure, value):
    values = noise(SIDE, 2)
    assert np.isfinite(figure(noise(SIDE), values, mean_over(PLACE)))
    values[3, 3] = value
    assert np.isnan(figure(noise(SIDE), values, mean_over(PLACE)))


def test_a_random_ranking_has_the_same_blocks_elsewhere():
    values = np.arange(SIDE**2, dtype=np.float32).reshape(SIDE, SIDE)
    before = values.copy()

    shuffled = random_ranking(values, np.random.default_rng(4), 7)

    def blocks(image):
        return {image[r : r + 4, c : c + 4].tobytes() for r in range(0, SIDE, 4) for c in range(0, SIDE, 4)}

    assert (shuffled.shape, shuffled.dtype) == (values.shape, np.float32)
    assert blocks(shuffled) == blocks(values)
    assert (shuffled != values).mean() > 0.8
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(shuffled, random_ranking(values, np.random.default_rng(4), 7))
    assert (shuffled != random_ranking(values, np.random.default_rng(5), 7)).any()


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="an edge of 30 pixels cannot be divided into 14 equal cells"):
        random_ranking(noise(30), np.random.default_rng(0))
