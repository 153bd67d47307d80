"""Draw the icons of the application for phones: two lungs, one with a marked opacity."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from pneumoscope.reports.colours import INFERNO

SIZES_PX = (180, 192, 512)
"""Edges of the icons: Apple's home screen, and the two that a manifest needs."""
_OVERSAMPLED = 4
_BACKGROUND, _LUNG, _AIRWAY = (18, 20, 23), (170, 196, 219), (236, 239, 242)
_SAFE = 0.8
"""Share of the edge within which a maskable icon has everything that matters (W3C Web App Manifest)."""


def write(folder: Path) -> None:
    """Write ``icon-SIZE.png`` for each size, and ``icon-maskable-512.png``.

    Parameters
    ----------
    folder : Path
        Existing folder.
    """
    for size in SIZES_PX:
        drawn(size, share=0.94).save(folder / f"icon-{size}.png", optimize=True)
    drawn(512, share=_SAFE * 0.86).save(folder / "icon-maskable-512.png", optimize=True)


def drawn(size: int, share: float) -> Image.Image:
    """Draw the icon.

    Parameters
    ----------
    size : int
        Edge in pixels.
    share : float
        Share of the edge that the lungs take, in (0, 1].

    Returns
    -------
    Image
        RGB, without transparency.
    """
    edge = size * _OVERSAMPLED
    image = Image.new("RGB", (edge, edge), _BACKGROUND)
    unit, middle = edge * share / 100, edge / 2
    pen = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return middle + left * unit, middle + top * unit, middle + right * unit, middle + bottom * unit

    pen.rounded_rectangle(box(-3.5, -44, 3.5, 2), 3 * unit, _AIRWAY)
    fork = [(middle + x * unit, middle + y * unit) for x, y in ((-24, 8), (0, -4), (24, 8))]
    pen.line(fork, _AIRWAY, round(6 * unit))
    for sign in (-1, 1):
        left, right = sorted((sign * 8, sign * 42))
        pen.rounded_rectangle(box(left, -30, right, 42), 15 * unit, _LUNG)
    _mark(image, middle + 25 * unit, middle + 20 * unit, 13 * unit)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _mark(image: Image.Image, x: float, y: float, radius: float) -> None:
    """Paint a spot in the colours of the heat map."""
    levels = Image.new("L", image.size, 0)
    ImageDraw.Draw(levels).ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    levels = levels.filter(ImageFilter.GaussianBlur(radius * 0.45))
    coloured = levels.copy()
    coloured.putpalette(INFERNO.tobytes())
    image.paste(coloured.convert("RGB"), mask=levels.point(lambda value: min(255, value * 2)))
