"""Small synthetic files with the levels, tables and orientation that `read_film` gives them, for decoders in other languages.

``python -m tests.radiograph.grey_vectors FOLDER`` writes, for each case NAME, the file ``NAME.dcm`` or ``NAME.png`` and the raw
little-endian arrays ``NAME.levels.u16`` (rows × cols), ``NAME.shown.f32``, ``NAME.values.f64`` and ``NAME.padding.u8`` (one
entry a level), and all that is no array into ``vectors.json``.
"""

import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from pneumoscope.radiograph import Film, read_film
from tests.radiograph.builders import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, cr, exif, lut, png, show_stored, written

ROWS, COLS = 37, 53
Case = tuple[str, bytes]


def ramp(lowest: int, highest: int, rows: int = ROWS, cols: int = COLS) -> np.ndarray:
    """Values from `lowest` to `highest` that grow along both axes, with steps of no regular size."""
    index = np.arange(rows * cols).reshape(rows, cols)
    share = (index + 5 * (index % 7)) / (rows * cols + 29)
    return np.rint(lowest + share**1.5 * (highest - lowest)).astype(np.int64)


def with_corner(values: np.ndarray, corner: int, size: int = 1) -> np.ndarray:
    """The values with a square of one value in the first corner."""
    changed = values.copy()
    changed[:size, :size] = corner
    return changed


def instances() -> Iterator[tuple[str, bytes]]:
    """DICOM files by name."""
    twelve, signed = ramp(0, 4095), ramp(-1500, 1500)
    for bits in (8, 10, 12, 14, 16):
        yield f"bits-{bits}", written(cr(ramp(0, 2**bits - 1), bits=bits, **show_stored(bits)))
    yield "bits-12-overlay", written(cr(twelve | 0xA000, **show_stored(12)))
    yield "bits-12-high-bit-15", written(cr(twelve << 4, HighBit=15, **show_stored(12)))
    yield "signed-12", written(cr(signed, signed=True, WindowCenter=0, WindowWidth=2000))
    yield "signed-16", written(cr(ramp(-32768, 32767), bits=16, signed=True))
    yield "monochrome1", written(cr(twelve, PhotometricInterpretation="MONOCHROME1", WindowCenter=1200, WindowWidth=1000))
    yield "monochrome1-range", written(cr(twelve, PhotometricInterpretation="MONOCHROME1"))
    yield "shape-inverse", written(cr(twelve, PresentationLUTShape="INVERSE", WindowCenter=2048, WindowWidth=3000))
    yield (
        "shape-identity-of-monochrome1",
        written(cr(twelve, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")),
    )
    yield "rescale", written(cr(twelve, RescaleSlope="0.5", RescaleIntercept="-1000", WindowCenter=0, WindowWidth=1500))
    yield "rescale-negative", written(cr(twelve, RescaleSlope="-1", RescaleIntercept="4095", WindowCenter=2000, WindowWidth=3000))
    yield "rescale-without-intercept", written(cr(twelve, RescaleSlope="3"))
    yield "linear", written(cr(twelve, WindowCenter="2000.5", WindowWidth="2500"))
    yield "linear-width-1", written(cr(twelve, WindowCenter="1000", WindowWidth="1"))
    yield "linear-two-windows", written(cr(twelve, WindowCenter=[1500, 2500], WindowWidth=[2500, 500]))
    yield "linear-exact", written(cr(twelve, WindowCenter=1800, WindowWidth=2200, VOILUTFunction="LINEAR_EXACT"))
    yield "sigmoid", written(cr(twelve, WindowCenter=1800, WindowWidth=1500, VOILUTFunction="SIGMOID"))
    yield (
        "sigmoid-monochrome1",
        written(
            cr(twelve, WindowCenter=1800, WindowWidth=1500, VOILUTFunction="SIGMOID", PhotometricInterpretation="MONOCHROME1")
        ),
    )
    yield "window-of-no-width", written(cr(twelve, WindowCenter=1800, WindowWidth=0))
    yield "window-decimal-comma", decimal_comma(cr(twelve, WindowCenter="2000.5", WindowWidth="2500.0"))
    yield "window-wrong", written(cr(ramp(200, 420), WindowCenter=2048, WindowWidth=4096))
    yield "window-beyond", written(cr(ramp(200, 420), WindowCenter=3000, WindowWidth=100))
    yield "range", written(cr(ramp(300, 2900)))
    yield "range-without-extremes", written(cr(with_corner(ramp(300, 900), 4095, 2)))
    yield from tables(twelve)
    yield from padded(twelve)
    yield from geometries(twelve)
    for name, syntax in (
        ("implicit", ImplicitVRLittleEndian),
        ("big-endian", ExplicitVRBigEndian),
        ("deflated", DeflatedExplicitVRLittleEndian),
    ):
        yield name, written(cr(twelve, syntax=syntax, WindowCenter=2000, WindowWidth=3000))
    yield "big-endian-signed", written(cr(signed, signed=True, syntax=ExplicitVRBigEndian))
    yield "big-endian-8", written(cr(ramp(0, 255), bits=8, syntax=ExplicitVRBigEndian))


def decimal_comma(dataset) -> bytes:
    """The instance with commas for the points of its window."""
    return written(dataset).replace(b"2000.5", b"2000,5").replace(b"2500.0", b"2500,0")


def tables(twelve: np.ndarray) -> Iterator[Case]:
    """Modality and VOI LUTs."""
    curve = [round(65535 * (i / 4095) ** 0.7) for i in range(4096)]
    yield "voi-lut", written(cr(twelve, VOILUTSequence=lut(0, curve)))
    yield "voi-lut-and-window", written(cr(twelve, VOILUTSequence=lut(0, curve), WindowCenter=9, WindowWidth=9))
    yield "voi-lut-short", written(cr(twelve, VOILUTSequence=lut(1000, curve[::4], count=1024)))
    yield "voi-lut-of-fewer-bits", written(cr(twelve, VOILUTSequence=lut(0, [v >> 6 for v in curve], bits=16)))
    yield "voi-lut-8-bit-words", written(cr(twelve, VOILUTSequence=lut(0, bytes(v >> 8 for v in curve), bits=8, vr="OW")))
    yield (
        "voi-lut-signed-first",
        written(cr(ramp(-600, 600), signed=True, VOILUTSequence=lut(-500, [64 * i for i in range(1000)]))),
    )
    yield "modality-lut", written(cr(twelve, ModalityLUTSequence=lut(0, curve[::-1]), WindowCenter=30000, WindowWidth=50000))
    yield "modality-lut-range", written(cr(twelve, ModalityLUTSequence=lut(100, curve[:2000])))
    yield (
        "modality-and-voi-lut",
        written(cr(ramp(0, 1000), ModalityLUTSequence=lut(0, [2 * i for i in range(1001)]), VOILUTSequence=lut(0, curve[::2]))),
    )
    yield "voi-lut-monochrome1", written(cr(twelve, VOILUTSequence=lut(0, curve), PhotometricInterpretation="MONOCHROME1"))


def padded(twelve: np.ndarray) -> Iterator[Case]:
    """Pixel padding."""
    yield "padding", written(cr(with_corner(ramp(500, 2500), 4095, 9), PixelPaddingValue=4095))
    yield (
        "padding-monochrome1",
        written(cr(with_corner(ramp(500, 2500), 0, 9), PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1")),
    )
    yield (
        "padding-range",
        written(
            cr(
                with_corner(ramp(0, 2500), 40, 9),
                PixelPaddingValue=0,
                PixelPaddingRangeLimit=50,
                WindowCenter=1200,
                WindowWidth=2000,
            )
        ),
    )
    # Written with the other signedness: −1 is 4095 in 12 bits.
    negative = cr(with_corner(twelve, 4095, 9), WindowCenter=1200, WindowWidth=2000)
    negative.add_new("PixelPaddingValue", "SS", -1)
    yield "padding-of-other-sign", written(negative)
    yield "padding-signed", written(cr(with_corner(ramp(-500, 1500), -2000, 9), signed=True, PixelPaddingValue=-2000))


def geometries(twelve: np.ndarray) -> Iterator[Case]:
    """Orientation, spacing, aspect, odd sizes, loss."""
    for row, column in (
        ("L", "F"),
        ("R", "F"),
        ("L", "H"),
        ("R", "H"),
        ("F", "L"),
        ("F", "R"),
        ("H", "L"),
        ("A", "F"),
        ("P", "H"),
    ):
        yield f"orientation-{row}{column}".lower(), written(cr(twelve, PatientOrientation=[row, column]))
    yield "orientation-compound", written(cr(twelve, PatientOrientation=["RA", "FP"]))
    yield "orientation-of-two-like-axes", written(cr(twelve, PatientOrientation=["L", "R"]))
    yield "spacing-detector", written(cr(twelve, ImagerPixelSpacing=[0.2, 0.1]))
    yield "spacing-corrected", written(cr(twelve, ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.16, 0.16]))
    yield "spacing-fiducial", written(cr(twelve, PixelSpacing=[0.16, 0.16], PixelSpacingCalibrationType="FIDUCIAL"))
    yield "spacing-unstated", written(cr(twelve, PixelSpacing=[0.16, 0.12]))
    yield "spacing-magnified", written(cr(twelve, ImagerPixelSpacing=[0.2, 0.2], EstimatedRadiographicMagnificationFactor="1.25"))
    yield "aspect-ratio", written(cr(twelve, PixelAspectRatio=[3, 2]))
    yield "lossy", written(cr(twelve, LossyImageCompression="01"))
    yield "not-lossy", written(cr(twelve, LossyImageCompression="00"))
    yield "one-row", written(cr(ramp(0, 4095, 1, 201)))
    yield "one-column", written(cr(ramp(0, 4095, 201, 1)))
    yield "odd-bytes", written(cr(ramp(0, 255, 5, 7), bits=8))


def pictures() -> Iterator[Case]:
    """PNG files by name."""
    eight = ramp(0, 255)
    colour = np.stack([eight, eight[::-1], eight[:, ::-1]], -1)
    faint = np.stack([eight, 255 - eight], -1)
    for depth in (1, 2, 4, 8):
        yield f"png-grey-{depth}", png(eight >> (8 - depth), depth, GREY)
    yield "png-grey-16", png(ramp(0, 65535), 16, GREY)
    yield "png-grey-16-of-12-bits", png(ramp(0, 4095), 16, GREY)
    yield "png-grey-16-dark", png(with_corner(ramp(100, 900), 65535), 16, GREY)
    yield "png-rgb", png(colour, 8, RGB)
    yield "png-rgb-16", png(colour * 257, 16, RGB)
    yield "png-rgba", png(np.concatenate([colour, eight[..., None]], -1), 8, RGBA)
    yield "png-grey-alpha", png(faint, 8, GREY_ALPHA)
    palette = bytes(v for i in range(256) for v in (i, 255 - i, i // 2))
    yield "png-palette", png(eight, 8, PALETTE, chunk(b"PLTE", palette))
    yield "png-palette-transparent", png(eight, 8, PALETTE, chunk(b"PLTE", palette) + chunk(b"tRNS", bytes(range(256))))
    yield "png-grey-transparent", png(eight, 8, GREY, chunk(b"tRNS", b"\0\x10"))
    yield "png-rgb-transparent", png(colour, 8, RGB, chunk(b"tRNS", bytes(b for v in colour[3, 4] for b in (0, int(v)))))
    yield "png-exif-rotated", png(eight, 8, GREY, chunk(b"eXIf", exif(6)) + resolution(2000, 1000))
    yield "png-exif-mirrored", png(eight, 8, GREY, chunk(b"eXIf", exif(2)))
    yield "png-aspect", png(eight, 8, GREY, resolution(3000, 2000, metre=False))
    yield "png-colour-profile", png(eight, 8, GREY, chunk(b"iCCP", b"made up\0\0" + zlib.compress(bytes(128))))
    yield "png-gamma", png(eight, 8, GREY, chunk(b"gAMA", (100000).to_bytes(4, "big")))


def resolution(across: int, down: int, metre: bool = True) -> bytes:
    """The PNG chunk pHYs."""
    return chunk(b"pHYs", across.to_bytes(4, "big") + down.to_bytes(4, "big") + bytes([metre]))


SOURCES: tuple[tuple[str, Callable[[], Iterator[Case]]], ...] = (("dcm", instances), ("png", pictures))


def cases() -> Iterator[tuple[str, str, bytes]]:
    """Name, suffix and content of every case."""
    for suffix, source in SOURCES:
        for name, content in source():
            yield name, suffix, content


def described(film: Film) -> dict:
    """All of a film that is no array, in the shape of the viewer's ``Film``."""
    radiograph, orientation = film.radiograph, film.radiograph.orientation
    flip_rows, flip_cols = orientation.flipped
    turn = {"transposed": orientation.transposed, "flip_rows": flip_rows, "flip_cols": flip_cols}
    return {
        "rows": radiograph.rows,
        "cols": radiograph.cols,
        "n_levels": film.shown.size,
        "inverse": film.inverse,
        "window": film.window and asdict(film.window),
        "spacing": radiograph.spacing and asdict(radiograph.spacing),
        "aspect": film.aspect,
        "orientation": turn | asdict(orientation.edges),
        "lossy": film.lossy,
        "grey_source": radiograph.grey_source,
    }


def write(folder: Path) -> int:
    """Write every case into a folder, and say how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, suffix, content in cases():
        film = read_film(content)
        (folder / f"{name}.{suffix}").write_bytes(content)
        (folder / f"{name}.levels.u16").write_bytes(film.levels.astype("<u2").tobytes())
        (folder / f"{name}.shown.f32").write_bytes(film.shown.astype("<f4").tobytes())
        (folder / f"{name}.values.f64").write_bytes(film.values.astype("<f8").tobytes())
        (folder / f"{name}.padding.u8").write_bytes(film.padding.astype("u1").tobytes())
        listed.append({"name": name, "file": f"{name}.{suffix}"} | described(film))
    (folder / "vectors.json").write_text(json.dumps({"cases": listed}, indent=1) + "\n", "utf-8")
    return len(listed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.radiograph.grey_vectors FOLDER")
    print(f"wrote {write(Path(sys.argv[1]))} cases")
