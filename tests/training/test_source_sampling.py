"""Batches balanced by source: what every batch and every epoch holds, by counts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pneumoscope.training import batches, source_sampling
from pneumoscope.training.compute import Compute
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.pool import Pool
from pneumoscope.training.recipe import EvidenceTraining, Recipe, recipe
from pneumoscope.training.square_store import SquareStore

GROUPS = (  # source, label, reference, images
    ("children", "NORMAL", 0, 130),
    ("children", "PNEUMONIA", 1, 370),
    ("adults", "Normal", 0, 200),
    ("adults", "Not Normal", 0, 30),
    ("adults", "Opacity", 1, 40),
)
MIXED = np.random.default_rng(5).permutation(sum(group[3] for group in GROUPS))


def pool(groups=GROUPS, mixed=True):
    rows = [(source, label, reference) for source, label, reference, count in groups for _ in range(count)]
    rows = [rows[k] for k in MIXED] if mixed else rows
    sources, labels, reference = zip(*rows, strict=True)
    return Pool(np.array(reference), sources, labels)


POOL = pool()
SOURCES, LABELS = np.array(POOL.sources), np.array(POOL.labels)


def by_source(**changes):
    return Recipe("r", **{"batch": 16, "sampling": "balanced-by-source", **changes})


def drawn(recipe, epoch=0, of=POOL):
    return batches.order(recipe, of, epoch).reshape(-1, recipe.batch)


@pytest.mark.parametrize(
    ("shares", "batch", "places"),
    [
        ("", 16, {"adults": 8, "children": 8}),
        ("children=3,adults=1", 16, {"adults": 4, "children": 12}),
        ("children=3,adults=1", 32, {"adults": 8, "children": 24}),
        ("children=2,adults=1", 16, {"adults": 6, "children": 10}),  # 8 pairs: 2.67 and 5.33, the larger remainder gets the last
        ("children=0.5,adults=0.5", 10, {"adults": 6, "children": 4}),  # 2.5 and 2.5: the first by name
    ],
)
def test_every_batch_has_the_places_of_each_source_half_for_each_class(shares, batch, places):
    recipe = by_source(source_shares=shares, batch=batch)
    for rows in drawn(recipe):
        assert Counter(SOURCES[rows].tolist()) == places
        for source, count in places.items():
            assert POOL.reference[rows][SOURCES[rows] == source].sum() == count / 2


def test_an_epoch_is_as_long_as_the_largest_source_fills_its_places():
    """500 children in 8 places: 62 steps; in 12 places: 41."""
    assert len(drawn(by_source())) == batches.steps(by_source(), POOL) == 500 // 8 == 62
    assert len(drawn(by_source(source_shares="children=3,adults=1"))) == 500 // 12 == 41


def test_the_negatives_of_a_source_are_drawn_equally_over_labels_and_the_images_of_a_label_equally_often():
    """62 steps of 4 negative adults: 248 draws, 124 of each label; 124 draws of 30 images are 4 or 5 of each."""
    counts = Counter(drawn(by_source()).ravel().tolist())
    draws = Counter(LABELS[k] for k in counts.elements())
    assert (draws["Normal"], draws["Not Normal"], draws["Opacity"]) == (124, 124, 248)
    for label, allowed in (("Not Normal", {4, 5}), ("Normal", {0, 1}), ("Opacity", {6, 7}), ("PNEUMONIA", {0, 1})):
        assert {counts[k] for k in np.flatnonzero(label == LABELS).tolist()} <= allowed


def test_the_source_says_nothing_of_the_class_although_it_does_in_the_pool():
    assert stats.chi2_contingency(_table(np.arange(len(POOL))))[1] < 1e-10
    table = _table(drawn(by_source()).ravel())
    assert table[0] == table[1]


def _table(rows):
    return [[int(((SOURCES[rows] == s) & (POOL.reference[rows] == k)).sum()) for s in ("children", "adults")] for k in (0, 1)]


def test_batches_follow_from_seed_and_epoch_alone():
    one, again = drawn(by_source(), 3), drawn(by_source(), 3)
    assert (one == again).all()
    assert (drawn(by_source(), 4) != one).any()
    assert (drawn(by_source(seed=7), 3) != one).any()


def test_the_places_of_a_source_are_spread_over_the_batch():
    """Processes take neighbouring rows of a batch: each of two gets about as many of a source as the other."""
    first_half = (SOURCES[drawn(by_source())[:, :8]] == "adults").sum(1)
    assert {0, 8}.isdisjoint(first_half.tolist())
    assert 3.5 < first_half.mean() < 4.5


def test_rare_labels_are_drawn_with_the_next_rarest_one():
    """3 + 5 + 12 images make a group of 20; 90 draws of it and 90 of the 100 common ones."""
    groups = (("a", "x", 0, 3), ("a", "y", 0, 5), ("a", "z", 0, 12), ("a", "common", 0, 100), ("a", "p", 1, 240))
    of = pool(groups, mixed=False)
    counts = Counter(np.array(of.labels)[drawn(by_source(batch=4), of=of).ravel()].tolist())
    assert counts["common"] == counts["x"] + counts["y"] + counts["z"] == 90
    assert counts["x"] in (13, 14, 15)  # 90 / 20 = 4.5 for each image


def test_a_source_of_one_class_is_refused():
    of = pool((("children", "NORMAL", 0, 50), ("children", "PNEUMONIA", 1, 50), ("adults", "Normal", 0, 50)), mixed=False)
    with pytest.raises(
        TrainingError, match=r"the source 'adults' has negative images only in the train split; the sampling balanced"
    ):
        batches.order(by_source(), of, 0)


def test_unknown_sources_are_refused():
    for unknown in (Pool(POOL.reference), replace(POOL, sources=("",) * len(POOL))):
        with pytest.raises(TrainingError, match="does not say which data set its cases come from"):
            batches.steps(by_source(), unknown)


@pytest.mark.parametrize("shares", ["children=1", "children=1,adults=1,others=1"])
def test_shares_must_name_the_sources(shares):
    with pytest.raises(TrainingError, match="has the sources adults, children; give each of them a share"):
        batches.steps(by_source(source_shares=shares), POOL)


def test_a_source_without_a_place_is_refused():
    with pytest.raises(TrainingError, match=r"the source 'adults' has no place in a batch of 16 images with a share of 0\.01"):
        batches.steps(by_source(source_shares="children=99,adults=1"), POOL)


def test_an_odd_batch_is_refused():
    with pytest.raises(TrainingError, match="the batch of 15 images is odd"):
        batches.steps(by_source(batch=15), POOL)


@pytest.mark.parametrize(
    "text", ["children", "children=0", "children=-1", "children=nan", "children=inf", "=1", "a=1,a=2", "a=1;b=2"]
)
def test_shares_of_another_form_are_refused(text):
    with pytest.raises(TrainingError, match="must be names with a number above 0, each once"):
        by_source(source_shares=text)


def test_shares_are_for_this_sampling_alone():
    with pytest.raises(TrainingError, match="source_shares are for the sampling balanced-by-source, not for shuffled"):
        recipe("evidence", source_shares="a=1,b=1")
    changed = recipe("evidence", sampling="balanced-by-source", source_shares="a=1, b=3")
    assert changed.shares == {"a": 1.0, "b": 3.0}


# Canvases

SQUARES = np.zeros((len(POOL), 1, 32, 32), np.uint8)


def painting(negatives=8, positives=4, **changes):
    evidence = EvidenceTraining(0.3, 0.5, negatives, positives)
    return by_source(head="evidence", augmentation="views", evidence=evidence, **changes)


def canvases(recipe, monkeypatch, steps=40):
    """Indices of the images that the first steps paint on."""
    store = SquareStore(SQUARES, Compute())
    chosen = []
    monkeypatch.setattr(store, "rows", lambda rows: chosen.append(rows) or store.squares[rows])
    targets = [batches.canvas(recipe, store, POOL, 0, step)[1] for step in range(steps)]
    assert all((target.numpy() == POOL.reference[rows]).all() for target, rows in zip(targets, chosen, strict=True))
    return chosen


def test_every_canvas_has_the_shares_of_the_sources_and_no_image_twice(monkeypatch):
    for rows in canvases(painting(), monkeypatch):
        counts = Counter(zip(SOURCES[rows].tolist(), POOL.reference[rows].tolist(), strict=True))
        assert counts == {("adults", 0): 4, ("children", 0): 4, ("adults", 1): 2, ("children", 1): 2}
        assert Counter(LABELS[rows].tolist())["Not Normal"] == 2
        assert len(set(rows.tolist())) == 12


def test_canvases_that_cannot_be_shared_evenly_are_on_average(monkeypatch):
    """Three negatives, of which a quarter are adults: 0.75 a step on average, 0 or 1 in each."""
    recipe = painting(3, 0, source_shares="children=3,adults=1")
    counts = [int((SOURCES[rows] == "adults").sum()) for rows in canvases(recipe, monkeypatch, 200)]
    assert set(counts) == {0, 1}
    assert stats.binomtest(sum(counts), 200, 0.75).pvalue > 1e-4


def test_a_canvas_follows_from_seed_epoch_and_step():
    def rows(recipe, *of):
        return source_sampling.canvas(recipe, POOL, np.random.default_rng(of)).tolist()

    assert rows(painting(), 1, 2) == rows(painting(), 1, 2) != rows(painting(), 1, 3)


def test_more_painted_images_than_a_label_has_are_refused():
    """96 negatives: 48 adults, 24 of each of their two labels; 128: 32 of 30 images."""
    source_sampling.check(painting(96, 0), POOL)
    with pytest.raises(
        TrainingError, match="up to 32 images without the target of one label of 'adults', but the train split has 30"
    ):
        source_sampling.check(painting(128, 0), POOL)


def test_shuffled_labels_exchange_class_and_word_together():
    """The label would otherwise give the true class away: negatives are drawn by their labels."""
    shuffled = POOL.shuffled(3)
    assert Counter(zip(shuffled.labels, shuffled.reference.tolist(), strict=True)) == Counter(
        zip(POOL.labels, POOL.reference.tolist(), strict=True)
    )
    assert shuffled.sources == POOL.sources
    assert (shuffled.reference == np.random.default_rng(3).permutation(POOL.reference)).all()  # as every version drew it
