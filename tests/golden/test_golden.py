"""What the program answered before its sources were moved, it answers still.

The frozen values are its own earlier answers (``golden/freeze.py``), so these tests say that nothing changed, not that it was
right; that is for the tests of each folder. Whoever changes an answer on purpose freezes it again and says so in CHANGELOG.md.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.golden import answers
from tests.golden.compared import ARITHMETIC, EXACT, NETWORK, differences, frozen

HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=answers.BUNDLES)
def sample_read(request, tmp_path_factory):
    """A shipped bundle, and the folder of what it answered about the shipped radiographs."""
    return request.param, answers.read_sample(request.param, tmp_path_factory.mktemp(request.param))


def test_readings_of_the_shipped_radiographs(sample_read):
    bundle, out = sample_read
    before, now = frozen(f"readings-{bundle}"), answers.readings(out)
    assert len(before) == 16
    assert differences(before, now, NETWORK, absolute=NETWORK) == []


def test_overlays_of_the_shipped_radiographs(sample_read):
    bundle, out = sample_read
    with Image.open(HERE / f"overlays-{bundle}.png") as picture:
        before = np.asarray(picture.convert("RGB"), float)
    now = np.asarray(answers.overlays(out), float)
    assert before.shape == now.shape
    apart = np.abs(before - now).reshape(before.shape[0] // answers.TILE_PX, answers.TILE_PX, 8, -1).mean((1, 3))
    assert apart.max() <= 1


def test_pixels_and_maps_to_the_bit_on_one_machine(sample_read):
    bundle, out = sample_read
    hashes = {}
    for file in sorted(out.rglob("*.png")):
        with Image.open(file) as picture:
            hashes[file.relative_to(out).as_posix()] = hashlib.sha256(picture.tobytes()).hexdigest()
    for file in sorted(out.rglob("*.npy")):
        hashes[file.relative_to(out).as_posix()] = hashlib.sha256(np.load(file).tobytes()).hexdigest()
    assert len(hashes) == 32
    if EXACT:
        kept = Path(EXACT).with_suffix(f".{bundle}.json")
        if not kept.exists():
            kept.write_text(json.dumps(hashes, indent=1), encoding="utf-8")
        assert differences(json.loads(kept.read_text(encoding="utf-8")), hashes, 0) == []


@pytest.mark.parametrize("images", [1, 2])
def test_figures_of_an_evaluation(images, tmp_path):
    before = frozen(f"metrics-{images}-per-patient")
    assert differences(before, answers.evaluation(tmp_path, images), ARITHMETIC) == []


def test_figures_and_pairs_of_a_comparison():
    assert differences(frozen("comparison-synthetic"), answers.synthetic_comparison(), ARITHMETIC, ARITHMETIC) == []


def test_a_difference_is_seen():
    before = {"a": [1, 2.0, "x", None], "rating": 0.5}
    assert differences(before, {"a": [1, 2.0, "x", None], "rating": 0.50005}, ARITHMETIC) == []
    now = {"a": [2, 2.0 + 1e-9, "y", 0.0], "rating": 0.6}
    assert differences(before, now, ARITHMETIC) == [
        "/a/0: 1 became 2",
        f"/a/1: 2.0 became {2.0 + 1e-9!r}",
        "/a/2: 'x' became 'y'",
        "/a/3: None became 0.0",
        "/rating: 0.5 became 0.6",
    ]
    assert differences({"a": 1}, {"b": 1}, ARITHMETIC) == [": {'a': 1} became {'b': 1}"]
