"""Make the table of adults that the default reader is trained, calibrated and tested on, from two tables of NIH ChestX-ray14.

    python benchmarks/adult_labels.py NIH NORMAL --halves halves.parquet --teacher BUNDLE -o adults.csv

NIH is the `manifest.csv` of adults and children of whom some were read by the radiologists of the RSNA Pneumonia Challenge
(columns path, nih_labels, nih_patient_id, age, sex, view, rsna_class); NORMAL is that of adults whom these radiologists called
Normal. `halves.parquet` splits the patients whom they read (`pneumoscope cohort split --ratios 0/50/50`); docs/model.md has the
commands.

The label of an image is what the radiologists said (`rsna_class`). An image that they did not read has its label of NIH:
``No Finding``, or ``Pneumonia, confirmed`` if the text of the report says pneumonia (which the radiologists confirmed for fewer
than half of the images) and the score of BUNDLE is higher than for 85 % of the NORMAL adults in train. Every other image is left
out. No box is read.

The column split: the patients of the test half go to ``test``; the tune half is divided by a hash of the patient into ``tune``
and ``train``; NIH patients whom no radiologist of RSNA read are for ``train``; the NORMAL adults are divided 60/20/20 by a hash.
Children (under 18 years) of NIH keep their label, and go to ``test`` alone: nothing is trained or chosen on them.
"""

import argparse
import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pneumoscope import atomic_files
from pneumoscope.classifier.population import ADULT_YEARS
from pneumoscope.cohort import table
from pneumoscope.reader import Reader

CONFIRMED = "Pneumonia, confirmed"
QUANTILE = 0.85
COLUMNS = ("path", "label", "patient_id", "age", "sex", "view", "split")
Row = Mapping[str, str]


def share(patient: str) -> float:
    """Map a patient to a number in [0, 1) that does not depend on the other patients."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:12], 16) / 16**12


def rows(manifest: Path) -> list[Row]:
    with manifest.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def is_adult(row: Row) -> bool:
    return float(row["age"]) >= ADULT_YEARS


def normal_split(row: Row) -> str:
    at = share(row["nih_patient_id"])
    return "train" if at < 0.6 else "tune" if at < 0.8 else "test"


def read_split(row: Row, halves: Mapping[str, str]) -> str:
    """The split of an image whose patient is in `halves` (patient to half), or of one whom no radiologist read."""
    half = halves.get(row["nih_patient_id"], "")
    if half == "test" or not is_adult(row):
        return "test"
    return "tune" if half == "tune" and share(row["nih_patient_id"]) >= 0.5 else "train"


def scores(reader: Reader, folder: Path, chosen: list[Row]) -> np.ndarray:
    files = [folder / row["path"] for row in chosen]
    outcomes = tqdm(reader.read_many(files), total=len(files), desc="teacher", unit="image", disable=None)
    return np.array([outcome.reading.score.log_odds for outcome in outcomes if outcome.reading])


def labelled(nih: Path, normal: Path, halves: Mapping[str, str], reader: Reader) -> Iterator[tuple[Path, Row, str, str]]:
    """Yield folder, row, label and split of every image that has a label."""
    healthy, others = rows(normal), rows(nih)
    for row in healthy:
        yield normal.parent, row, "Normal", normal_split(row)
    unread = [row for row in others if not row["rsna_class"] and read_split(row, halves) == "train"]
    reported = [row for row in unread if "Pneumonia" in row["nih_labels"].split("|")]
    limit = np.quantile(scores(reader, normal.parent, [r for r in healthy if normal_split(r) == "train"]), QUANTILE)
    confirmed = [r for r, z in zip(reported, scores(reader, nih.parent, reported), strict=True) if z >= limit]
    print(f"{len(confirmed)} of {len(reported)} reports of pneumonia confirmed (log-odds of at least {limit:.3f})")
    for row in (row for row in others if row["rsna_class"]):
        yield nih.parent, row, row["rsna_class"], read_split(row, halves)
    for row in confirmed:
        yield nih.parent, row, CONFIRMED, "train"
    for row in (row for row in unread if row["nih_labels"] == "No Finding"):
        yield nih.parent, row, "No Finding", "train"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nih", type=Path)
    parser.add_argument("normal", type=Path)
    parser.add_argument("--halves", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    halves = {case.patient_id: case.split for case in table.read(given.halves).cases}
    root, counts = given.nih.parent.parent, Counter[tuple[str, str]]()
    with atomic_files.text(given.out) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for folder, row, label, split in labelled(given.nih, given.normal, halves, Reader.load(given.teacher)):
            path = (folder / row["path"]).relative_to(root).as_posix()
            writer.writerow((path, label, row["nih_patient_id"], row["age"], row["sex"], row["view"], split))
            counts[split, label] += 1
    for (split, label), n in sorted(counts.items()):
        print(f"{split:6}{n:6}  {label}")


if __name__ == "__main__":
    main()
