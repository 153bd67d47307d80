"""A checkpoint gives back what was saved, and a failed save leaves the one before."""

import contextlib
import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pneumoscope import atomic_files
from pneumoscope.classifier import CardError, CheckpointError, trained_on
from pneumoscope.classifier.checkpoint import Classifier, load, save
from pneumoscope.fingerprint import Fingerprint


def test_weights_come_back_to_the_bit_and_the_card_names_them(classifier, tmp_path):
    card = save(classifier, tmp_path)

    loaded = load(tmp_path)

    assert loaded.card == card
    assert list(card.files) == ["weights.safetensors"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "weights.safetensors"]
    expected = classifier.network.state_dict()
    assert expected.keys() == loaded.network.state_dict().keys()
    assert all(torch.equal(v, expected[k]) for k, v in loaded.network.state_dict().items())
    assert not any(module.training for module in loaded.network.modules())


def test_the_fingerprints_of_the_training_cases_travel_with_the_checkpoint(classifier, tmp_path):
    known = (Fingerprint("salt", ("0a", "1b"), ("2c",)), Fingerprint("other", (), ("3d",)))
    card = save(replace(classifier, trained_on=known), tmp_path)
    assert sorted(card.files) == ["trained_on.json", "weights.safetensors"]
    assert load(tmp_path).trained_on == known
    assert trained_on.read(tmp_path, card) == known


def test_a_checkpoint_without_fingerprints_knows_none(classifier, tmp_path):
    save(classifier, tmp_path)
    assert load(tmp_path).trained_on == ()


def test_fingerprints_that_are_not_those_of_the_card_are_refused(classifier, tmp_path):
    card = save(replace(classifier, trained_on=(Fingerprint("salt", ("0a",), ("2c",)),)), tmp_path)
    file = tmp_path / "trained_on.json"
    file.write_text(file.read_text().replace("0a", "0b"))
    with pytest.raises(CardError, match=r"trained_on\.json .* is not the one that the card names"):
        trained_on.read(tmp_path, card)
    file.unlink()
    with pytest.raises(CardError, match=r"trained_on\.json .* is not the one that the card names"):
        trained_on.read(tmp_path, card)


def test_a_score_is_the_calibrated_difference_of_the_logits(classifier):
    square = np.random.default_rng(0).random((1, 32, 32), np.float32)
    with torch.no_grad():
        normal, pneumonia = classifier.network(torch.from_numpy(square)[None])[0].tolist()

    score = classifier.score(square)

    assert score.target == "pneumonia"
    assert score.log_odds == pytest.approx(pneumonia - normal, abs=1e-6)
    # The card's knots are (−2, 1/8) and (3, 7/8): 0.15 for each unit of log-odds.
    assert score.probability == pytest.approx(0.125 + 0.15 * (score.log_odds + 2), abs=1e-6)


def test_the_mode_of_a_network_is_not_changed_by_a_score(classifier):
    classifier.network.train()

    classifier.log_odds(np.zeros((2, 1, 32, 32), np.float32))

    assert all(module.training for module in classifier.network.modules())


def test_a_full_disk_leaves_the_checkpoint_that_was_there(classifier, tmp_path, monkeypatch):
    before = save(classifier, tmp_path)
    real = atomic_files.binary

    @contextlib.contextmanager
    def full(path):
        with real(path) as stream:
            yield stream
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files, "binary", full)
    with torch.no_grad():
        classifier.network.model.classifier[-1].bias.add_(1)
    with pytest.raises(OSError, match="No space left"):
        save(Classifier(classifier.network, classifier.card), tmp_path)

    assert load(tmp_path).card == before
    assert len(list(tmp_path.iterdir())) == 2


def test_any_single_byte_changed_in_the_weights_is_noticed(classifier, tmp_path):
    save(classifier, tmp_path)
    path = tmp_path / "weights.safetensors"
    intact = path.read_bytes()
    for place in np.linspace(0, len(intact) - 1, 20).astype(int):
        path.write_bytes(intact[:place] + bytes([intact[place] ^ 1]) + intact[place + 1 :])
        with pytest.raises(CheckpointError, match="not those that the card names"):
            load(tmp_path)


def test_weights_for_another_head_are_refused(classifier, tmp_path):
    save(classifier, tmp_path)
    content = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(content | {"head": "mlp"}))

    with pytest.raises(CheckpointError, match="do not fit a mobilenet_v2 with mlp head"):
        load(tmp_path)


def test_a_checkpoint_of_a_later_format_is_refused(classifier, tmp_path):
    save(classifier, tmp_path)
    content = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(content | {"format": 99}))

    with pytest.raises(CardError, match="has format 99, this version reads 2, 3 and 4; update pneumoscope or the model"):
        load(tmp_path)
