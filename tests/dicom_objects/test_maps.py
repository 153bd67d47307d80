"""Segmentation and Parametric Map: the same masks and values come back, the same reading gives the same bytes."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, SegmentationStorage

from pneumoscope.classifier import Score
from pneumoscope.dicom_objects import (
    DicomObjectError,
    Profile,
    concepts,
    omitted,
    parametric_map,
    segmentation,
    structured_report,
)
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Orientation, Placement, Region
from pneumoscope.readings import extract
from tests.dicom_objects.builders import COLS, ROWS, SOURCES, cr_without_ids, result_of, well_formed_dx
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import LEFT, RIGHT, drawn, lungs

FORMS = ("BINARY", "LABELMAP")
ORIENTATIONS = [["L", "F"], ["R", "F"], ["L", "H"], ["F", "L"], ["H", "R"], ["F", "R"], ["R", "H"], ["H", "L"]]
"""Patient Orientation of a frontal film that is stored upright, mirrored, upside down, turned, …."""


def turned(directions):
    """The reading of a film that is stored in another order: lungs and an L-shaped opacity, drawn in the displayed order."""
    dataset = well_formed_dx()
    dataset.PatientOrientation = directions
    orientation = Orientation(*directions)
    placement = Placement(ROWS, COLS, Region(0.0, 0.0, ROWS, COLS), 40, orientation)
    cells = np.zeros((40, 40), np.float32)
    cells[14:30, 26:29] = cells[27:30, 26:34] = 0.9
    heatmap = Heatmap(cells, placement, "pneumonia", "evidence", "features", 1.0, 0.5)
    fields = LungFields(drawn(RIGHT), drawn(LEFT), placement, 0.98, 0.96, "found")
    findings = extract(heatmap, 0.9, fields)
    assert len(findings) == 1
    return result_of(dataset, heatmap=heatmap, lung_fields=fields, findings=findings)


def test_each_lung_and_each_finding_is_a_segment_with_codes_and_the_tracking_uid_of_the_report():
    result = result_of(well_formed_dx())
    made = segmentation.write(result)
    dataset = parsed(made.content)
    assert (made.sop_class_uid, dataset.SegmentationType) == (SegmentationStorage, "BINARY")
    assert [item.SegmentLabel for item in dataset.SegmentSequence] == ["Right lung", "Left lung", "Opacity 1", "Opacity 2"]
    right, left, first, _ = dataset.SegmentSequence
    for item, side in ((right, "Right"), (left, "Left")):
        (kind,) = item.SegmentedPropertyTypeCodeSequence
        assert (kind.CodeMeaning, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning) == ("Lung", side)
    assert first.AnatomicRegionSequence[0].CodeMeaning == "Middle zone of lung"
    assert first.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Right"
    assert all(
        item.RecommendedDisplayCIELabValue and item.SegmentAlgorithmType == "AUTOMATIC" for item in dataset.SegmentSequence
    )
    assert first.TrackingUID.encode() in structured_report.write(result).content
    assert len({item.TrackingUID for item in dataset.SegmentSequence}) == 4


@pytest.mark.parametrize("form", FORMS)
def test_the_segments_are_read_back(form):
    result = replace(result_of(well_formed_dx()), segmentation=form)
    wanted, back = segmentation.segments_of(result), segmentation.read(segmentation.write(result).content)
    opacities = np.any([one.mask for one in wanted if one.type == concepts.OPACITY], 0)
    for one, again in zip(wanted, back, strict=True):
        assert (repr(again), again.tracking_uid) == (repr(one), one.tracking_uid)
        hidden = opacities if form == "LABELMAP" and one.type == concepts.LUNG else np.zeros_like(opacities)
        assert np.array_equal(again.mask, one.mask & ~hidden)
        assert again.mask.any()
    first = result.reading.findings[0].box
    assert Region.around(back[2].mask) == first


def test_a_label_map_describes_its_segments_in_order_of_their_numbers_and_pads_with_zero():
    result = replace(result_of(well_formed_dx()), segmentation="LABELMAP")
    dataset = parsed(segmentation.write(result).content)
    assert [item.SegmentNumber for item in dataset.SegmentSequence] == [1, 2, 3, 4]
    assert dataset.PixelPaddingValue == 0


def test_of_overlapping_findings_a_label_map_shows_the_one_of_the_highest_rating():
    result = replace(result_of(well_formed_dx()), segmentation="LABELMAP")
    one = result.reading.findings[0]
    twice = replace(result, reading=replace(result.reading, findings=(one, replace(one, rating=0.2))))
    masks = [segment.mask.any() for segment in segmentation.read(segmentation.write(twice).content)]
    assert masks == [True, True, True, False]


@pytest.mark.parametrize("directions", ORIENTATIONS, ids="".join)
def test_masks_and_map_of_a_turned_film_lie_on_its_stored_grid(directions):
    result = turned(directions)
    right, left, opacity = segmentation.read(segmentation.write(result).content)
    values = parametric_map.read(parametric_map.write(result).content).values
    assert right.mask.shape == left.mask.shape == opacity.mask.shape == values.shape == (ROWS, COLS)
    shown = [result.radiograph.orientation.to_display(one) for one in (right.mask, left.mask, opacity.mask, values)]
    rows, cols = shown[0].shape
    for mask, drawing in zip(shown, (RIGHT, LEFT), strict=False):
        top, left_edge, bottom, right_edge = np.array(drawing) * np.tile([rows, cols], 2) / 40
        found = Region.around(mask)
        assert np.allclose([found.top, found.left, found.bottom, found.right], [top, left_edge, bottom, right_edge], atol=1)
    lower, upper = shown[2][: rows // 2], shown[2][rows // 2 :]
    assert lower.any(0).sum() < upper.any(0).sum()  # an L: the foot is wider than the stem
    assert np.argmax(shown[2].any(0)) > cols / 2
    assert np.array_equal(shown[3] >= 0.5, shown[2])


def test_the_map_is_read_back_to_the_bit():
    result = result_of(well_formed_dx())
    made = parametric_map.write(result)
    back = parametric_map.read(made.content)
    heatmap = result.reading.heatmap
    assert back.values.dtype == np.float32
    assert np.array_equal(back.values, heatmap.values)
    assert (back.method, back.threshold) == (heatmap.method, heatmap.threshold)


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_reading_gives_the_same_bytes(name):
    results = [result_of(SOURCES[name]) for _ in range(2)]
    writers = [segmentation.write, *([parametric_map.write] if results[0].radiograph.spacing else [])]
    for write in writers:
        assert write(results[0]).content == write(results[1]).content


def test_uids_follow_from_profile_and_form_but_the_frame_of_reference_from_the_image_alone():
    results = [result_of(well_formed_dx(), profile) for profile in Profile]
    results.append(replace(results[0], segmentation="LABELMAP"))
    made = [segmentation.write(result) for result in results]
    assert len({one.sop_instance_uid for one in made}) == len(results)
    assert made[-1].sop_class_uid == segmentation.LabelMapSegmentationStorage
    frames = {parsed(one.content).FrameOfReferenceUID for one in [*made, parametric_map.write(results[0])]}
    assert len(frames) == 1


def test_a_reading_without_lungs_and_findings_has_no_segmentation():
    result = result_of(well_formed_dx(), lung_fields=lungs(ROWS, COLS, "not found"), findings=(), decision="negative")
    assert "nothing to segment" in omitted(result.radiograph, result.reading)["seg"]
    with pytest.raises(DicomObjectError, match="neither a lung field nor a finding"):
        segmentation.write(result)


def test_a_lung_that_was_not_found_is_no_segment():
    result = result_of(well_formed_dx(), lung_fields=lungs(ROWS, COLS, "partly found", left=None), findings=())
    assert [one.label for one in segmentation.segments_of(result)] == ["Right lung"]


def test_a_source_without_spacing_has_no_parametric_map_but_a_segmentation():
    result = result_of(cr_without_ids())
    assert "no pixel spacing" in omitted(result.radiograph, result.reading)["pm"]
    with pytest.raises(DicomObjectError, match="no pixel spacing"):
        parametric_map.write(result)
    assert len(segmentation.read(segmentation.write(result).content)) == 4


def test_a_finding_of_another_heat_map_is_refused():
    result = result_of(well_formed_dx())
    elsewhere = replace(result.reading.findings[0], peak=(90, 70))
    with pytest.raises(ValueError, match="below its threshold at the peak"):
        segmentation.segments_of(replace(result, reading=replace(result.reading, findings=(elsewhere,))))


@pytest.mark.parametrize(("readers", "kind"), [(segmentation.read, "Segmentation"), (parametric_map.read, "Parametric Map")])
def test_another_object_is_not_read_back(readers, kind):
    with pytest.raises(DicomObjectError, match=f"is no {kind}"):
        readers(structured_report.write(result_of(well_formed_dx())).content)


def test_values_above_full_scale_are_kept():
    values = np.full((ROWS, COLS), 1.5, np.float32)
    result = result_of(well_formed_dx())
    heatmap = replace(result.reading.heatmap, cells=values)
    made = parametric_map.write(replace(result, reading=replace(result.reading, heatmap=heatmap)))
    assert parametric_map.read(made.content).values.max() == np.float32(1.5)
    shared = parsed(made.content).SharedFunctionalGroupsSequence[0]
    assert shared.RealWorldValueMappingSequence[0].DoubleFloatRealWorldValueLastValueMapped == 1.5


def test_a_deflated_map_is_small_has_uids_of_its_own_and_comes_back_to_half_a_level():
    full = result_of(well_formed_dx())
    rows, cols = np.meshgrid(
        np.linspace(0, 1, ROWS, dtype=np.float32), np.linspace(0, 0.9, COLS, dtype=np.float32), indexing="ij"
    )
    full = replace(full, reading=replace(full.reading, heatmap=heatmap_of(rows * cols)))
    deflated = replace(full, deflated_maps=True)
    made, plain = parametric_map.write(deflated), parametric_map.write(full)
    dataset = parsed(made.content)
    assert dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert dataset.ContentDescription == "Heat map of a model for pneumonia, rounded to 1/1024"
    back, exact = parametric_map.read(made.content), parametric_map.read(plain.content)
    assert np.abs(back.values - exact.values).max() <= 1 / 2048
    assert set(np.unique(back.values * 1024 % 1)) == {0.0}
    assert (back.method, back.threshold) == (exact.method, exact.threshold)
    assert len(made.content) < len(plain.content) / 2
    assert made.sop_instance_uid != plain.sop_instance_uid
    assert parametric_map.write(deflated) == made


def test_the_description_of_a_deflated_map_keeps_its_end_for_a_long_target():
    score = Score("t" * 80, 0.9, 2.2)
    made = parametric_map.write(replace(result_of(well_formed_dx(), score=score), deflated_maps=True))
    described = parsed(made.content).ContentDescription
    assert (len(described), described[-18:]) == (64, ", rounded to 1/1024"[-18:])
