"""Simulated reader studies under the Roe-Metz model: level, coverage, and the mean of the variance estimates.

    python benchmarks/reader_study_simulation.py [--studies 2000] [--json FILE]

For null models of AUC .70 and .85 (Roe & Metz 1997, structure HL), fully crossed with 50 + 50 cases and 5 readers, and in three
groups of two readers and 16 + 16 cases each: the share of studies that reject equality at 0.05, the share of 95 % intervals that
hold the true difference of 0, and the mean U-statistic variance of the difference against the exact one, in Monte-Carlo errors.
"""

import math
import statistics
from collections.abc import Callable

import numpy as np
from measuring import machine, parser, table, write

from pneumoscope.statistics.multireader.auc import delong_covariance, empirical_auc
from pneumoscope.statistics.multireader.inference import Inference
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse
from pneumoscope.statistics.multireader.one_shot import one_shot
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.roe_metz import RoeMetz, StudySize, simulate
from pneumoscope.statistics.multireader.sizing import split_plot_variance

MODELS = {
    "AUC .70": RoeMetz((0.75, 0.75), 0.011, 0.011, 0.3, 0.3, 0.2, 0.2),
    "AUC .85": RoeMetz((1.5, 1.5), 0.03, 0.03, 0.3, 0.3, 0.2, 0.2),
}
SIZES = {
    "fully crossed, 50 + 50 cases, 5 readers": StudySize(50, 50, 5),
    "3 groups, 48 + 48 cases, 6 readers": StudySize(48, 48, 6, 3),
}
Method = Callable[[ReaderRatings], Inference]


def by_obuchowski_rockette(study: ReaderRatings) -> Inference:
    """Compare the modalities with DeLong's covariance, random readers and cases."""
    analysis = analyse(empirical_auc(study).value, delong_covariance(study), Population.READERS_AND_CASES)
    return analysis.contrasts[0].difference


def by_u_statistics(study: ReaderRatings) -> Inference:
    """Compare the modalities by the one-shot estimate with BDG degrees of freedom."""
    return one_shot(study).difference(0, 1).result


def simulated(model: RoeMetz, size: StudySize, method: Method, n_studies: int) -> dict[str, object]:
    """Simulate studies without a difference, and count rejections, covering intervals, and the mean variance."""
    rng = np.random.default_rng(20260112)
    studies = [simulate(model, size, rng) for _ in range(n_studies)]
    found = [method(study) for study in studies]
    variances = [one_shot(study).variance_of_difference(0, 1) for study in studies]
    groups = size.n_groups
    parts = model.components(size.n_nondiseased // groups, size.n_diseased // groups)
    exact = split_plot_variance(parts, size.n_readers, size.n_nondiseased + size.n_diseased, groups)
    error = statistics.stdev(variances) / math.sqrt(n_studies)
    return {
        "rejected": f"{sum(one.p < 0.05 for one in found) / n_studies:.4f}",
        "covered": f"{sum(one.low <= 0 <= one.high for one in found) / n_studies:.4f}",
        "no test": f"{sum(bool(one.reason) for one in found) / n_studies:.4f}",
        "mean variance": f"{statistics.mean(variances):.6f}",
        "exact variance": f"{exact:.6f}",
        "Monte-Carlo errors apart": abs(statistics.mean(variances) - exact) / error,
    }


def main() -> None:
    """Simulate every model, size and method, and print one row for each."""
    arguments = parser(__doc__)
    arguments.add_argument("--studies", type=int, default=2000)
    asked = arguments.parse_args()
    rows = []
    for name, model in MODELS.items():
        for design, size in SIZES.items():
            methods: dict[str, Method] = {"U-statistics": by_u_statistics}
            if size.n_groups == 1:
                methods["Obuchowski-Rockette"] = by_obuchowski_rockette
            for method, compare in methods.items():
                result = simulated(model, size, compare, asked.studies)
                rows.append({"model": name, "design": design, "method": method, "studies": asked.studies, **result})
    print(table(rows))
    write(asked.json, {"machine": machine("numpy", "scipy"), "figures": rows})


if __name__ == "__main__":
    main()
