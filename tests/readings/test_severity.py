"""The opacity severity of a reading by hand: two rectangular lungs of 48 × 48 pixels on 80 × 160, thirds of 16 rows."""

import dataclasses

import numpy as np
import pytest

from pneumoscope.classifier import SeverityScale
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.radiograph import Orientation, Placement, Region
from pneumoscope.readings.severity import SEVERITY_NAME, Severity, severity_of
from tests.lung_fields.builders import LEFT, RIGHT, SIDE, drawn, lungs

SCALE = SeverityScale(((0.0, 0.0), (1.0, 3.0)), 2.0, 0.9, 20, 20, "masks", "tune", "")


def map_of(cells: np.ndarray, placement: Placement | None = None, threshold: float = 0.5) -> Heatmap:
    """A map with one cell for each cell of the lung fields' square, unless the placement says otherwise."""
    placement = placement or Placement(80, 160, Region(0, 0, 80, 160), SIDE)
    return Heatmap(cells.astype(np.float32), placement, "pneumonia", "evidence", "evidence", 1.0, threshold)


def painted(**values: float) -> np.ndarray:
    """Cells of the square with a value in each named zone of the two lungs."""
    cells = np.zeros((SIDE, SIDE))
    for name, value in values.items():
        laterality, zone = name.split("_")
        top, left, _, right = RIGHT if laterality == "right" else LEFT
        first = top + 8 * ("upper", "mid", "lower").index(zone)
        cells[first : first + 8, left:right] = value
    return cells


def test_each_zone_has_its_own_share_and_density():
    cells = painted(right_upper=0.25, right_lower=0.75, left_mid=1.0)
    cells[26:34, 4:10] = 0.25  # half of the right lower zone
    severity = severity_of(map_of(cells), lungs(), SCALE)
    assert [(zone.laterality, zone.zone) for zone in severity.zones] == list(ZONES)
    assert [zone.share_opaque for zone in severity.zones] == pytest.approx([0, 0, 0.5, 0, 1, 0])
    assert [zone.density for zone in severity.zones] == pytest.approx([0.25, 0, 0.5, 0, 1, 0])
    assert [zone.grade for zone in severity.zones] == pytest.approx([0.75, 0, 1.5, 0, 3, 0])
    assert severity.score == pytest.approx(5.25)
    assert (severity.low, severity.high) == pytest.approx((3.25, 7.25))
    assert str(severity) == "severity 5.2 of 18 (90% interval 3.2 to 7.2)"


def test_a_value_at_the_threshold_is_opaque_and_one_beyond_full_scale_counts_as_full():
    severity = severity_of(map_of(painted(right_mid=0.5, left_lower=4.0)), lungs(), SCALE)
    assert [zone.share_opaque for zone in severity.zones] == [0, 1, 0, 0, 0, 1]
    assert severity.score == pytest.approx(1.5 + 3)


def test_values_between_the_lungs_do_not_count():
    cells = np.ones((SIDE, SIDE)) - painted(**{f"{laterality}_{zone}": 1.0 for laterality, zone in ZONES})
    assert severity_of(map_of(cells), lungs(), SCALE).score == 0


def test_a_map_over_the_lung_box_lies_where_the_box_lies():
    """A box of rows 20 to 68 and columns 16 to 144 with six blocks: each zone has the value of its block at its middle."""
    box = Placement(80, 160, Region(20, 16, 68, 144), 48)
    blocks = np.repeat(np.repeat([[0.0, 0.9], [0.3, 0.6], [0.6, 0.3]], 16, 0), 24, 1)
    severity = severity_of(map_of(blocks, box), lungs(), SCALE)
    assert [zone.density for zone in severity.zones] == pytest.approx([0, 0.3, 0.6, 0.9, 0.6, 0.3], abs=0.02)


@pytest.mark.parametrize("directions", ["R F", "L H", "F L", "H R"])
def test_a_radiograph_that_is_stored_in_another_order_has_the_same_severity(directions):
    orientation = Orientation(*directions.split())
    rows, cols = (160, 80) if orientation.transposed else (80, 160)
    placement = Placement(rows, cols, Region(0, 0, rows, cols), SIDE, orientation)
    fields = LungFields(drawn(RIGHT), drawn(LEFT), placement, 0.98, 0.96, "found")
    cells = painted(right_upper=0.25, right_lower=0.75, left_mid=1.0)
    turned = severity_of(map_of(cells, placement), fields, SCALE)
    assert turned.zones == severity_of(map_of(cells), lungs(), SCALE).zones


@pytest.mark.parametrize("state", ["partly found", "not found"])
def test_without_both_lungs_nothing_is_measured_and_the_reason_is_said(state):
    severity = severity_of(map_of(painted()), lungs(state=state), SCALE)
    assert severity == Severity(reason=f"lungs {state}")
    assert str(severity) == f"severity undefined (lungs {state})"


def test_a_model_without_a_scale_has_zones_and_no_score():
    severity = severity_of(map_of(painted(left_upper=0.5)), lungs(), None)
    assert [zone.density for zone in severity.zones] == pytest.approx([0, 0, 0, 0.5, 0, 0])
    assert {zone.grade for zone in severity.zones} == {None}
    assert (severity.score, severity.low, severity.high) == (None, None, None)
    assert severity.reason == "the model has no severity scale; fix one with pneumoscope calibrate-severity"


def test_outside_the_domain_there_is_a_score_without_an_interval():
    severity = severity_of(map_of(painted(left_upper=0.5)), lungs(), SCALE, inside=False)
    assert severity.score == pytest.approx(1.5)
    assert (severity.low, severity.high) == (None, None)
    assert severity.reason == "no interval: the image lies outside the model's domain"
    assert str(severity) == "severity 1.5 of 18"


def test_a_map_of_another_class_or_method_has_no_severity():
    severity = severity_of(map_of(painted(left_upper=0.5)), lungs(), SCALE, scale_fits=False)
    assert severity.zones == ()
    assert "another class or was made by another method" in severity.reason


def test_a_lung_of_two_rows_has_a_third_without_area():
    severity = severity_of(map_of(painted()), lungs(right=(10, 4, 12, 16)), SCALE)
    assert severity == Severity(reason="a third of a lung has no area")


def test_lungs_on_a_part_of_the_radiograph_are_refused():
    fields = dataclasses.replace(lungs(), placement=Placement(80, 160, Region(0, 0, 40, 80), SIDE))
    with pytest.raises(ValueError, match="not the whole radiograph"):
        severity_of(map_of(painted()), fields, SCALE)


def test_the_name_says_that_it_is_no_radiologists_score():
    assert SEVERITY_NAME == "opacity severity by the heat map, not a radiologist's score"
