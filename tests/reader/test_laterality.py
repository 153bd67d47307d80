"""Right and left end to end: a shipped radiograph and its mirror, stored as DICOM, read by the shipped model."""

import numpy as np
import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import AcceptancePolicy, Caution, Orientation
from pneumoscope.reader import Reader
from tests.radiograph.builders import cr, show_stored, written

ORIENTATIONS = ["LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR"]


@pytest.fixture(scope="module")
def reader():
    return Reader.load(threads=1, policy=AcceptancePolicy(orientation="mark"))


@pytest.fixture(scope="module")
def asymmetric(reader):
    """A shipped radiograph with a finding in one lung only, as displayed, and its reading."""
    with sample() as cohort:
        for case in cohort.cases:
            image = radiograph.read(cohort.file(case))
            reading = reader.read(image)
            if len(reading.findings) and len({f.laterality for f in reading.findings} - {None}) == 1:
                return np.rint(image.pixels * 255).astype(int), reading
    raise AssertionError("no shipped radiograph has findings in one lung only")


def stored(pixels, directions: str):
    """The displayed pixels as a DICOM instance that stores them in another orientation."""
    turned = Orientation(*directions).to_stored(pixels)
    return written(cr(turned, bits=8, PatientOrientation=list(directions), **show_stored(8)))


@pytest.fixture(scope="module")
def displayed(reader, asymmetric):
    return reader.read(radiograph.read(stored(asymmetric[0], "LF")))


@pytest.mark.parametrize("directions", ORIENTATIONS)
def test_a_stored_mirror_image_gives_the_same_reading_on_the_same_side_of_the_patient(reader, asymmetric, displayed, directions):
    orientation = Orientation(*directions)

    reading = reader.read(radiograph.read(stored(asymmetric[0], directions)))

    assert reading.score.probability == pytest.approx(displayed.score.probability, abs=1e-6)
    assert [(f.laterality, f.zone) for f in reading.findings] == [(f.laterality, f.zone) for f in displayed.findings]
    assert (Caution.TURNED in reading.cautions) == (directions != "LF")
    np.testing.assert_allclose(orientation.to_display(reading.heatmap.values), displayed.heatmap.values, atol=1e-5)
    np.testing.assert_array_equal(orientation.to_display(reading.lung_fields.right), displayed.lung_fields.right)
    for ours, theirs in zip(reading.findings, displayed.findings, strict=True):
        assert ours.area_px == pytest.approx(theirs.area_px, rel=0.05)
        # The peak lies on the stored grid, where the map has the finding's height.
        assert reading.heatmap.values[ours.peak] == pytest.approx(displayed.heatmap.values[theirs.peak], rel=0.05)
        assert ours.box.top <= ours.peak[0] < ours.box.bottom
        assert ours.box.left <= ours.peak[1] < ours.box.right


def test_a_mirror_image_that_does_not_say_so_exchanges_right_and_left_and_is_marked(reader, asymmetric, displayed):
    content = written(cr(asymmetric[0][:, ::-1], bits=8, **show_stored(8)))

    reading = reader.read(radiograph.read(content))

    assert Caution.ORIENTATION in reading.cautions
    assert reading.findings
    assert {f.laterality for f in reading.findings} - {None} != {f.laterality for f in displayed.findings} - {""}
