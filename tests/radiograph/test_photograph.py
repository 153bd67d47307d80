"""A photograph of a film or of a screen is recognised by its colours or by the camera's Exif, and lies outside of the domain."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pneumoscope import Reader, radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Caution
from pneumoscope.readings import DomainCheck
from tests.web.browser.photographs import photograph


def jpeg(picture: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def pictures():
    with sample() as cohort:
        return [cohort.file(case).read_bytes() for case in cohort.cases]


@pytest.mark.parametrize("of", ["film", "screen"])
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_a_photograph_carries_a_caution_and_lies_outside_of_the_domain(pictures, of, grey):
    image = radiograph.read(photograph(Image.open(io.BytesIO(pictures[0])), of, grey=grey))
    reading = Reader.load().read(image)
    assert image.photograph
    assert reading.cautions[-1] == Caution.PHOTOGRAPH == "photograph of a film or a screen"
    assert not reading.domain.inside
    assert reading.domain.reason.startswith("a photograph, not the radiograph's own file")
    assert reading.severity.low is None


def test_the_shipped_radiographs_are_no_photographs(pictures):
    assert not any(radiograph.read(content).photograph for content in pictures)


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_a_grey_radiograph_with_a_coloured_label_is_no_photograph(quality):
    levels = np.linspace(0, 255, 240 * 200).reshape(240, 200).astype(np.uint8)
    picture = Image.fromarray(levels).convert("RGB")
    ImageDraw.Draw(picture).rectangle((0, 0, 60, 25), fill=(255, 220, 0))  # 3 % of the pixels
    assert not radiograph.read(jpeg(picture, quality=quality)).photograph


@pytest.mark.parametrize(("rows", "is_photograph"), [(19, False), (21, True)])
def test_a_tenth_of_the_pixels_decides(rows, is_photograph):
    pixels = np.repeat(np.random.default_rng(0).integers(0, 248, (200, 203, 1), np.uint8), 3, 2)
    pixels[:rows, :, 0] += 8
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    assert radiograph.read(out.getvalue()).photograph is is_photograph


def test_a_reason_names_the_photograph_before_all_else():
    check = DomainCheck(2.0, 1.5, lungs=False, photograph=True)
    reason = "a photograph, not the radiograph's own file; no lungs found; unlike the training images (distance 2.00, limit 1.50)"
    assert (check.inside, check.reason) == (False, reason)
    assert not DomainCheck(1.0, 1.5, lungs=True, photograph=True).inside
