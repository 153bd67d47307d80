"""ROC-AUC, average precision and the calibration line in every bootstrap draw: all draws at once, and one by one.

    python benchmarks/bootstrap.py [--cases 740] [--draws 2000] [--rounds 3] [--json FILE]

Both ways run in turns in one process on the same draws of patients: `pneumoscope.statistics.metrics` on the whole matrix of
weights, and scikit-learn's `roc_auc_score` and `average_precision_score` (for the calibration line our own fit) called once per
draw. The last column is the largest difference of any draw.
"""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from measuring import interleaved, machine, parser, table, write
from sklearn.metrics import average_precision_score, roc_auc_score

from pneumoscope.statistics import metrics
from pneumoscope.statistics.calibration_measures import calibration_slope
from pneumoscope.statistics.intervals import over_draws, patient_weights
from pneumoscope.statistics.metrics import Array, Metric


def _each_draw(metric: Callable[..., float]) -> Callable[[Array, Array, Array], Array]:
    """A scikit-learn metric called once per draw on the cases that have weight."""

    def of_draws(reference: Array, probability: Array, weights: Array) -> Array:
        taken = [row > 0 for row in weights]
        pairs = zip(taken, weights, strict=True)
        return np.array([metric(reference[part], probability[part], sample_weight=row[part]) for part, row in pairs])

    return of_draws


def _slopes(reference: Array, probability: Array, weights: Array) -> Array:
    return np.array([calibration_slope(reference, probability, row) for row in weights])


COMPARED: dict[str, tuple[Metric, Callable[[Array, Array, Array], Array]]] = {
    "ROC-AUC": (metrics.roc_auc, _each_draw(roc_auc_score)),
    "average precision": (metrics.pr_auc, _each_draw(average_precision_score)),
    "calibration slope": (calibration_slope, _slopes),
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--cases", type=int, default=740)
    arguments.add_argument("--draws", type=int, default=2000)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    rng = np.random.default_rng(0)
    reference = np.arange(asked.cases) % 2.0
    probability = 1 / (1 + np.exp(-rng.normal(2 * reference - 1, 1.5)))
    weights = patient_weights([str(k // 2) for k in range(asked.cases)], asked.draws, 0)
    rows: list[dict[str, Any]] = []
    for name, (together, one_by_one) in COMPARED.items():
        ways = {
            "all at once, s": partial(over_draws, together, reference, probability, weights),
            "one by one, s": partial(one_by_one, reference, probability, weights),
        }
        apart = np.abs(ways["all at once, s"]() - ways["one by one, s"]()).max()
        times = {way: statistics.median(taken) for way, taken in interleaved(ways, asked.rounds, warm_up=False).items()}
        ratio = times["one by one, s"] / times["all at once, s"]
        rows.append({"figure": name, **times, "ratio": ratio, "largest difference": float(apart)})
    print(table(rows))
    write(asked.json, {"machine": machine("numpy", "scikit-learn"), "cases": asked.cases, "draws": asked.draws, "figures": rows})


if __name__ == "__main__":
    main()
