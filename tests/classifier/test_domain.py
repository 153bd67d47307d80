"""How far features lie from those of the training side."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from pneumoscope.classifier import Domain
from pneumoscope.classifier.domain import ACCEPTED, COMPONENTS


def features(n=400, d=60, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) + 0.1 * rng.normal(size=(n, d)) + 3).astype(np.float32)


def test_the_root_mean_square_over_the_training_side_is_one():
    f = features()
    assert np.sqrt((Domain.fit(f).distance(f) ** 2).mean()) == pytest.approx(1, rel=1e-3)


def test_with_as_many_components_as_features_it_is_the_mahalanobis_distance():
    """scipy.spatial.distance.mahalanobis, whose square has the mean `features` over the training side."""
    rng = np.random.default_rng(0)
    f = (rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))).astype(np.float32)
    domain = Domain.fit(f)
    inverse = np.linalg.inv(np.cov(f.T.astype(np.float64), bias=True))
    expected = [mahalanobis(x, f.mean(0), inverse) for x in f[:20]]
    scaled = (f[:20] - domain.mean) / domain.scale
    along = np.sqrt((((scaled @ domain.axes) / domain.spread) ** 2).sum(1))
    assert along == pytest.approx(expected, rel=1e-3)
    assert (domain.distance(f[:20]) >= along / np.sqrt(2 * 6) - 1e-6).all()


def test_what_leaves_the_space_of_the_training_side_is_far_though_its_components_are_those_of_the_mean():
    f = features()
    domain = Domain.fit(f)
    off = np.random.default_rng(5).normal(size=f.shape[1])
    off -= domain.axes @ (domain.axes.T @ off)
    strange = f.mean(0) + 2 * (off * domain.scale).astype(np.float32)
    assert domain.distance(strange[None])[0] > 3 * np.quantile(domain.distance(f), 0.99)


def test_ninety_nine_in_a_hundred_of_the_side_lie_inside():
    domain, tune = Domain.fit(features()), features(seed=0)[:200]
    limit = domain.limit(tune, "tune", "abc")
    assert (domain.distance(tune) <= limit.distance).mean() == pytest.approx(ACCEPTED, abs=0.006)
    assert (limit.split, limit.split_sha256) == ("tune", "abc")


def test_fewer_images_than_components_will_do():
    domain = Domain.fit(features(n=7))
    assert domain.axes.shape[1] < COMPONENTS
    assert np.isfinite(domain.distance(features(n=7))).all()
