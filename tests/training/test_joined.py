"""Training on a joined cohort: batches balanced by source, a source of one class in tune, and what the card says of sources."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pneumoscope.classifier import BACKBONES, card, trained_on
from pneumoscope.classifier.checkpoint import load
from pneumoscope.classifier.score import OTHER, TARGET
from pneumoscope.cohort.case import split_sha256
from pneumoscope.training.fit import fit
from pneumoscope.training.fixed_on_tune import BY_SOURCE, auc_by_source
from pneumoscope.training.prediction import predict
from pneumoscope.training.prepared_split import PreparedSplit, prepare_split
from pneumoscope.training.recipe import recipe

RECIPE = recipe("default", size_px=32, batch=8, epochs=2, sampling="balanced-by-source", source_shares="children=1,adults=1")


class StoppedError(Exception):
    """Ends a run."""


@pytest.fixture(scope="module")
def joined(cohort):
    """Half of the patients of train are adults, and one without pneumonia of tune."""
    adults = set[str]()
    for reference in (0, 1):
        train = sorted({c.patient_id for c in cohort.on("train") if c.reference == reference})
        adults |= set(train[: len(train) // 2])
    adults.add(min(c.patient_id for c in cohort.on("tune") if not c.reference))
    cases = tuple(replace(c, source="adults" if c.patient_id in adults else "children") for c in cohort.cases)
    made = replace(cohort, cases=cases, partition=replace(cohort.partition, sha256=split_sha256(cases)))
    references = {(c.split, c.source): set() for c in cases}
    for c in cases:
        references[c.split, c.source].add(c.reference)
    assert references["train", "adults"] == references["train", "children"] == {0, 1}
    assert (references["tune", "adults"], references["tune", "children"]) == ({0}, {0, 1})
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def train(joined, cache, out, **options):
    torch.set_num_threads(1)
    return fit(joined, BACKBONES["mobilenet_v2"], RECIPE, out, init="scratch", cache=cache, **options)


@pytest.fixture(scope="module")
def whole(joined, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("joined") / "run"
    train(joined, cache, out)
    return out


def test_the_card_names_the_roc_auc_on_tune_of_each_source(whole, joined, cache):
    loaded = load(whole)
    by_source = card.read(whole).results[BY_SOURCE]
    tune = prepare_split(joined, "tune", loaded.card.preprocessing, cache)
    children = np.array(tune.sources) == "children"
    logits = predict(loaded.network, tune.squares)[children].astype(float)
    expected = roc_auc_score(tune.reference[children], logits[:, TARGET] - logits[:, OTHER])
    assert by_source["children"]["value"] == pytest.approx(expected)
    assert by_source["adults"]["value"] is None
    assert by_source["adults"]["reason"]


def test_an_interrupted_run_ends_in_the_same_weights(whole, joined, cache, tmp_path):
    def stop(epoch):
        raise StoppedError

    with pytest.raises(StoppedError):
        train(joined, cache, tmp_path / "run", on_epoch=stop)
    train(joined, cache, tmp_path / "run", resume=True)
    one, other = (load(folder).network.state_dict() for folder in (whole, tmp_path / "run"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_recipe_comes_back_from_the_card(whole):
    assert card.read(whole).recipe["source_shares"] == "children=1,adults=1"
    assert trained_on.read(whole, card.read(whole))


def test_a_cohort_of_one_source_has_no_table_of_sources():
    tune = PreparedSplit(np.zeros((4, 1, 8, 8), np.uint8), np.arange(4) % 2, tuple("abcd"), sources=("kermany",) * 4)
    assert auc_by_source(tune, np.arange(4.0)) == {}
    mixed = replace(tune, sources=("a", "a", "b", "b"))
    assert {name: e.value for name, e in auc_by_source(mixed, np.array([0.0, 1.0, 1.0, 0.0])).items()} == {"a": 1.0, "b": 0.0}
