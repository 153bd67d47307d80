"""Subtract the ROC-AUCs of two runs of `pneumoscope evaluate` on the same cases; print JSON with DeLong's interval.

python docs/difference.py FOLDER OTHER > difference.json
"""

import dataclasses
import json
import sys
from pathlib import Path

from pneumoscope.evaluation import prediction_files
from pneumoscope.statistics import paired

first, second = (prediction_files.read(Path(folder) / "predictions.csv") for folder in sys.argv[1:])
if [row.path for row in first.rows] != [row.path for row in second.rows]:
    sys.exit("the two runs have different cases, or the same cases in another order")
test = paired.delong(first.reference, first.probability, second.probability, first.patients)
result = {"split": first.split, "split_sha256": first.split_sha256, "p": test.p, **dataclasses.asdict(test.difference)}
print(json.dumps(result, indent=2))
