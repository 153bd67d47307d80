"""Measure how results of radiographs that are decoded at a reduced scale differ from those of full decoding, and what they save.

    python benchmarks/reduced_decoding.py COHORT [COHORT ...] [--split tune] [--most 100] [--model default] [--json FILE]

Reads the radiographs of a split, and the sixteen shipped ones, with the model twice: every pixel decoded, and decoded at the
scale that `--decode reduced` chooses. Each is compressed as DICOM by JPEG 2000 with twelve bits, without loss (wavelet 5/3) and
with loss (wavelet 9/7, a tenth of the size). The windows are in turn LINEAR, SIGMOID and a VOI LUT. Radiographs are enlarged to
the size of a detector where they are smaller, and get noise in the lowest of twelve bits. The shorter side is in turn 8, 10, 12
and 16 times what the model sees, so that the fewest samples occur that are allowed
(`pneumoscope.radiograph.reduction.LEAST_SAMPLES`), at 1/2 and at 1/4. `--least N` measures with another number of samples.

Prints for each way the number of radiographs at each scale; the largest and the 99.9th percentile of the absolute difference of
the probability; how many decisions, abstentions, domain checks, cautions and numbers of findings differ; the largest distance
between edges of boxes, as a share of the longer side; and the processor time of decoding and resampling, the median. An
enlarged radiograph has less fine detail than one of a detector of this size.
"""

import io
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bulk import dicom
from measuring import machine, parser, table, write
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort import table as cohorts
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import reduction
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings import ModelReading

WAYS: Mapping[str, tuple[UID, list[float] | None]] = {
    "JPEG 2000 without loss": (JPEG2000Lossless, None),
    "JPEG 2000 with loss": (JPEG2000, [10]),
}
"""Transfer syntax and compression ratio."""
SIDES = 8, 10, 12, 16
"""Shorter side in pixels, over what the model sees."""
NOISE = 6
BITS, TOP = 12, 4095

Values = NDArray[np.uint16]


def originals(sources: Sequence[Cohort], split: str, most: int) -> Iterator[Path]:
    """Files of the shipped radiographs, and of a split of each cohort in turn, at most so many of each and evenly spread."""
    with sample() as shipped:
        cohorts_and_cases = [(shipped, [*shipped.cases]), *((source, _spread(source.on(split), most)) for source in sources)]
        for together in itertools.zip_longest(*(cases for _, cases in cohorts_and_cases)):
            yield from (source.file(case) for (source, _), case in zip(cohorts_and_cases, together, strict=True) if case)


def _spread(cases: Sequence[Case], most: int) -> list[Case]:
    return [cases[k] for k in np.unique(np.linspace(0, len(cases) - 1, min(most, len(cases))).astype(int))]


def enlarged(file: Path, shorter_px: int, seed: int) -> Values:
    """The radiograph with twelve bits and noise, its shorter side at least `shorter_px`."""
    image = radiograph.read(file)
    picture = Image.fromarray(image.pixels)
    factor = max(1.0, shorter_px / min(picture.size))
    size = max(round(picture.width * factor), shorter_px), max(round(picture.height * factor), shorter_px)
    values = np.asarray(picture.resize(size, Image.Resampling.BICUBIC)) * TOP
    noise = np.random.default_rng(seed).normal(0, NOISE, values.shape)
    return np.clip(np.rint(values + noise), 0, TOP).astype(np.uint16)


def display(dataset: Dataset, k: int) -> None:
    """State how the values are displayed: by a window, LINEAR or SIGMOID, or by a VOI LUT, in turn."""
    for keyword in ("WindowCenter", "WindowWidth"):
        dataset.pop(keyword, None)
    if k % 3 == 2:
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [TOP + 1, 0, 16])
        item.add_new("LUTData", "US", np.rint((np.arange(TOP + 1) / TOP) ** 0.8 * 65535).astype(int).tolist())
        dataset.VOILUTSequence = [item]
        return
    dataset.WindowCenter, dataset.WindowWidth = (TOP + 1) / 2, round(TOP * 0.92)
    dataset.VOILUTFunction = ("LINEAR", "SIGMOID")[k % 3]


def written(values: Values, frame: bytes, syntax: UID, k: int, scratch: Path) -> bytes:
    """A DICOM file of a compressed frame."""
    dicom(np.zeros((2, 2), np.uint16), scratch)
    dataset = dcmread(scratch)
    dataset.Rows, dataset.Columns = values.shape
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = syntax
    display(dataset, k)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def files(file: Path, k: int, seen_px: int, scratch: Path) -> Iterator[tuple[str, bytes]]:
    """The radiograph in each of the ways."""
    values = enlarged(file, SIDES[k % len(SIDES)] * seen_px, k)
    for way, (syntax, ratios) in WAYS.items():
        frame = encode_array(values, bits_stored=BITS, photometric_interpretation=2, compression_ratios=ratios)
        yield way, written(values, frame, syntax, k, scratch)


def read(reader: Reader, content: bytes, seen_px: int) -> tuple[ModelReading, float]:
    """The reading, and the processor time of decoding and resampling in ms."""
    start = time.process_time()
    image = radiograph.read(content, seen_px)
    reader.seen(image)
    used = time.process_time() - start
    return reader.read(image), 1000 * used


def compared(reader: Reader, content: bytes, seen_px: int) -> dict[str, float]:
    """Figures of one file."""
    (full, full_ms), (near, near_ms) = (read(reader, content, px) for px in (0, seen_px))
    longer = max(full.heatmap.placement.rows, full.heatmap.placement.cols)
    same = len(full.findings) == len(near.findings)
    return {
        "scale": near.decoded_scale,
        "difference": abs(full.score.probability - near.score.probability),
        "decisions": full.decision != near.decision,
        "abstentions": full.abstains != near.abstains,
        "domain": (full.domain and full.domain.inside) != (near.domain and near.domain.inside),
        "cautions": full.cautions != near.cautions,
        "findings": not same,
        "edges": _edges(full, near) / longer if same else 0.0,
        "full ms": full_ms,
        "reduced ms": near_ms,
    }


def _edges(full: ModelReading, near: ModelReading) -> float:
    """Largest distance in pixels between edges of the findings' boxes."""
    pairs = zip(full.findings, near.findings, strict=True)
    edges = ("top", "left", "bottom", "right")
    return max((abs(getattr(a.box, edge) - getattr(b.box, edge)) for a, b in pairs for edge in edges), default=0.0)


def summary(way: str, measured: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The row of one way."""
    reduced = [one for one in measured if one["scale"] < 1]
    differences = [one["difference"] for one in reduced] or [float("nan")]
    scales = sorted({one["scale"] for one in reduced}, reverse=True)
    return {
        "way": way,
        "radiographs": len(measured),
        "reduced": len(reduced),
        **{f"at {scale:g}": sum(one["scale"] == scale for one in reduced) for scale in scales},
        "largest difference": max(differences),
        "99.9th percentile": float(np.quantile(differences, 0.999)),
        **{f"{what} that differ": int(sum(one[what] for one in reduced)) for what in DIFFER},
        "largest distance of edges": max((one["edges"] for one in reduced), default=0.0),
        "full ms": float(np.median([one["full ms"] for one in reduced])) if reduced else None,
        "reduced ms": float(np.median([one["reduced ms"] for one in reduced])) if reduced else None,
    }


DIFFER = "decisions", "abstentions", "domain", "cautions", "findings"


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("cohorts", type=Path, nargs="+", metavar="COHORT")
    arguments.add_argument("--split", default="tune")
    arguments.add_argument("--most", type=int, default=100, help="radiographs of each cohort, evenly spread")
    arguments.add_argument("--model", default="default", choices=sorted(SHIPPED))
    arguments.add_argument("--least", type=int, help="samples for each pixel that the model sees, along each axis")
    asked = arguments.parse_args()
    if asked.least:
        reduction.LEAST_SAMPLES = asked.least
    reader = Reader.load(SHIPPED[asked.model], threads=1)
    seen_px = reader.card.preprocessing.seen_px
    sources = [cohorts.read(path) for path in asked.cohorts]
    about = {
        "machine": machine("numpy", "pillow", "pydicom", "pylibjpeg-openjpeg"),
        "model": reader.model.name,
        "split": asked.split,
        "cohorts": [path.stem for path in asked.cohorts],
        "least": reduction.LEAST_SAMPLES,
    }
    measured: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for k, file in enumerate(tqdm(originals(sources, asked.split, asked.most), disable=None)):
            for way, content in files(file, k, seen_px, Path(folder) / "empty.dcm"):
                measured[way].append(compared(reader, content, seen_px))
            rows = [summary(way, found) for way, found in measured.items()]
            write(asked.json, {**about, "rows": rows})  # after each, so that a long run can be stopped
    print(table(rows))


if __name__ == "__main__":
    main()
