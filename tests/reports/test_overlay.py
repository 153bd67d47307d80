"""`blend`, `tint` and `paint`: one scale for all images, golden pixels by hand, boxes where they belong."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from pneumoscope.classifier import OperatingPoint, PopulationChoice, Score
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.radiograph import Caution, Orientation, Radiograph, Region
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.readings import Finding, ModelIdentity, ModelReading, Severity, ZoneOpacity
from pneumoscope.reports.colours import INFERNO
from pneumoscope.reports.overlay import blend, paint, paint_overlay, tint
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import lungs

MARGIN = 12
BOX = (90, 220, 255)


def flat(rows: int, cols: int, grey: float = 0.0) -> Radiograph:
    return Radiograph(np.full((rows, cols), grey, np.float32))


def values(*rows) -> np.ndarray:
    return np.array(rows, np.float32)


def reading(heat: np.ndarray, *boxes: Region) -> ModelReading:
    point = OperatingPoint(0.5, "youden", "tune", "")
    found = tuple(Finding(box, 1, (int(box.top), int(box.left)), 0.8) for box in boxes)
    heatmap = heatmap_of(heat)
    score, model = Score("pneumonia", 0.8, 1.4), ModelIdentity("m", "")
    return ModelReading(score, "positive", point, heatmap, found, lungs(*heat.shape), model)


def panels(picture: Image.Image, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """The radiograph on the left and the overlay on the right."""
    pixels = np.asarray(picture)[MARGIN : MARGIN + rows]
    return pixels[:, MARGIN : MARGIN + cols], pixels[:, 2 * MARGIN + cols : 2 * (MARGIN + cols)]


def where(pixels: np.ndarray, colour: tuple[int, int, int]) -> Region:
    return Region.around((pixels == np.array(colour)).all(2))


# Blending


def test_a_zero_map_leaves_the_grey_levels():
    grey = np.arange(256, dtype=np.float32).reshape(16, 16) / 255
    painted = blend(Radiograph(grey), np.zeros((16, 16), np.float32))
    np.testing.assert_array_equal(painted, np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2))


def test_one_opacity_colours_what_reaches_the_threshold():
    # inferno ends in (252, 255, 164) and has (188, 55, 84) at 128: 102 + (colour − 102) × 0.4.
    painted = tint(flat(1, 3, 0.4), values([0.49, 0.5, 1.0]), threshold=0.5, opacity=0.4)
    assert painted[0].tolist() == [[102, 102, 102], [136, 83, 95], [162, 163, 127]]


def test_a_scale_that_is_not_above_0_and_an_opacity_above_1_are_refused():
    with pytest.raises(ValueError, match="full_scale must be above 0"):
        tint(flat(1, 1), values([1]), 0.5, full_scale=0)
    with pytest.raises(ValueError, match=r"opacity in \[0, 1\]"):
        tint(flat(1, 1), values([1]), 0.5, opacity=1.1)


def test_a_full_pixel_is_the_hottest_colour_over_the_grey():
    # inferno ends in (0.988362, 0.998364, 0.644924), opacity is 0.55: 255 (0.5 × 0.45 + colour × 0.55).
    # Grey, colour and opacity are eight bits each.
    assert blend(flat(1, 1, 0.5), values([1]))[0, 0] == pytest.approx((196.0, 197.4, 147.8), abs=1)


def test_values_beyond_full_scale_are_painted_as_full():
    full = values([1, 1.5, 2.5])
    np.testing.assert_array_equal(blend(flat(1, 3, 0.3), full * 2), blend(flat(1, 3, 0.3), full))


@pytest.mark.parametrize(("value", "opacity"), [(0.0, 0.0), (0.25, 0.1375), (0.5, 0.275), (1.0, 0.55)])
def test_opacity_is_in_proportion_to_the_value(value, opacity):
    over_white, over_black = (blend(flat(1, 1, grey), values([value])).astype(float) for grey in (1, 0))
    np.testing.assert_allclose(1 - (over_white - over_black) / 255, opacity, atol=1 / 255)


def test_a_pixel_is_painted_alike_whatever_the_rest_of_the_map():
    weak, strong = (blend(flat(1, 2, 0.4), values([0.3, other])) for other in (0, 9))
    assert weak[0, 0].tolist() == strong[0, 0].tolist()


def test_another_full_scale_is_taken_where_it_is_asked_for():
    heat = values([0, 0.1, 0.3, 0.5])
    np.testing.assert_array_equal(blend(flat(1, 4, 0.4), heat, 0.5), blend(flat(1, 4, 0.4), heat * 2))


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="full_scale"):
        blend(flat(1, 1), values([0.5]), scale)


# The picture


@pytest.mark.parametrize(
    ("rows", "cols", "size"),
    [
        # A panel is at most 720 px. Width: two panels, three margins of 12, 88 for the bar, at least 760; height: panel,
        # two margins, two lines of 23.
        (2000, 100, (760, 790)),  # 720 × 36
        (100, 2000, (1564, 106)),  # 36 × 720
        (8, 8, (760, 78)),
        (5000, 4000, (1276, 790)),  # 720 × 576
        (1, 3000, (1564, 71)),  # 1 × 720
    ],
)
def test_tall_wide_tiny_and_huge_radiographs_are_painted_in_rgb(rows, cols, size):
    picture = paint(flat(rows, cols, 0.5), reading(np.full((rows, cols), 0.7), Region(0, 0, 1, 1)))
    assert (picture.mode, picture.size) == ("RGB", size)


def test_the_left_panel_is_the_radiograph_alone():
    grey = np.linspace(0, 1, 100 * 200, dtype=np.float32).reshape(100, 200)
    left, right = panels(paint(Radiograph(grey), reading(np.ones((100, 200)))), 100, 200)
    np.testing.assert_array_equal(left, np.repeat(np.rint(grey * 255).astype(np.uint8)[..., None], 3, 2))
    assert (left != right).any()


@pytest.mark.parametrize("box", [Region(20, 30, 60, 150), Region(0, 0, 100, 200), Region(70, 100, 100, 200)])
def test_a_box_is_drawn_on_the_pixels_that_it_holds(box):
    left, right = panels(paint(flat(100, 200), reading(np.zeros((100, 200)), box)), 100, 200)
    assert where(right, BOX) == box
    assert not (left == np.array(BOX)).all(2).any()


def test_a_box_shrinks_with_its_radiograph():
    box = Region(400, 200, 1000, 1200)
    _, right = panels(paint(flat(1440, 1440), reading(np.zeros((1440, 1440)), box)), 720, 720)
    drawn = where(right, BOX)
    expected = [200, 100, 500, 600]
    assert [drawn.top, drawn.left, drawn.bottom, drawn.right] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("row", "column", "box", "left_letter"),
    [
        ("L", "F", (20, 30, 60, 150), "R"),
        ("R", "F", (20, 50, 60, 170), "R"),  # mirrored: the box lies at the other side of the stored grid
        ("L", "H", (40, 30, 80, 150), "R"),  # upside down
        ("F", "L", (30, 20, 150, 60), "R"),  # transposed
        ("", "", (20, 30, 60, 150), ""),
    ],
)
def test_a_radiograph_that_is_stored_turned_is_painted_as_displayed(row, column, box, left_letter):
    # By hand: on a displayed grid of 100 × 200 the box is rows 20 to 60 and columns 30 to 150 for each orientation.
    orientation = Orientation(row, column)
    shown = np.zeros((100, 200), np.float32)
    shown[20:60, 30:150] = 1
    stored = np.ascontiguousarray(orientation.to_stored(shown))
    image = Radiograph(stored * np.float32(0.5), orientation=orientation)
    finding = Region(*map(float, box))
    assert Region.around(stored > 0) == finding
    left, right = panels(paint(image, reading(stored, finding)), 100, 200)
    assert where(right, BOX) == Region(20, 30, 60, 150)
    lit = Region.around(left[..., 0] == 128)
    assert (lit.top, lit.bottom, lit.right) == (20, 60, 150)
    assert (left[40:60, :20] == 255).any() == bool(left_letter)


@pytest.mark.parametrize(
    ("shape", "aspect", "orientation", "panel"),
    [
        # A stored pixel is `aspect` times as high as wide; a panel of more than 720 px is shrunk.
        ((100, 200), 2.0, Orientation("L", "F"), (200, 200)),
        ((100, 200), 0.5, Orientation("L", "F"), (50, 200)),
        ((1440, 720), 0.5, Orientation("L", "F"), (720, 720)),
        ((720, 300), 2.0, Orientation("L", "F"), (720, 150)),
        ((100, 200), 2.0, Orientation("F", "L"), (200, 200)),  # transposed: the stored rows run across
        ((400, 800), 0.5, Orientation("F", "L"), (720, 180)),
    ],
)
def test_pixels_that_are_not_square_are_painted_in_their_true_shape(shape, aspect, orientation, panel):
    rows, cols = shape
    finding = Region(0.2 * rows, 0.3 * cols, 0.6 * rows, 0.9 * cols)
    white = np.zeros(shape, np.float32)
    white[int(finding.top) : int(finding.bottom), int(finding.left) : int(finding.right)] = 1
    image = Radiograph(white * np.float32(0.5), orientation=orientation, stated_aspect=aspect)
    left, right = panels(paint(image, reading(np.zeros(shape), finding)), *panel)
    drawn = finding if not orientation.transposed else Region(finding.left, finding.top, finding.right, finding.bottom)
    stored = (rows, cols) if not orientation.transposed else (cols, rows)
    down, across = panel[0] / stored[0], panel[1] / stored[1]
    expected = [drawn.top * down, drawn.left * across, drawn.bottom * down, drawn.right * across]
    box = where(right, BOX)
    assert [box.top, box.left, box.bottom, box.right] == pytest.approx(expected, abs=2)
    lit = left[..., 0] == 128
    lit[:, :30], lit[:, -30:] = False, False  # letters of the edges
    assert [Region.around(lit).top, Region.around(lit).bottom] == pytest.approx(expected[::2], abs=2)


def test_every_finding_has_its_box():
    boxes = Region(5, 5, 45, 95), Region(55, 105, 95, 195)
    _, right = panels(paint(flat(100, 200), reading(np.zeros((100, 200)), *boxes)), 100, 200)
    assert where(right[:50, :100], BOX) == boxes[0]
    assert where(right[50:, 100:], BOX) == Region(5, 5, 45, 95)


def test_a_white_line_runs_around_what_is_at_or_above_half_of_full_scale():
    heat = np.full((100, 200), 0.49)
    heat[20:60, 30:150] = 0.5
    _, right = panels(paint(flat(100, 200), reading(heat)), 100, 200)
    assert where(right, (255, 255, 255)) == Region(20, 30, 60, 150)
    assert not (right[30:50, 50:130] == 255).all(2).any()


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_white_line_is_every_pixel_inside_with_one_outside_within_two_steps(inside):
    rows, cols = inside.shape
    _, right = panels(paint(flat(rows, cols), reading(np.where(inside, 0.6, 0.4))), rows, cols)

    outside = np.argwhere(~inside)
    near = [[bool((np.abs(outside - (row, col)).sum(1) <= 2).any()) for col in range(cols)] for row in range(rows)]
    assert np.array_equal((right == 255).all(2), inside & near)


LEVELS = st.integers(0, 255)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_colour_lies_over_the_grey_by_its_share_of_the_opacity(pairs):
    grey, strength = np.array(pairs, np.float32).T[:, None] / np.float32(255)
    share = np.round(0.55 * 255 * strength.astype(float)) / 255
    wanted = grey[..., None] * 255 * (1 - share[..., None]) + INFERNO[np.rint(strength * 255).astype(int)] * share[..., None]
    assert np.abs(blend(Radiograph(grey), strength) - wanted).max() <= 0.51


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("white", [200, 255])
def test_a_radiograph_of_looked_up_levels_is_painted_as_its_pixels(kind, white):
    levels = np.random.default_rng(0).integers(0, white + 1, (90, 80)).astype(kind)
    shown = np.arange(white + 1, dtype=np.float32) / np.float32(white)
    image = Radiograph(LookedUp.of(levels, shown, np.bincount(levels.reshape(-1))))
    heat = reading(np.zeros((90, 80)))
    assert np.array_equal(paint(image, heat), paint(Radiograph(shown[levels]), heat))


def test_the_colour_bar_grows_lighter_from_bottom_to_top():
    pixels = np.asarray(paint(flat(256, 256), reading(np.zeros((256, 256)))))
    bar = pixels[MARGIN : MARGIN + 256, 2 * 256 + 3 * MARGIN + 5].astype(float)
    inside = np.delete(bar, [0, 127, 128, 255], 0)  # the three ticks
    luminance = inside @ [0.2126, 0.7152, 0.0722]  # ITU-R 709
    assert (np.diff(luminance[::4]) < 0).all()
    assert luminance[0] - luminance[-1] > 200


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (PopulationChoice("adult", "age", "adult"), "read as adult (by age); "),
        (PopulationChoice(None, "unknown", "child"), "population unknown: read with the cautious settings (child); "),
        (None, ""),
    ],
)
def test_the_caption_says_as_what_the_patient_was_read(monkeypatch, choice, says):
    texts = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, xy, text, **how: texts.append(text))
    paint(flat(40, 60), dataclasses.replace(reading(values([0, 0], [0, 0])), population=choice))
    assert texts[-1].startswith(f"{says}grad-cam for pneumonia")


def test_the_picture_is_as_wide_as_its_caption():
    cautions = (Caution.SIDE, Caution.PHOTOGRAPH, Caution.FEW_GREY_LEVELS)
    cautious = dataclasses.replace(reading(np.zeros((100, 60))), cautions=cautions)
    plain, wide = (paint(flat(100, 60), one) for one in (reading(np.zeros((100, 60))), cautious))
    assert plain.width == 760
    first_line = np.asarray(wide)[100 + 24 - 6 : 100 + 24 + 11]
    written = np.flatnonzero((first_line > 128).any((0, 2)))
    assert 760 < written.max() < wide.width - 12


def test_a_severity_has_a_third_line_below_the_panels():
    """Three lines of 23 px below a panel of 100 px with margins of 12; the name and the grades lie in the last line."""
    zones = tuple(ZoneOpacity(laterality, zone, 0.0, 0.0, 0.0) for laterality, zone in ZONES)
    plain = reading(np.zeros((100, 200)))
    severe = dataclasses.replace(plain, severity=Severity(zones, 0.0, reason="no interval"))
    undefined = dataclasses.replace(plain, severity=Severity(reason="lungs not found"))
    assert paint(flat(100, 200), severe).height == 100 + 24 + 69
    last = np.asarray(paint(flat(100, 200), severe))[100 + 24 + 46 :]
    assert (last == 190).all(2).any(1).sum() > 5
    assert np.array_equal(paint(flat(100, 200), undefined), paint(flat(100, 200), plain))


@given(top=st.floats(0, 290), left=st.floats(0, 390), orientation=st.sampled_from(["L F", "R F", "F L"]))
@settings(max_examples=40, deadline=None)
def test_the_label_of_a_finding_lies_within_the_picture_wherever_its_box_is(top, left, orientation):
    drawn = []

    class Draw(ImageDraw.ImageDraw):
        def text(self, xy, text, **options):
            drawn.append((text, self.textbbox(xy, text, font=options["font"], stroke_width=options.get("stroke_width", 0))))
            super().text(xy, text, **options)

    radiograph = dataclasses.replace(flat(300, 400), orientation=Orientation(*orientation.split()))
    finding = Finding(Region(top, left, top + 10, left + 10), 1, (int(top), int(left)), 0.8, "right", "upper")
    made = dataclasses.replace(reading(np.zeros((300, 400), np.float32)), findings=(finding,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageDraw, "ImageDraw", Draw)
        picture = paint_overlay(radiograph, made, 400)
    (box,) = [box for text, box in drawn if text.startswith("1: ")]
    assert box[0] >= 0 <= box[1]
    assert (box[2] <= picture.width, box[3] <= picture.height) == (True, True)
