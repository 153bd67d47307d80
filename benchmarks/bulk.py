"""Measure many radiographs: the speed of ``pneumoscope read`` next to that of its graph alone, and whether its memory grows.

    python benchmarks/bulk.py [--files 500 5000] [--rounds 3] [--small | --large] [--json FILE]

Half of the sixteen shipped radiographs (0.6 to 2.7 megapixels) stay JPEG files, the other half become uncompressed DICOM (CR,
eight bits). With `--small` all are resized to 224 px first, as training copies usually are, so that little is left to decode.
With `--large` all are enlarged to the size of a detector, 2,800 px on the longer side, and stored as DICOM, in turn uncompressed,
as JPEG 2000, as JPEG-LS (these of twelve bits, without loss), and as JPEG of eight bits.

A folder is filled with links to them. It is read by separate processes: without overlays, in worker processes, as is
the default, or in the reading process itself; with overlays as PNG and as JPEG; and with `--large` also with reduced decoding.
The default graph runs as many times on radiographs that are already decoded and resized: one session with one thread, run by as
many threads as cores. The methods take turns. Prints medians over the rounds and medians of the rounds' ratios; the peak is the
resident memory of the reading process, without its workers. The ratio by processor time, of the process and its workers
together, depends little on what else the machine does.
"""

import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from measuring import CORES, Run, machine, median_ratio, parser, run, script, table, write
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    generate_uid,
)

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader.bundle import DISTANCE, IMAGE, LOGITS, PROBABILITY, open_bundle
from pneumoscope.reader.shipped import DEFAULT_BUNDLE

PLAIN, TOGETHER, GRAPH = "read", "read without worker processes", "graph alone"
OVERLAYS, JPEG_OVERLAYS = "read with overlays", "read with overlays as JPEG"
FLAGS = {
    PLAIN: ("--no-overlays",),
    TOGETHER: ("--no-overlays", "--no-isolate"),
    OVERLAYS: ("--overlays",),
    JPEG_OVERLAYS: ("--overlays", "--overlay-format", "jpeg"),
}
Methods = Mapping[str, Sequence[str]]
"""Options of ``pneumoscope read`` by the name of the method."""
REDUCED_FLAGS = {f"{name}, reduced decoding": (*FLAGS[name], "--decode", "reduced") for name in (PLAIN, JPEG_OVERLAYS)}
"""Only JPEG 2000 has reduced scales."""
SMALL, LARGE = 224, 2800
SYNTAXES = (ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, JPEGBaseline8Bit)


def dicom(pixels: NDArray[np.unsignedinteger[Any]], file: Path, syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a CR image of eight or twelve bits."""
    bits = 8 * pixels.itemsize
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "AP"
    dataset.PatientName = dataset.PatientID = file.stem
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, min(bits, 12), min(bits, 12) - 1
    if bits > 8:
        dataset.WindowCenter, dataset.WindowWidth = 2048, 3800
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    if syntax == JPEGBaseline8Bit:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=95)
        dataset.PixelData, dataset.file_meta.TransferSyntaxUID = encapsulate([stream.getvalue()]), syntax
        dataset["PixelData"].is_undefined_length = True
    elif syntax != ExplicitVRLittleEndian:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(file, enforce_file_format=True)


def originals(folder: Path, films: str) -> list[Path]:
    """Write the shipped radiographs: ``shipped`` as they are, ``small`` or ``large``."""
    with sample() as cohort:
        sources = [Image.open(cohort.file(case)) for case in cohort.cases]
        return [(large if films == "large" else original)(source, folder, k, films) for k, source in enumerate(sources)]


def original(source: Image.Image, folder: Path, k: int, films: str) -> Path:
    """Write a radiograph as JPEG, every other one as DICOM."""
    file = folder / f"{k:02d}{'.dcm' if k % 2 else '.jpeg'}"
    picture = source.convert("L")
    if films == "small":
        picture = picture.resize((SMALL, SMALL), Image.Resampling.BILINEAR)
    if k % 2:
        dicom(np.asarray(picture), file)
    elif films == "small":
        picture.save(file, quality=95)
    else:
        file.write_bytes(Path(str(getattr(source, "filename"))).read_bytes())  # noqa: B009 - of pictures that are files
    return file


def large(source: Image.Image, folder: Path, k: int, _: str) -> Path:
    """Write a radiograph of a detector's size, with noise in its lowest bits, in one of the transfer syntaxes."""
    file, syntax = folder / f"{k:02d}.dcm", SYNTAXES[k % len(SYNTAXES)]
    factor = LARGE / max(source.size)
    size = round(source.width * factor), round(source.height * factor)
    values = np.asarray(source.convert("F").resize(size, Image.Resampling.BICUBIC))
    noise = np.random.default_rng(k).normal(0, 6, values.shape)
    if syntax == JPEGBaseline8Bit:
        dicom(np.clip(np.rint(values + noise / 16), 0, 255).astype(np.uint8), file, syntax)
    else:
        dicom(np.clip(np.rint(values * 16 + noise), 0, 4095).astype(np.uint16), file, syntax)
    return file


def linked(files: Sequence[Path], count: int, folder: Path) -> None:
    folder.mkdir()
    for k, file in zip(range(count), itertools.cycle(files), strict=False):
        (folder / f"{k:05d}{file.suffix}").hardlink_to(file)


class GraphAlone:
    """The default graph, on radiographs that are already decoded and resized."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.session, card, _ = open_bundle(DEFAULT_BUNDLE, 1, ())
        self.outputs = [*FIELDS, LOGITS, PROBABILITY, DISTANCE, card.map_method]
        size_px = card.preprocessing.source_px or card.preprocessing.size_px
        images = [radiograph.read(file) for file in files]
        self.squares = [on_whole(image, size_px).pixels_to_square(image)[None, None] for image in images]

    def one(self, k: int) -> None:
        self.session.run(self.outputs, {IMAGE: self.squares[k % len(self.squares)]})

    def run(self, count: int) -> Run:
        self.one(0)
        start, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(CORES) as pool:
            for _ in pool.map(self.one, range(count)):
                pass
        return Run(time.perf_counter() - start, 0, time.process_time() - used)


def read(folder: Path, flags: Sequence[str], count: int) -> Run:
    """Read a folder in a separate process; raises RuntimeError unless every file has its line."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        done = run([script("pneumoscope"), "read", str(folder), "-o", str(out), *flags])
        with (out / "readings.jsonl").open(encoding="utf-8") as stream:
            lines = sum(1 for _ in stream)
    if lines != count:
        raise RuntimeError(f"{lines} of {count} radiographs were read")
    return done


def measure(files: Sequence[Path], count: int, rounds: int, scratch: Path, methods: Methods) -> list[dict[str, Any]]:
    """Make one row for each method."""
    folder, graph = scratch / str(count), GraphAlone(files)
    linked(files, count, folder)
    runs: dict[str, list[Run]] = {name: [] for name in (GRAPH, *methods)}
    for _ in range(rounds):
        runs[GRAPH].append(graph.run(count))
        for name, flags in methods.items():
            runs[name].append(read(folder, flags, count))
    return [{"radiographs": count, "way": name, **_figures(runs[GRAPH], done, count)} for name, done in runs.items()]


def _figures(alone: Sequence[Run], done: Sequence[Run], count: int) -> dict[str, Any]:
    alone_wall, alone_used = ([one.seconds for one in alone], [one.processor_seconds for one in alone])
    wall, used = ([one.seconds for one in done], [one.processor_seconds for one in done])
    return {
        "radiographs/s": count / statistics.median(wall),
        "ms each": 1000 * statistics.median(wall) / count,
        "processor ms each": 1000 * statistics.median(used) / count,
        "rate/graph alone": median_ratio(alone_wall, wall),
        "rate/graph alone, processor time": median_ratio(alone_used, used),
        "peak MiB": statistics.median(one.peak_mib for one in done) or None,
    }


def growth(rows: Sequence[dict[str, Any]], methods: Methods) -> dict[str, float]:
    """Divide the time per radiograph and the peak memory at the largest number of files by those at the smallest."""
    ratios: dict[str, float] = {}
    for name in methods:
        own = [row for row in rows if row["way"] == name]
        first, last = (pick(own, key=lambda row: row["radiographs"]) for pick in (min, max))
        ratios |= {f"{name}, {key}": last[key] / first[key] for key in ("ms each", "peak MiB")}
    return ratios


def without_start(rows: Sequence[dict[str, Any]], methods: Methods) -> dict[str, dict[str, float]]:
    """Compute the processor time of each further radiograph, and the ratio to the graph alone, between two numbers of files.

    A process and its workers need about two seconds to start, which many files share.
    """
    further: dict[str, float] = {}
    for name in (GRAPH, *methods):
        own = sorted((row["radiographs"], row["processor ms each"]) for row in rows if row["way"] == name)
        (few, each_of_few), (many, each_of_many) = own[0], own[-1]
        further[name] = (many * each_of_many - few * each_of_few) / (many - few)
    return {name: {"processor ms": ms, "rate/graph alone": further[GRAPH] / ms} for name, ms in further.items()}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--files", type=int, nargs="+", default=[500, 5000])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--small", action="store_true", help=f"resize the radiographs to {SMALL} px first")
    arguments.add_argument("--large", action="store_true", help=f"enlarge the radiographs to {LARGE} px first")
    asked = arguments.parse_args()
    films = "small" if asked.small else "large" if asked.large else "shipped"
    methods = FLAGS | (REDUCED_FLAGS if asked.large else {})
    about = {"machine": machine("onnxruntime", "numpy", "pillow", "pydicom"), "rounds": asked.rounds, "films": films}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()) + f"; {asked.rounds} rounds")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        files = originals(Path(scratch), films)
        for count in sorted(asked.files):
            new = measure(files, count, asked.rounds, Path(scratch), methods)
            rows += new
            print("\n" + table(new), flush=True)
    ratios = growth(rows, methods)
    print(f"\n{max(asked.files)} over {min(asked.files)} radiographs: " + "; ".join(f"{k} {v:.2f}" for k, v in ratios.items()))
    further = without_start(rows, methods) if len(set(asked.files)) > 1 else {}
    for name, one in further.items():
        print(f"each further radiograph, {name}: {one['processor ms']:.1f} ms, rate/graph alone {one['rate/graph alone']:.2f}")
    write(asked.json, {**about, "rows": rows, "growth": ratios, "further": further})


if __name__ == "__main__":
    main()
