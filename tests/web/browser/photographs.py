"""Synthetic photographs of a radiograph on a light box and on a screen: perspective, tint, glare, moiré, blur, noise, JPEG."""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 900, 1200
_EXPOSURE_TIME = 0x829A
_EXIF_DIRECTORY = 0x8769


def photograph(image: Image.Image, of: Literal["film", "screen"], *, grey: bool = False) -> bytes:
    """A JPEG as a phone takes it; `grey` without colours, but with the camera's Exif."""
    warped, mask = _perspective(image.convert("RGB")), _perspective(Image.new("RGB", image.size, "white"))
    picture = np.where(np.asarray(mask) > 127, _lit(np.asarray(warped, float), of), 238.0 if of == "film" else 38.0)
    row, col = np.mgrid[:HEIGHT, :WIDTH]
    glare = 60 * np.exp(-(((col - 600) / 165) ** 2 + ((row - 450) / 120) ** 2))
    noise = np.random.default_rng(0).normal(0, 6, picture.shape)
    shot = Image.fromarray((picture + glare[..., None] + noise).clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    out, exif = io.BytesIO(), Image.Exif()
    exif.get_ifd(_EXIF_DIRECTORY)[_EXPOSURE_TIME] = 0.01
    (shot.convert("L") if grey else shot).save(out, "JPEG", quality=80, **({"exif": exif} if grey else {}))
    return out.getvalue()


def _lit(picture: NDArray[np.float64], of: str) -> NDArray[np.float64]:
    if of == "film":
        return (picture * 0.8 + 30) * [0.95, 1.0, 1.08]
    row, col = np.mgrid[:HEIGHT, :WIDTH]
    moire = 0.85 + 0.15 * np.sin(col * 1.3) * np.sin(row * 1.1)
    return picture * moire[..., None] * [0.9, 1.0, 1.1]


def _perspective(image: Image.Image) -> Image.Image:
    """The image seen from aside."""
    corners = [(120, 270), (790, 235), (820, 930), (85, 980)]
    width, height = image.size
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    coefficients = np.linalg.solve(np.array(rows, float), np.array(values, float))
    return image.transform((WIDTH, HEIGHT), Image.Transform.PERSPECTIVE, tuple(coefficients), Image.Resampling.BILINEAR)
