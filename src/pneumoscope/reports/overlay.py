"""Render a reading as an image: the radiograph next to its overlay with heat map, contour, boxes, colour bar and caption."""

import functools
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pneumoscope import DISCLAIMER
from pneumoscope.radiograph import Placement, Radiograph
from pneumoscope.radiograph.resampling import resample
from pneumoscope.readings import ModelReading
from pneumoscope.readings.figures import probability_text
from pneumoscope.readings.severity import SEVERITY_NAME
from pneumoscope.reports.colours import INFERNO

_OPACITY = 0.55
_PANEL_PX = 720
_MARGIN_PX = 12
_BAR_PX = 18
_TEXT_PX, _SMALL_PX = 17, 14
_STROKE_PX = 2
_LEAST_WIDTH_PX = 760
_MOST_TEXTS = 128
_WHITE = (255, 255, 255)
_GREY = (190, 190, 190)
_BOX_COLOUR = (90, 220, 255)
_WHITE_PACKED = 0xFFFFFFFF
_REDUCING_GAP = 1.0
"""Shrink a larger radiograph by whole numbers first, by the mean of blocks of pixels, then by the triangle filter."""

RGB = NDArray[np.uint8]
Levels = NDArray[np.uint8]
Packed = NDArray[np.uint32]
"""Red, green, blue and an unused byte of each pixel in one number."""


def blend(radiograph: Radiograph, values: NDArray[np.float32], full_scale: float = 1.0) -> RGB:
    """Blend a heat map over a radiograph.

    Colour and opacity increase with the value from 0 to `full_scale`; values above it have the colour of `full_scale`.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    values : ndarray of float32, shape (rows, cols)
        Heat map on the grid of the radiograph, >= 0.
    full_scale : float
        Value of the last colour, > 0. The default, 1, is the model's scale, which is the same for all images; the maximum of
        `values` would scale each image separately.

    Returns
    -------
    ndarray of uint8, shape (rows, cols, 3)
        The overlay as RGB.

    Raises
    ------
    ValueError
        If `full_scale` is not above 0.
    """
    if full_scale <= 0:
        raise ValueError(f"full_scale must be above 0, not {full_scale}")
    packed = _blended(_bytes(radiograph.pixels), values, full_scale)
    return np.ascontiguousarray(packed[..., None].view(np.uint8)[..., :3])


def tint(
    radiograph: Radiograph, values: NDArray[np.float32], threshold: float, full_scale: float = 1.0, opacity: float = 0.5
) -> RGB:
    """Colour a radiograph where a heat map reaches a threshold, with one opacity for all values, as the viewer does.

    The colour increases with the value from 0 to `full_scale`. A constant
    opacity is what DICOM can state (Blending Softcopy Presentation State, PS3.3 C.11.14), and a faint colour is never a low
    opacity.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    values : ndarray of float32, shape (rows, cols)
        Heat map on the grid of the radiograph, >= 0.
    threshold : float
        Lowest value that is coloured.
    full_scale : float
        Value of the last colour, > 0; see `blend`.
    opacity : float
        Share of the colour, in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (rows, cols, 3)
        The overlay as RGB.

    Raises
    ------
    ValueError
        If `full_scale` is not above 0 or `opacity` is not in [0, 1].
    """
    if full_scale <= 0 or not 0 <= opacity <= 1:
        raise ValueError(f"full_scale must be above 0 and opacity in [0, 1], not {full_scale} and {opacity}")
    grey = np.repeat(_bytes(radiograph.pixels)[..., None], 3, axis=-1)
    colour = INFERNO[_bytes(np.clip(values / np.float32(full_scale), 0, 1))]
    share = np.where(values >= threshold, np.float32(opacity), np.float32(0))[..., None]
    return np.asarray(np.rint(grey + (colour.astype(np.float32) - grey) * share), np.uint8)


def paint(radiograph: Radiograph, reading: ModelReading, full_scale: float = 1.0) -> Image.Image:
    """Render the radiograph and its overlay side by side in the displayed order, with colour bar and caption.

    A radiograph that is stored turned or mirrored is turned, so that the patient's right side is on the left of the picture;
    where the file states an orientation, letters at the edges say what lies there. Pixels that are not square are drawn in
    their true shape.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph that was read.
    reading : ModelReading
        Its reading.
    full_scale : float
        Heat-map value of the last colour, > 0; see `blend`.

    Returns
    -------
    PIL.Image.Image
        RGB image; each of the two panels is at most 720 px high and wide.
    """
    scale = _scale(radiograph, _PANEL_PX)
    grey, values = _displayed(radiograph, reading, scale)
    rows, cols = grey.shape
    overlay = _overlay(grey, values, radiograph, reading, scale, full_scale)
    captions = _captions(reading)
    text = len(captions) * (_TEXT_PX + 6)
    width = max(2 * cols + 3 * _MARGIN_PX + _BAR_PX + 70, _LEAST_WIDTH_PX, *(_width(*line) for line in captions))
    canvas = Image.new("RGB", (width, rows + 2 * _MARGIN_PX + text), (18, 18, 18))
    for left, panel in ((_MARGIN_PX, Image.fromarray(grey)), (cols + 2 * _MARGIN_PX, overlay)):
        canvas.paste(panel, (left, _MARGIN_PX))
        _edge_letters(canvas, left, _MARGIN_PX, rows, cols, radiograph)
    _colour_bar(canvas, 2 * cols + 3 * _MARGIN_PX, rows, full_scale, reading.heatmap.threshold)
    for (line, size), top, fill in zip(captions, (-6, _TEXT_PX, 2 * _TEXT_PX + 6), (_WHITE, _GREY, _GREY), strict=False):
        ImageDraw.Draw(canvas).text((_MARGIN_PX, rows + 2 * _MARGIN_PX + top), line, fill=fill, font=_font(size))
    return canvas


def paint_overlay(radiograph: Radiograph, reading: ModelReading, size_px: int, full_scale: float = 1.0) -> Image.Image:
    """Render the overlay alone in the displayed order, with heat map, contour, boxes and letters, without caption.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph that was read.
    reading : ModelReading
        Its reading.
    size_px : int
        Largest height and width, >= 1; a smaller radiograph is not enlarged.
    full_scale : float
        Heat-map value of the last colour, > 0; see `blend`.

    Returns
    -------
    PIL.Image.Image
        RGB image.
    """
    scale = _scale(radiograph, size_px)
    grey, values = _displayed(radiograph, reading, scale)
    overlay = _overlay(grey, values, radiograph, reading, scale, full_scale)
    _edge_letters(overlay, 0, 0, overlay.height, overlay.width, radiograph)
    return overlay


def _scale(radiograph: Radiograph, size_px: int) -> tuple[float, float]:
    """Pixels of a panel for each stored row and column; the longer edge of a panel is at most `size_px`."""
    shrink = min(1.0, size_px / max(radiograph.rows * radiograph.aspect, radiograph.cols))
    return radiograph.aspect * shrink, shrink


def _displayed(radiograph: Radiograph, reading: ModelReading, scale: tuple[float, float]) -> tuple[Levels, NDArray[np.float32]]:
    """Grey levels of the radiograph and its heat map, resampled and turned into the displayed order."""
    rows, cols = max(1, round(radiograph.rows * scale[0])), max(1, round(radiograph.cols * scale[1]))
    turned = radiograph.orientation.to_display
    image = radiograph.looked_up
    if image is not None and image.reduction:  # its samples do not lie at the centres of equal blocks of pixels
        grey = _bytes(resample(image, radiograph.whole, rows, cols).clip(0, 1))
    else:
        size = cols, rows
        grey = np.asarray(_grey(radiograph).resize(size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP))
    return np.ascontiguousarray(turned(grey)), np.ascontiguousarray(turned(reading.heatmap.on_grid(rows, cols)))


def _grey(radiograph: Radiograph) -> Image.Image:
    """The radiograph as a picture of 256 grey levels, in the stored order."""
    image = radiograph.looked_up
    if image is None:
        return Image.fromarray(_bytes(radiograph.pixels))
    shown = _bytes(image.shown)
    if image.levels.dtype == np.uint8 and np.array_equal(shown, np.arange(256)):
        return Image.fromarray(image.levels)
    if image.levels.dtype == np.uint8:
        return Image.fromarray(image.levels).point([*shown.tolist(), *[0] * (256 - len(shown))])
    return Image.fromarray(shown[image.levels])


def _overlay(
    grey: Levels,
    values: NDArray[np.float32],
    radiograph: Radiograph,
    reading: ModelReading,
    scale: tuple[float, float],
    full_scale: float,
) -> Image.Image:
    packed = _blended(grey, values, full_scale)
    _draw_contour(packed, values >= reading.heatmap.threshold)
    overlay = Image.frombytes("RGB", packed.shape[::-1], packed, "raw", "RGBX")
    _boxes(overlay, radiograph, reading, scale)
    return overlay


def _bytes(shares: NDArray[np.float32]) -> Levels:
    scaled = shares * np.float32(255)
    return np.asarray(np.rint(scaled, out=scaled), np.uint8)


def _blended(grey: Levels, values: NDArray[np.float32], full_scale: float) -> Packed:
    """Blend a heat map over grey levels of the same shape."""
    shares = values / np.float32(full_scale)
    pair = _bytes(np.clip(shares, 0, 1, out=shares)).astype(np.intp)
    pair <<= 8
    pair |= grey
    return _blends()[pair]


@functools.cache
def _blends() -> Packed:
    """The colour of each of 256 levels of a heat map over each of 256 grey levels, shape (65536,)."""
    strength = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, 1))
    grey, colour = strength.transpose(Image.Transpose.TRANSPOSE).convert("RGB"), strength.copy()
    colour.putpalette(INFERNO.tobytes())
    opacity = strength.point([round(_OPACITY * level) for level in range(256)])
    blended = Image.composite(colour.convert("RGB"), grey, opacity)
    return np.frombuffer(blended.tobytes("raw", "RGBX"), np.uint32)


def _draw_contour(image: Packed, inside: NDArray[np.bool_]) -> None:
    """Draw a white line along the border of a region, in place."""
    rows, cols = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    if not rows.size:
        return
    # One more pixel on each side: what lies outside of a mask counts as part of it.
    part = slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, cols[0] - 1), cols[-1] + 2)
    mask = inside[part]
    image[part][mask & ~_eroded(_eroded(mask))] = _WHITE_PACKED


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Erode a mask (rows, cols) by one pixel with 4-connectivity; the outside of the image counts as part of the mask."""
    out = mask.copy()
    out[1:] &= mask[:-1]
    out[:-1] &= mask[1:]
    out[:, 1:] &= mask[:, :-1]
    out[:, :-1] &= mask[:, 1:]
    return out


@functools.cache
def _font(size: int = _TEXT_PX) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    """Load the font; texts that it has drawn are kept, because most of them stand on every overlay."""
    font = ImageFont.load_default(size)
    for slow in ("getmask2", "getlength"):
        if hasattr(font, slow):
            setattr(font, slow, functools.lru_cache(maxsize=_MOST_TEXTS)(getattr(font, slow)))
    return font


def _edge_letters(canvas: Image.Image, left: int, top: int, rows: int, cols: int, radiograph: Radiograph) -> None:
    """Write what lies at the left and at the right edge of a panel, such as R and L; nothing where it is unknown."""
    edges, middle = radiograph.orientation.edges, top + rows / 2
    for letter, at, anchor in ((edges.left, left + 4, "lm"), (edges.right, left + cols - 4, "rm")):
        ImageDraw.Draw(canvas).text(
            (at, middle), letter, fill=(255, 255, 255), font=_font(), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0)
        )


def _boxes(image: Image.Image, radiograph: Radiograph, reading: ModelReading, scale: tuple[float, float]) -> None:
    down, across = scale[::-1] if radiograph.orientation.transposed else scale
    draw = ImageDraw.Draw(image)
    for number, finding in enumerate(reading.findings, start=1):
        box = Placement.of(radiograph, finding.box, 1).displayed.rectangle
        corners = box.left * across, box.top * down, (box.right - 1) * across, (box.bottom - 1) * down
        draw.rectangle(corners, outline=_BOX_COLOUR, width=2)
        label = f"{number}: {probability_text(finding.rating)} {finding.laterality or ''} {finding.zone or ''}".rstrip()
        at = _inside(draw, image, label, corners[0] + 5, corners[1] + 3)
        draw.text(at, label, fill=_BOX_COLOUR, font=_font(), stroke_width=_STROKE_PX, stroke_fill=(0, 0, 0))


def _inside(draw: ImageDraw.ImageDraw, image: Image.Image, text: str, left: float, top: float) -> tuple[float, float]:
    """Where a label begins that is to begin at a point, moved so that all of it lies on the image."""
    _, _, right, bottom = draw.textbbox((left, top), text, font=_font(), stroke_width=_STROKE_PX)
    across, down = max(0, math.ceil(right - image.width)), max(0, math.ceil(bottom - image.height))
    return max(left - across, _STROKE_PX), max(top - down, _STROKE_PX)


def _colour_bar(canvas: Image.Image, left: int, rows: int, full_scale: float, threshold: float) -> None:
    ramp = INFERNO[np.linspace(255, 0, rows).astype(int)]
    canvas.paste(Image.fromarray(np.repeat(ramp[:, None], _BAR_PX, 1)), (left, _MARGIN_PX))
    draw = ImageDraw.Draw(canvas)
    for share in (0.0, min(threshold / full_scale, 1.0), 1.0):
        y = _MARGIN_PX + (1 - share) * (rows - 1)
        draw.line((left, y, left + _BAR_PX + 5, y), fill=(255, 255, 255))
        label = min(max(y - _TEXT_PX / 2, _MARGIN_PX), _MARGIN_PX + rows - _TEXT_PX)
        draw.text((left + _BAR_PX + 8, label), f"{share * full_scale:.2g}", fill=(255, 255, 255), font=_font())


def _captions(reading: ModelReading) -> list[tuple[str, int]]:
    """The lines below the panels, each with the size of its letters."""
    answer, origin = caption_of(reading)
    severity = _severity_text(reading)
    return [(answer, _TEXT_PX), (f"{origin}. {DISCLAIMER}", _SMALL_PX), *([(severity, _SMALL_PX)] if severity else [])]


def _width(text: str, size: int) -> int:
    return 2 * _MARGIN_PX + math.ceil(_font(size).getlength(text))


def caption_of(reading: ModelReading) -> tuple[str, str]:
    """Say a reading in two lines.

    Parameters
    ----------
    reading : ModelReading
        The reading.

    Returns
    -------
    tuple of str and str
        The answer with every reason to doubt it, and what the answer comes from.
    """
    score, point = reading.score, reading.operating_point
    remarks = f"{len(reading.findings)} finding" + ("" if len(reading.findings) == 1 else "s")
    if reading.lung_fields.state != "found":
        remarks += f"; lungs {reading.lung_fields.state}"
    if reading.abstains:
        remarks += "; UNSURE"
    if reading.domain and not reading.domain.inside:
        remarks += "; OUTSIDE THE MODEL'S DOMAIN"
    if reading.cautions:
        remarks += f"; CAUTION: {', '.join(reading.cautions)}"
    probability, threshold = probability_text(score.probability), probability_text(point.threshold)
    answer = f"{score.target} {probability}, {reading.decision} (threshold {threshold}), {remarks}"
    read_as = f"{reading.population}; " if reading.population else ""
    return answer, f"{read_as}{reading.heatmap.method} for {reading.heatmap.target}, {reading.model.name}"


def _severity_text(reading: ModelReading) -> str:
    """The severity score with the grades of its zones; empty for an undefined score."""
    if reading.severity is None or reading.severity.score is None:
        return ""
    grades = [f"{zone.grade:.1f}" for zone in reading.severity.zones]
    zones = f"right {' '.join(grades[:3])}, left {' '.join(grades[3:])} from above"
    return f"{reading.severity}: {SEVERITY_NAME}; {zones}"
