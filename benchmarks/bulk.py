"""Measure many radiographs: the speed of ``pneumoscope read`` next to that of its graph alone, and whether its memory grows.

    python benchmarks/bulk.py [--files 500 5000] [--rounds 3] [--small] [--isolate] [--json FILE]

Half of the sixteen shipped radiographs (0.6 to 2.7 megapixels) stay JPEG files, the other half become uncompressed DICOM (CR,
eight bits). With `--small` all are resized to 224 px first, as training copies usually are, so that little is left to decode.
A folder is filled with links to them. The folder is read without and with overlays, each time by a separate process, and the
default graph runs as many times on radiographs that are already decoded and resized: one session with one thread, run by as many
threads as cores. The methods take turns. With `--isolate` the folder is also read with decoding in the reading process itself,
which tells the price of the worker processes that are the default. Prints medians over the rounds and medians of the rounds'
ratios; the peak is the resident memory of the reading process, without its workers.
"""

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
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader.bundle import DISTANCE, IMAGE, LOGITS, PROBABILITY, open_bundle
from pneumoscope.reader.reader import DEFAULT_BUNDLE

PLAIN, OVERLAYS, TOGETHER, GRAPH = "read", "read with overlays", "read without worker processes", "graph alone"
SMALL = 224
FLAGS = {PLAIN: ("--no-overlays",), OVERLAYS: ("--overlays",)}
COMPARED = {TOGETHER: ("--no-overlays", "--no-isolate")}


def dicom(pixels: NDArray[np.uint8], file: Path) -> None:
    """Write a CR image, uncompressed."""
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
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(file, enforce_file_format=True)


def originals(folder: Path, small: bool) -> list[Path]:
    """Write the shipped radiographs, every other one as DICOM."""
    made = []
    with sample() as cohort:
        for k, case in enumerate(cohort.cases):
            source, file = cohort.file(case), folder / f"{k:02d}{'.dcm' if k % 2 else '.jpeg'}"
            picture = Image.open(source).convert("L")
            if small:
                picture = picture.resize((SMALL, SMALL), Image.Resampling.BILINEAR)
            if k % 2:
                dicom(np.asarray(picture), file)
            elif small:
                picture.save(file, quality=95)
            else:
                file.write_bytes(source.read_bytes())
            made.append(file)
    return made


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

    def seconds(self, count: int) -> float:
        self.one(0)
        start = time.perf_counter()
        with ThreadPoolExecutor(CORES) as pool:
            for _ in pool.map(self.one, range(count)):
                pass
        return time.perf_counter() - start


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


def measure(
    files: Sequence[Path], count: int, rounds: int, scratch: Path, ways: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Make one row for each method."""
    folder, graph = scratch / str(count), GraphAlone(files)
    linked(files, count, folder)
    seconds: dict[str, list[float]] = {name: [] for name in (GRAPH, *ways)}
    peaks: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        seconds[GRAPH].append(graph.seconds(count))
        for name, flags in ways.items():
            done = read(folder, flags, count)
            seconds[name].append(done.seconds)
            peaks[name].append(done.peak_mib)
    return [
        {
            "radiographs": count,
            "way": name,
            "radiographs/s": count / statistics.median(taken),
            "ms each": 1000 * statistics.median(taken) / count,
            "rate/graph alone": median_ratio(seconds[GRAPH], taken),
            **({"rate/read": median_ratio(seconds[PLAIN], taken)} if TOGETHER in ways else {}),
            "peak MiB": statistics.median(peaks[name]) if name in peaks else None,
        }
        for name, taken in seconds.items()
    ]


def growth(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Divide the time per radiograph and the peak memory at the largest number of files by those at the smallest."""
    ratios: dict[str, float] = {}
    for name in FLAGS:
        own = [row for row in rows if row["way"] == name]
        first, last = (pick(own, key=lambda row: row["radiographs"]) for pick in (min, max))
        ratios |= {f"{name}, {key}": last[key] / first[key] for key in ("ms each", "peak MiB")}
    return ratios


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--files", type=int, nargs="+", default=[500, 5000])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--small", action="store_true", help=f"resize the radiographs to {SMALL} px first")
    arguments.add_argument("--isolate", action="store_true", help="read without worker processes as well")
    asked = arguments.parse_args()
    ways = FLAGS | (COMPARED if asked.isolate else {})
    about = {"machine": machine("onnxruntime", "numpy", "pillow", "pydicom"), "rounds": asked.rounds, "small": asked.small}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()) + f"; {asked.rounds} rounds")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        files = originals(Path(scratch), asked.small)
        for count in sorted(asked.files):
            new = measure(files, count, asked.rounds, Path(scratch), ways)
            rows += new
            print("\n" + table(new), flush=True)
    ratios = growth(rows)
    print(f"\n{max(asked.files)} over {min(asked.files)} radiographs: " + "; ".join(f"{k} {v:.2f}" for k, v in ratios.items()))
    write(asked.json, {**about, "rows": rows, "growth": ratios})


if __name__ == "__main__":
    main()
