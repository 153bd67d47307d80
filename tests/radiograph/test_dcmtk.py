"""Agreement with DCMTK: on block means kept in the repository, and pixel by pixel where DCMTK is installed."""

import json
import os

import numpy as np
import pytest

from pneumoscope.radiograph import read
from tests.radiograph.real_files import GOLDEN, MADE, RENDERED, SHIPPED, block_means, by_dcmtk, tool

LIMIT = 0.01
MEANS = json.loads(GOLDEN.read_text("utf-8"))
# CI sets this and installs DCMTK: there the test fails without it.
IN_CI = bool(os.environ.get("PNEUMOSCOPE_FORBID_SKIPS"))


def test_every_file_has_its_reference():
    assert set(MEANS) == {"made by", *RENDERED}
    assert len(SHIPPED) == 11


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if "J2K" in n else n for n in RENDERED])
def test_block_means_are_those_of_dcmtk(name):
    means = block_means(read(RENDERED[name].content()).pixels)

    assert np.abs(means - MEANS[name]).mean() <= LIMIT


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SHIPPED else n for n in RENDERED])
@pytest.mark.skipif(tool() is None and not IN_CI, reason="DCMTK is not installed")
def test_pixels_are_those_of_dcmtk(name):
    rendered = by_dcmtk(RENDERED[name])

    assert np.abs(read(RENDERED[name].content()).pixels - rendered).mean() <= LIMIT
    np.testing.assert_allclose(block_means(rendered), MEANS[name], atol=1e-3)


def test_a_reference_can_be_missed():
    # The smallest difference between two references of different content is above the limit.
    assert np.abs(np.subtract(MEANS["INVERSE and MONOCHROME2"], MEANS["High Bit missing"])).mean() > LIMIT
    assert len(MADE) > 20
