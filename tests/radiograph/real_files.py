"""DICOM files as devices and converters write them against the Standard, and how DCMTK renders them.

``python -m tests.radiograph.real_files`` writes ``dcmtk.json`` anew with the DCMTK that is installed (Debian package dcmtk).
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit

from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from tests.radiograph.builders import cr, framed, jpeg, lut, real, written

GOLDEN = Path(__file__).with_name("dcmtk.json")
BLOCKS = 8
WINDOW = {"WindowCenter": "2048", "WindowWidth": "4096"}
BY_WINDOW, BY_LUT, BY_RANGE, BY_HISTOGRAM = ("+Wi", "1"), ("+Wl", "1", "+Mv"), ("+Wm",), ("+Wh", "1")
"""How DCMTK is told to render: first window, first VOI LUT with the depth of its entries, range of the data, histogram without
its extreme percent."""


def scene(top: int = 4000) -> np.ndarray:
    """Slow waves from 0 to `top`, shape (64, 72)."""
    rows, cols = np.indices((64, 72))
    waves = np.sin(rows / 11) + np.cos(cols / 13)
    return np.rint((waves - waves.min()) / np.ptp(waves) * top).astype(int)


def with_text(stored, keyword: str, text: str, **elements) -> bytes:
    """An instance whose number `keyword` holds any text, written in the finished file."""
    mark = "71234567890"[: max(len(text), 3)]
    content = written(cr(stored, **elements | {keyword: mark}))
    padded, stated = (t.encode("latin-1").ljust(len(mark) + len(mark) % 2, b" ") for t in (text, mark))
    assert content.count(stated) == 1
    return content.replace(stated, padded)


def without(stored, *keywords: str, **elements) -> bytes:
    """An instance that lacks attributes."""
    dataset = cr(stored, **elements)
    for keyword in keywords:
        del dataset[keyword]
    return written(dataset)


def jpeg_of_8_bits(**elements) -> bytes:
    """A JPEG Baseline frame in an instance that allocates 16 bits."""
    frame = jpeg(np.kron([[0, 64], [128, 255]], np.ones((8, 8))), quality=100)
    return written(framed(cr(np.zeros((16, 16)), **elements), frame, JPEGBaseline8Bit))


def decompressed(name: str) -> bytes:
    """A file that ships with pydicom-data, uncompressed: DCMTK decodes no JPEG 2000."""
    dataset = pydicom.dcmread(real(name))
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress()
    return written(dataset)


@dataclass(frozen=True)
class Rendered:
    """A file and how DCMTK renders the same pixels.

    `content` makes the file that is read; `plain`, where DCMTK cannot decode it, one of the same pixels that it can.
    """

    content: Callable[[], bytes]
    options: tuple[str, ...]
    plain: Callable[[], bytes] | None = None


HALF = scene() // 2
MADE = {
    "12 bits at the top of 16": Rendered(
        lambda: written(cr(scene() << 4, bits=16, BitsStored=12, HighBit=15, **WINDOW)), BY_WINDOW
    ),
    "12 bits in the middle of 16": Rendered(
        lambda: written(cr(scene() << 2, bits=16, BitsStored=12, HighBit=13, **WINDOW)), BY_WINDOW
    ),
    "signed 12 bits at the top of 16": Rendered(
        lambda: written(
            cr((scene() - 2000) << 4, bits=16, signed=True, BitsStored=12, HighBit=15, WindowCenter="0", WindowWidth="4096")
        ),
        BY_WINDOW,
    ),
    "8 bit JPEG in 16 bits": Rendered(lambda: jpeg_of_8_bits(bits=16, WindowCenter="128", WindowWidth="256"), BY_WINDOW),
    "8 bit JPEG in 12 of 16 bits": Rendered(lambda: jpeg_of_8_bits(bits=12), BY_RANGE),
    "8 bit JPEG in 8 of 16 bits": Rendered(lambda: jpeg_of_8_bits(bits=16, BitsStored=8, HighBit=7), BY_RANGE),
    "VOI LUT of 12 bits that claims 16": Rendered(
        lambda: written(cr(scene(4095), VOILUTSequence=lut(0, list(range(4096)), bits=16))), BY_LUT
    ),
    "VOI LUT of 14 bits that claims 16": Rendered(
        lambda: written(cr(scene(4095), VOILUTSequence=lut(0, list(range(0, 2**14, 4)), bits=16))), BY_LUT
    ),
    "window far wider than the data": Rendered(
        lambda: written(cr(scene(400), bits=16, WindowCenter="32768", WindowWidth="65536")), BY_HISTOGRAM
    ),
    "slope missing": Rendered(lambda: written(cr(scene(), RescaleIntercept="1000", **WINDOW)), BY_WINDOW),
    "slope empty": Rendered(lambda: written(cr(scene(), RescaleSlope=None, RescaleIntercept="1000", **WINDOW)), BY_WINDOW),
    "intercept empty": Rendered(lambda: written(cr(HALF, RescaleSlope="2", RescaleIntercept=None, **WINDOW)), BY_WINDOW),
    "slope 0": Rendered(lambda: written(cr(scene(), RescaleSlope="0", RescaleIntercept="0", **WINDOW)), BY_WINDOW),
    "High Bit missing": Rendered(lambda: without(scene(), "HighBit", **WINDOW), BY_WINDOW),
    "High Bit empty": Rendered(lambda: written(cr(scene(), HighBit=None, **WINDOW)), BY_WINDOW),
    "Samples per Pixel missing": Rendered(lambda: without(scene(), "SamplesPerPixel", **WINDOW), BY_WINDOW),
    "Samples per Pixel empty": Rendered(lambda: written(cr(scene(), SamplesPerPixel=None, **WINDOW)), BY_WINDOW),
    "slope with a decimal comma": Rendered(
        lambda: with_text(HALF, "RescaleSlope", "2,50", RescaleIntercept="0", **WINDOW), BY_WINDOW
    ),
    "slope below 1 with a decimal comma": Rendered(
        lambda: with_text(scene(), "RescaleSlope", "0,50", RescaleIntercept="0", **WINDOW), BY_WINDOW
    ),
    "intercept with a decimal comma": Rendered(
        lambda: with_text(scene(), "RescaleIntercept", "-1000,5", RescaleSlope="1", WindowCenter="1048", WindowWidth="4096"),
        BY_WINDOW,
    ),
    "window with a decimal comma": Rendered(
        lambda: with_text(scene(), "WindowCenter", "2048,5", WindowWidth="1000"), BY_WINDOW
    ),
    "INVERSE and MONOCHROME2": Rendered(lambda: written(cr(scene(), PresentationLUTShape="INVERSE", **WINDOW)), BY_WINDOW),
    "IDENTITY and MONOCHROME1": Rendered(
        lambda: written(
            cr(scene(), PresentationLUTShape="IDENTITY", PhotometricInterpretation="MONOCHROME1", **WINDOW)
        ),
        BY_WINDOW,
    ),
    "INVERSE and MONOCHROME1": Rendered(
        lambda: written(cr(scene(), PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1", **WINDOW)),
        BY_WINDOW,
    ),
}  # fmt: skip
"""Files made here, by what is odd in them."""

SHIPPED = [
    "dicomdirtests/77654033/CR1/6154", "dicomdirtests/77654033/CR2/6247", "dicomdirtests/77654033/CR3/6278",
    *(f"RG{n}_{kind}.dcm" for n in (1, 3) for kind in ("UNCI", "UNCR", "J2KI", "J2KR")),
]  # fmt: skip
"""All CR, DX and RG images of pydicom and pydicom-data; three CR files of its character sets have no pixels."""


def shipped(name: str) -> Rendered:
    """One of the files that ship with pydicom-data."""
    return Rendered(lambda: real(name).read_bytes(), BY_WINDOW, lambda: decompressed(name))


RENDERED = MADE | {name: shipped(name) for name in SHIPPED}


def tool() -> str | None:
    """DCMTK's renderer: ``dcm2img`` from version 3.6.8 on, ``dcmj2pnm`` before."""
    return shutil.which("dcm2img") or shutil.which("dcmj2pnm")


def by_dcmtk(rendered: Rendered) -> np.ndarray:
    """Grey levels in [0, 1] as DCMTK renders them, without overlays."""
    content = (rendered.plain or rendered.content)()
    with tempfile.TemporaryDirectory() as folder:
        file, picture = Path(folder) / "image.dcm", Path(folder) / "image.png"
        file.write_bytes(content)
        command = [str(tool()), "--no-overlays", "--write-16-bit-png", *rendered.options, str(file), str(picture)]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(picture) as image:
            return np.asarray(image, np.float64) / 65535


def block_means(pixels: np.ndarray) -> np.ndarray:
    """Means of `BLOCKS` × `BLOCKS` blocks that cover the picture."""
    edges = [np.linspace(0, length, BLOCKS + 1).astype(int) for length in pixels.shape]
    return np.array(
        [[pixels[a:b, c:d].mean() for c, d in zip(edges[1], edges[1][1:], strict=False)]
         for a, b in zip(edges[0], edges[0][1:], strict=False)]
    )  # fmt: skip


def main() -> None:
    """Write the block means of every file as the installed DCMTK renders it."""
    version = subprocess.run([str(tool()), "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    with silenced_decoders():
        means = {name: block_means(by_dcmtk(rendered)).round(4).tolist() for name, rendered in RENDERED.items()}
    lines = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in means.items()]
    GOLDEN.write_text(f'{{\n  "made by": {json.dumps(version.strip("$ "))},\n' + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
