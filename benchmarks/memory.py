"""Measure the peak memory of a command by the number of cases; it must not grow with them.

    python benchmarks/memory.py localize [--cases 200 2000] [--longer-side 640] [--json FILE]
    python benchmarks/memory.py read --cases 1000 100000 [--longer-side 224] [--json FILE]

For ``localize`` and ``compare`` the sixteen shipped radiographs are resized to one size and repeated as separate files, each of a
separate patient; every case with pneumonia has a box. Each number of cases is measured in a separate process with 2,000 bootstrap
draws. The peak is the resident memory of the process; the last line is the ratio of the largest to the smallest number of cases.

For ``read`` the files of each number of cases are links to sixteen resized radiographs. What is measured is the archive around
the model (list of files, journal, order of the lines, summary): each of the sixteen is decoded and read once by the model, and
its further files get the same reading. All else is what the command does with every file, so that 100,000 take minutes.
"""

import csv
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Run, machine, parser, run, table, write
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import Cohort, Partition
from pneumoscope.cohort import table as cohort_table
from pneumoscope.cohort.case import split_sha256
from pneumoscope.cohort.sample import sample
from pneumoscope.cohort.split import by_ratio

_WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
from pneumoscope.cli.main import entry
sys.exit(entry())
"""
_EACH_RADIOGRAPH_ONCE = """
import functools, sys
from pneumoscope import radiograph
from pneumoscope.cli.main import entry
from pneumoscope.reader import Reader

radiograph.read = functools.cache(radiograph.read)
read, outcomes = Reader.read_together, {}

def remembered(reader, sources, **asked):
    for source in sources:
        if id(source) not in outcomes:
            outcomes[id(source)] = read(reader, [source], **asked)[0]
    return [outcomes[id(source)] for source in sources]

Reader.read_together = remembered
sys.exit(entry())
"""
_COMMAND = [sys.executable, "-c", _WITHOUT_TORCH]
"""Without PyTorch, as in an installation that only reads and measures: half a gigabyte of libraries would hide a growth."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("command", choices=list(MEASURED))
    arguments.add_argument("--cases", type=int, nargs="+", default=[200, 2000])
    arguments.add_argument("--longer-side", type=int, default=640, help="longer side of every radiograph, in pixels")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        peaks = {}
        for count in asked.cases:
            made = (linked if asked.command == "read" else repeated)(Path(scratch) / str(count), count, asked.longer_side)
            peaks[count] = MEASURED[asked.command](made)
            print(f"{count} cases: {peaks[count].peak_mib:.0f} MiB, {peaks[count].seconds:.0f} s", flush=True)
    rows = [{"cases": count, "peak MiB": one.peak_mib, "s": one.seconds} for count, one in peaks.items()]
    figures: dict[str, Any] = {"machine": machine("numpy", "onnxruntime"), "command": asked.command, "runs": rows}
    if len(peaks) > 1:
        figures["growth"] = peaks[max(peaks)].peak_mib / peaks[min(peaks)].peak_mib
    print(table(rows))
    print(f"peak memory at the most cases / at the fewest: {figures.get('growth', float('nan')):.3f}")
    write(asked.json, figures)


def repeated(folder: Path, count: int, longer_side: int) -> Path:
    """Write a cohort of this many radiographs with boxes for the positives, and return its folder."""
    folder.mkdir()
    cases, boxes = [], []
    with sample() as shipped:
        originals = [(case, _resized(shipped, case.path, longer_side)) for case in shipped.cases]
    for number, (case, picture) in zip(range(count), itertools.cycle(originals), strict=False):
        path = f"{number:05}.jpeg"
        picture.save(folder / path, quality=95)
        cases.append(replace(case, path=path, patient_id=f"p{number}", split="test", pixel_sha256="", rows=0, cols=0))
        if case.reference:
            left, top = (round(share * side) for share, side in zip((0.1, 0.4), picture.size, strict=True))
            boxes.append([path, left, top, picture.width // 3, picture.height // 4, *picture.size])
    split = Partition("repeated", None, None, split_sha256(cases))
    cohort_table.write(Cohort(folder, tuple(cases), source="repeated", partition=split), folder / "cohort.csv")
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "x", "y", "w", "h", "image_width", "image_height"], *boxes])
    return folder


def _resized(cohort: Cohort, path: str, longer_side: int) -> Image.Image:
    image = radiograph.read(cohort.root / path)
    factor = longer_side / max(image.rows, image.cols)
    grey = Image.fromarray(np.rint(image.pixels * 255).astype(np.uint8))
    return grey.resize((round(image.cols * factor), round(image.rows * factor)), Image.Resampling.BOX)


def localize(folder: Path) -> Run:
    """Run ``pneumoscope localize`` with the default model."""
    files = {"cohort": "cohort.csv", "regions": "boxes.csv", "out": "out"}
    return run([*_COMMAND, "localize", "default", *_options(files, folder)])


def compare(folder: Path) -> Run:
    """Run ``pneumoscope compare`` of one network that is trained for an epoch, with regions on a fifth of the cases."""
    cohort = by_ratio(cohort_table.read(folder / "cohort.csv"), ratios=(0.6, 0.2, 0.2))
    cohort_table.write(cohort, folder / "split.csv")
    files = {"regions": "boxes.csv", "out": "compared", "cache": "cache"}
    training = [
        "--init",
        "scratch",
        "--backbones",
        "efficientnet_lite0",
        "--size-px",
        "64",
        "--epochs",
        "1",
        "--warmup-epochs",
        "0",
    ]
    command = [sys.executable, "-c", "import sys; from pneumoscope.cli.main import entry; sys.exit(entry())"]
    return run([*command, "compare", str(folder / "split.csv"), *training, "--intervene", "2", *_options(files, folder)])


def read(folder: Path) -> Run:
    """Run ``pneumoscope read`` on linked files; the model reads each of the different ones once."""
    command = [sys.executable, "-c", _EACH_RADIOGRAPH_ONCE, "read", str(folder / "in"), "-o", str(folder / "out")]
    return run([*command, "--no-overlays", "--no-isolate"])


def linked(folder: Path, count: int, longer_side: int) -> Path:
    """Link files to the resized shipped radiographs, a thousand in a folder, and return their folder."""
    with sample() as shipped:
        pictures = [_resized(shipped, case.path, longer_side) for case in shipped.cases]
    originals = folder / "originals"
    originals.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        picture.save(originals / f"{number}.png")
    for number in range(count):
        place = folder / "in" / f"series{number // 1000:05}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:08}.png").hardlink_to(originals / f"{number % len(pictures)}.png")
    return folder


def _options(names: Mapping[str, str], folder: Path) -> Sequence[str]:
    return [part for option, name in names.items() for part in (f"--{option}", str(folder / name))]


MEASURED: Mapping[str, Callable[[Path], Run]] = {"localize": localize, "compare": compare, "read": read}

if __name__ == "__main__":
    main()
