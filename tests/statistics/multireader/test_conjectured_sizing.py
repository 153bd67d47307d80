"""Sizes from conjectured ranges against MRMCsamplesize, and what they rest on against tables."""

import pytest

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.conjectured_sizing import (
    Conjecture,
    Endpoint,
    cases_for_precision,
    cases_with_several_lesions,
    mean_range,
    noncentrality,
    size_from_ranges,
)
from pneumoscope.statistics.multireader.sizing import StatedComponents, power
from tests.statistics.multireader.reference import Deviations, golden

ENDPOINT = {"auc": Endpoint.AUC, "se": Endpoint.SENSITIVITY}


@pytest.mark.shared
@pytest.mark.parametrize("row", range(4))
def test_sizes_as_mrmcsamplesize(row):
    reference, found = golden("sample_size")["mrmcsamplesize"]["mrmc"][row], Deviations(relative=1e-6)
    asked, parts, wanted = reference["args"], reference["result"]["varComponents"], reference["result"]["ORSampleSizeResults"]
    expected = Conjecture(ENDPOINT[asked["endpoint"]], asked["theta"], asked["rangeb"], asked["rangew"], asked["r1"])
    size = size_from_ranges(expected, asked["delta"], asked["J"], asked["R"])
    found.add_each(
        "variances",
        [size.modality_reader, size.reader, size.within_reader, size.variance],
        [parts[key] for key in ("varTR", "varR", "varW", "varE")],
    )
    found.none(at_least=4)
    assert size.n_diseased == wanted["nUnits_i"]
    if asked["corr"]:
        assert cases_with_several_lesions(size.n_diseased, asked["s"], asked["ICC"]) == wanted["nCases_c"]
    else:
        assert size.n_nondiseased == wanted["nControls"]


@pytest.mark.shared
def test_precision_as_mrmcsamplesize():
    rows = golden("sample_size")["mrmcsamplesize"]["standalone"]
    assert len(rows) == 2
    for row in rows:
        asked, wanted = row["args"], row["result"]["SampleSizeResults"]
        n = cases_for_precision(ENDPOINT[asked["endpoint"].lower()], asked["theta"], asked["precision"], asked["R"])
        assert n == wanted["nUnits_i"]
        if asked.get("corr"):
            assert cases_with_several_lesions(n, asked["s"], asked["ICC"]) == wanted["nCases_c"]


def test_sizes_of_the_package_s_first_example():
    # MRMCsamplesize 1.0.0, result1 of its manual: 25 + 25 cases for ten readers.
    size = size_from_ranges(Conjecture(Endpoint.AUC, 0.75, 0.1, 0.05, 0.47), 0.1, 10)
    assert (size.n_diseased, size.n_nondiseased) == (25, 25)


@pytest.mark.parametrize(("n", "d2"), [(2, 1.128), (3, 1.693), (5, 2.326), (10, 3.078), (25, 3.931)])
def test_mean_range_is_the_constant_of_control_charts(n, d2):
    assert mean_range(n) == pytest.approx(d2, abs=5e-4)


def test_the_noncentrality_has_the_power():
    """The F test of `power` has J − 1 degrees of freedom and this noncentrality where cases do not vary between readers."""
    wanted = noncentrality(8, 0.8, 0.05)
    effect = 0.1
    reader = 8 * effect**2 / (2 * wanted)
    parts = StatedComponents(reader, 1e-12, 0.0, 0.0, 0.0, 100)
    assert power(parts, effect, 8, 100).power == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Conjecture(Endpoint.AUC, 75, 0.1, 0.05), "give an accuracy and a range of readers between 0 and 1"),
        (lambda: size_from_ranges(EXPECTED, 0.0, 10), "an effect of 0.0"),
        (lambda: size_from_ranges(EXPECTED, 0.01, 5), "cannot show a difference of 0.01 with any number of cases"),
        (lambda: size_from_ranges(EXPECTED, 0.1, 1), "give two readers"),
        (lambda: cases_with_several_lesions(100, 0.5, 0.5), "give at least 1"),
        (lambda: cases_for_precision(Endpoint.AUC, 0.8, 0.0), "precision 0.0"),
    ],
)
def test_what_cannot_be_planned_is_refused(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()


EXPECTED = Conjecture(Endpoint.AUC, 0.75, 0.2, 0.05)
