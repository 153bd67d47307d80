"""Does a bundle's heat map look at the lungs? Peak and energy of the map inside lung-field masks.

    python benchmarks/lung_peak.py IMAGES MASKS.csv --cohort cohort.parquet [--model BUNDLE]

IMAGES is a folder of radiographs; MASKS.csv has the columns image_path (below IMAGES) and mask (a PNG beside the CSV, non-zero
inside the lungs). Only pneumonia cases that the cohort has, and not on its train side, are read; a mask is resized to its
radiograph's grid. Prints shares with 95 % intervals (patient bootstrap; Clopper–Pearson at 0 and 1) and, as what they are to be
compared with, the share of the image that lung covers.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import table
from pneumoscope.evaluation import intervals
from pneumoscope.evaluation.metrics import Array
from pneumoscope.reader import DEFAULT_BUNDLE, Reader


def mean(_: Array, values: Array, weights: Array) -> float:
    return float(np.average(values, weights=weights))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("images", type=Path)
    arguments.add_argument("masks", type=Path)
    arguments.add_argument("--cohort", type=Path, required=True)
    arguments.add_argument("--model", type=Path, default=DEFAULT_BUNDLE)
    asked = arguments.parse_args()
    cases = {c.path: c for c in table.read(asked.cohort).cases if c.side != "train" and c.reference}
    with asked.masks.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["image_path"] in cases]
    reader = Reader.load(asked.model)
    found = np.array([measure(reader, asked.images / r["image_path"], asked.masks.parent / r["mask"]) for r in rows])
    patients = [cases[row["image_path"]].patient_id for row in rows]
    weights = intervals.patient_weights(patients, 2000, np.random.default_rng(0))
    print(f"{reader.card.name}: {len(rows)} pneumonia images of {len(set(patients))} patients, none of them trained on")
    for name, column in zip(("peak of the map in the lungs", "energy of the map in the lungs", "lung share of image"),
                            found.T, strict=True):  # fmt: skip
        kept = ~np.isnan(column)
        members = [p for p, k in zip(patients, kept, strict=True) if k]
        flat = f"; {int((~kept).sum())} maps are flat" if not kept.all() else ""
        estimate = intervals.bootstrap(
            mean,
            column[kept],
            column[kept],
            members,
            weights[:, kept],
            share_of=np.ones(kept.sum(), bool) if name.startswith("peak") else None,
        )
        print(f"  {name:<32}{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f}), n = {kept.sum()}{flat}")


def measure(reader: Reader, image: Path, mask: Path) -> tuple[float, float, float]:
    """Whether the map's peak is in the lungs, the share of its energy there, the share of the image; NaN for a flat map."""
    read = radiograph.read(image)
    lungs = np.asarray(Image.open(mask).convert("L").resize((read.cols, read.rows), Image.Resampling.NEAREST)) > 0
    values = reader.read(read).heatmap.values
    total = float(values.sum())
    if not total:
        return np.nan, np.nan, float(lungs.mean())
    return float(lungs.ravel()[values.argmax()]), float(values[lungs].sum()) / total, float(lungs.mean())


if __name__ == "__main__":
    main()
