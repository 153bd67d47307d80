"""Multi-reader multi-case analyses: all of a small study, and a large one in blocks of memory.

    python benchmarks/multireader.py [--cases 10000] [--readers 20] [--rounds 3] [--json FILE]

The small study has two modalities, five readers and 114 cases rated 1 to 5; it is analysed by Obuchowski-Rockette with three
covariances and by DBM, each for three populations, and by one-shot U-statistics. The large study has continuous ratings; its
moments need every comparison of a diseased with a non-diseased case.
"""

import resource
import statistics
import sys
from functools import partial

import numpy as np
from measuring import interleaved, machine, parser, table, write

from pneumoscope.statistics.multireader import dorfman_berbaum_metz, obuchowski_rockette
from pneumoscope.statistics.multireader.auc import delong_covariance, empirical_auc
from pneumoscope.statistics.multireader.comparisons import compare
from pneumoscope.statistics.multireader.obuchowski_rockette import Population
from pneumoscope.statistics.multireader.one_shot import OneShotStudy
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.roe_metz import RoeMetz, StudySize, simulate

MODEL = RoeMetz((1.5, 1.6), 0.03, 0.03, 0.3, 0.3, 0.2, 0.2)


def in_five_categories(study: ReaderRatings) -> ReaderRatings:
    """Round ratings to 1 to 5, as readers give them."""
    rating = np.asarray(np.digitize(study.rating, [-0.5, 0.3, 1.0, 1.8]) + 1, np.float64)
    return ReaderRatings(rating, study.truth, study.modalities, study.readers, study.cases)


def every_analysis(study: ReaderRatings) -> None:
    """Compare the two modalities by every method and for every population."""
    figure, comparisons = empirical_auc(study), compare(study)
    for covariance in (figure.covariance, delong_covariance(study), comparisons.covariance):
        for population in Population:
            obuchowski_rockette.analyse(figure.value, covariance, population)
    for population in Population:
        dorfman_berbaum_metz.analyse(figure, population)
    one_shot = OneShotStudy(comparisons)
    one_shot.difference(0, 1)
    for modality in (0, 1):
        one_shot.modality(modality)


def peak_mib() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Time both studies, and print what they took."""
    arguments = parser(__doc__)
    arguments.add_argument("--cases", type=int, default=10_000)
    arguments.add_argument("--readers", type=int, default=20)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    rng = np.random.default_rng(1)
    small = in_five_categories(simulate(MODEL, StudySize(69, 45, 5), rng))
    half = asked.cases // 2
    large = simulate(MODEL, StudySize(half, asked.cases - half, asked.readers), rng)
    before = peak_mib()
    ways = {
        "2 x 5 x 114": partial(every_analysis, small),
        f"2 x {asked.readers} x {asked.cases}": partial(every_analysis, large),
    }
    times = interleaved(ways, asked.rounds, warm_up=False)
    added = peak_mib() - before
    rows = [{"modalities x readers x cases": name, "all analyses, s": statistics.median(taken)} for name, taken in times.items()]
    print(table(rows))
    print(f"memory above the ratings: {added:.0f} MiB")
    write(asked.json, {"machine": machine("numpy", "scipy"), "mib_above_ratings": added, "figures": rows})


if __name__ == "__main__":
    main()
