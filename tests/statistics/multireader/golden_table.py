"""Print the table of agreement with other packages: run the comparisons, and list what each has compared.

    python -m tests.statistics.multireader.golden_table

Run it where the data of the published studies lie beside the checkout; elsewhere the simulated studies are compared alone.
"""

import json
import sys
from collections import defaultdict

import pytest

from tests.statistics.multireader.reference import SHARED, USED, Deviations

FOLDER = "tests/statistics/multireader"
ALIASES = {
    ("sim_agreement", "irrcac"): ("agreement.values", "sim_agreement"),
    ("sim_agreement", "pair"): ("agreement.values", "sim_agreement_pair_r1_r2_complete"),
    ("sim_agreement", "bland_altman"): ("agreement.values", "bland_altman_sim_r1_r2"),
}
"""Where the numbers of simulated studies are in this folder, and in the whole file."""
DIFFERENT = (
    (
        "mrmcaov.auc.* , fixed readers",
        "franken",
        "Cov2 < Cov3: MRMCaov does not clip the difference at 0, Iowa's program, RJafroc and this package do; "
        "RJafroc clips it inside VarR and VarTR too",
    ),
    (
        "rjafroc.MaxNLF VarR, VarTR",
        "rj06_magnus",
        "the same clipping",
    ),
    (
        "mrmcaov.auc.*, differences of one reader",
        "sim_ordinal, kundel",
        "more than two modalities: MRMCaov gives the readers' standard errors in the wrong order",
    ),
    (
        "mrmcaov.auc.delong",
        "kundel",
        "not fully crossed: both packages refuse",
    ),
    (
        "mrmcaov.empirical_spec_at_sens, partial_sensitivity",
        "van_dyke, franken",
        "where points of the curve have one sensitivity MRMCaov keeps the lowest specificity alone and draws "
        "the line from the point below to it; this package follows the curve. By its rule its numbers are "
        "reproduced to 1e-8",
    ),
    (
        "imrmc.auc, test of the difference",
        "franken",
        "the unbiased variance is negative: no standard error, degrees of freedom or p",
    ),
    (
        "mrmcaov.binormal_auc, binormal_lr_auc",
        "van_dyke, franken",
        "to 1e-4 and 2e-4: MRMCaov's search stops early, most of all where the likelihood has its maximum at "
        "a limit (Van Dyke, reader 4)",
    ),
    (
        "google_health.orh",
        "all",
        "to 1e-5: computed in 32 bits; for sensitivity and specificity it leaves out cases of both classes, "
        "this package those of the class: (K − 1) / K of K cases against n of a class; by its rule reproduced",
    ),
    (
        "mrmcaov.auc.nested_in_*.jackknife",
        "van_dyke",
        "the case names were read as numbers, 1.1 = 1.10 = 1.100; with these clusters reproduced to 1e-8",
    ),
    (
        "icc_irr, interval of agreement_average",
        "sim_agreement_continuous",
        "irr takes other degrees of freedom than psych, which agrees",
    ),
    (
        "lme4",
        "sim_reading_times",
        "to 2e-5: both searches stop there",
    ),
)
"""Method, data sets, and the reason."""
NOT_COMPARED = {
    "van_dyke.mrmcaov.auc.nested_in_modality.unbiased": "its case names were read as numbers (1.1 = 1.10): other clusters",
    "agreement.values.irr_fleiss_diagnoses": "its ratings are not among the data",
    "agreement.values.irr_conger_exact_diagnoses": "its ratings are not among the data",
    "roe_metz.or_parameters.or_to_rmh_van_dyke": "components back to a model: not built, the simulator takes a model",
    "sample_size.rjafroc.power_dbm_2004": "the older method, which Hillis, Obuchowski & Berbaum 2011 replaced",
    "sample_size.rjafroc.froc": "needs a fit of the search model to a pilot, which is not built; the conversion is checked by "
    "simulation",
    "sample_size.rjafroc.published_in_package_tests": "compared as literals in test_sizing_and_roe_metz",
    "sample_size.rjafroc.given_components": "compared as literals in test_sizing_and_roe_metz",
    "sample_size.rjafroc.power_table_van_dyke_rrrc_effect_0.05": "compared as literals in test_sizing_and_roe_metz",
    "roe_metz.simulated_coverage": "a simulation; the slow tests make their own",
    "google_health_own_tests.values": "its data need its own simulator",
}


class Recorder:
    """Notes, for each test that passes, which reference numbers it used and how well they agreed."""

    def __init__(self):
        self.agreed = defaultdict(lambda: [0, 0.0])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self):
        USED.clear()
        Deviations.seen.clear()
        outcome = yield
        if outcome.excinfo is None:
            numbers, largest = (
                sum(one.compared for one in Deviations.seen),
                max((one.largest for one in Deviations.seen), default=0),
            )
            for key in set(USED):
                entry = self.agreed[ALIASES.get(key, key)]
                entry[:] = entry[0] + numbers // len(set(USED)), max(entry[1], largest)


def table(head, rows):
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [head, ["---"] * len(head), *rows])


def agreed_table(agreed):
    by_method = defaultdict(list)
    for (study, method), (numbers, largest) in agreed.items():
        by_method[f"{study}.{method}" if "." in study else method].append((study, numbers, largest))
    rows = [
        [
            method,
            ", ".join(sorted(study for study, _, _ in found)),
            sum(n for _, n, _ in found),
            f"{max(x for *_, x in found):.0e}",
        ]
        for method, found in sorted(by_method.items())
    ]
    return table(["method", "data sets", "numbers", "largest relative deviation"], rows)


def missing(agreed):
    """Methods of the whole file that no test looked up, and why."""
    known = {f"{study}.{method}" for study, method in agreed}
    for study, methods in json.loads((SHARED / "golden.json").read_text(encoding="utf-8")).items():
        for method, numbers in methods.items() if study != "meta" else ():
            parts = numbers if any(name.startswith(f"{study}.{method}.") for name in known) else {"": None}
            for part in parts:
                name = f"{study}.{method}.{part}".rstrip(".")
                if name not in known and part not in ("source", "package") and method != "source":
                    yield name


def main():
    recorder = Recorder()
    with_data = SHARED.is_dir()
    code = pytest.main([FOLDER, "-q", "-m", "not slow" if with_data else "not slow and not shared"], plugins=[recorder])
    print(f"\n## Agreed\n\n{agreed_table(recorder.agreed)}\n\n## Different, and why\n")
    print(table(["method", "data sets", "why"], DIFFERENT))
    if with_data:
        rows = [[name, NOT_COMPARED.get(name, "**no test**")] for name in missing(recorder.agreed)]
        print(f"\n## Not compared\n\n{table(['numbers', 'why'], rows)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
