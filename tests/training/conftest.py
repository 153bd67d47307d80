"""A cohort of small synthetic radiographs: the positive ones have a bright spot."""

import csv

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cohort import build, split, table
from pneumoscope.cohort.layouts import csv_table

SIDE = 40


@pytest.fixture(scope="session")
def cohort_file(tmp_path_factory):
    """Sixty images of thirty patients, split 60/20/20, as a Parquet file."""
    root = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    rows = []
    for k in range(60):
        label = "PNEUMONIA" if k % 2 else "NORMAL"
        image = rng.integers(40, 120, (SIDE, SIDE)).astype(np.uint8)
        if k % 2:
            image[12:24, 8:20] += 100
        Image.fromarray(image).save(root / f"{k}.png")
        germ = {1: "bacteria", 3: "virus"}.get(k % 4, "")
        rows.append({"path": f"{k}.png", "label": label, "subtype": germ, "patient_id": f"p{k // 4}-{k % 2}"})
    with (root / "table.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    cohort = split.by_ratio(build.build(csv_table.read(root / "table.csv")).cohort, ratios=(0.6, 0.2, 0.2))
    table.write(cohort, root / "cohort.parquet")
    return root / "cohort.parquet"


@pytest.fixture(scope="session")
def cohort(cohort_file):
    return table.read(cohort_file)
