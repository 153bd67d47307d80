"""What a model sees that looks at the box around the lungs, and where that lies."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.classifier import ClassifierError, Preprocessing
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields import LungFields, LungFinder
from pneumoscope.radiograph import Radiograph
from tests.lung_fields.builders import lungs

HASH = "a" * 64


@dataclass(frozen=True)
class Drawn:
    """A finder that finds the same lungs on every radiograph."""

    fields: LungFields
    sha256: str = HASH

    def find(self, _):
        return self.fields


def textured(rows=80, cols=160):
    return Radiograph(np.random.default_rng(0).random((rows, cols), np.float32))


def coordinates():
    """A radiograph of 80 × 160 whose grey level is its row, and one whose grey level is its column."""
    rows, cols = np.mgrid[:80, :160] + 0.5
    return Radiograph((rows / 80).astype(np.float32)), Radiograph((cols / 160).astype(np.float32))


def test_the_input_has_grey_and_lungs():
    pixels = prepare(textured(), Preprocessing(32, "lungs", lungs=HASH), Drawn(lungs())).pixels
    assert (pixels.dtype, pixels.shape) == (np.float32, (2, 32, 32))
    assert len(np.unique(pixels[0])) > 50
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_the_square_lies_on_the_box_around_the_lungs():
    f = lungs()
    given = prepare(textured(), Preprocessing(32, "lungs", lungs=HASH), Drawn(f))
    assert given.placement.rectangle == f.box
    assert np.array_equal(given.lung_fields.cells, f.cells)
    corners = given.placement.points_to_radiograph(np.array([[0.0, 0.0], [32.0, 32.0]]))
    assert corners.ravel() == pytest.approx(dataclasses.astuple(f.box))


@pytest.mark.parametrize("source_px", [0, 40])
def test_each_pixel_of_the_square_shows_the_place_that_the_placement_sends_it_to(source_px):
    """Grey levels that are coordinates tell where each pixel was taken from: 1/80 and 1/160 are one pixel of the radiograph."""
    wanted = Preprocessing(32, "lungs", source_px, lungs=HASH)
    down, across = (prepare(r, wanted, Drawn(lungs())) for r in coordinates())
    at = np.stack(np.mgrid[:32, :32], -1).reshape(-1, 2) + 0.5
    expected = down.placement.points_to_radiograph(at).reshape(32, 32, 2)
    # A side of 40 has pixels of two rows and four columns, and a picture repeats itself beyond its last one.
    slack = 1.0 if source_px else 0.3
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(down.pixels[0] * 80 - expected[..., 0])[inner].max() < slack
    assert np.abs(across.pixels[0] * 160 - expected[..., 1])[inner].max() < 2 * slack
    box = lungs().box
    assert ((expected >= (box.top, box.left)) & (expected <= (box.bottom, box.right))).all()


def test_the_lung_channel_is_the_lungs_where_the_placement_puts_them():
    """Lungs reach over rows 20 to 68, and columns 16 to 64 and 96 to 144."""
    given = prepare(textured(), Preprocessing(64, "lungs", lungs=HASH), Drawn(lungs()))
    at = np.stack(np.mgrid[:64, :64], -1).reshape(-1, 2) + 0.5
    row, col = given.placement.points_to_radiograph(at).T
    inside = (row > 20) & (row < 68) & (((col > 16) & (col < 64)) | ((col > 96) & (col < 144)))
    found = given.pixels[1].ravel() > 0.5
    assert (found != inside).mean() < 0.03
    assert given.pixels[1].max() == 1
    assert given.pixels[1].min() == 0


def test_the_whole_view_with_a_lung_channel_squashes_the_whole_radiograph():
    """On a square of the finder's own side the channel is its mask, to the cell."""
    f = lungs()
    given = prepare(textured(), Preprocessing(40, lungs=HASH), Drawn(f))
    assert given.placement.rectangle == textured().whole
    assert np.array_equal(given.pixels[1], f.cells.astype(np.float32))
    assert np.array_equal(given.pixels[0], prepare(textured(), Preprocessing(40)).pixels[0])


@pytest.mark.parametrize("view", ["whole", "lungs"])
def test_where_lungs_were_not_found_everything_counts(view):
    f = lungs(state="not found", right=None, left=None)
    given = prepare(textured(), Preprocessing(32, view, lungs=HASH), Drawn(f))
    assert (given.pixels[1] == 1).all()
    expected = (0, 0, 80, 160) if view == "whole" else (8, 16, 72, 144)
    assert dataclasses.astuple(given.placement.rectangle) == pytest.approx(expected)


def test_a_finder_at_hand_gives_a_model_of_the_whole_radiograph_its_fields_but_no_channel():
    f = lungs()
    given = prepare(textured(), Preprocessing(32), Drawn(f))
    assert np.array_equal(given.lung_fields.cells, f.cells)
    assert given.pixels.shape == (1, 32, 32)
    assert given.placement.rectangle == textured().whole


def test_a_wrong_or_missing_finder_is_refused_and_both_are_named():
    for view in ("whole", "lungs"):
        wanted = Preprocessing(32, view, lungs="b" * 64)
        with pytest.raises(ClassifierError, match=r"model bbbbbbbbbbbb, not none; give the one"):
            prepare(textured(), wanted)
        with pytest.raises(ClassifierError, match=r"model bbbbbbbbbbbb, not aaaaaaaaaaaa; give the one"):
            prepare(textured(), wanted, Drawn(lungs()))


def test_the_lungs_view_needs_a_lung_field_model():
    with pytest.raises(ValueError, match="needs a lung-field model"):
        Preprocessing(32, "lungs")
    assert (Preprocessing(32).channels, Preprocessing(32, lungs=HASH).channels) == (1, 2)


def test_a_source_side_takes_the_detail_away_that_small_copies_do_not_have():
    """A chequered radiograph is even grey once it was brought to half of its side, and stays so."""
    chequered = Radiograph((np.indices((64, 64)).sum(0) % 2).astype(np.float32))
    sharp, soft = (prepare(chequered, Preprocessing(64, source_px=s)).pixels[0] for s in (0, 16))
    assert sharp.std() > 0.4
    assert soft[8:-8, 8:-8].std() < 0.05
    assert soft.mean() == pytest.approx(0.5, abs=0.02)


def test_a_source_side_gives_what_reading_a_small_copy_gives():
    """Pillow's own resize makes the copy; the view of both is then the same, but for Pillow's rounding between its passes."""
    pixels = textured().pixels
    copy = np.asarray(Image.fromarray(pixels).resize((48, 48), Image.Resampling.BILINEAR))
    a = prepare(Radiograph(pixels), Preprocessing(32, source_px=48)).pixels
    b = prepare(Radiograph(copy.copy()), Preprocessing(32)).pixels
    assert a == pytest.approx(b, abs=3e-7)


def test_the_shipped_finder_gives_a_shipped_radiograph_its_two_lungs():
    finder = LungFinder.load(threads=1)
    with sample() as cohort:
        image = radiograph.read(cohort.file(cohort.cases[0]))
    given = prepare(image, Preprocessing(64, "lungs", lungs=finder.sha256), finder)
    assert given.lung_fields.state == "found"
    right, middle, left = (given.pixels[1][16:48, part].mean() for part in (slice(8, 24), slice(30, 34), slice(40, 56)))
    assert min(right, left) > middle + 0.2
    assert given.pixels[1][:, [0, -1]].max() == 0  # the margin
    assert given.placement.rectangle == finder.find(image).box
